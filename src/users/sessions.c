/* Sessions by key, in a table that grows.
 * SPDX-License-Identifier: MIT */
#include "users/sessions.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"

enum { BUCKETS_AT_FIRST = 64, SECRET_BYTES = 32 };

void sessions_init(struct sessions *s, const struct sessions_limits *limits)
{
    *s = (struct sessions){.limits = *limits};
}

static void session_free(struct session *session)
{
    mw_free(session->user);
    mw_free(session);
}

void sessions_clear(struct sessions *s)
{
    size_t i;

    for (i = 0; i < s->bucket_count; i++)
        while (s->buckets[i]) {
            struct session *session = s->buckets[i];

            s->buckets[i] = session->next;
            session_free(session);
        }
    mw_free(s->buckets);
    s->buckets = NULL;
    s->bucket_count = s->count = 0;
}

/* The keys are hashes of our own random bytes: nobody can aim at a bucket. */
static struct session **bucket_of(const struct sessions *s, const struct session_key *key)
{
    uint64_t number;

    memcpy(&number, key->bytes, sizeof number);
    return &s->buckets[number & (s->bucket_count - 1)];
}

/* Where the pointer to it is; NULL: there is none. */
static struct session **place_of(const struct sessions *s, const struct session_key *key)
{
    struct session **at;

    if (s->bucket_count == 0)
        return NULL;
    for (at = bucket_of(s, key); *at; at = &(*at)->next)
        if (CRYPTO_memcmp((*at)->key.bytes, key->bytes, sizeof key->bytes) == 0)
            return at;
    return NULL;
}

static int grow(struct sessions *s)
{
    size_t count = s->bucket_count ? 2 * s->bucket_count : BUCKETS_AT_FIRST, i;
    struct sessions more = {.bucket_count = count, .buckets = mw_alloc_zeroed(count, sizeof(struct session *))};

    if (!more.buckets)
        return -ENOMEM;
    for (i = 0; i < s->bucket_count; i++)
        while (s->buckets[i]) {
            struct session *session = s->buckets[i], **to = bucket_of(&more, &session->key);

            s->buckets[i] = session->next;
            session->next = *to;
            *to = session;
        }
    mw_free(s->buckets);
    s->buckets = more.buckets;
    s->bucket_count = count;
    return 0;
}

static void take_out(struct sessions *s, struct session **at)
{
    struct session *session = *at;

    *at = session->next;
    session_free(session);
    s->count--;
}

static bool has_ended(struct sessions *s, const struct session *session, int64_t now_ns)
{
    if (now_ns - session->opened_ns >= s->limits.absolute_ns) {
        s->ended_old++;
        return true;
    }
    if (now_ns - session->used_ns >= s->limits.idle_ns) {
        s->ended_idle++;
        return true;
    }
    return false;
}

/* The one unused for longest, of a user or (NULL) of all; *ret_count: how many there are. */
static struct session **longest_unused(struct sessions *s, const char *user, size_t *ret_count)
{
    struct session **least = NULL, **at;
    size_t i;

    *ret_count = 0;
    for (i = 0; i < s->bucket_count; i++)
        for (at = &s->buckets[i]; *at; at = &(*at)->next) {
            if (user && strcmp((*at)->user, user) != 0)
                continue;
            ++*ret_count;
            if (!least || (*at)->used_ns < (*least)->used_ns)
                least = at;
        }
    return least;
}

/* A login is rare and dear: looking at all is not what costs. */
static void make_room(struct sessions *s, const char *user)
{
    size_t count;
    struct session **least = longest_unused(s, user, &count);

    if (count >= s->limits.per_user) {
        s->pushed_out_of_user++;
    } else if (s->count >= s->limits.most) {
        s->pushed_out_of_all++;
        least = longest_unused(s, NULL, &count);
    } else {
        return;
    }
    if (least) /* as both limits are 1 or more */
        take_out(s, least);
}

static void key_of(const char *secret, struct session_key *ret)
{
    (void)SHA256((const unsigned char *)secret, strlen(secret), ret->bytes); /* never fails for bytes in memory */
}

static int make_secret(char ret_secret[SESSION_SECRET_BYTES])
{
    uint8_t bytes[SECRET_BYTES];
    size_t i;

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret_secret + 2 * i, 3, "%02x", bytes[i]);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return 0;
}

static void put_in(struct sessions *s, struct session *takes)
{
    struct session **bucket = bucket_of(s, &takes->key);

    takes->next = *bucket;
    *bucket = takes;
    s->count++;
}

int sessions_restore(struct sessions *s, const struct session *borrows, int64_t now_ns)
{
    struct session *session;

    if (has_ended(s, borrows, now_ns) || place_of(s, &borrows->key))
        return 0;
    session = mw_alloc_zeroed(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    *session = *borrows;
    session->user = mw_copy_text(borrows->user);
    if (!session->user || (s->count >= s->bucket_count && grow(s) < 0)) {
        session_free(session);
        return -ENOMEM;
    }
    make_room(s, session->user);
    put_in(s, session);
    return 0;
}

int sessions_open(struct sessions *s, const char *user, int64_t since, int64_t now_ns, char ret_secret[SESSION_SECRET_BYTES],
                  struct session_key *ret_key)
{
    struct session *session = mw_alloc_zeroed(1, sizeof(*session));
    int err;

    if (!session)
        return -ENOMEM;
    *session = (struct session){.user = mw_copy_text(user), .since = since, .opened_ns = now_ns, .used_ns = now_ns};
    err = session->user ? make_secret(ret_secret) : -ENOMEM;
    if (err == 0 && s->count >= s->bucket_count)
        err = grow(s);
    if (err < 0) {
        session_free(session);
        return err;
    }
    make_room(s, user);
    key_of(ret_secret, &session->key);
    put_in(s, session);
    s->opened++;
    *ret_key = session->key;
    return 0;
}

const struct session *sessions_of_key(struct sessions *s, const struct session_key *key, int64_t now_ns)
{
    struct session **at = place_of(s, key);

    if (!at)
        return NULL;
    if (!has_ended(s, *at, now_ns))
        return *at;
    take_out(s, at);
    return NULL;
}

const struct session *sessions_find(struct sessions *s, const char *secret, int64_t now_ns)
{
    struct session_key key;

    key_of(secret, &key);
    return sessions_of_key(s, &key, now_ns);
}

void sessions_use(struct sessions *s, const struct session_key *key, int64_t now_ns)
{
    struct session **at = place_of(s, key);

    if (at)
        (*at)->used_ns = now_ns;
}

void sessions_close(struct sessions *s, const struct session_key *key)
{
    struct session **at = place_of(s, key);

    if (at)
        take_out(s, at);
}

void sessions_sweep(struct sessions *s, int64_t now_ns, bool (*wanted)(void *context, const struct session *session),
                    void *context)
{
    size_t i;

    for (i = 0; i < s->bucket_count; i++) {
        struct session **at = &s->buckets[i];

        while (*at) {
            if (has_ended(s, *at, now_ns) || (wanted && !wanted(context, *at)))
                take_out(s, at);
            else
                at = &(*at)->next;
        }
    }
}
