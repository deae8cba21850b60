/* /_mw/login and /_mw/logout: by a page's script in JSON, or by the form that is the page here.
 * Not the judging; that is login.c. Read next: login.h.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "codec/url.h"
#include "server/login.h"
#include "server/route.h"

#define SECOND_NS INT64_C(1000000000)
enum { BODY_BYTES_MOST = 4096 };

/* What a page's script or a form sends. */
struct posted {
    char user[MW_USER_NAME_BYTES + 1], password[MW_PASSWORD_MOST_BYTES + 2];
    bool is_form;
};

/* ---- answers ------------------------------------------------------------------------------------------- */

/* A form of a page without a referrer is sent with the origin "null" (Fetch, "append a request Origin header"). */
static const char page_head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
    "<meta name=\"referrer\" content=\"same-origin\"><link rel=\"icon\" href=\"data:,\"><title>Log in</title>\n";

static void append_form(struct mw_buffer *page, const char *said)
{
    (void)mw_buffer_append_text(page, "<h1>Log in</h1>\n");
    if (said) {
        (void)mw_buffer_append_text(page, "<p role=\"alert\">");
        route_append_escaped(page, said);
        (void)mw_buffer_append_text(page, "</p>\n");
    }
    (void)mw_buffer_append_text(page, "<form method=\"post\" action=\"login\">\n"
                                      "<p><label>Name <input name=\"user\" autocomplete=\"username\" required autofocus></label></p>\n"
                                      "<p><label>Password <input name=\"password\" type=\"password\" "
                                      "autocomplete=\"current-password\" required></label></p>\n"
                                      "<p><button>Log in</button></p>\n</form>\n");
}

static void append_user(struct mw_buffer *page, const mw_user *user)
{
    size_t i;

    (void)mw_buffer_append_text(page, "<h1>Logged in</h1>\n<p>You are ");
    route_append_escaped(page, user->name);
    (void)mw_buffer_append_text(page, user->role_count > 0 ? ", in the role of " : ", in no role");
    for (i = 0; i < user->role_count; i++) {
        (void)mw_buffer_append_text(page, i > 0 ? ", " : "");
        route_append_escaped(page, user->roles[i]);
    }
    (void)mw_buffer_append_text(page, ".</p>\n<form method=\"post\" action=\"logout\"><p><button>Log out</button></p></form>\n"
                                      "<p><a href=\"../\">To the app</a></p>\n");
}

/* user NULL: the form, with what is said above it, if anything */
static void answer_page(struct edge_answer *answer, int status, const mw_user *user, const char *said)
{
    mw_value text = {.kind = MW_MISSING};
    struct mw_buffer page;

    mw_buffer_init(&page, 65536);
    (void)mw_buffer_append_text(&page, page_head); /* errors stick and are looked at once */
    if (user)
        append_user(&page, user);
    else
        append_form(&page, said);
    (void)mw_buffer_append_text(&page, "</html>\n");
    if (!page.error)
        text = mw_text_n((const char *)page.data, page.count);
    route_answer_own(answer, status, "text/html; charset=utf-8", text);
    mw_buffer_clear(&page);
}

static void answer_json(struct edge_answer *answer, int status, mw_value takes_map)
{
    mw_value text = mw_json_print(takes_map);

    mw_release(takes_map);
    route_answer_own(answer, status, "application/json", text);
}

/* In the form in which it was asked. */
static void answer_failure(mw_server *server, struct edge_answer *answer, bool is_form, int status, const char *said,
                           int64_t wait_ns)
{
    mw_value map = mw_map_new();

    if (is_form) {
        mw_release(map);
        answer_page(answer, status, NULL, said);
    } else {
        (void)mw_map_set(&map, "error", mw_text(said)); /* without memory: null */
        answer_json(answer, status, map);
    }
    if (wait_ns > 0) {
        (void)snprintf(server->text, sizeof server->text, "%sRetry-After: %" PRId64 "\r\n", answer->headers,
                       (wait_ns + SECOND_NS - 1) / SECOND_NS); /* fits */
        answer->headers = server->text;
    }
}

