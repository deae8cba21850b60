/* Whether two values have the same content, without recursion.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/base_priv.h"
#include "base/memory.h"

enum { INLINE_FRAMES = 16 };

/* A pair of containers on the way down, and how far it has been compared. */
struct equal_frame {
    mw_value a, b;
    size_t next;
};
struct equal_walk {
    struct equal_frame inline_frames[INLINE_FRAMES];
    struct equal_frame *frames;
    size_t count, capacity;
};

static bool equal_push(struct equal_walk *w, mw_value a, mw_value b)
{
    if (w->count == w->capacity) {
        size_t bytes = w->capacity * 2 * sizeof(*w->frames);
        struct equal_frame *grown = w->frames == w->inline_frames ? mw_alloc(bytes) : mw_resize(w->frames, bytes);

        if (!grown)
            return false;
        if (w->frames == w->inline_frames)
            memcpy(grown, w->inline_frames, sizeof(w->inline_frames));
        w->frames = grown;
        w->capacity *= 2;
    }
    w->frames[w->count++] = (struct equal_frame){.a = a, .b = b};
    return true;
}

static bool equal_real(double a, double b)
{
    return (a >= b && a <= b) || (a != a && b != b);
}

/* Values without parts, and containers as far as their sizes go; *ret_has_parts: the rest is for the walk. */
static bool equal_shallow(mw_value a, mw_value b, bool *ret_has_parts)
{
    *ret_has_parts = false;
    if (a.kind != b.kind)
        return false;
    if (a.kind == MW_TEXT)
        return text_is_same(&a, &b);
    if (a.is_heap && b.is_heap && a.as.heap == b.as.heap)
        return true;
    switch (mw_kind_of(a)) {
    case MW_NULL:
        return true;
    case MW_BOOL:
        return a.as.boolean == b.as.boolean;
    case MW_INT:
        return a.as.integer == b.as.integer;
    case MW_REAL:
        return equal_real(a.as.real, b.as.real);
    case MW_TEXT:
    case MW_BYTES: {
        size_t a_count, b_count;
        const char *a_text = mw_get_text(&a, &a_count), *b_text = mw_get_text(&b, &b_count);

        return a_count == b_count && memcmp(a_text, b_text, a_count) == 0;
    }
    case MW_LIST:
        *ret_has_parts = mw_list_count(a) > 0;
        return mw_list_count(a) == mw_list_count(b);
    case MW_MAP:
        *ret_has_parts = mw_map_count(a) > 0;
        return mw_map_count(a) == mw_map_count(b);
    case MW_OPAQUE:
        return mw_get_opaque(a) == mw_get_opaque(b);
    case MW_MISSING:
        return true;
    }
    return false;
}

/* The next pair of parts of a frame. false: there is none left, or (*ret_differ) it has no counterpart. */
static bool equal_next(struct equal_frame *frame, mw_value *ret_a, mw_value *ret_b, bool *ret_differ)
{
    const mw_value *a, *b, *key;

    if (frame->a.kind == MW_LIST) {
        a = mw_list_at(frame->a, frame->next);
        b = mw_list_at(frame->b, frame->next);
    } else {
        size_t count;
        const char *text;

        a = mw_map_at(frame->a, frame->next, &key);
        if (!a)
            return false;
        text = mw_get_text(key, &count);
        b = mw_map_get_n(frame->b, text, count);
        *ret_differ = b == NULL;
    }
    if (!a || !b)
        return false;
    frame->next++;
    *ret_a = *a;
    *ret_b = *b;
    return true;
}

/* Of two containers of the same size. */
static bool equal_deep(mw_value a, mw_value b)
{
    struct equal_walk w;
    bool has_parts, is_equal;

    w.frames = w.inline_frames; /* which are filled as they are used */
    w.capacity = INLINE_FRAMES;
    w.count = 0;
    is_equal = equal_push(&w, a, b);
    while (is_equal && w.count > 0) {
        mw_value x, y;
        bool differ = false;

        if (!equal_next(&w.frames[w.count - 1], &x, &y, &differ)) {
            is_equal = !differ;
            w.count--;
            continue;
        }
        is_equal = equal_shallow(x, y, &has_parts) && (!has_parts || equal_push(&w, x, y));
    }
    if (w.frames != w.inline_frames)
        mw_free(w.frames);
    return is_equal;
}

bool mw_equal(mw_value a, mw_value b)
{
    bool has_parts;

    return equal_shallow(a, b, &has_parts) && (!has_parts || equal_deep(a, b));
}
