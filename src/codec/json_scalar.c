/* Strings and numbers of JSON (RFC 8259 §6 and §7).
 * Not what is around them; that is json.c. Read next: json.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/build.h"
#include "base/memory.h"
#include "base/real.h"
#include "base/utf8.h"
#include "codec/json_plain.h"
#include "codec/json_priv.h"

enum {
    SCRATCH_BYTES = 256,
    SAFE_DIGITS = 18, /* as many nines fit an int64_t */
};

static bool json_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */
static const char *json_skip_digits(const char *p, const char *end)
{
    while (p < end && json_is_digit(*p))
        p++;
    return p;
}

/* Follow the grammar; NULL: it is none. */
static const char *json_end_of_number(const char *p, const char *end, bool *ret_is_real)
{
    const char *digits;

    if (p < end && *p == '-')
        p++;
    digits = p;
    p = json_skip_digits(p, end);
    if (p == digits || (*digits == '0' && p > digits + 1))
        return NULL;
    if (p < end && *p == '.') {
        *ret_is_real = true;
        digits = ++p;
        p = json_skip_digits(p, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *ret_is_real = true;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = json_skip_digits(p, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

/* An integer as long as it fits; false: it does not. */
static bool json_int_of(const char *p, const char *end, int64_t *ret)
{
    bool is_negative = *p == '-';
    uint64_t digits = 0;

    for (p += is_negative; p < end; p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (digits > (UINT64_MAX - digit) / 10)
            return false;
        digits = digits * 10 + digit;
    }
    if (digits > (uint64_t)INT64_MAX + is_negative)
        return false;
    *ret = (int64_t)(is_negative ? 0 - digits : digits);
    return true;
}

/* Any number, by its grammar. */
static int json_number_slowly(struct json_parser *j, mw_value *ret)
{
    bool is_real = false;
    const char *from = j->p, *to = json_end_of_number(from, j->end, &is_real);
    int64_t i;
    double d;

    if (!to)
        return json_fail(j, -EPROTO, "malformed number", from);
    if ((size_t)(to - from) > j->limits.number_bytes)
        return json_exceed(j, JSON_LIMIT_LENGTH, "number too long", from);
    j->p = to;
    if (!is_real && json_int_of(from, to, &i)) {
        *ret = mw_int(i);
        return 0;
    }
    d = mw_real_read(from, (size_t)(to - from));
    if (!isfinite(d))
        return json_fail(j, -EPROTO, "number out of range", from);
    *ret = mw_real(d);
    return 0;
}

int json_number(struct json_parser *j, mw_value *ret)
{
    const char *p = j->p, *end = j->end, *digits;
    bool is_negative = *p == '-';
    int64_t i = 0;

    /* Most are short integers. */
    p += is_negative;
    if (end - p > SAFE_DIGITS)
        end = p + SAFE_DIGITS;
    for (digits = p; p < end && json_is_digit(*p); p++)
        i = i * 10 + (*p - '0');
    if (p == digits || (p == end && end != j->end) || (*digits == '0' && p > digits + 1) ||
        (p < end && (*p == '.' || *p == 'e' || *p == 'E')) || (size_t)(p - j->p) > j->limits.number_bytes)
        return json_number_slowly(j, ret);
    j->p = p;
    *ret = mw_int(is_negative ? -i : i);
    return 0;
}

/* ---- strings -------------------------------------------------------------------------------------------------- */
static int json_hex4(const char *p, const char *end)
{
    int code = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = json_is_digit(c)       ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static size_t json_put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* One escape at *p (the backslash); returns how many bytes it put, 0: malformed. It never puts more than it takes. */
static size_t json_unescape(const char **p, const char *end, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found;
    int high, low;

    if (end - *p < 2)
        return 0;
    if ((*p)[1] != 'u') {
        found = (*p)[1] ? strchr(letters, (*p)[1]) : NULL;
        if (!found)
            return 0;
        *p += 2;
        out[0] = meant[found - letters];
        return 1;
    }
    high = json_hex4(*p + 2, end);
    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
    *p += 6;
    if (high < 0xd800 || high > 0xdbff)
        return json_put_utf8(out, (uint32_t)high);
    /* A high surrogate is nothing without its low one. */
    if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return 0;
    low = json_hex4(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *p += 6;
    return json_put_utf8(out, 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

/* Skip one character beyond ASCII; NULL: it is no UTF-8. */
static const char *json_skip_character(const char *p, const char *end)
{
    struct mw_utf8 u = {0};

    while (p < end && mw_utf8_feed(&u, p, 1)) {
        p++;
        if (mw_utf8_is_complete(&u))
            return p;
    }
    return NULL;
}

/* Find the closing quote from p on; NULL: it fails, which is noted. */
static const char *json_find_quote(struct json_parser *j, const char *p, bool *ret_has_escapes)
{
    for (;;) {
        const char *at = json_skip_plain(p, j->end);

        if (at == j->end)
            break;
        if (*at == '"')
            return at;
        if (*at == '\\') {
            *ret_has_escapes = true;
            p = j->end - at < 2 ? j->end : at + 2; /* whatever is escaped, a quote or backslash included */
            if (p < j->end && (uint8_t)p[-1] >= 0x80)
                p--; /* no escape: refused later, but first the character has to be whole */
            continue;
        }
        if ((uint8_t)*at < 0x20) {
            (void)json_fail(j, -EPROTO, "control character in a string", at);
            return NULL;
        }
        p = json_skip_character(at, j->end);
        if (!p) {
            (void)json_fail(j, -EPROTO, "bytes that are no UTF-8", at);
            return NULL;
        }
    }
    (void)json_fail(j, -EPROTO, "string without end", j->end);
    return NULL;
}

static int json_unescape_all(struct json_parser *j, const char *from, const char *to, mw_value *ret)
{
    char small[SCRATCH_BYTES], *out = small;
    size_t count = 0, most = (size_t)(to - from);
    int err = 0;

    if (most > sizeof(small)) {
        out = mw_alloc(most);
        if (!out)
            return json_fail(j, -ENOMEM, "out of memory", from);
    }
    while (from < to) {
        size_t put;

        if (*from != '\\') {
            out[count++] = *from++;
            continue;
        }
        put = json_unescape(&from, to, out + count);
        if (put == 0) {
            err = json_fail(j, -EPROTO, "malformed escape", from);
            goto out;
        }
        count += put;
    }
    *ret = mw_text_n(out, count);
out:
    if (out != small)
        mw_free(out);
    return err;
}

int json_string(struct json_parser *j, mw_value *ret)
{
    const char *from = j->p + 1, *to;
    bool has_escapes = false;
    size_t count;

    if (json_short_text(&j->p, j->end, ret))
        return 0;
    to = json_skip_plain(from, j->end);
    if (to == j->end || *to != '"') {
        to = json_find_quote(j, to, &has_escapes);
        if (!to)
            return -EPROTO;
    }
    count = (size_t)(to - from);
    if (has_escapes) {
        int err = json_unescape_all(j, from, to, ret);

        if (err < 0)
            return err;
    } else {
        *ret = count <= MW_SHORT_TEXT_BYTES ? mw_short_text(from, count) : mw_text_n(from, count);
    }
    if (ret->kind == MW_MISSING)
        return json_fail(j, -ENOMEM, "out of memory", from);
    j->p = to + 1;
    return 0;
}
