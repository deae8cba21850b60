/* Users: who there is, which roles each has, and what proves it: passwords (Argon2id) and bearer tokens, in one file.
 * Usable without the server. Not who is logged in just now; that is the server's. Read next: docs/users.md.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_USERS_H
#define MESHWORK_USERS_H

#include <meshwork/base.h>

MW_BEGIN_DECLS

#define MW_USER_NAME_BYTES 64       /* of a user's or a role's name: UTF-8 without space , / @ = : " and control characters */
#define MW_USER_ROLES_MOST 64        /* roles of one user */
#define MW_PASSWORD_LEAST_BYTES 8
#define MW_PASSWORD_MOST_BYTES 256
#define MW_PASSWORD_HASH_BYTES 128  /* of its hash as text, with the NUL */
#define MW_TOKEN_BYTES 65           /* of a bearer token, with the NUL */
#define MW_TOKEN_ID_BYTES 9         /* of the name by which it is listed and revoked, with the NUL */
#define MW_TOKEN_MOST_S INT64_C(31536000) /* longest life of one: 365 days */

/* All below belongs to one thread at a time. */
typedef struct mw_users mw_users;

/* One user; borrowed until the next call that may change or re-read. */
typedef struct mw_user {
    const char *name;
    const char *const *roles;
    size_t role_count;
    const char *password_hash; /* NULL: has none, and comes by token alone */
    int64_t since;             /* another number once the password is another: whoever came by the one before is to go */
} mw_user;

/* Open the users of a state directory. It may be missing: then there is nobody, and the first change makes it (0700).
 * ret      returned owned: mw_users_free
 * returns  0; -EPERM the directory or the file is another's, or open to others; -EINVAL a line that is none (file and line
 *          in ret_error); -ENOTSUP written by a later version; -ENOMEM; what the kernel said */
MW_EXPORT MW_MUST_USE int mw_users_open(const char *state_dir, mw_users **ret, struct mw_error *ret_error);
MW_EXPORT void mw_users_free(mw_users *users); /* accepts NULL */
/* Read the file anew where another process has changed it.
 * returns  1 it was; 0 it was not; negative as mw_users_open: what was there stays */
MW_EXPORT int mw_users_look(mw_users *users, struct mw_error *ret_error);
/* Who is of this name; NULL: nobody. */
MW_EXPORT const mw_user *mw_users_find(const mw_users *users, const char *name);
MW_EXPORT size_t mw_users_count(const mw_users *users);
MW_EXPORT const mw_user *mw_users_at(const mw_users *users, size_t index); /* by name; NULL past the end */

/* ---- changes ----------------------------------------------------------------------------------------
 * Each is in the file, and on disk, before it returns; two processes exclude one another. On failure nothing is changed.
 * returns  0; -EINVAL a name that is none, with the reason; -ENOENT there is no such user; -ENOMEM; what the kernel said */
/* password  NULL: none; else 8 to 256 bytes (-EINVAL). -EEXIST there is one of that name. */
MW_EXPORT int mw_users_add(mw_users *users, const char *name, const char *const *roles, size_t role_count,
                           const char *password, struct mw_error *ret_error);
MW_EXPORT int mw_users_remove(mw_users *users, const char *name, struct mw_error *ret_error); /* with their tokens */
MW_EXPORT int mw_users_set_roles(mw_users *users, const char *name, const char *const *roles, size_t role_count,
                                 struct mw_error *ret_error);
MW_EXPORT int mw_users_set_password(mw_users *users, const char *name, const char *password, struct mw_error *ret_error);

/* ---- bearer tokens --------------------------------------------------------------------------------------
 * Whoever shows one is its user, until it ends. Kept as a SHA-256 alone: it is seen once. */
typedef struct mw_token {
    const char *id, *user;
    int64_t ends_s; /* of time(NULL) */
} mw_token;
/* life_s   1 to MW_TOKEN_MOST_S, from now
 * returns  as above; -ERANGE the life */
MW_EXPORT int mw_users_issue_token(mw_users *users, const char *name, int64_t life_s, char ret_token[MW_TOKEN_BYTES],
                                   struct mw_error *ret_error);
MW_EXPORT int mw_users_revoke_token(mw_users *users, const char *id, struct mw_error *ret_error); /* -ENOENT none of that id */
MW_EXPORT size_t mw_users_token_count(const mw_users *users);
MW_EXPORT mw_token mw_users_token_at(const mw_users *users, size_t index); /* borrowed; all NULL past the end */
/* Whose token this is. now_s: of time(NULL). ret_token: which it is, borrowed; may be NULL. NULL: nobody's, or it has ended */
MW_EXPORT const mw_user *mw_users_by_token(const mw_users *users, const char *token, int64_t now_s, mw_token *ret_token);
/* Whether there is a token of this id, that has not ended. */
MW_EXPORT bool mw_users_has_token(const mw_users *users, const char *id, int64_t now_s);

/* ---- passwords -----------------------------------------------------------------------------------------------
 * Argon2id (RFC 9106) with 19 MiB, two passes and one lane, as OWASP advises: some 20 ms each, on purpose. context: any thread */
/* returns  0; -EINVAL too short or too long; -ENOMEM */
MW_EXPORT int mw_password_hash(const char *password, char ret_hash[MW_PASSWORD_HASH_BYTES], struct mw_error *ret_error);
/* Whether a hash is of this password.
 * hash  NULL: nobody's; takes as long as a wrong password does */
MW_EXPORT bool mw_password_matches(const char *hash, const char *password);
/* Say whether a name can be a user's or a role's. noun: for the message. 0, -EINVAL */
MW_EXPORT int mw_user_name_check(const char *name, const char *noun, struct mw_error *ret_error);

MW_END_DECLS

#endif
