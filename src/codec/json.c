/* JSON text to mw_value (RFC 8259), in one pass, without recursion, within limits.
 * Not printing; that is base/print.c, and mw_json_print at the end only calls it. Read next: include/meshwork/json.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <meshwork/json.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/print.h"
#include "base/utf8.h"

enum {
    DEPTH_LIMIT = 64,
    TOKENS_DEFAULT = 65536,
    KEYS_DEFAULT = 4096,
    KEY_BYTES_DEFAULT = 256,
    NUMBER_BYTES_DEFAULT = 256,
    NUMBER_BYTES_MOST = 1024, /* what the conversion's own buffer holds */
    SCRATCH_BYTES = 256,
};

/* What may come next. */
enum json_state { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY, WANT_KEY_OR_END, WANT_COMMA_OR_END, WANT_NOTHING };

struct json_frame {
    mw_value container;
    mw_value key; /* of the value to come; null in a list and between entries */
    size_t keys;
};

struct json_parser {
    const char *start, *p, *end;
    struct mw_json_limits limits;
    size_t tokens, depth;
    const char *reason; /* of the failure; NULL: none */
    const char *reason_at;
    mw_value root;
    struct json_frame frames[DEPTH_LIMIT];
};

static int json_fail(struct json_parser *j, int code, const char *reason, const char *at)
{
    j->reason = reason;
    j->reason_at = at;
    return code;
}

static size_t json_limit(size_t asked, size_t by_default, size_t most)
{
    size_t limit = asked ? asked : by_default;

    return limit > most ? most : limit;
}

/* ---- numbers (RFC 8259 §6) ------------------------------------------------------------------------------- */
static struct {
    pthread_once_t once;
    locale_t plain;
} json_locale = {.once = PTHREAD_ONCE_INIT};

static void json_make_locale(void)
{
    json_locale.plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The slow and exact way, whatever locale the host has set. */
static double json_convert(const char *text, size_t count)
{
    char copy[NUMBER_BYTES_MOST + 1];

    memcpy(copy, text, count);
    copy[count] = '\0';
    (void)pthread_once(&json_locale.once, json_make_locale);
    return json_locale.plain ? strtod_l(copy, NULL, json_locale.plain) : strtod(copy, NULL);
}

/* What the scan of a number found. */
struct json_number {
    const char *start, *end;
    uint64_t digits;   /* all digits as one integer, while it fits */
    bool is_exact;     /* digits did not overflow */
    bool is_real;      /* has a fraction or an exponent */
    int64_t exponent;  /* of ten, to be applied to digits */
};

static const char *json_scan_digits(struct json_number *n, const char *p, const char *end, bool is_fraction)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (n->digits > (UINT64_MAX - digit) / 10)
            n->is_exact = false;
        else
            n->digits = n->digits * 10 + digit;
        n->exponent -= is_fraction;
    }
    return p;
}

static const char *json_scan_exponent(struct json_number *n, const char *p, const char *end)
{
    bool is_negative = false;
    int64_t exponent = 0;

    p++;
    if (p < end && (*p == '+' || *p == '-'))
        is_negative = *p++ == '-';
    if (p == end || *p < '0' || *p > '9')
        return NULL;
    for (; p < end && *p >= '0' && *p <= '9'; p++)
        if (exponent < 100000)
            exponent = exponent * 10 + (*p - '0');
    n->exponent += is_negative ? -exponent : exponent;
    return p;
}

/* Follow the grammar; NULL: it is none. */
static const char *json_scan_number(struct json_number *n, const char *p, const char *end)
{
    const char *digits;

    if (p < end && *p == '-')
        p++;
    digits = p;
    p = json_scan_digits(n, p, end, false);
    if (p == digits || (*digits == '0' && p > digits + 1))
        return NULL;
    if (p < end && *p == '.') {
        n->is_real = true;
        digits = ++p;
        p = json_scan_digits(n, p, end, true);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        n->is_real = true;
        p = json_scan_exponent(n, p, end);
    }
    return p;
}