/* ---- what was posted -------------------------------------------------------------------------------------- */

static bool take_text(char *ret, size_t room, const char *text, size_t byte_count)
{
    if (byte_count == 0 || memchr(text, '\0', byte_count))
        return false;
    if (byte_count >= room)
        byte_count = room - 1; /* no name is so long; no password either, so what is left is wrong */
    memcpy(ret, text, byte_count);
    ret[byte_count] = '\0';
    return true;
}

static bool take_member(char *ret, size_t room, mw_value map, const char *name)
{
    const mw_value *member = mw_map_get(map, name);
    size_t byte_count = 0;
    const char *text = member && mw_kind_of(*member) == MW_TEXT ? mw_get_text(member, &byte_count) : NULL;

    return text && take_text(ret, room, text, byte_count);
}

static bool read_json(const struct edge_request *request, struct posted *ret)
{
    mw_value map;
    bool is_good;

    if (mw_json_parse(request->body, request->body_count, NULL, &map, NULL) < 0)
        return false;
    is_good = take_member(ret->user, sizeof ret->user, map, "user") &&
              take_member(ret->password, sizeof ret->password, map, "password");
    mw_release(map);
    return is_good;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One field of application/x-www-form-urlencoded (WHATWG URL §5.1). false: not there, or no text */
static bool take_field(char *ret, size_t room, const char *body, size_t byte_count, const char *name)
{
    size_t name_count = strlen(name), at = 0, end, count;
    char text[2048];

    for (; at < byte_count; at = end + 1) {
        const char *found = memchr(body + at, '&', byte_count - at);

        end = found ? (size_t)(found - body) : byte_count;
        if (end - at <= name_count || body[at + name_count] != '=' || memcmp(body + at, name, name_count) != 0)
            continue;
        for (at += name_count + 1, count = 0; at < end && count < sizeof text; at++) {
            int high = body[at] == '%' && at + 2 < end ? hex_digit(body[at + 1]) : -1, low = high < 0 ? -1 : hex_digit(body[at + 2]);

            text[count++] = low >= 0 ? (char)(high << 4 | low) : body[at] == '+' ? ' ' : body[at];
            at += low >= 0 ? 2 : 0;
        }
        return take_text(ret, room, text, count);
    }
    return false;
}

static bool read_form(const struct edge_request *request, struct posted *ret)
{
    return take_field(ret->user, sizeof ret->user, request->body, request->body_count, "user") &&
           take_field(ret->password, sizeof ret->password, request->body, request->body_count, "password");
}

static bool is_type(const struct edge_request *request, const char *type)
{
    const char *given = edge_request_field(request, "Content-Type");
    size_t count = strlen(type);

    return given && strncasecmp(given, type, count) == 0 &&
           (given[count] == '\0' || given[count] == ';' || given[count] == ' ');
}

/* ---- login ---------------------------------------------------------------------------------------------------- */

static mw_value user_map(const mw_user *user)
{
    mw_value map = mw_map_new(), roles = mw_list_new();
    size_t i;

    for (i = 0; i < user->role_count; i++)
        if (mw_list_append(&roles, mw_text(user->roles[i])) < 0)
            break; /* without memory the answer is none, below */
    (void)mw_map_set(&map, "user", mw_text(user->name));
    (void)mw_map_set(&map, "roles", roles);
    return map;
}

/* It has been judged. */
static void finish(mw_server *server, struct login *login, const struct edge_request *request, struct edge_answer *answer)
{
    mw_user *user = NULL;
    int err = login_user(login, &user);
    bool is_form = is_type(request, "application/x-www-form-urlencoded");
    char cookie[256];

    if (err < 0) {
        answer_failure(server, answer, is_form, err == -EACCES ? 401 : 503, login_reason(err), 0);
        return;
    }
    if (gate_open_session(server, request, user, cookie, sizeof cookie) < 0) {
        answer_failure(server, answer, is_form, 503, login_reason(-ENOMEM), 0);
        mw_free(user);
        return;
    }
    if (is_form)
        route_answer_own(answer, 303, NULL, mw_text(""));
    else
        answer_json(answer, 200, user_map(user));
    mw_free(user);
    (void)snprintf(server->text, sizeof server->text, "%s%s%s", answer->headers ? answer->headers : "",
                   is_form ? "Location: ../\r\n" : "", cookie); /* fits */
    answer->headers = server->text;
}

static void begin(mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    struct posted posted = {.is_form = is_type(request, "application/x-www-form-urlencoded")};
    char address[GATE_ADDRESS_BYTES];
    struct mw_error error = {0};
    struct login *login = NULL;
    int64_t wait_ns = 0;
    int err;

    if (request->body_count > BODY_BYTES_MOST || !(posted.is_form ? read_form(request, &posted) : read_json(request, &posted))) {
        answer_failure(server, answer, posted.is_form, 400,
                       posted.is_form ? "a name and a password are wanted"
                                      : "want {\"user\":\"bob\",\"password\":\"...\"} as application/json", 0);
        return;
    }
    gate_address(server, request, address);
    err = login_begin(&server->reactor, posted.user, posted.password, address, NULL, &login, &wait_ns, &error);
    if (err < 0) {
        answer_failure(server, answer, posted.is_form, err == -EAGAIN ? 429 : err == -ENOTSUP ? 404 : 503, error.text, wait_ns);
        return;
    }
    answer->kind = EDGE_LATER;
    answer->later = &login->later;
}

void route_login(mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    struct guest guest;

    if (request->later) {
        struct login *login = MW_CONTAINER_OF(request->later, struct login, later);

        finish(server, login, request, answer);
        login_free(login);
        return;
    }
    if (request->method != EDGE_POST) {
        bool is_in = gate_identify(server, request, &guest) == 0 && guest.user;

        answer_page(answer, 200, is_in ? guest.user : NULL, NULL);
        guest_clear(&guest);
        return;
    }
    if (!is_type(request, "application/json") && !is_type(request, "application/x-www-form-urlencoded")) {
        route_refuse(answer, 415, mw_text("415: want application/json, or the form of this page\n"));
    } else if (route_is_coded(request, answer)) {
        return;
    } else if (gate_is_overheard(server, request)) {
        route_refuse(answer, 403, mw_text("403: not over plain HTTP from another machine: everyone on the way could read the "
                                          "password; start the server with --cert and --key, or name the "
                                          "proxy that speaks TLS by --trusted-proxy and have it send X-Forwarded-Proto\n"));
    } else if (!request->is_whole) {
        answer->kind = EDGE_COLLECT;
    } else {
        begin(server, request, answer);
    }
}

/* ---- logout ----------------------------------------------------------------------------------------------------- */

void route_logout(mw_server *server, const struct edge_request *request, struct edge_answer *answer)
{
    bool is_form = is_type(request, "application/x-www-form-urlencoded");
    char cookie[256];

    if (request->method != EDGE_POST) {
        route_refuse(answer, 405, mw_null());
        answer->allow = "POST, OPTIONS";
        return;
    }
    if (request->has_body && !request->is_whole) {
        answer->kind = EDGE_COLLECT;
        return;
    }
    gate_end_session(server, request, cookie, sizeof cookie);
    route_answer_own(answer, is_form ? 303 : 204, NULL, mw_text(""));
    (void)snprintf(server->text, sizeof server->text, "%s%s%s", answer->headers ? answer->headers : "",
                   is_form ? "Location: login\r\n" : "", cookie); /* fits */
    answer->headers = server->text;
}
