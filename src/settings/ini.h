/* app.ini as a document: sections, keys, values, and the line on which each stood.
 * Not what the keys of [app], [server] and [limits] mean; that is settings.c. Read next: policies.h.
 * SPDX-License-Identifier: MIT */
#ifndef SETTINGS_INI_H
#define SETTINGS_INI_H

#include <meshwork/base.h>

/* Bounds on a settings file. */
#define INI_LINE_BYTES 8192
#define INI_FILE_BYTES ((size_t)4 * 1024 * 1024)
#define INI_SECTIONS 4096
#define INI_NAME_BYTES 64 /* of the NAME in [policy NAME] and [role NAME] */

/* `key = value`; the key is never empty, the value may be. Texts belong to the document. */
struct ini_entry {
    const char *key, *value; /* UTF-8 without control characters (a tab in the value excepted), trimmed */
    int line;                /* 1 and up */
    char *text;              /* the block in which key and value lie */
};

/* `[kind]` or `[kind name]`. Sections stand in the order of the file, also the empty ones; one that comes twice
 * stands here twice, and adds. */
struct ini_section {
    const char *kind; /* "app", "server", "limits", "tls", "cache", "policy" or "role": nothing else gets this far */
    const char *name; /* of a policy or a role; "" for the others */
    int line;
    struct ini_entry *entries; /* in the order of the file; a repeated key stands here twice, and adds */
    size_t entry_count;
    char *text; /* the block in which kind and name lie */
};

struct ini_document {
    char *file; /* as it was given to the reader: what messages say */
    struct ini_section *sections;
    size_t section_count;
};

/* Read a settings file.
 *
 * ret      returned owned: ini_document_free
 * returns  0; -ENOENT and the like when the file cannot be read; -EMSGSIZE file or line too long, too many sections; -EINVAL malformed
 *          line, unknown section, section of a later version, entry before any section; -ENOMEM.
 *          ret_error says file and line
 * context  one thread of the process at a time: inih keeps its settings in globals (they are put back afterwards)
 */
MW_MUST_USE int ini_document_read(const char *path, struct ini_document **ret, struct mw_error *ret_error);
/* The same from bytes (NULL where there are none). file: what messages call it. */
MW_MUST_USE int ini_document_parse(const char *bytes, size_t byte_count, const char *file, struct ini_document **ret,
                                   struct mw_error *ret_error);
void ini_document_free(struct ini_document *d); /* accepts NULL */

/* Report what is wrong with a line: "read 'demo/app.ini': line 12: ...", with file and line in ret_error too.
 * returns code */
int ini_document_fail(const struct ini_document *d, int line, struct mw_error *ret_error, int code,
                      const char *format, ...) MW_PRINTF(5, 6);

#endif
