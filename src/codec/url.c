/* Paths, decoded once and judged after decoding: what is left to a second decoder is where traversal comes
 * from.
 * Not the look-up; that is edge/, beneath a directory descriptor.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

enum { SEGMENT_BYTES_MAX = 255 }; /* NAME_MAX of every file system we know */

static int refuse(const char **ret_reason, int err, const char *reason)
{
    if (ret_reason)
        *ret_reason = reason;
    return err;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode one character at raw[*io_at]; a '/' from an escape is no separator and no name holds it.
 *
 * returns  its byte, or negative
 */
static int decode_byte(const char *raw, size_t raw_count, size_t *io_at, const char **ret_reason)
{
    uint8_t byte = (uint8_t)raw[(*io_at)++];
    int high, low;

    if (byte == '%') {
        if (raw_count - *io_at < 2 || (high = hex_value(raw[*io_at])) < 0 ||
            (low = hex_value(raw[*io_at + 1])) < 0)
            return refuse(ret_reason, -EINVAL, "bad escape in the path");
        *io_at += 2;
        byte = (uint8_t)(high << 4 | low);
        if (byte == '/')
            return refuse(ret_reason, -ENOENT, "escaped slash in the path");
    }
    if (byte < 0x20 || byte == 0x7f)
        return refuse(ret_reason, -EINVAL, "control character in the path");
    if (byte == '\\')
        return refuse(ret_reason, -ENOENT, "backslash in the path");
    return byte;
}

/* Whether a segment names the directory itself, its parent, or nothing. */
static bool is_relative(const char *segment, size_t count)
{
    return count == 0 || (segment[0] == '.' && (count == 1 || (count == 2 && segment[1] == '.')));
}

/* The C1 control characters, U+0080 to U+009F. text  valid UTF-8 */
static bool has_c1_control(const char *text, size_t count)
{
    size_t i;

    for (i = 0; i + 1 < count; i++) {
        if ((uint8_t)text[i] == 0xc2 && (uint8_t)text[i + 1] < 0xa0)
            return true;
    }
    return false;
}

int url_decode_path(const char *raw, size_t raw_count, char *ret_path, const char **ret_reason)
{
    size_t at = 0, count = 0, segment_at = 1, i;

    if (raw_count == 0 || raw[0] != '/')
        return refuse(ret_reason, -EINVAL, "path does not begin with '/'");
    if (raw_count > INT32_MAX)
        return refuse(ret_reason, -EINVAL, "path too long");
    while (at < raw_count) {
        int byte = decode_byte(raw, raw_count, &at, ret_reason);

        if (byte < 0)
            return byte;
        ret_path[count++] = (char)byte;
    }
    ret_path[count] = '\0';
    if (!mw_utf8_is_valid(ret_path, count))
        return refuse(ret_reason, -EINVAL, "path is not UTF-8");
    if (has_c1_control(ret_path, count))
        return refuse(ret_reason, -EINVAL, "control character in the path");
    for (i = 1; i <= count; i++) {
        if (i < count && ret_path[i] != '/')
            continue;
        if (is_relative(ret_path + segment_at, i - segment_at) && !(i == count && segment_at == count))
            return refuse(ret_reason, -ENOENT, "empty, '.' or '..' segment in the path");
        segment_at = i + 1;
    }
    return (int)count;
}

bool url_is_servable(const char *path)
{
    while (*path) {
        size_t count;

        path += *path == '/';
        count = strcspn(path, "/");
        if (count > SEGMENT_BYTES_MAX || path[0] == '.' || (count > 0 && path[count - 1] == '~'))
            return false;
        path += count;
    }
    return true;
}

/* RFC 3986 §3.3: pchar and '/', without what means something in HTML or a shell. */
static bool is_plain(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           (byte != 0 && byte < 0x80 && strchr("-._~/!$()*+,;=:@", byte) != NULL);
}

int url_encode_path(struct mw_buffer *out, const char *path)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *path; path++) {
        uint8_t byte = (uint8_t)*path;

        if (is_plain(byte)) {
            (void)mw_buffer_append_byte(out, byte); /* errors stick */
            continue;
        }
        (void)mw_buffer_append_byte(out, '%');
        (void)mw_buffer_append_byte(out, (uint8_t)digits[byte >> 4]);
        (void)mw_buffer_append_byte(out, (uint8_t)digits[byte & 15]);
    }
    return out->error;
}
