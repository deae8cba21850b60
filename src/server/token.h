/* A token in a file: what a program on another machine shows to be let in.
 * Kept as its hash alone. Read next: token.c.
 * SPDX-License-Identifier: MIT */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <meshwork/base.h>

struct token {
    uint8_t hash[32]; /* SHA-256 */
    bool is_set;
};

/* Read one from a file: 16 to 256 visible ASCII characters, white space around them left out; everybody may not read it.
 * On failure the token is as it was.
 * returns  0; -EPERM open to everybody; -EINVAL no token; what the kernel said. ret_error names file and way out */
int token_read(struct token *token, const char *path, struct mw_error *ret_error);
/* Whether an Authorization field is "Bearer TOKEN". Takes as long for a nearly right one as for any.
 * field  NULL: none came */
bool token_is_shown(const struct token *token, const char *field);

#endif
