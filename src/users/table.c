/* The table of users and tokens. Sorted, so that a name and a hash are found in a few steps.
 * The file's text: "meshwork users 1", then a line for each
 *   user NAME since=N roles=a,b password=HASH
 *   token ID user=NAME ends=SECONDS hash=HEX
 * SPDX-License-Identifier: MIT */
#include "users/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

static const char first_line[] = "meshwork users 1";

/* ---- names ------------------------------------------------------------------------------------------- */

/* The character that begins here, in valid UTF-8. */
static uint32_t character_at(const unsigned char *at)
{
    if (at[0] < 0x80)
        return at[0];
    if (at[0] < 0xe0)
        return (at[0] & 0x1fU) << 6 | (at[1] & 0x3fU);
    if (at[0] < 0xf0)
        return (at[0] & 0xfU) << 12 | (at[1] & 0x3fU) << 6 | (at[2] & 0x3fU);
    return (at[0] & 7U) << 18 | (at[1] & 0x3fU) << 12 | (at[2] & 0x3fU) << 6 | (at[3] & 0x3fU);
}

/* Characters that nobody sees, or that turn the rest of a line around: two names would look alike. */
static bool is_unseen(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0, 0x20},         {0x7f, 0xa0},       {0xad, 0xad},       {0x1680, 0x1680},   {0x180e, 0x180e},
                  {0x2000, 0x200f},  {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},   {0xfeff, 0xfeff},
                  {0xfff0, 0xfffb},  {0xfffe, 0xffff},   {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff}};
    size_t i;

    for (i = 0; i < MW_COUNT(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

int mw_user_name_check(const char *name, const char *noun, struct mw_error *ret_error)
{
    size_t byte_count = strlen(name), i;

    if (byte_count < 1 || byte_count > MW_USER_NAME_BYTES || !mw_utf8_is_valid(name, byte_count))
        return mw_fail(ret_error, -EINVAL, "a %s has 1 to %d bytes of UTF-8", noun, MW_USER_NAME_BYTES);
    for (i = 0; i < byte_count; i++) {
        if ((name[i] & 0xc0) == 0x80) /* within a character */
            continue;
        if (is_unseen(character_at((const unsigned char *)name + i)))
            return mw_fail(ret_error, -EINVAL, "'%s' can name no %s: no space and nothing that cannot be seen may be in it", name, noun);
        if (strchr(",/@=:\"", name[i]))
            return mw_fail(ret_error, -EINVAL, "'%s' can name no %s: none of , / @ = : \" may be in it", name, noun);
    }
    if (strcmp(name, "anonymous") == 0 || strcmp(name, "local") == 0)
        return mw_fail(ret_error, -EINVAL, "'%s' can name no %s: it stands for who has not logged in", name, noun);
    return 0;
}

/* ---- users ---------------------------------------------------------------------------------------------- */

/* One block: the pointers, then the texts. NULL: no memory */
static const char *const *copy_roles(const char *const *roles, size_t role_count)
{
    size_t bytes = (role_count + 1) * sizeof(char *), i;
    const char **list;
    char *at;

    for (i = 0; i < role_count; i++)
        bytes += strlen(roles[i]) + 1;
    list = mw_alloc(bytes);
    if (!list)
        return NULL;
    at = (char *)&list[role_count + 1];
    for (i = 0; i < role_count; i++) {
        size_t count = strlen(roles[i]) + 1;

        list[i] = memcpy(at, roles[i], count);
        at += count;
    }
    list[role_count] = NULL;
    return list;
}

/* Texts of users are the table's own, whatever mw_user says of them. */
static void free_text(const void *text)
{
    mw_free((void *)(uintptr_t)text);
}

static void user_clear(mw_user *user)
{
    free_text(user->name);
    free_text(user->roles);
    free_text(user->password_hash);
}

int table_set_roles(mw_user *user, const char *const *roles, size_t role_count)
{
    const char *const *copy = copy_roles(roles, role_count);

    if (!copy)
        return -ENOMEM;
    free_text(user->roles);
    user->roles = copy;
    user->role_count = role_count;
    return 0;
}

int table_set_password(mw_user *user, const char *hash, int64_t since)
{
    char *copy = mw_copy_text(hash);

    if (hash && !copy)
        return -ENOMEM;
    free_text(user->password_hash);
    user->password_hash = copy;
    user->since = since;
    return 0;
}

/* Where a user is, or belongs. */
static size_t place_of(const struct table *t, const char *name)
{
    size_t low = 0, high = t->user_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(t->users[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

mw_user *table_find(const struct table *t, const char *name)
{
    size_t at = place_of(t, name);

    return at < t->user_count && strcmp(t->users[at].name, name) == 0 ? &t->users[at] : NULL;
}

int table_add_user(struct table *t, const mw_user *borrows)
{
    size_t at = place_of(t, borrows->name);
    mw_user user = {.name = mw_copy_text(borrows->name)}, *more;
    int err = 0;

    if (table_find(t, borrows->name))
        err = -EEXIST;
    else if (!user.name || table_set_roles(&user, borrows->roles, borrows->role_count) < 0 ||
             table_set_password(&user, borrows->password_hash, borrows->since) < 0)
        err = -ENOMEM;
    more = err == 0 ? mw_resize(t->users, (t->user_count + 1) * sizeof(*more)) : NULL;
    if (!more) {
        user_clear(&user);
        return err < 0 ? err : -ENOMEM;
    }
    t->users = more;
    memmove(&more[at + 1], &more[at], (t->user_count - at) * sizeof(*more));
    more[at] = user;
    t->user_count++;
    return 0;
}

void table_remove_user(struct table *t, size_t index)
{
    size_t i;

    for (i = t->token_count; i-- > 0;)
        if (strcmp(t->tokens[i].user, t->users[index].name) == 0)
            table_remove_token(t, i);
    user_clear(&t->users[index]);
    t->user_count--;
    memmove(&t->users[index], &t->users[index + 1], (t->user_count - index) * sizeof(*t->users));
}

/* ---- tokens ------------------------------------------------------------------------------------------------ */

static size_t token_place_of(const struct table *t, const uint8_t hash[TABLE_HASH_BYTES])
{
    size_t low = 0, high = t->token_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(t->tokens[middle].hash, hash, TABLE_HASH_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How long this takes says something of hashes, which say nothing of tokens. */
const struct table_token *table_find_token(const struct table *t, const uint8_t hash[TABLE_HASH_BYTES])
{
    size_t at = token_place_of(t, hash);

    return at < t->token_count && memcmp(t->tokens[at].hash, hash, TABLE_HASH_BYTES) == 0 ? &t->tokens[at] : NULL;
}

int table_add_token(struct table *t, const struct table_token *borrows)
{
    size_t at = token_place_of(t, borrows->hash);
    struct table_token token = *borrows, *more;

    token.user = mw_copy_text(borrows->user);
    more = token.user ? mw_resize(t->tokens, (t->token_count + 1) * sizeof(*more)) : NULL;
    if (!more) {
        mw_free(token.user);
        return -ENOMEM;
    }
    t->tokens = more;
    memmove(&more[at + 1], &more[at], (t->token_count - at) * sizeof(*more));
    more[at] = token;
    t->token_count++;
    return 0;
}

void table_remove_token(struct table *t, size_t index)
{
    mw_free(t->tokens[index].user);
    t->token_count--;
    memmove(&t->tokens[index], &t->tokens[index + 1], (t->token_count - index) * sizeof(*t->tokens));
}

void table_clear(struct table *t)
{
    size_t i;

    for (i = 0; i < t->user_count; i++)
        user_clear(&t->users[i]);
    for (i = 0; i < t->token_count; i++)
        mw_free(t->tokens[i].user);
    mw_free(t->users);
    mw_free(t->tokens);
    *t = (struct table){0};
}

/* ---- text in ------------------------------------------------------------------------------------------------- */

/* A line being read: its words are cut off from the front. */
struct line {
    char *rest;
    const char *file;
    int number;
    struct mw_error *ret_error;
};

#define line_fail(l, ...) mw_fail_at((l)->ret_error, -EINVAL, (l)->file, (l)->number, 0, __VA_ARGS__)

static const char *next_word(struct line *l)
{
    const char *word = strsep(&l->rest, " ");

    return word ? word : "";
}

/* The value of the next word, which is to be "KEY=..."; NULL: it is not */
static const char *next_value(struct line *l, const char *key)
{
    const char *word = next_word(l);
    size_t count = strlen(key);

    return strncmp(word, key, count) == 0 && word[count] == '=' ? word + count + 1 : NULL;
}

static bool read_number(const char *text, int64_t *ret)
{
    char *end;

    errno = 0;
    *ret = text ? strtoll(text, &end, 10) : 0;
    return text && *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static int parse_user(struct line *l, struct table *t)
{
    const char *roles[MW_USER_ROLES_MOST], *name = next_word(l), *since = next_value(l, "since"), *list, *hash, *role;
    mw_user user = {.name = name, .roles = roles};
    char *rest;
    int err;

    if (!read_number(since, &user.since) || mw_user_name_check(name, "user", NULL) < 0)
        return line_fail(l, "no user: want user NAME since=NUMBER roles=A,B password=HASH");
    list = next_value(l, "roles");
    if (!list)
        return line_fail(l, "user '%s': roles= is missing", name);
    rest = (char *)(uintptr_t)list;
    while (*list != '\0' && (role = strsep(&rest, ",")) != NULL) {
        if (user.role_count == MW_USER_ROLES_MOST || mw_user_name_check(role, "role", NULL) < 0)
            return line_fail(l, "user '%s': '%s' is no role, or one too many", name, role);
        roles[user.role_count++] = role;
    }
    hash = next_value(l, "password");
    if (!hash || l->rest || (*hash != '\0' && strncmp(hash, "$argon2id$", 10) != 0) || strlen(hash) >= MW_PASSWORD_HASH_BYTES)
        return line_fail(l, "user '%s': want password= and a hash of Argon2id, or nothing, at the end", name);
    user.password_hash = *hash != '\0' ? hash : NULL;
    err = table_add_user(t, &user);
    if (err == -EEXIST)
        return line_fail(l, "there are two users '%s'", name);
    return err;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hash(const char *hex, uint8_t ret[TABLE_HASH_BYTES])
{
    size_t i;

    if (!hex || strlen(hex) != (size_t)2 * TABLE_HASH_BYTES)
        return false;
    for (i = 0; i < TABLE_HASH_BYTES; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int parse_token(struct line *l, struct table *t)
{
    struct table_token token = {.user = NULL};
    const char *id = next_word(l), *user = next_value(l, "user"), *ends, *hash;

    ends = next_value(l, "ends");
    hash = next_value(l, "hash");
    if (strlen(id) != MW_TOKEN_ID_BYTES - 1 || !user || !table_find(t, user) || !read_number(ends, &token.ends_s) ||
        !read_hash(hash, token.hash) || l->rest)
        return line_fail(l, "no token: want token ID user=NAME ends=SECONDS hash=HEX, the user above it");
    memcpy(token.id, id, sizeof token.id);
    token.user = (char *)(uintptr_t)user; /* copied */
    return table_add_token(t, &token);
}

static int parse_line(struct line *l, struct table *t)
{
    const char *word;

    if (l->number == 1) {
        if (strcmp(l->rest, first_line) == 0)
            return 0;
        if (strncmp(l->rest, first_line, strlen(first_line) - 1) == 0)
            return mw_fail_at(l->ret_error, -ENOTSUP, l->file, 1, 0, "'%s' is of a later version; this one reads '%s'", l->rest,
                              first_line);
        return line_fail(l, "'%.40s' is no file of users: want '%s'", l->rest, first_line);
    }
    if (*l->rest == '\0')
        return 0;
    word = next_word(l);
    if (strcmp(word, "user") == 0)
        return parse_user(l, t);
    if (strcmp(word, "token") == 0)
        return parse_token(l, t);
    return line_fail(l, "'%.40s' begins no line: want user or token", word);
}

int table_parse(const char *text, size_t byte_count, const char *file, struct table *ret, struct mw_error *ret_error)
{
    struct table t = {0};
    struct line l = {.file = file, .ret_error = ret_error};
    char *copy = mw_alloc(byte_count + 1), *rest = copy;
    int err = copy ? 0 : -ENOMEM;

    if (copy) {
        memcpy(copy, text, byte_count);
        copy[byte_count] = '\0';
        if (strlen(copy) != byte_count)
            err = mw_fail_at(ret_error, -EINVAL, file, 0, 0, "there is a NUL in it");
    }
    while (err == 0 && rest) {
        l.rest = strsep(&rest, "\n");
        l.number++;
        err = parse_line(&l, &t);
    }
    if (err == -ENOMEM)
        (void)mw_fail(ret_error, err, "read '%s': out of memory", file);
    mw_free(copy);
    if (err < 0)
        table_clear(&t);
    else
        *ret = t;
    return err;
}

/* ---- text out -------------------------------------------------------------------------------------------------- */

void table_print(const struct table *t, struct mw_buffer *out)
{
    size_t i, k;

    (void)mw_buffer_printf(out, "%s\n", first_line);
    for (i = 0; i < t->user_count; i++) {
        const mw_user *user = &t->users[i];

        (void)mw_buffer_printf(out, "user %s since=%" PRId64 " roles=", user->name, user->since);
        for (k = 0; k < user->role_count; k++)
            (void)mw_buffer_printf(out, "%s%s", k > 0 ? "," : "", user->roles[k]);
        (void)mw_buffer_printf(out, " password=%s\n", user->password_hash ? user->password_hash : "");
    }
    for (i = 0; i < t->token_count; i++) {
        const struct table_token *token = &t->tokens[i];

        (void)mw_buffer_printf(out, "token %s user=%s ends=%" PRId64 " hash=", token->id, token->user, token->ends_s);
        for (k = 0; k < TABLE_HASH_BYTES; k++)
            (void)mw_buffer_printf(out, "%02x", token->hash[k]);
        (void)mw_buffer_append_byte(out, '\n');
    }
}
