/* permessage-deflate between stream.c and the codec. Without context one deflater for each window and one inflater serve all
 * connections of an edge, so that a quiet connection costs nothing; with context each has its own.
 * Not when a message is worth it; that is stream.c. Read next: stream.c.
 * SPDX-License-Identifier: MIT */
#include "edge/extension.h"

#include <errno.h>

#include "base/memory.h"

enum { WINDOWS = DEFLATE_BITS_MOST - DEFLATE_BITS_LEAST + 1, SCRATCH_KEPT_BYTES = 256 * 1024, OUT_MOST_BYTES = 16 << 20 /* what does not fit leaves as it is */ };

struct extensions {
    struct deflate_options options;
    struct deflater *deflaters[WINDOWS]; /* by window, made when first needed */
    struct inflater *inflater;           /* likewise; for any window */
    struct mw_buffer out, in;
    mw_value shared_from;   /* the message that many got last in this pass; null: none */
    mw_value shared_to;     /* made smaller; null: that did not help */
    unsigned shared_bits;
};

struct extension {
    struct deflate_terms terms;
    struct deflater *deflater; /* its own, with context; made when first needed */
    struct inflater *inflater;
};

/* ---- of the edge -------------------------------------------------------------------------------------- */
int extensions_open(const struct deflate_options *options, struct extensions **ret)
{
    struct extensions *all = mw_alloc_zeroed(1, sizeof *all);

    if (!all)
        return -ENOMEM;
    all->options = *options;
    all->shared_from = all->shared_to = mw_null();
    mw_buffer_init(&all->out, OUT_MOST_BYTES);
    mw_buffer_init(&all->in, 0); /* each message sets its own */
    *ret = all;
    return 0;
}

static void forget_shared(struct extensions *all)
{
    mw_release(all->shared_from);
    mw_release(all->shared_to);
    all->shared_from = all->shared_to = mw_null();
}

void extensions_free(struct extensions *all)
{
    size_t i;

    if (!all)
        return;
    forget_shared(all);
    for (i = 0; i < WINDOWS; i++)
        deflater_free(all->deflaters[i]);
    inflater_free(all->inflater);
    mw_buffer_clear(&all->out);
    mw_buffer_clear(&all->in);
    mw_free(all);
}

void extensions_trim(struct extensions *all)
{
    forget_shared(all);
    if (all->out.capacity > SCRATCH_KEPT_BYTES)
        mw_buffer_clear(&all->out);
    if (all->in.capacity > SCRATCH_KEPT_BYTES)
        mw_buffer_clear(&all->in);
}

/* ---- of a connection ---------------------------------------------------------------------------------- */
struct extension *extension_agree(struct extensions *all, const struct http_request *request,
                                  char ret_answer[DEFLATE_ANSWER_BYTES])
{
    struct deflate_terms terms;
    struct extension *x;

    if (!deflate_agree(request, &all->options, &terms, ret_answer))
        return NULL;
    x = mw_alloc_zeroed(1, sizeof *x);
    if (x)
        x->terms = terms;
    return x;
}

void extension_free(struct extension *x)
{
    if (!x)
        return;
    deflater_free(x->deflater);
    inflater_free(x->inflater);
    mw_free(x);
}

static struct deflater *deflater_for(struct extensions *all, struct extension *x)
{
    struct deflater **at =
        x->terms.server_keeps_context ? &x->deflater : &all->deflaters[x->terms.server_bits - DEFLATE_BITS_LEAST];

    if (!*at)
        (void)deflater_new(x->terms.server_bits, x->terms.server_keeps_context, at); /* stays NULL: no memory */
    return *at;
}

bool extension_deflate(struct extensions *all, struct extension *x, const void **io_bytes, size_t *io_count)
{
    struct deflater *deflater = deflater_for(all, x);

    if (!deflater || !deflater_write(deflater, *io_bytes, *io_count, &all->out))
        return false;
    *io_bytes = all->out.data;
    *io_count = all->out.count;
    return true;
}

bool extension_keeps_context(const struct extension *x)
{
    return x->terms.server_keeps_context;
}

bool extension_deflate_shared(struct extensions *all, struct extension *x, mw_value borrows, mw_value *ret)
{
    size_t count = 0, count_before = 0;
    const void *bytes = mw_get_text(&borrows, &count), *before = mw_get_text(&all->shared_from, &count_before);

    /* The reference that is held keeps the address from standing for anything else. */
    if (bytes != before || count != count_before || x->terms.server_bits != all->shared_bits) {
        forget_shared(all);
        all->shared_from = mw_share(borrows);
        all->shared_bits = x->terms.server_bits;
        if (extension_deflate(all, x, &bytes, &count))
            all->shared_to = mw_bytes(bytes, count);
    }
    *ret = all->shared_to;
    return mw_kind_of(*ret) == MW_BYTES;
}

enum inflate_result extension_inflate(struct extensions *all, struct extension *x, const void *bytes, size_t byte_count,
                                      const struct inflate_limits *limits, const void **ret_bytes, size_t *ret_count)
{
    struct inflater **at = x->terms.client_keeps_context ? &x->inflater : &all->inflater;
    enum inflate_result result;

    if (!*at && inflater_new(x->terms.client_keeps_context ? x->terms.client_bits : DEFLATE_BITS_MOST,
                             x->terms.client_keeps_context, at) < 0)
        return INFLATE_NO_MEMORY;
    result = inflater_read(*at, bytes, byte_count, limits, &all->in);
    *ret_bytes = all->in.data ? (const void *)all->in.data : "";
    *ret_count = all->in.count;
    return result;
}
