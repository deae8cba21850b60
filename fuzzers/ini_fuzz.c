/* Fuzz target F9: bytes as app.ini, as a policy's members, as names. room: settings
 * Oracles: what was read, printed and read again is the same; a policy allows nothing that its lines do not name.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "settings/ini.h"
#include "settings/policies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- read, print, read -------------------------------------------------------------------------------- */
static void print_document(const struct ini_document *d, struct mw_buffer *out)
{
    size_t s, i;

    for (s = 0; s < d->section_count; s++) {
        const struct ini_section *section = &d->sections[s];

        (void)mw_buffer_printf(out, "[%s%s%s]\n", section->kind, *section->name ? " " : "", section->name);
        for (i = 0; i < section->entry_count; i++)
            (void)mw_buffer_printf(out, "%s = %s\n", section->entries[i].key, section->entries[i].value);
    }
    must(out->error == 0);
}

static void same_documents(const struct ini_document *a, const struct ini_document *b)
{
    size_t s, i;

    must(a->section_count == b->section_count);
    for (s = 0; s < a->section_count; s++) {
        const struct ini_section *x = &a->sections[s], *y = &b->sections[s];

        must(strcmp(x->kind, y->kind) == 0 && strcmp(x->name, y->name) == 0 && x->entry_count == y->entry_count);
        for (i = 0; i < x->entry_count; i++) {
            must(*x->entries[i].key && x->entries[i].line > x->line);
            must(strcmp(x->entries[i].key, y->entries[i].key) == 0);
            must(strcmp(x->entries[i].value, y->entries[i].value) == 0);
        }
    }
}

/* Whether every line, as it is printed, stays within the bound that the reader has. */
static bool is_printable_again(const struct ini_document *d)
{
    size_t s, i;

    for (s = 0; s < d->section_count; s++)
        for (i = 0; i < d->sections[s].entry_count; i++)
            if (strlen(d->sections[s].entries[i].key) + strlen(d->sections[s].entries[i].value) + 3 > INI_LINE_BYTES)
                return false;
    return true;
}

/* ---- rights -------------------------------------------------------------------------------------------- */
static int rights(const mw_policy *policy, const char *name, size_t name_bytes)
{
    static const mw_attribute attributes[] = {
        {.name = "a", .kind = MW_INT, .field_bytes = 4},
        {.name = "motor.speed", .kind = MW_INT, .field_bytes = 4},
    };
    static int32_t object;
    const mw_policy *list[1] = {policy};
    mw_exposable *e = NULL;
    int result = 0;

    if (mw_exposable_new(attributes, MW_COUNT(attributes), &object, &e, NULL) == 0) {
        mw_view view = mw_view_of(e, list, 1);
        mw_value v = mw_null();

        result = mw_view_rights(&view, name, name_bytes);
        must((mw_view_get_one(&view, name, name_bytes, &v, NULL) != -EACCES) == ((result & MW_GETTABLE) != 0));
        mw_release(v);
    }
    mw_exposable_free(e);
    return result;
}

static void policies_of(const struct ini_document *d, const char *text, size_t text_bytes)
{
    static const char secret[] = "no.line.says.this.name";
    const bool is_said = memmem(text, text_bytes, secret, sizeof(secret) - 1) || memchr(text, '/', text_bytes); /* or a regex */
    struct policies p = {0};
    size_t i;

    if (policies_from_ini(d, NULL, &p, NULL) < 0)
        return;
    for (i = 0; i < p.policy_count; i++)
        must(is_said || rights(p.policies[i], secret, sizeof(secret) - 1) == 0);
    policies_clear(&p);
}

/* The bytes as the members of a line: a name that is allowed afterwards is one of them or met by a regex, and a deny leaves nothing. */
static void members(const char *text)
{
    mw_policy *policy = mw_policy_new("fuzz");
    struct mw_error error = {0};

    if (!policy)
        return;
    if (mw_policy_parse(policy, "exposed", text, &error) == 0) {
        if (rights(policy, "motor.speed", 11) != 0)
            must(strstr(text, "motor.speed") || strchr(text, '/')); /* or a regex */
        must(mw_policy_parse(policy, "deny_exposed", text, NULL) == 0);
    } else {
        must(*error.text && !strchr(error.text, '\n'));
    }
    must(rights(policy, "motor.speed", 11) == 0 && rights(policy, "a", 1) == 0);
    (void)rights(policy, text, strlen(text));
    mw_policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ini_document *d = NULL, *again = NULL;
    struct mw_buffer out;
    char *text = mw_alloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    members(text);
    mw_buffer_init(&out, (size_t)16 * 1024 * 1024);
    if (ini_document_parse(text, size, "fuzz.ini", &d, NULL) == 0 && is_printable_again(d)) {
        print_document(d, &out);
        must(ini_document_parse((const char *)out.data, out.count, "fuzz.ini", &again, NULL) == 0);
        same_documents(d, again);
        policies_of(d, text, size);
    }
    ini_document_free(d);
    ini_document_free(again);
    mw_buffer_clear(&out);
    mw_free(text);
    return 0;
}
