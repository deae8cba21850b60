/* app.ini as a document: lines are counted, checked and classed here, inih splits them.
 * Not what the keys mean; that is settings.c and policies.c. Read next: policies.c.
 * SPDX-License-Identifier: MIT */
#include "settings/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* ---- sections that there are ------------------------------------------------------------------------- */
static const struct section_kind {
    const char *word;
    bool is_named;
    const char *later; /* not NULL: this version refuses it, and says so */
} section_kinds[] = {
    {"app", false, NULL},
    {"server", false, NULL},
    {"limits", false, NULL},
    {"policy", true, NULL},
    {"role", true, NULL},
    {"tls", false, NULL},
    {"cache", false, NULL},
    {"headers", false, NULL},
    {"inspector", false, "has no inspector: remove the section"},
};

/* ---- the document -------------------------------------------------------------------------------------- */
void ini_document_free(struct ini_document *d)
{
    size_t s, i;

    if (!d)
        return;
    for (s = 0; s < d->section_count; s++) {
        struct ini_section *section = &d->sections[s];

        for (i = 0; i < section->entry_count; i++)
            mw_free(section->entries[i].text);
        mw_free(section->entries);
        mw_free(section->text);
    }
    mw_free(d->sections);
    mw_free(d->file);
    mw_free(d);
}

int ini_document_fail(const struct ini_document *d, int line, struct mw_error *ret_error, int code,
                      const char *format, ...)
{
    char reason[400];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments); /* cut to fit */
    va_end(arguments);
    if (line > 0)
        mw_fail(ret_error, code, "read '%s': line %d: %s", d->file, line, reason);
    else
        mw_fail(ret_error, code, "read '%s': %s", d->file, reason);
    if (ret_error) {
        (void)snprintf(ret_error->file, sizeof(ret_error->file), "%s", d->file);
        ret_error->line = line;
        ret_error->column = 0;
    }
    return code;
}

/* Make room for one more element; arrays double. NULL: out of memory, the array is as it was. */
static void *grow(void *array, size_t count, size_t element_bytes)
{
    size_t bytes;

    if (count > 0 && (count & (count - 1)) != 0)
        return array;
    return mw_multiply_size(count > 0 ? 2 * count : 1, element_bytes, &bytes) ? mw_resize(array, bytes) : NULL;
}

/* Two texts in one block, each with its NUL. returns the block, owned; NULL: out of memory */
static char *pair_copy(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    char *block = mw_alloc(a_bytes + b_bytes + 2);

    if (!block)
        return NULL;
    memcpy(block, a, a_bytes);
    block[a_bytes] = '\0';
    memcpy(block + a_bytes + 1, b, b_bytes);
    block[a_bytes + 1 + b_bytes] = '\0';
    return block;
}

/* ---- reading: what inih sees is a stream of lines that have been checked ----------------------------- */
struct reading {
    struct ini_document *document;
    const char *at, *end;      /* what has not been read yet */
    const char *text;          /* the line in work, without its end */
    size_t text_bytes, given;  /* how much of it inih has; one more than text_bytes: all, with its '\n' */
    int line;                  /* its number */
    bool is_pair;              /* it must become an entry */
    int err;                   /* the first failure; ends the stream */
    struct mw_error *ret_error;
};

/* Stop at the line in work. */
#define reading_fail(r, code, ...)                                                                                   \
    ((r)->err = ini_document_fail((r)->document, (r)->line, (r)->ret_error, (code), __VA_ARGS__))

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **io_text, size_t *io_bytes)
{
    while (*io_bytes > 0 && is_blank((*io_text)[*io_bytes - 1]))
        --*io_bytes;
    for (; *io_bytes > 0 && is_blank(**io_text); --*io_bytes)
        ++*io_text;
}

static void section_add(struct reading *r, const char *kind, const char *name, size_t name_bytes)
{
    struct ini_document *d = r->document;
    struct ini_section *sections;
    char *copy;

    if (d->section_count == INI_SECTIONS) {
        reading_fail(r, -EMSGSIZE, "more than %d sections", INI_SECTIONS);
        return;
    }
    sections = grow(d->sections, d->section_count, sizeof(*sections));
    if (sections)
        d->sections = sections;
    copy = sections ? pair_copy(kind, strlen(kind), name, name_bytes) : NULL;
    if (!copy) {
        reading_fail(r, -ENOMEM, "out of memory");
        return;
    }
    sections[d->section_count++] =
        (struct ini_section){.kind = copy, .name = copy + strlen(kind) + 1, .line = r->line, .text = copy};
}

