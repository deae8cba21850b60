/* Denials that were told, each with the short id that its answer had: for who may ask why.
 * Not the reasons; those are found when somebody asks (explain.c). Read next: denials.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_DENIALS_H
#define APP_DENIALS_H

#include <meshwork/value.h>

#define DENIALS_KEPT 1024   /* the last ones of an app */
#define DENIAL_ID_BYTES 14  /* with its NUL */

struct denial {
    uint64_t number;    /* 0: none */
    mw_value user;      /* a text; null: had not logged in */
    mw_value roles;     /* of the user then: a list of names */
    mw_value name;      /* asked for */
    const char *method; /* static */
    int64_t at_s;       /* of the wall clock */
};

/* Zeroed is empty. */
struct denials {
    struct denial *kept; /* DENIALS_KEPT, made with the first; by number */
    uint64_t next;       /* number of the next one */
    uint64_t forgotten;  /* pushed out by later ones */
    uint64_t unnoted;    /* found no memory: their id leads nowhere */
};

/* Note one. roles and name are borrowed. ret_id: its id, always given. first: where numbers start, of the first one */
void denials_note(struct denials *d, uint64_t first, const struct denial *borrows, char ret_id[DENIAL_ID_BYTES]);
/* The one of this id, borrowed until the next is noted; NULL: no id, or forgotten. */
const struct denial *denials_find(const struct denials *d, const char *id);
void denials_clear(struct denials *d);

#endif
