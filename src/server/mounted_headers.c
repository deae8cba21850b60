/* What browsers are told of an app's pages and files: [headers] in its app.ini, each line in place of what is said without it.
 * Not how long they may be kept; that is mounted_cache.c. Read next: route.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "server/server_priv.h"
#include "settings/ini.h"

#define VALUE_BYTES_MOST 4096

static const struct {
    const char *key, *name, *usual; /* usual NULL: not said unless app.ini does */
    const char *joint;              /* what stands between the values of several lines; NULL: there may be one */
} fields[MOUNTED_HEADERS] = {
    /* Under this a plain page with inline script works, and may open a WebSocket to the app's other port. */
    {"content_security_policy", "Content-Security-Policy",
     "default-src 'self' 'unsafe-inline' data:; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'", "; "},
    {"cross_origin_embedder_policy", "Cross-Origin-Embedder-Policy", NULL, NULL},
    {"cross_origin_opener_policy", "Cross-Origin-Opener-Policy", "same-origin", NULL},
    {"cross_origin_resource_policy", "Cross-Origin-Resource-Policy", "same-origin", NULL},
    {"permissions_policy", "Permissions-Policy", NULL, ", "},
    {"referrer_policy", "Referrer-Policy", "no-referrer", NULL},
    {"x_frame_options", "X-Frame-Options", "DENY", NULL},
};

const char *mounted_header_key(size_t index)
{
    return fields[index].key;
}

const char *mounted_header_usual(size_t index)
{
    return fields[index].usual;
}

static bool is_plain(const char *value)
{
    for (; *value != '\0'; value++)
        if (*value < ' ' || *value > '~')
            return false;
    return true;
}

static int keep(struct mounted *m, size_t index, const struct ini_entry *entry, struct mw_error *ret_error)
{
    const char *before = m->header_values[index];
    struct mw_buffer text;

    if (!is_plain(entry->value))
        return ini_document_fail(m->ini, entry->line, ret_error, -EINVAL, "%s: a header field holds visible ASCII and spaces", entry->key);
    if (before && !fields[index].joint)
        return ini_document_fail(m->ini, entry->line, ret_error, -EEXIST, "%s is given twice", entry->key);
    mw_buffer_init(&text, VALUE_BYTES_MOST + 1);
    if (before && *before != '\0') {
        (void)mw_buffer_append_text(&text, before); /* an error sticks */
        (void)mw_buffer_append_text(&text, fields[index].joint);
    }
    (void)mw_buffer_append_text(&text, entry->value);
    (void)mw_buffer_append_byte(&text, 0);
    if (text.error) {
        int err = text.error;

        mw_buffer_clear(&text);
        return err == -EMSGSIZE ? ini_document_fail(m->ini, entry->line, ret_error, err, "%s: more than %d bytes", entry->key, VALUE_BYTES_MOST)
                                : mw_fail(ret_error, err, "mount '%s': out of memory", m->dir);
    }
    mw_free(m->header_values[index]);
    m->header_values[index] = (char *)text.data;
    return 0;
}

int mounted_read_header(struct mounted *m, const struct ini_entry *entry, struct mw_error *ret_error)
{
    char names[256] = "";
    size_t i, used = 0;

    for (i = 0; i < MOUNTED_HEADERS; i++) {
        if (strcmp(entry->key, fields[i].key) == 0)
            return keep(m, i, entry, ret_error);
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", fields[i].key);
    }
    return ini_document_fail(m->ini, entry->line, ret_error, -ENOENT, "[headers] has no key '%s' (it has %s)", entry->key, names);
}

int mounted_make_headers(struct mounted *m, struct mw_error *ret_error)
{
    struct mw_buffer text;
    size_t i;

    mw_buffer_init(&text, (size_t)MOUNTED_HEADERS * (VALUE_BYTES_MOST + 64));
    (void)mw_buffer_append_text(&text, "X-Content-Type-Options: nosniff\r\n"); /* an error sticks and is looked at once */
    for (i = 0; i < MOUNTED_HEADERS; i++) {
        const char *value = m->header_values[i] ? m->header_values[i] : fields[i].usual;

        if (!value || *value == '\0')
            continue;
        (void)mw_buffer_append_text(&text, fields[i].name);
        (void)mw_buffer_append_text(&text, ": ");
        (void)mw_buffer_append_text(&text, value);
        (void)mw_buffer_append_text(&text, "\r\n");
    }
    (void)mw_buffer_append_byte(&text, 0);
    if (text.error) {
        mw_buffer_clear(&text);
        return mw_fail(ret_error, -ENOMEM, "mount '%s': out of memory", m->dir);
    }
    m->headers = (char *)text.data;
    return 0;
}
