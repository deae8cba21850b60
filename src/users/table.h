/* Users and tokens in memory, and as the text of the file that keeps them.
 * Not the file itself; that is users.c. Read next: table.c.
 * SPDX-License-Identifier: MIT */
#ifndef USERS_TABLE_H
#define USERS_TABLE_H

#include <meshwork/users.h>

#include "base/buffer.h"

enum { TABLE_HASH_BYTES = 32 };
#define TABLE_FILE_BYTES ((size_t)16 * 1024 * 1024)

struct table_token {
    char id[MW_TOKEN_ID_BYTES];
    char *user;
    int64_t ends_s;
    uint8_t hash[TABLE_HASH_BYTES]; /* SHA-256 of the token's text */
};

struct table {
    mw_user *users; /* by name; their texts are owned */
    size_t user_count;
    struct table_token *tokens; /* by hash */
    size_t token_count;
};

void table_clear(struct table *t);
/* Read the text of a file. file: for messages. On failure *ret is not touched. */
int table_parse(const char *text, size_t byte_count, const char *file, struct table *ret, struct mw_error *ret_error);
/* The whole text; errors stick in the buffer. */
void table_print(const struct table *t, struct mw_buffer *out);

mw_user *table_find(const struct table *t, const char *name); /* NULL: nobody */
/* All copied. 0; -EEXIST; -ENOMEM with the table as it was */
int table_add_user(struct table *t, const mw_user *borrows);
int table_add_token(struct table *t, const struct table_token *borrows);
void table_remove_user(struct table *t, size_t index);
void table_remove_token(struct table *t, size_t index);
/* Other roles or another hash: copied. 0; -ENOMEM with the user as they were */
int table_set_roles(mw_user *user, const char *const *roles, size_t role_count);
int table_set_password(mw_user *user, const char *hash, int64_t since);
const struct table_token *table_find_token(const struct table *t, const uint8_t hash[TABLE_HASH_BYTES]); /* NULL: none */

#endif
