/* The files under /_mw/ that are part of the library: the JS client.
 * The table is made from client/ when the library is built (cmake/assets.cmake).
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_ASSETS_H
#define SERVER_ASSETS_H

#include <meshwork/value.h>

struct asset {
    const char *name; /* "meshwork.js"; NULL ends the table */
    const char *tag;  /* of its content, as an ETag field prints it */
    const unsigned char *bytes;
    size_t byte_count;
};
extern const struct asset assets[];

/* One as it goes out: as it is and gzipped, made when it is first asked for and kept. Zero-initialise. */
enum { ASSETS_MOST = 16 }; /* of the table */
struct asset_form {
    mw_value plain, gzipped; /* null: not made yet, or there was no memory; or it does not become smaller */
    bool is_packed;          /* that was tried */
};
/* NULL: there is none of this name. */
const struct asset *asset_find(const char *name);
/* The form that a client takes. forms  ASSETS_MOST of them
 * ret_is_gzipped  which one it is
 * returns         owned: bytes; MW_MISSING: no memory */
mw_value asset_give(struct asset_form *forms, const struct asset *asset, bool takes_gzip, bool *ret_is_gzipped);
void asset_forms_clear(struct asset_form *forms);

#endif
