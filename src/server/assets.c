/* The built-in files as they go out: each is copied and compressed once, and shared from then on.
 * Not the table of them; cmake/assets.cmake makes that. Read next: route.c.
 * SPDX-License-Identifier: MIT */
#include "server/assets.h"

#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "codec/deflate.h"

const struct asset *asset_find(const char *name)
{
    const struct asset *asset;

    for (asset = assets; asset->name; asset++)
        if (strcmp(asset->name, name) == 0)
            return asset;
    return NULL;
}

static void pack(struct asset_form *form, const struct asset *asset)
{
    struct mw_buffer packed;
    mw_value bytes;

    mw_buffer_init(&packed, asset->byte_count);
    if (gzip_write(asset->bytes, asset->byte_count, &packed) == 0) {
        bytes = mw_bytes(packed.data, packed.count);
        if (mw_kind_of(bytes) == MW_BYTES)
            form->gzipped = bytes;
    }
    mw_buffer_clear(&packed);
    form->is_packed = true;
}

mw_value asset_give(struct asset_form *forms, const struct asset *asset, bool takes_gzip, bool *ret_is_gzipped)
{
    struct asset_form *form = &forms[asset - assets];
    mw_value bytes;

    assert(asset - assets < ASSETS_MOST);
    if (takes_gzip && !form->is_packed)
        pack(form, asset);
    *ret_is_gzipped = takes_gzip && mw_kind_of(form->gzipped) == MW_BYTES;
    if (*ret_is_gzipped)
        return mw_share(form->gzipped);
    if (mw_kind_of(form->plain) == MW_BYTES)
        return mw_share(form->plain);
    bytes = mw_bytes(asset->bytes, asset->byte_count);
    if (mw_kind_of(bytes) == MW_BYTES)
        form->plain = mw_share(bytes);
    return bytes;
}

void asset_forms_clear(struct asset_form *forms)
{
    size_t i;

    for (i = 0; i < ASSETS_MOST; i++) {
        mw_release(forms[i].plain);
        mw_release(forms[i].gzipped);
        forms[i] = (struct asset_form){.is_packed = false};
    }
}
