/* People: WebSocket clients, readers of files, and vandals: how they come, what they ask for, how they read and go.
 * What they make of it is in person_hears.c.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "person.h"

struct person *person_new(struct world *w, int number)
{
    struct person *p = calloc(1, sizeof *p);

    if (!p)
        abort();
    p->w = w;
    p->chance = &w->chance;
    p->number = number;
    p->kind = (enum kind)chance_below(p->chance, KINDS);
    p->is_slow = chance_one_in(p->chance, 5);
    p->out = malloc(OUTBOX_BYTES);
    p->in = malloc(INBOX_BYTES);
    if (!p->out || !p->in)
        abort();
    p->limits = (struct websocket_limits){.message_bytes = 1 << 20, .is_client = true};
    return p;
}

static void person_go(struct person *p, bool is_reset)
{
    if (!p->socket)
        return;
    if (p->is_open)
        websocket_decoder_clear(&p->decoder);
    kernel_leave(p->socket, is_reset);
    p->socket = NULL;
}

void person_free(struct person *p)
{
    person_go(p, false);
    free(p->out);
    free(p->in);
    free(p);
}

void person_complain(struct person *p, const char *what, const char *text, size_t byte_count)
{
    world_say_wrong(p->w, "person %d: %s: %.*s", p->number, what, (int)(byte_count < 250 ? byte_count : 250), text);
}

/* ---- saying ------------------------------------------------------------------------------------------------------ */
static bool queue(struct person *p, const void *bytes, size_t byte_count)
{
    if (byte_count > OUTBOX_BYTES - p->out_count)
        return false;
    memcpy(p->out + p->out_count, bytes, byte_count);
    p->out_count += byte_count;
    return true;
}

static void flush(struct person *p)
{
    size_t count = p->out_count;

    if (count > 1 && chance_one_in(p->chance, 3)) /* cut anywhere */
        count = 1 + chance_below(p->chance, count);
    count = kernel_put(p->socket, p->out, count);
    memmove(p->out, p->out + count, p->out_count - count);
    p->out_count -= count;
}

static void frame(struct person *p, int opcode, bool is_final, const void *bytes, size_t byte_count)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    struct mw_buffer out;

    mw_buffer_init(&out, OUTBOX_BYTES);
    if (websocket_write_masked(&out, (enum websocket_opcode)opcode, is_final, mask, bytes, byte_count) == 0)
        (void)queue(p, out.data, out.count);
    mw_buffer_clear(&out);
}

/* One message, now and then in two fragments with a ping between them. */
static void message(struct person *p, const char *text)
{
    size_t count = strlen(text), first = count;

    world_tell(p->w, "person %d says %s", p->number, text);
    if (OUTBOX_BYTES - p->out_count < count + 64)
        return;
    if (count > 1 && chance_one_in(p->chance, 8)) {
        first = chance_below(p->chance, count);
        frame(p, WEBSOCKET_TEXT, false, text, first);
        frame(p, WEBSOCKET_PING, true, "?", 1);
        frame(p, WEBSOCKET_CONTINUATION, true, text + first, count - first);
        return;
    }
    frame(p, WEBSOCKET_TEXT, true, text, count);
}

static struct asked *ask(struct person *p, enum asked_for what)
{
    struct asked *a;

    if (p->asked_count == ASKED || OUTBOX_BYTES - p->out_count < 1024)
        return NULL;
    a = &p->asked[p->asked_count++];
    *a = (struct asked){.id = ++p->next_id, .what = what};
    return a;
}

static unsigned some_names(struct person *p)
{
    return 1 + (unsigned)chance_below(p->chance, (1u << NAMES) - 1);
}

/* ["level","note"] */
static const char *list_of(const struct asked *a, char *text, size_t room)
{
    size_t count = 1, i;

    (void)snprintf(text, room, "[");
    for (i = 0; i < NAMES; i++)
        if (a->names & 1u << i)
            count += (size_t)snprintf(text + count, room - count, "\"%s\",", person_names[i]);
    if (a->with_secret)
        count += (size_t)snprintf(text + count, room - count, "\"secret\",");
    text[count > 1 ? count - 1 : count] = ']';
    text[count > 1 ? count : count + 1] = '\0';
    return text;
}

