/* How often somebody has tried to log in: a few times a minute, and ever more slowly where it fails.
 * Names that exist and names that do not are treated alike. Not what a password is; that is password.c. Read next: attempts.c.
 * SPDX-License-Identifier: MIT */
#ifndef USERS_ATTEMPTS_H
#define USERS_ATTEMPTS_H

#include <meshwork/base.h>

struct attempts_limits {
    uint32_t per_user;    /* a minute, for one name from one address */
    uint32_t per_address; /* a minute, from one address; 0: not counted */
};

enum { ATTEMPTS_PLACES = 65536, ATTEMPTS_WAYS = 4 };

/* What is remembered of a name from an address, or of an address. */
struct attempts_entry {
    uint64_t key;      /* mw_hash of it; 0: nobody's */
    int64_t minute_ns; /* when the minute began in which they are counted */
    int64_t until_ns;  /* not before this */
    uint32_t count;    /* in that minute */
    uint32_t failures; /* since the last success */
};

struct attempts {
    struct attempts_entry *entries; /* made with the first attempt */
    uint64_t put_off_of_user, put_off_of_address; /* tries, by which limit */
    uint64_t forgotten;             /* entries that made room for others while they still counted */
};

void attempts_clear(struct attempts *a); /* zeroed is empty */
/* Try: what is not waited for is counted as a try.
 * returns  0 go on; else how long to wait, in ns; -ENOMEM */
int64_t attempts_try(struct attempts *a, const struct attempts_limits *limits, const char *user, const char *address,
                     int64_t now_ns);
/* What came of it. */
void attempts_done(struct attempts *a, const char *user, const char *address, int64_t now_ns, bool is_right);

#endif