/* "[kind]" or "[kind name]", trimmed. */
static void section_line(struct reading *r, const char *text, size_t bytes)
{
    const char *close = memchr(text, ']', bytes);
    const char *name;
    size_t i, kind_bytes = 0, name_bytes;

    if (!close || close != text + bytes - 1) {
        reading_fail(r, -EINVAL, close ? "something follows the ]" : "a section ends with ]");
        return;
    }
    text++;
    bytes -= 2;
    trim(&text, &bytes);
    while (kind_bytes < bytes && !is_blank(text[kind_bytes]))
        kind_bytes++;
    name = text + kind_bytes;
    name_bytes = bytes - kind_bytes;
    trim(&name, &name_bytes);
    for (i = 0; i < MW_COUNT(section_kinds); i++) {
        const struct section_kind *kind = &section_kinds[i];

        if (strlen(kind->word) != kind_bytes || memcmp(kind->word, text, kind_bytes) != 0)
            continue;
        if (kind->later)
            reading_fail(r, -EINVAL, "[%s]: this version %s", kind->word, kind->later);
        else if (kind->is_named != (name_bytes > 0))
            reading_fail(r, -EINVAL, kind->is_named ? "[%s] lacks a name: [%s NAME]" : "[%s] has no name: write [%s]",
                         kind->word, kind->word);
        else if (name_bytes > INI_NAME_BYTES || memchr(name, ',', name_bytes))
            reading_fail(r, -EINVAL, "the name of a %s has at most %d bytes and no comma", kind->word, INI_NAME_BYTES);
        else
            section_add(r, kind->word, name, name_bytes);
        return;
    }
    reading_fail(r, -EINVAL, "[%.*s] is no section (app, server, limits, tls, cache, headers, policy NAME, role NAME)",
                 (int)(bytes < 60 ? bytes : 60), text);
}

/* "key = value", trimmed: what inih would take and we do not. */
static void pair_line(struct reading *r, const char *text, size_t bytes)
{
    const char *equals = memchr(text, '=', bytes);
    const size_t key_bytes = equals ? (size_t)(equals - text) : 0;

    if (!equals)
        reading_fail(r, -EINVAL, "neither [section] nor key = value, nor a comment with # or ; at its start");
    else if (key_bytes == 0)
        reading_fail(r, -EINVAL, "no key before the =");
    else if (memchr(text, ':', key_bytes))
        reading_fail(r, -EINVAL, "a key has no colon: write key = value");
    else if (r->document->section_count == 0)
        reading_fail(r, -EINVAL, "a key before any [section]");
    r->is_pair = true;
}

/* Check the line in work, and open its section if it is one. */
static void line_check(struct reading *r)
{
    const char *text = r->text;
    size_t bytes = r->text_bytes;
    size_t i;

    if (bytes > INI_LINE_BYTES) {
        reading_fail(r, -EMSGSIZE, "%zu bytes are too long a line: at most %d", bytes, INI_LINE_BYTES);
        return;
    }
    for (i = 0; i < bytes; i++) {
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f) {
            reading_fail(r, -EINVAL, "a control character in column %zu", i + 1);
            return;
        }
    }
    if (!mw_utf8_is_valid(text, bytes)) {
        reading_fail(r, -EINVAL, "no UTF-8");
        return;
    }
    trim(&text, &bytes);
    if (bytes > 0 && *text == '[')
        section_line(r, text, bytes);
    else if (bytes > 0 && *text != '#' && *text != ';')
        pair_line(r, text, bytes);
}

/* Take the next line into work. false: none left, or it is wrong. */
static bool line_next(struct reading *r)
{
    const char *newline;

    if (r->err == 0 && r->is_pair) /* inih has had it and made nothing of it */
        reading_fail(r, -EINVAL, "malformed");
    if (r->err < 0 || r->at == r->end)
        return false;
    newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
    r->text = r->at;
    r->text_bytes = (size_t)((newline ? newline : r->end) - r->at);
    r->at = newline ? newline + 1 : r->end;
    if (r->text_bytes > 0 && r->text[r->text_bytes - 1] == '\r')
        r->text_bytes--;
    r->given = 0;
    r->line++;
    line_check(r);
    return r->err == 0;
}

/* inih's reader: as fgets. */
static char *give_line(char *out, int room, void *stream)
{
    struct reading *r = stream;
    size_t n;

    if (r->given > r->text_bytes && !line_next(r))
        return NULL;
    n = r->text_bytes - r->given;
    if (n > (size_t)room - 1)
        n = (size_t)room - 1;
    memcpy(out, r->text + r->given, n);
    r->given += n;
    if (r->given == r->text_bytes && n < (size_t)room - 1) {
        out[n++] = '\n';
        r->given++;
    }
    out[n] = '\0';
    return out;
}

