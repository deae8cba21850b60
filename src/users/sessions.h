/* Who is logged in just now: sessions, each known by a secret that its user's browser keeps in a cookie.
 * In memory; over a planned restart sessions_file.h keeps them. Not who may log in; that is meshwork/users.h. Read next: sessions.c.
 * SPDX-License-Identifier: MIT */
#ifndef USERS_SESSIONS_H
#define USERS_SESSIONS_H

#include <meshwork/base.h>

enum { SESSION_SECRET_BYTES = 65 }; /* 256 random bits as hex, with the NUL */

/* What is kept of a secret: its SHA-256. */
struct session_key {
    uint8_t bytes[32];
};

struct session {
    struct session_key key;
    char *user;       /* owned */
    int64_t since;    /* of the user's password when they logged in */
    int64_t opened_ns, used_ns;
    struct session *next; /* of the same bucket */
};

struct sessions_limits {
    int64_t idle_ns;     /* unused for so long, it ends */
    int64_t absolute_ns; /* so long after the login, it ends */
    size_t per_user;     /* of one more, the one unused for longest ends */
    size_t most;         /* of all; likewise */
};

struct sessions {
    struct sessions_limits limits;
    struct session **buckets;
    size_t bucket_count, count;
    uint64_t opened, ended_idle, ended_old;   /* since start */
    uint64_t pushed_out_of_user, pushed_out_of_all; /* for one more: the user had per_user; there were most */
};

/* Times are those of mw_now_ns, given by the caller. */
void sessions_init(struct sessions *s, const struct sessions_limits *limits);
void sessions_clear(struct sessions *s);
/* Open one.
 * ret_secret  for the cookie; seen this once
 * returns     0; -ENOMEM; -EIO the kernel gives no random bytes */
int sessions_open(struct sessions *s, const char *user, int64_t since, int64_t now_ns, char ret_secret[SESSION_SECRET_BYTES],
                  struct session_key *ret_key);
/* One of before, with its key and times, unless it has ended.
 * borrows  its user is copied
 * returns  0; -ENOMEM */
int sessions_restore(struct sessions *s, const struct session *borrows, int64_t now_ns);
/* The session of a secret, or of a key; NULL: none, or it has ended. Looking is no use of it. Borrowed until the next call. */
const struct session *sessions_find(struct sessions *s, const char *secret, int64_t now_ns);
const struct session *sessions_of_key(struct sessions *s, const struct session_key *key, int64_t now_ns);
/* It is in use: its idle time begins anew. */
void sessions_use(struct sessions *s, const struct session_key *key, int64_t now_ns);
void sessions_close(struct sessions *s, const struct session_key *key);
/* Close those that have ended, and those of whom wanted says false. wanted NULL: nobody is asked */
void sessions_sweep(struct sessions *s, int64_t now_ns, bool (*wanted)(void *context, const struct session *session),
                    void *context);

#endif
