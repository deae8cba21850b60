/* Response heads, and the small plain-text answers that errors get.
 * Not which fields an answer needs; whoever answers knows. Read next: edge/.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/word.h"
#include "codec/http_priv.h"

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    size_t i;

    for (i = 0; i < MW_COUNT(status_texts); i++) {
        if (status_texts[i].status == status)
            return status_texts[i].text;
    }
    return "Unknown";
}

/* Keep the first error; the append functions keep their own. */
static void write_fail(struct mw_buffer *out, int err)
{
    if (!out->error)
        out->error = err;
}

void http_write_status(struct mw_buffer *out, int status, const char *date)
{
    const char *text = http_status_text(status);
    char line[64] = "HTTP/1.1 ";

    if (status < 100 || status > 999) {
        write_fail(out, -EINVAL);
        return;
    }
    line[9] = (char)('0' + status / 100);
    line[10] = (char)('0' + status / 10 % 10);
    line[11] = (char)('0' + status % 10);
    line[12] = ' ';
    memcpy(line + 13, text, strlen(text)); /* all of the table fit */
    memcpy(line + 13 + strlen(text), "\r\n", 2);
    (void)mw_buffer_append(out, line, 15 + strlen(text)); /* errors stick, here and below */
    if (date)
        http_write_field(out, "Date", date);
}

static bool is_value(struct http_text text)
{
    size_t i = 0;

    for (; text.count - i >= 8; i += 8) /* nearly always there is nothing to be looked at one by one */
        if (mw_word_controls(mw_word_of(text.bytes + i, 8)))
            break;
    for (; i < text.count; i++)
        if (!http_is_value_byte((uint8_t)text.bytes[i]))
            return false;
    return true;
}

void http_write_field_text(struct mw_buffer *out, const char *name, struct http_text value)
{
    struct http_text name_text = {name, strlen(name)};

    if (!is_value(value) || !http_is_token(name_text)) {
        write_fail(out, -EINVAL);
        return;
    }
    (void)mw_buffer_append(out, name, name_text.count);
    (void)mw_buffer_append(out, ": ", 2);
    if (value.count > 0)
        (void)mw_buffer_append(out, value.bytes, value.count);
    (void)mw_buffer_append(out, "\r\n", 2);
}

void http_write_field(struct mw_buffer *out, const char *name, const char *value)
{
    http_write_field_text(out, name, (struct http_text){value, strlen(value)});
}

void http_write_length(struct mw_buffer *out, uint64_t content_length)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%" PRIu64, content_length);
    http_write_field(out, "Content-Length", digits);
}

void http_write_end(struct mw_buffer *out)
{
    (void)mw_buffer_append(out, "\r\n", 2);
}