static void request(struct person *p, enum asked_for what)
{
    struct asked *a = ask(p, what);
    char text[600], list[128];
    size_t i;

    if (!a)
        return;
    a->names = some_names(p);
    a->with_secret = chance_one_in(p->chance, 4);
    list_of(a, list, sizeof list);
    switch (what) {
    case GET:
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"getAttr\",\"params\":%s}", a->id, list);
        break;
    case SET:
        a->names = 1u << LEVEL;
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"setAttr\",\"params\":{\"level\":%zu,\"secret\":\"x\"}}", a->id,
                       chance_below(p->chance, 1200000));
        a->with_secret = true;
        break;
    case WATCH:
        for (i = 0; i < NAMES; i++)
            if (a->names & 1u << i)
                p->watched[i].may_come = true;
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"watch\",\"params\":{\"names\":%s,\"mode\":\"%s\"}}", a->id, list,
                       chance_one_in(p->chance, 4) ? "all" : "latest");
        break;
    case UNWATCH:
        a->with_secret = false;
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"unwatch\",\"params\":%s}", a->id,
                       list_of(a, list, sizeof list));
        break;
    case CALL:
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"call\",\"params\":{\"name\":\"bump\"}}", a->id);
        break;
    case LOGIN:
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"login\",\"params\":{\"user\":\"olga\",\"password\":\"%s\"}}", a->id,
                       chance_one_in(p->chance, 4) ? "wrong horse" : WORLD_PASSWORD);
        break;
    case RIGHTS:
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"rights\",\"params\":%s}", a->id, list);
        break;
    case BATCH: /* what is asked is known by the id of the batch's one request; the other is a notification */
        (void)snprintf(text, sizeof text,
                       "[{\"jsonrpc\":\"2.0\",\"method\":\"getAttr\",\"params\":%s},{\"jsonrpc\":\"2.0\",\"id\":%" PRId64
                       ",\"method\":\"getAttr\",\"params\":%s}]",
                       list, a->id, list);
        break;
    }
    message(p, text);
}

static void drop_in(struct person *p, size_t count)
{
    memmove(p->in, p->in + count, p->in_count - count);
    p->in_count -= count;
}

static void take_frames(struct person *p)
{
    struct websocket_event event;
    size_t at = 0;

    while (at < p->in_count && !p->w->wrong[0]) {
        at += websocket_decode(&p->decoder, p->in + at, p->in_count - at, &event);
        if (event.kind == WEBSOCKET_EVENT_MESSAGE) {
            if (p->is_closed)
                person_complain(p, "a message after the close", (const char *)event.bytes, event.byte_count);
            person_hear_message(p, (const char *)event.bytes, event.byte_count);
        } else if (event.kind == WEBSOCKET_EVENT_PING) {
            frame(p, WEBSOCKET_PONG, true, event.bytes, event.byte_count);
        } else if (event.kind == WEBSOCKET_EVENT_CLOSE) {
            world_tell(p->w, "person %d: closed with %d %.*s", p->number, event.code, (int)event.byte_count, (const char *)event.bytes);
            p->is_closed = true;
            frame(p, WEBSOCKET_CLOSE, true, "\x03\xe8", 2);
        } else if (event.kind == WEBSOCKET_EVENT_ERROR) {
            person_complain(p, "a broken frame", event.reason, strlen(event.reason));
        }
    }
    p->in_count = 0;
}

/* ---- HTTP --------------------------------------------------------------------------------------------------------- */
/* returns the bytes of the next whole answer; 0: not yet */
static size_t answer_bytes(struct person *p, int *ret_status, const char **ret_body, size_t *ret_body_count)
{
    char *end, *length;

    p->in[p->in_count < INBOX_BYTES ? p->in_count : INBOX_BYTES - 1] = '\0';
    end = strstr((char *)p->in, "\r\n\r\n");
    if (!end || sscanf((char *)p->in, "HTTP/1.1 %d ", ret_status) != 1)
        return 0;
    length = strstr((char *)p->in, "Content-Length: ");
    *ret_body_count = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    *ret_body = end + 4;
    return (size_t)(*ret_body - (char *)p->in) + *ret_body_count;
}

