/* F7: JSON in, values, JSON out. room: codec
 * Oracles: what is accepted prints, and what was printed reads back as an equal value; the work is bounded by the input.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t live = mw_memory_stats().live_blocks, before = mw_memory_stats().allocations;
    mw_value v = mw_null(), again = mw_null(), text;
    struct mw_error why;
    const char *printed;
    size_t count;

    if (mw_json_parse((const char *)data, size, NULL, &v, &why) == 0) {
        /* Budget: a value, its key and the growth of what holds it. */
        must(mw_memory_stats().allocations - before <= (int64_t)(16 + 4 * size));
        text = mw_json_print(v);
        must(mw_kind_of(text) == MW_TEXT);
        printed = mw_get_text(&text, &count);
        must(mw_json_parse(printed, count, NULL, &again, NULL) == 0 && mw_equal(v, again));
        mw_release(text);
        mw_release(again);
    } else {
        must(why.code < 0 && why.line > 0 && why.column > 0);
    }
    mw_release(v);
    must(mw_memory_stats().live_blocks == live);
    return 0;
}
