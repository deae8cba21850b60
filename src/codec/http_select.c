/* What a request wants of a representation: which of its bytes (Range, RFC 9110 §14), in which coding (Accept-Encoding,
 * §12.5.3), and whether it still is the one that the client knows (entity tags, §8.8.3).
 * Not the files themselves; those are edge's. Read next: ../edge/answer_files.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "codec/http_priv.h"

/* ---- entity tags ---------------------------------------------------------------------------------------- */
/* Weak comparison passes over a W/; with strong comparison such a tag equals none. */
static bool lists_etag(struct http_text list, const char *etag, bool is_strong)
{
    struct http_text element;

    while (http_next_element(&list, &element)) {
        if (element.count == 1 && element.bytes[0] == '*')
            return true;
        if (!is_strong && element.count > 2 && element.bytes[0] == 'W' && element.bytes[1] == '/') {
            element.bytes += 2;
            element.count -= 2;
        }
        if (element.count == strlen(etag) && memcmp(element.bytes, etag, element.count) == 0)
            return true;
    }
    return false;
}

bool http_lists_etag(const struct http_request *request, const char *etag)
{
    const struct http_field *field = NULL;

    while ((field = http_find(request, "If-None-Match", field)) != NULL) {
        if (lists_etag(field->value, etag, false))
            return true;
    }
    return false;
}

bool http_matches_etag(const struct http_request *request, const char *etag)
{
    const struct http_field *field = NULL;

    while ((field = http_find(request, "If-Match", field)) != NULL) {
        if (lists_etag(field->value, etag, true))
            return true;
    }
    return false;
}

/* ---- ranges --------------------------------------------------------------------------------------------- */
/* Take digits off the front. false: there are none. What is past 64 bits is past every representation. */
static bool take_number(struct http_text *io, uint64_t *ret)
{
    size_t i;

    *ret = 0;
    for (i = 0; i < io->count && io->bytes[i] >= '0' && io->bytes[i] <= '9'; i++) {
        if (__builtin_mul_overflow(*ret, 10U, ret) || __builtin_add_overflow(*ret, (uint64_t)(io->bytes[i] - '0'), ret))
            *ret = UINT64_MAX;
    }
    io->bytes += i;
    io->count -= i;
    return i > 0;
}

/* One of a list. 1 it names bytes that are there; 0 it names none; -EINVAL it is no range. */
static int parse_range(struct http_text text, uint64_t byte_count, struct http_range *ret)
{
    uint64_t first, last;
    bool has_first = take_number(&text, &first), has_last;

    if (text.count == 0 || text.bytes[0] != '-')
        return -EINVAL;
    text.bytes++;
    text.count--;
    has_last = take_number(&text, &last);
    if (text.count > 0 || (!has_first && !has_last))
        return -EINVAL;
    if (!has_first) { /* so many of the end */
        ret->count = last < byte_count ? last : byte_count;
        ret->first = byte_count - ret->count;
        return last > 0;
    }
    if (!has_last)
        last = UINT64_MAX;
    if (last < first)
        return -EINVAL;
    if (first >= byte_count)
        return 0;
    *ret = (struct http_range){first, (last < byte_count - 1 ? last : byte_count - 1) - first + 1};
    return 1;
}

int http_parse_ranges(struct http_text field, uint64_t byte_count, int most, struct http_range ret[HTTP_RANGES_MOST])
{
    static const char unit[] = "bytes=";
    struct http_text element;
    uint64_t sum = 0;
    int count = 0, named = 0;

    if (field.count < sizeof unit - 1 || !http_same_letters(field.bytes, unit, sizeof unit - 1))
        return 0;
    field.bytes += sizeof unit - 1;
    field.count -= sizeof unit - 1;
    while (http_next_element(&field, &element)) {
        struct http_range range;
        int found = parse_range(element, byte_count, &range);

        if (found < 0)
            return 0;
        if (++named > most)
            return -E2BIG;
        if (found == 0)
            continue;
        ret[count++] = range;
        if (__builtin_add_overflow(sum, range.count, &sum))
            sum = UINT64_MAX;
    }
    if (named == 0 || byte_count == 0 || (count > 1 && sum > byte_count))
        return 0;
    return count > 0 ? count : -ERANGE;
}

/* ---- codings -------------------------------------------------------------------------------------------- */
/* The weight among the parameters behind a name, in thousandths (RFC 9110 §12.4.2); what is no weight below 1 is 1. */
static int weight_of(struct http_text text)
{
    int weight = 0, digit;
    size_t i = 0, end;

    while (i + 1 < text.count && !((text.bytes[i] | 0x20) == 'q' && text.bytes[i + 1] == '='))
        i++;
    if (i + 2 >= text.count || text.bytes[i + 2] != '0')
        return 1000;
    for (end = i + 7, i += 4; i < end; i++) {
        digit = i < text.count && http_is_digit((uint8_t)text.bytes[i]) ? text.bytes[i] - '0' : 0;
        weight = weight * 10 + digit;
    }
    return weight;
}

bool http_takes_coding(const struct http_request *request, const char *coding)
{
    const struct http_field *field = NULL;
    int own = -1, others = 0, none = 0; /* weights: of the coding itself, of "*", of identity */

    while ((field = http_find(request, "Accept-Encoding", field)) != NULL) {
        struct http_text list = field->value, element;

        while (http_next_element(&list, &element)) {
            const char *semicolon = memchr(element.bytes, ';', element.count);
            struct http_text name = {element.bytes, semicolon ? (size_t)(semicolon - element.bytes) : element.count};
            struct http_text weight = {element.bytes + name.count, element.count - name.count};

            while (name.count > 0 && (name.bytes[name.count - 1] == ' ' || name.bytes[name.count - 1] == '\t'))
                name.count--;
            if (own < 0 && http_text_is(name, coding))
                own = weight_of(weight);
            else if (http_text_is(name, "*"))
                others = weight_of(weight);
            else if (http_text_is(name, "identity"))
                none = weight_of(weight);
        }
    }
    own = own < 0 ? others : own;
    return own > 0 && own >= none;
}