/* Exact in one operation where digits and power of ten are both exact doubles (Clinger's fast path). */
static double json_real_of(const struct json_number *n, bool is_negative)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double d;

    if (!n->is_exact || n->digits > (UINT64_C(1) << 53) || n->exponent < -22 || n->exponent > 22)
        return json_convert(n->start, (size_t)(n->end - n->start));
    d = (double)n->digits;
    d = n->exponent < 0 ? d / powers[-n->exponent] : d * powers[n->exponent];
    return is_negative ? -d : d;
}

static int json_number(struct json_parser *j, mw_value *ret)
{
    struct json_number n = {.start = j->p, .is_exact = true};
    bool is_negative = *j->p == '-';
    double d;

    n.end = json_scan_number(&n, j->p, j->end);
    if (!n.end)
        return json_fail(j, -EPROTO, "malformed number", j->p);
    if ((size_t)(n.end - n.start) > j->limits.number_bytes)
        return json_fail(j, -EMSGSIZE, "number too long", j->p);
    j->p = n.end;
    if (!n.is_real && n.is_exact && n.digits <= (uint64_t)INT64_MAX + is_negative) {
        *ret = mw_int(is_negative ? (int64_t)(0 - n.digits) : (int64_t)n.digits);
        return 0;
    }
    d = json_real_of(&n, is_negative);
    if (!isfinite(d))
        return json_fail(j, -EPROTO, "number out of range", n.start);
    *ret = mw_real(d);
    return 0;
}

