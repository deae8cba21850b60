/* Denials that were told, each with the short id that its answer had: for who may ask why.
 * Not the reasons; those are found when somebody asks (explain.c). Read next: denials.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_DENIALS_H
#define APP_DENIALS_H

#include <meshwork/value.h>
#include <pthread.h>

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

/* Of apps on several threads together: all below comes from any of them. */
struct denials {
    pthread_mutex_t lock; /* of what follows */
    struct denial *kept; /* DENIALS_KEPT, made with the first; by number */
    uint64_t next;       /* number of the next one */
};

void denials_init(struct denials *d); /* d is zeroed */
/* Note one.
 * borrows  its values
 * ret_id   its id, always given
 * first    where numbers start, of the first one
 * returns  how many ids lead nowhere from now on: an older one's that was pushed out, or its own, without memory */
unsigned denials_note(struct denials *d, uint64_t first, const struct denial *borrows, char ret_id[DENIAL_ID_BYTES]);
/* The one of this id.
 * ret      denial_clear
 * returns  false: no id, or forgotten */
bool denials_find(struct denials *d, const char *id, struct denial *ret);
void denial_clear(struct denial *denial);
void denials_clear(struct denials *d);

#endif