/* inih's handler. Its section is cut to 49 bytes: ours is the last one opened. */
static int take_entry(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;
    struct ini_section *last = &r->document->sections[r->document->section_count - 1];
    struct ini_entry *entries = grow(last->entries, last->entry_count, sizeof(*entries));
    char *copy;

    (void)section;
    if (entries)
        last->entries = entries;
    copy = entries ? pair_copy(key, strlen(key), value, strlen(value)) : NULL;
    if (!copy) {
        reading_fail(r, -ENOMEM, "out of memory");
        return 0;
    }
    entries[last->entry_count++] =
        (struct ini_entry){.key = copy, .value = copy + strlen(key) + 1, .line = r->line, .text = copy};
    r->is_pair = false;
    return 1;
}

/* Run inih with its settings tamed, and put back what they were: they are globals of its library, and our host may use
 * it too. */
static int tamed_parse(struct reading *r)
{
    const bool multiline = ini_allow_multiline, bom = ini_allow_bom, inline_comments = ini_allow_inline_comments;
    const bool use_stack = ini_use_stack, use_realloc = ini_allow_realloc, stop = ini_stop_on_first_error;
    const bool no_value = ini_allow_no_value;
    const int max_line = ini_max_line;
    char *const starts = ini_start_comment_prefixes, *const inlines = ini_inline_comment_prefixes;
    char tamed_starts[] = "#;", tamed_inlines[] = "";
    int result;

    ini_allow_multiline = ini_allow_bom = ini_allow_inline_comments = ini_use_stack = ini_allow_no_value = false;
    ini_allow_realloc = ini_stop_on_first_error = true;
    ini_max_line = INI_LINE_BYTES + 3;
    ini_start_comment_prefixes = tamed_starts;
    ini_inline_comment_prefixes = tamed_inlines;
    result = ini_parse_stream(give_line, r, take_entry, r);
    ini_allow_multiline = multiline;
    ini_allow_bom = bom;
    ini_allow_inline_comments = inline_comments;
    ini_use_stack = use_stack;
    ini_allow_realloc = use_realloc;
    ini_stop_on_first_error = stop;
    ini_allow_no_value = no_value;
    ini_max_line = max_line;
    ini_start_comment_prefixes = starts;
    ini_inline_comment_prefixes = inlines;
    return result;
}

int ini_document_parse(const char *bytes, size_t byte_count, const char *file, struct ini_document **ret,
                       struct mw_error *ret_error)
{
    struct ini_document *d = mw_alloc_zeroed(1, sizeof(*d));
    struct reading r = {.document = d, .given = 1, .ret_error = ret_error};
    int result;

    r.at = byte_count > 0 ? bytes : ""; /* no bytes may be NULL */
    r.end = r.at + byte_count;
    if (!d || !(d->file = mw_copy_text(file))) {
        ini_document_free(d);
        return mw_fail(ret_error, -ENOMEM, "read '%s': out of memory", file);
    }
    if (byte_count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        r.at += 3; /* a byte order mark */
    result = byte_count > INI_FILE_BYTES ? reading_fail(&r, -EMSGSIZE, "more than %zu bytes", INI_FILE_BYTES)
                                         : tamed_parse(&r);
    if (r.err == 0 && result != 0)
        (void)(result == -2 ? reading_fail(&r, -ENOMEM, "out of memory") : reading_fail(&r, -EINVAL, "malformed"));
    if (r.err < 0) {
        ini_document_free(d);
        return r.err;
    }
    *ret = d;
    return 0;
}

/* ---- files ----------------------------------------------------------------------------------------------- */
/* Read a whole file, one byte more than allowed at most. */
static int file_read(const char *path, char **ret_bytes, size_t *ret_count)
{
    FILE *file = fopen(path, "rbe");
    size_t count = 0, capacity = 4096;
    char *bytes = NULL;
    int err = file ? 0 : -errno;

    while (err == 0 && count <= INI_FILE_BYTES) {
        char *larger = mw_resize(bytes, capacity);
        size_t n;

        if (!larger) {
            err = -ENOMEM;
            break;
        }
        bytes = larger;
        n = fread(bytes + count, 1, capacity - count, file);
        count += n;
        if (ferror(file))
            err = errno ? -errno : -EIO;
        if (n < capacity - (count - n))
            break;
        capacity *= 2;
    }
    if (file)
        (void)fclose(file); /* only read */
    if (err < 0) {
        mw_free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    *ret_count = count;
    return 0;
}

int ini_document_read(const char *path, struct ini_document **ret, struct mw_error *ret_error)
{
    char *bytes = NULL;
    size_t count = 0;
    int err = file_read(path, &bytes, &count);

    if (err < 0) {
        const char *why = strerrordesc_np(-err); /* of a file: not what the code means elsewhere in this library */

        mw_fail(ret_error, err, "read '%s': %s", path, why ? why : "unknown error");
        if (ret_error)
            (void)snprintf(ret_error->file, sizeof(ret_error->file), "%s", path);
        return err;
    }
    err = ini_document_parse(bytes, count, path, ret, ret_error);
    mw_free(bytes);
    return err;
}
