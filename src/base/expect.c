/* Reading a value that somebody else has made, with a text that says what is wrong with it.
 * Not the quiet accessors; those are in value.c. Read next: error.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/value.h>

#include <errno.h>

#include "base/buffer.h"
#include "base/print.h"

enum { SHOWN_BYTES = 60 };

/* "int 42", "text \"abc...", "list of 3": as much as helps. Without memory the kind alone. */
static void describe(struct mw_buffer *b, mw_value v)
{
    size_t before;

    (void)mw_buffer_append_text(b, mw_kind_name(mw_kind_of(v)));
    if (v.kind == MW_LIST)
        (void)mw_buffer_printf(b, " of %zu", mw_list_count(v));
    if (v.kind == MW_MAP)
        (void)mw_buffer_printf(b, " of %zu", mw_map_count(v));
    if (v.kind != MW_BOOL && v.kind != MW_INT && v.kind != MW_REAL && v.kind != MW_TEXT)
        return;
    (void)mw_buffer_append_text(b, " ");
    before = b->count;
    (void)mw_print_json(b, v); /* what does not fit is left out */
    if (b->count <= before + SHOWN_BYTES)
        return;
    b->count = before + SHOWN_BYTES;
    while (b->count > before && (b->data[b->count] & 0xc0) == 0x80) /* not in the middle of a character */
        b->count--;
    (void)mw_buffer_append_text(b, "...");
}

static int wrong(mw_value v, const char *what, const char *want, struct mw_error *ret_error)
{
    struct mw_buffer b;

    if (!ret_error)
        return -EINVAL;
    mw_buffer_init(&b, (size_t)1 << 20);
    describe(&b, v);
    (void)mw_fail(ret_error, -EINVAL, "%s%swant %s, got %.*s", what ? what : "", what ? ": " : "", want, b.data ? (int)b.count : 9,
                  b.data ? (const char *)b.data : "something");
    mw_buffer_clear(&b);
    return -EINVAL;
}

int mw_expect_bool(mw_value v, const char *what, bool *ret, struct mw_error *ret_error)
{
    return mw_get_bool(v, ret) == 0 ? 0 : wrong(v, what, "bool", ret_error);
}

int mw_expect_int(mw_value v, const char *what, int64_t *ret, struct mw_error *ret_error)
{
    return mw_get_int(v, ret) == 0 ? 0 : wrong(v, what, "int", ret_error);
}

int mw_expect_real(mw_value v, const char *what, double *ret, struct mw_error *ret_error)
{
    return mw_get_real(v, ret) == 0 ? 0 : wrong(v, what, "real", ret_error);
}

int mw_expect_text(const mw_value *v, const char *what, const char **ret, size_t *ret_byte_count, struct mw_error *ret_error)
{
    if (v->kind != MW_TEXT)
        return wrong(*v, what, "text", ret_error);
    *ret = mw_get_text(v, ret_byte_count);
    return 0;
}

int mw_expect_kind(mw_value v, const char *what, enum mw_kind kind, struct mw_error *ret_error)
{
    return mw_kind_of(v) == kind ? 0 : wrong(v, what, mw_kind_name(kind), ret_error);
}
