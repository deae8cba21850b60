/* mw_format: braces filled from values.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/base_priv.h"
#include "base/print.h"

enum { FORMAT_LIMIT_BYTES = 64 * 1024 * 1024 };

static void format_value(struct mw_buffer *b, const mw_value *v)
{
    size_t count, before = b->count;
    const char *text = v->kind == MW_TEXT ? mw_get_text(v, &count) : NULL;

    if (text) {
        (void)mw_buffer_append(b, text, count);
    } else if (mw_print_json(b, *v) < 0 && !b->error) {
        b->count = before; /* opaque, or with something opaque or too deep in it: say what it is */
        (void)mw_buffer_printf(b, "<%s>", mw_kind_name(mw_kind_of(*v)));
    }
}

mw_value mw_format_n(const char *format, const mw_value *borrows, size_t count)
{
    struct mw_buffer b;
    size_t used = 0;
    mw_value v;

    for (size_t i = 0; i < count; i++)
        if (borrows[i].kind == MW_MISSING)
            return value_missing();
    mw_buffer_init(&b, FORMAT_LIMIT_BYTES);
    while (*format) {
        size_t plain = strcspn(format, "{}");

        (void)mw_buffer_append(&b, format, plain);
        format += plain;
        if (format[0] && format[0] == format[1]) { /* {{ or }} */
            (void)mw_buffer_append_byte(&b, (uint8_t)format[0]);
            format += 2;
        } else if (format[0] == '{' && format[1] == '}') {
            if (used < count)
                format_value(&b, &borrows[used++]);
            else
                (void)mw_buffer_append(&b, "{}", 2);
            format += 2;
        } else if (format[0]) {
            (void)mw_buffer_append_byte(&b, (uint8_t)*format++);
        }
    }
    v = b.error ? value_missing() : mw_text_n((const char *)b.data, b.count);
    mw_buffer_clear(&b);
    return v;
}
