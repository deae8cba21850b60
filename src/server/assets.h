/* The files under /_mw/ that are part of the library: the JS client.
 * The table is made from client/ when the library is built (cmake/assets.cmake).
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_ASSETS_H
#define SERVER_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* "meshwork.js"; NULL ends the table */
    const char *tag;  /* of its content, as an ETag field prints it */
    const unsigned char *bytes;
    size_t byte_count;
};
extern const struct asset assets[];

#endif