static void take_head(struct person *p)
{
    const char *body;
    size_t body_count, count;
    int status;

    count = answer_bytes(p, &status, &body, &body_count);
    if (count == 0 || count > p->in_count)
        return;
    if (status == 101) {
        p->is_open = true;
        websocket_decoder_init(&p->decoder, &p->limits);
        drop_in(p, count);
        return;
    }
    if (!(status == 503 && (p->w->is_short || p->w->is_faulty || p->w->has_ended)) && !(status == 429 && p->w->is_short) &&
        !(status == 500 && p->w->is_faulty) && !(status == 408 && p->w->has_leapt))
        person_complain(p, "no upgrade", (const char *)p->in, p->in_count);
    p->is_leaving = true;
}

static void take_files(struct person *p)
{
    const char *body;
    size_t body_count, count;
    int status;

    while (!p->w->wrong[0] && (count = answer_bytes(p, &status, &body, &body_count)) > 0 && count <= p->in_count) {
        if (p->files_asked == 0 && status == 503 && (p->w->is_short || p->w->is_faulty)) { /* turned away at the door */
            p->is_leaving = true;
            return;
        }
        if (p->files_asked == 0) {
            person_complain(p, "an answer that nobody asked for", (const char *)p->in, p->in_count);
            return;
        }
        if (status == 200 && p->wanted[0] && (strlen(p->wanted[0]) != body_count || memcmp(p->wanted[0], body, body_count) != 0))
            person_complain(p, "another file", body, body_count);
        if (status != 200 && !(status == 404 && !p->wanted[0]) && !(status == 408 && p->w->has_leapt) && !p->w->is_short &&
            !p->w->is_faulty && !p->w->has_ended)
            person_complain(p, "no file", (const char *)p->in, p->in_count);
        memmove(p->wanted, p->wanted + 1, sizeof p->wanted - sizeof p->wanted[0]);
        p->files_asked--;
        drop_in(p, count);
    }
}

static void ask_for_file(struct person *p)
{
    static const struct {
        const char *path, *body;
    } files[] = {{"/css/style.css", "body { color: black }\n"}, {"/", "<title>world</title>\n"}, {"/nothing", NULL}, {"/css/../app.ini", NULL},
                 {"/_mw/healthz", NULL}};
    size_t which = chance_below(p->chance, COUNT(files));
    char text[200];
    int count = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost:8000\r\n\r\n", files[which].path);

    if (p->files_asked == COUNT(p->wanted) || !queue(p, text, (size_t)count))
        return;
    p->wanted[p->files_asked++] = files[which].body;
}