/* ---- strings (RFC 8259 §7) ---------------------------------------------------------------------------------- */
static int json_hex4(const char *p, const char *end)
{
    int code = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
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

/* Eight bytes at a time: whether any is a quote, a backslash or a control character. */
static bool json_word_is_plain(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t w, quote, backslash;

    memcpy(&w, p, 8);
    quote = w ^ ones * '"';
    backslash = w ^ ones * '\\';
    return ((((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops) == 0;
}

/* Find the closing quote from p on. NULL: there is none, or a control character stands before it (*ret_bad). */
static const char *json_find_quote(const char *p, const char *end, bool *ret_has_escapes, const char **ret_bad)
{
    for (;;) {
        while (end - p >= 8 && json_word_is_plain(p))
            p += 8;
        while (p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20)
            p++;
        if (p < end && *p == '"')
            return p;
        if (p >= end || *p != '\\') {
            *ret_bad = p;
            return NULL;
        }
        *ret_has_escapes = true;
        p = end - p < 2 ? end : p + 2; /* whatever is escaped, a quote or backslash included */
    }
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

static int json_string(struct json_parser *j, mw_value *ret)
{
    const char *from = j->p + 1, *bad = NULL, *to;
    bool has_escapes = false;
    int err;

    to = json_find_quote(from, j->end, &has_escapes, &bad);
    if (!to)
        return json_fail(j, -EPROTO, bad < j->end ? "control character in a string" : "string without end", bad);
    if (has_escapes) {
        err = json_unescape_all(j, from, to, ret);
        if (err < 0)
            return err;
    } else {
        *ret = mw_text_n(from, (size_t)(to - from));
    }
    if (ret->kind == MW_MISSING)
        return json_fail(j, -ENOMEM, "out of memory", from);
    j->p = to + 1;
    return 0;
}

/* ---- structure ------------------------------------------------------------------------------------------------ */
static int json_count_token(struct json_parser *j)
{
    if (++j->tokens > j->limits.tokens)
        return json_fail(j, -EMSGSIZE, "too many values", j->p);
    return 0;
}

/* Give a whole value its place: in the innermost container, or as the root. */
static int json_place(struct json_parser *j, mw_value takes)
{
    struct json_frame *frame;
    size_t count;
    const char *key;
    int err;

    if (j->depth == 0) {
        j->root = takes;
        return 0;
    }
    frame = &j->frames[j->depth - 1];
    if (frame->container.kind == MW_LIST) {
        err = mw_list_append(&frame->container, takes);
    } else {
        key = mw_get_text(&frame->key, &count);
        err = mw_map_set_n(&frame->container, key, count, takes);
        mw_release(frame->key);
        frame->key = mw_null();
    }
    return err < 0 ? json_fail(j, err, "out of memory", j->p) : 0;
}

static int json_open(struct json_parser *j, mw_value takes_container)
{
    if (takes_container.kind == MW_MISSING)
        return json_fail(j, -ENOMEM, "out of memory", j->p);
    if (j->depth == j->limits.depth) {
        mw_release(takes_container);
        return json_fail(j, -EMSGSIZE, "nested too deep", j->p);
    }
    j->frames[j->depth++] = (struct json_frame){.container = takes_container};
    j->p++;
    return 0;
}

static int json_close(struct json_parser *j)
{
    mw_value whole = j->frames[--j->depth].container;

    j->p++;
    return json_place(j, whole);
}

static int json_key(struct json_parser *j)
{
    struct json_frame *frame = &j->frames[j->depth - 1];
    const char *at = j->p;
    size_t count;
    int err = json_count_token(j);

    if (err < 0)
        return err;
    if (++frame->keys > j->limits.keys)
        return json_fail(j, -EMSGSIZE, "too many keys in an object", at);
    err = json_string(j, &frame->key);
    if (err < 0)
        return err;
    (void)mw_get_text(&frame->key, &count);
    if (count > j->limits.key_bytes)
        return json_fail(j, -EMSGSIZE, "key too long", at);
    return 0;
}

static int json_word(struct json_parser *j, const char *word, mw_value value)
{
    size_t count = strlen(word);

    if ((size_t)(j->end - j->p) < count || memcmp(j->p, word, count) != 0)
        return json_fail(j, -EPROTO, "no JSON value", j->p);
    j->p += count;
    return json_place(j, value);
}

/* A value begins at p. */
static int json_value(struct json_parser *j, enum json_state *state)
{
    mw_value v = mw_null();
    int err = json_count_token(j);

    if (err < 0)
        return err;
    *state = WANT_COMMA_OR_END;
    switch (*j->p) {
    case '{':
        *state = WANT_KEY_OR_END;
        return json_open(j, mw_map_new());
    case '[':
        *state = WANT_VALUE_OR_END;
        return json_open(j, mw_list_new());
    case '"':
        err = json_string(j, &v);
        break;
    case 't':
        return json_word(j, "true", mw_bool(true));
    case 'f':
        return json_word(j, "false", mw_bool(false));
    case 'n':
        return json_word(j, "null", mw_null());
    default:
        if (*j->p != '-' && (*j->p < '0' || *j->p > '9'))
            return json_fail(j, -EPROTO, "no JSON value", j->p);
        err = json_number(j, &v);
    }
    return err < 0 ? err : json_place(j, v);
}

static void json_skip_space(struct json_parser *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
        j->p++;
}

static int json_after_value(struct json_parser *j, enum json_state *state)
{
    bool is_map = j->frames[j->depth - 1].container.kind == MW_MAP;

    if (*j->p == ',') {
        j->p++;
        *state = is_map ? WANT_KEY : WANT_VALUE;
        return 0;
    }
    if (*j->p != (is_map ? '}' : ']'))
        return json_fail(j, -EPROTO, is_map ? "no ',' or '}' after a value" : "no ',' or ']' after a value", j->p);
    return json_close(j);
}

/* A key and its colon, or the end of an empty object. */
static int json_entry(struct json_parser *j, enum json_state *state)
{
    int err;

    if (*j->p == '}' && *state == WANT_KEY_OR_END) {
        *state = WANT_COMMA_OR_END;
        return json_close(j);
    }
    if (*j->p != '"')
        return json_fail(j, -EPROTO, "no string as key", j->p);
    err = json_key(j);
    if (err < 0)
        return err;
    json_skip_space(j);
    if (j->p == j->end || *j->p != ':')
        return json_fail(j, -EPROTO, "no ':' after a key", j->p);
    j->p++;
    *state = WANT_VALUE;
    return 0;
}

static int json_run(struct json_parser *j)
{
    enum json_state state = WANT_VALUE;
    int err = 0;

    for (;;) {
        json_skip_space(j);
        if (state == WANT_COMMA_OR_END && j->depth == 0)
            state = WANT_NOTHING;
        if (j->p == j->end)
            return state == WANT_NOTHING ? 0 : json_fail(j, -EPROTO, "ends too early", j->p);
        switch (state) {
        case WANT_VALUE_OR_END:
            if (*j->p == ']') {
                state = WANT_COMMA_OR_END;
                err = json_close(j);
                break;
            }
            err = json_value(j, &state);
            break;
        case WANT_VALUE:
            err = json_value(j, &state);
            break;
        case WANT_KEY:
        case WANT_KEY_OR_END:
            err = json_entry(j, &state);
            break;
        case WANT_COMMA_OR_END:
            err = json_after_value(j, &state);
            break;
        case WANT_NOTHING:
            return json_fail(j, -EPROTO, "something after the value", j->p);
        }
        if (err < 0)
            return err;
    }
}

/* Where the first byte stands that is no UTF-8. */
static const char *json_bad_utf8(const char *text, size_t count)
{
    struct mw_utf8 u = {0};
    size_t i, start = 0;

    for (i = 0; i < count; i++) {
        if (mw_utf8_is_complete(&u))
            start = i;
        if (!mw_utf8_feed(&u, text + i, 1))
            break;
    }
    return text + start;
}

static int json_explain(const struct json_parser *j, int err, struct mw_error *ret_error)
{
    int line = 1, column = 1;

    if (!ret_error)
        return err;
    for (const char *p = j->start; p < j->reason_at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    (void)mw_fail(ret_error, err, "JSON: %s at line %d, column %d", j->reason, line, column);
    ret_error->line = line;
    ret_error->column = column;
    return err;
}

int mw_json_parse(const char *text, size_t byte_count, const struct mw_json_limits *limits, mw_value *ret,
                  struct mw_error *ret_error)
{
    const struct mw_json_limits l = limits ? *limits : (struct mw_json_limits){0};
    struct json_parser j;
    int err;

    j.start = j.p = text;
    j.end = byte_count ? text + byte_count : text;
    j.tokens = j.depth = 0;
    j.reason = NULL;
    j.root = mw_null();
    j.limits.depth = json_limit(l.depth, DEPTH_LIMIT, DEPTH_LIMIT);
    j.limits.tokens = json_limit(l.tokens, TOKENS_DEFAULT, SIZE_MAX);
    j.limits.keys = json_limit(l.keys, KEYS_DEFAULT, SIZE_MAX);
    j.limits.key_bytes = json_limit(l.key_bytes, KEY_BYTES_DEFAULT, SIZE_MAX);
    j.limits.number_bytes = json_limit(l.number_bytes, NUMBER_BYTES_DEFAULT, NUMBER_BYTES_MOST);
    if (!mw_utf8_is_valid(text, byte_count))
        return json_explain(&j, json_fail(&j, -EPROTO, "bytes that are no UTF-8", json_bad_utf8(text, byte_count)),
                            ret_error);
    err = json_run(&j);
    if (err == 0) {
        *ret = j.root;
        return 0;
    }
    mw_release(j.root);
    while (j.depth > 0) {
        j.depth--;
        mw_release(j.frames[j.depth].container);
        mw_release(j.frames[j.depth].key);
    }
    return json_explain(&j, err, ret_error);
}

/* ---- printing -------------------------------------------------------------------------------------------------- */
mw_value mw_json_print(mw_value borrows)
{
    enum { LIMIT_BYTES = 256 * 1024 * 1024 };
    struct mw_buffer b;
    mw_value v = mw_null();

    mw_buffer_init(&b, LIMIT_BYTES);
    if (mw_print_json(&b, borrows) == 0)
        v = mw_text_n((const char *)b.data, b.count);
    else
        v.kind = MW_MISSING;
    mw_buffer_clear(&b);
    return v;
}
