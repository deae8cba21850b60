/* Which media type a file name stands for.
 * Not a look into the file: what the name does not say is not guessed. Read next: media.c.
 * SPDX-License-Identifier: MIT */
#ifndef CODEC_MEDIA_H
#define CODEC_MEDIA_H

#include <meshwork/base.h>

struct media_type {
    const char *name;      /* a constant, with "; charset=utf-8" where it is text */
    bool is_known;         /* false: application/octet-stream; add Content-Disposition: attachment */
    bool is_worth_packing; /* text and its like: smaller when compressed */
};

/* path  a name or a path; what follows its last dot decides, whatever the case */
struct media_type media_type_of(const char *path);

#endif