/* ---- vandals ------------------------------------------------------------------------------------------------------ */
static void vandalize(struct person *p)
{
    static const char *const words[] = {"GET / HTTP/1.1\r\nHost: localhost:8000\r\n", "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "\r\n",
                                        "Sec-WebSocket-Protocol: meshwork.v1\r\n", "POST /_mw/rpc HTTP/1.1\r\nHost: localhost:8000\r\n",
                                        "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n", "{\"jsonrpc\":", "\x81\x82\x01\x02\x03\x04zz",
                                        "POST /_mw/login HTTP/1.1\r\nHost: localhost:8000\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                                        "Expect: 100-continue\r\n", "\x88\x80\x01\x02\x03\x04"};
    uint8_t noise[64];
    size_t i;

    if (chance_one_in(p->chance, 3)) {
        for (i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)chance_bits(p->chance);
        (void)queue(p, noise, 1 + chance_below(p->chance, sizeof noise));
    } else {
        const char *word = words[chance_below(p->chance, COUNT(words))];

        (void)queue(p, word, strlen(word));
    }
}

/* ---- coming, going, reading ------------------------------------------------------------------------------------------ */
static void come(struct person *p)
{
    static const size_t windows[] = {256, 4096, 65536};
    const uint32_t home = 0x7f000001, abroad = 0xc0000201 + (uint32_t)p->number % 3;
    char text[600];
    int count;

    p->socket = kernel_connect(WORLD_PORT, chance_one_in(p->chance, 4) ? abroad : home, windows[chance_below(p->chance, COUNT(windows))]);
    if (!p->socket)
        return;
    p->is_open = p->was_greeted = p->is_closed = p->is_leaving = p->has_finished = p->may_note = false;
    p->is_operator = p->kind == OPERATOR;
    p->out_count = p->in_count = p->asked_count = p->files_asked = 0;
    p->next_news = 0;
    memset(p->watched, 0, sizeof p->watched);
    if (p->kind >= READER)
        return;
    count = snprintf(text, sizeof text,
                     "GET / HTTP/1.1\r\nHost: localhost:8000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: meshwork.v1\r\n%s%s%s\r\n",
                     p->is_operator ? "Authorization: Bearer " : "", p->is_operator ? p->w->token : "", p->is_operator ? "\r\n" : "");
    (void)queue(p, text, (size_t)count);
}

static void hear(struct person *p, size_t most)
{
    size_t before = p->in_count, room = INBOX_BYTES - 1 - p->in_count;

    p->in_count += kernel_take(p->socket, p->in + p->in_count, most < room ? most : room);
    if (p->in_count == before)
        return;
    world_note(p->w, p->in + before, p->in_count - before);
    if (memmem(p->in, p->in_count, WORLD_SECRET, strlen(WORLD_SECRET)))
        person_complain(p, "the secret itself", (const char *)p->in, p->in_count);
    if (p->kind == VANDAL) {
        p->in_count = 0;
        return;
    }
    if (p->kind == READER) {
        take_files(p);
        return;
    }
    if (!p->is_open)
        take_head(p);
    if (p->is_open)
        take_frames(p);
}

/* The server has ended the connection: was it allowed to, without a word? */
static void miss(struct person *p)
{
    bool may_be = p->w->is_faulty || p->w->is_short || p->w->has_leapt || p->w->has_ended || p->is_slow || p->has_finished;

    if (p->is_open && !p->is_closed && !may_be)
        person_complain(p, "dropped without a close", "", 0);
    person_go(p, false);
}

static void do_something(struct person *p)
{
    static const enum asked_for usual[] = {GET, GET, SET, WATCH, WATCH, UNWATCH, CALL, RIGHTS, BATCH};

    if (p->kind == VANDAL) {
        vandalize(p);
    } else if (p->kind == READER) {
        ask_for_file(p);
    } else if (p->is_open && p->was_greeted && !p->is_closed) {
        if (p->kind == GUEST && !p->is_operator && chance_one_in(p->chance, 20))
            request(p, LOGIN);
        else
            request(p, usual[chance_below(p->chance, COUNT(usual))]);
    }
}

void person_act(struct person *p)
{
    if (!p->socket) {
        if (!p->has_settled && chance_one_in(p->chance, 4))
            come(p);
        return;
    }
    if (!p->is_slow || p->has_settled || chance_one_in(p->chance, 40))
        hear(p, p->has_settled || chance_one_in(p->chance, 2) ? STEP_BYTES : 1 + chance_below(p->chance, 2000));
    if (p->is_leaving || (!p->has_settled && chance_one_in(p->chance, 150))) {
        if (p->is_leaving || chance_one_in(p->chance, 2)) {
            person_go(p, chance_one_in(p->chance, 2));
            return;
        }
        kernel_finish(p->socket);
        p->has_finished = true;
        p->out_count = 0;
    }
    if (!p->has_settled && !p->has_finished && p->out_count < OUTBOX_BYTES / 2 && chance_one_in(p->chance, 3))
        do_something(p);
    flush(p);
    if (kernel_has_ended(p->socket))
        miss(p);
}

void person_settle(struct person *p)
{
    p->has_settled = true;
}

void person_judge(struct person *p)
{
    const struct plant *plant = p->w->plant;
    char want[NAMES][64];
    size_t i;

    if (p->socket && p->has_finished)
        world_say_wrong(p->w, "person %d: has said its last seconds ago, and the connection goes on", p->number);
    if (!p->socket || !p->is_open || p->is_closed || p->kind >= READER)
        return;
    if (p->asked_count > 0 && p->out_count == 0)
        world_say_wrong(p->w, "person %d: %zu requests have no answer; the first is of kind %d, id %" PRId64, p->number, p->asked_count,
                        p->asked[0].what, p->asked[0].id);
    (void)snprintf(want[LEVEL], sizeof want[0], "%" PRId64, plant->level);
    (void)snprintf(want[NOTE], sizeof want[0], "\"%s\"", plant->note);
    (void)snprintf(want[COUNTED], sizeof want[0], "%" PRId64, plant->count);
    for (i = 0; i < NAMES; i++)
        if (p->watched[i].is_on && (i != NOTE || p->may_note) && strcmp(p->watched[i].value, want[i]) != 0)
            world_say_wrong(p->w, "person %d: watches %s, which is %s, and was told %s last", p->number, person_names[i], want[i], p->watched[i].value);
}
