/* Idempotency keys: a ring of answers, the oldest overwritten.
 * Not what a set does; that is methods.c. Read next: methods.c.
 * SPDX-License-Identifier: MIT */
#include "app/keys.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

struct entry {
    char *user;
    mw_value key, answer;
    uint64_t fingerprint;
};

struct keys {
    struct entry entries[KEYS_REMEMBERED];
    size_t count, next; /* next: to be written */
};

struct keys *keys_new(void)
{
    return mw_alloc_zeroed(1, sizeof(struct keys));
}

static void entry_clear(struct entry *e)
{
    mw_free(e->user);
    mw_release(e->key);
    mw_release(e->answer);
    *e = (struct entry){0};
}

void keys_free(struct keys *keys)
{
    size_t i;

    if (!keys)
        return;
    for (i = 0; i < keys->count; i++)
        entry_clear(&keys->entries[i]);
    mw_free(keys);
}

int keys_find(const struct keys *keys, const char *user, mw_value borrows_key, uint64_t fingerprint,
              const mw_value **ret_answer)
{
    size_t i;

    for (i = 0; keys && i < keys->count; i++) {
        const struct entry *e = &keys->entries[i];

        if (strcmp(e->user, user) != 0 || !mw_equal(e->key, borrows_key))
            continue;
        if (e->fingerprint != fingerprint)
            return -EEXIST;
        *ret_answer = &e->answer;
        return 1;
    }
    return 0;
}

int keys_remember(struct keys *keys, const char *user, mw_value borrows_key, uint64_t fingerprint, const char *answer,
                  size_t byte_count)
{
    struct entry fresh = {.key = mw_share(borrows_key), .fingerprint = fingerprint};
    bool forgets = keys->count == KEYS_REMEMBERED;

    if (byte_count > KEYS_ANSWER_BYTES) {
        entry_clear(&fresh);
        return -EMSGSIZE;
    }
    fresh.user = mw_copy_text(user);
    fresh.answer = mw_text_n(answer, byte_count);
    if (!fresh.user || mw_kind_of(fresh.answer) == MW_MISSING) {
        entry_clear(&fresh);
        return -ENOMEM;
    }
    entry_clear(&keys->entries[keys->next]);
    keys->entries[keys->next] = fresh;
    keys->next = (keys->next + 1) % KEYS_REMEMBERED;
    keys->count += forgets ? 0 : 1;
    return forgets;
}
