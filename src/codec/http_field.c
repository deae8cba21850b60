/* Looking things up in a request: fields by name, elements of comma lists, tokens.
 * Not what they mean; that is http_head.c and whoever asks.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "codec/http_priv.h"

bool http_is_token_byte(uint8_t byte)
{
    /* RFC 9110 §5.6.2, one bit per byte value */
    static const uint64_t bits[4] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe), 0, 0};

    return bits[byte >> 6] >> (byte & 63) & 1;
}

bool http_is_token(struct http_text text)
{
    size_t i;

    for (i = 0; i < text.count; i++) {
        if (!http_is_token_byte((uint8_t)text.bytes[i]))
            return false;
    }
    return text.count > 0;
}

static uint8_t ascii_lower(char c)
{
    uint8_t byte = (uint8_t)c;

    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Not strncasecmp: a host program's locale must not decide what "Connection" is. */
bool http_same_letters(const char *a, const char *b, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    }
    return true;
}

const struct http_field *http_find_n(const struct http_request *request, const char *name, size_t name_bytes, const struct http_field *after)
{
    size_t at = after ? (size_t)(after - request->fields) + 1 : 0;

    for (; at < request->field_count; at++) {
        const struct http_text *found = &request->fields[at].name;

        if (found->count == name_bytes && http_same_letters(found->bytes, name, name_bytes))
            return &request->fields[at];
    }
    return NULL;
}

struct http_text http_value(const struct http_request *request, const char *name)
{
    const struct http_field *field = http_find(request, name, NULL);

    if (!field)
        return (struct http_text){0};
    return http_find(request, name, field) ? (struct http_text){"", 0} : field->value;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* A comma inside a quoted string separates nothing (RFC 9110 §5.6.4). */
static size_t element_length(struct http_text text)
{
    bool is_quoted = false;
    size_t i;

    for (i = 0; i < text.count; i++) {
        if (is_quoted && text.bytes[i] == '\\' && i + 1 < text.count)
            i++;
        else if (text.bytes[i] == '"')
            is_quoted = !is_quoted;
        else if (text.bytes[i] == ',' && !is_quoted)
            break;
    }
    return i;
}

bool http_next_element(struct http_text *io, struct http_text *ret)
{
    while (io->count > 0) {
        struct http_text element = {io->bytes, element_length(*io)};
        size_t used = element.count < io->count ? element.count + 1 : element.count;

        io->bytes += used;
        io->count -= used;
        while (element.count > 0 && is_space(element.bytes[0])) {
            element.bytes++;
            element.count--;
        }
        while (element.count > 0 && is_space(element.bytes[element.count - 1]))
            element.count--;
        if (element.count > 0) {
            *ret = element;
            return true;
        }
    }
    return false;
}

bool http_has_token(const struct http_request *request, const char *name, const char *token)
{
    const struct http_field *field = NULL;

    while ((field = http_find(request, name, field)) != NULL) {
        struct http_text rest = field->value, element;

        while (http_next_element(&rest, &element)) {
            if (http_text_is(element, token))
                return true;
        }
    }
    return false;
}
