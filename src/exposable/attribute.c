/* One declared attribute: is the declaration sound; reading and writing it, by its field or its functions.
 * Not which values are fit for it, that is accept.c; not who may, that is view.c. Read next: field.c, accept.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/attribute.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "exposable/field.h"
#include "exposable/name.h"
#include "exposable/outgoing.h"

#define LOOK_MIN_NS INT64_C(1000000)
#define CHOICES_MAX 1024

int mw_attribute_offers(const mw_attribute *a)
{
    int offers = 0;

    if (a->get || a->field_bytes > 0)
        offers |= MW_GETTABLE;
    if (!a->read_only && (a->set || a->field_bytes > 0))
        offers |= MW_SETTABLE;
    return offers;
}

/* ---- the declaration ------------------------------------------------------------------------------ */
/* Which sizes a field of a kind may have; NULL: this one may. */
static const char *size_fault(enum mw_kind kind, size_t bytes)
{
    switch (kind) {
    case MW_BOOL:
        return bytes == sizeof(bool) ? NULL : "a bool field is a C bool";
    case MW_INT:
        return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 ? NULL : "an int field has 1, 2, 4 or 8 bytes";
    case MW_REAL:
        return bytes == sizeof(float) || bytes == sizeof(double) ? NULL : "a real field is a float or a double";
    case MW_TEXT:
        return bytes >= 2 ? NULL : "a text field has room for a character and its NUL";
    case MW_NULL:
    case MW_BYTES:
    case MW_LIST:
    case MW_MAP:
    case MW_OPAQUE:
    case MW_MISSING:
        break;
    }
    return "a field is a bool, int, real or text, or an mw_value; others need a getter and no field";
}

/* Does what the compiler says of a field go with its kind? NULL: it does, or nothing is known. */
static const char *class_fault(const mw_attribute *a)
{
    const enum mw_kind kind = a->kind;

    switch (field_class(a)) {
    case MW_FIELD_INTEGER:
    case MW_FIELD_UNSIGNED:
        return kind == MW_BOOL || kind == MW_INT || (kind == MW_TEXT && a->choice_count > 0)
                   ? NULL
                   : "its field is an integer: .kind = MW_INT (MW_BOOL for a bool; MW_TEXT and .choices for an enum)";
    case MW_FIELD_REAL:
        return kind == MW_REAL ? NULL : "its field is a float or a double: .kind = MW_REAL";
    case MW_FIELD_CHARS:
        return kind == MW_TEXT ? NULL : "its field is an array of char: .kind = MW_TEXT, or MW_ARRAY where they are numbers";
    case MW_FIELD_OTHER:
        return "its field is a pointer, a struct or an array: write MW_ARRAY for an array; a text is a char array or an mw_value, "
               "all else needs a getter and no field";
    case MW_FIELD_VALUE:
        if (a->element_bytes > 0)
            return "no array of mw_value: one mw_value holds a list";
        return kind == MW_TEXT || kind == MW_BYTES || kind == MW_LIST || kind == MW_MAP
                   ? NULL
                   : "its field is an mw_value: for text, bytes, list and map";
    default:
        return NULL;
    }
}

static const char *field_fault(const mw_attribute *a, size_t object_bytes)
{
    const char *fault = class_fault(a);
    size_t end;

    if (a->element_bytes > 0 && a->field_bytes % a->element_bytes != 0)
        return "its element_bytes do not divide its field_bytes";
    if (!fault && !field_is_value(a))
        fault = size_fault(field_is_enum(a) ? MW_INT : a->kind, field_cell_bytes(a));
    if (fault)
        return fault;
    if (__builtin_add_overflow(a->offset, a->field_bytes, &end) || (object_bytes > 0 && end > object_bytes))
        return "its field ends behind the object: is it a field of another struct?";
    return NULL;
}

/* The values allowed: names of a text or of an enum's numbers, numbers of an int. */
static const char *choices_fault(const mw_attribute *a)
{
    const unsigned bits = a->field_bytes > 0 ? 8 * field_cell_bytes(a) : 64;
    const int64_t largest = bits >= 64 ? INT64_MAX : (INT64_C(1) << (bits - !field_is_unsigned(a))) - 1;
    const int64_t smallest = field_is_unsigned(a) ? 0 : -largest - 1;
    size_t i;

    if (a->kind != MW_TEXT && a->kind != MW_INT)
        return "choices are for text and int";
    if (!a->choices)
        return "choice_count is set, but there are no choices";
    if (a->choice_count > CHOICES_MAX)
        return "more than 1,024 choices";
    for (i = 0; i < a->choice_count; i++) {
        const char *name = a->choices[i].name;
        const int64_t number = a->choices[i].number;

        if (a->kind == MW_TEXT && (!name || name[0] == '\0' || !mw_utf8_is_valid(name, strlen(name))))
            return "a choice has no name, or none that is UTF-8";
        if (a->kind == MW_TEXT && field_choice_named(a, name, strlen(name)) != &a->choices[i])
            return "two choices have the same name";
        if (a->kind == MW_TEXT && !field_is_enum(a) && a->field_bytes > 0 && !field_is_value(a) &&
            strlen(name) >= field_cell_bytes(a))
            return "a choice is too long for the field";
        if (a->kind == MW_TEXT && !field_is_enum(a))
            continue;
        if (field_choice_numbered(a, number) != &a->choices[i])
            return "two choices have the same number";
        if (number < smallest || number > largest)
            return "a choice's number does not fit the field";
    }
    return NULL;
}

static const char *shared_fault(const mw_attribute *a)
{
    if (a->field_bytes == 0 || a->element_bytes > 0 || a->kind == MW_TEXT || field_is_value(a) || a->get)
        return "is_shared is for a field that is one bool, int or real, read without a getter";
    return a->offset % a->field_bytes == 0 ? NULL : "is_shared needs a field that is aligned";
}

/* Read or written as if nobody else were there, though it says that others are. */
static bool is_bare_atomic(const mw_attribute *a)
{
    return a->field_class & MW_FIELD_ATOMIC && !a->is_shared && !(a->get && (a->set || a->read_only));
}

const char *attribute_value_fault(const mw_attribute *a)
{
    if (a->kind == MW_NULL)
        return "kind is left out";
    if ((unsigned)a->kind >= MW_OPAQUE)
        return "kind is none that can go out";
    if (a->range.is_set && a->kind != MW_INT && a->kind != MW_REAL)
        return "a range is for int and real";
    if (a->range.is_set && !(a->range.min <= a->range.max))
        return "its range is empty";
    if (a->max_bytes > 0 && a->kind != MW_TEXT && a->kind != MW_BYTES)
        return "max_bytes are for text and bytes";
    return a->choice_count > 0 ? choices_fault(a) : NULL;
}

/* Check one declaration, its name excepted. returns NULL, or what is wrong. */
static const char *declaration_fault(const mw_attribute *a, size_t object_bytes)
{
    const char *fault = attribute_value_fault(a);

    if (fault)
        return fault;
    if (a->field_bytes > 0) {
        fault = field_fault(a, object_bytes);
        if (fault)
            return fault;
    } else if (!a->get && !a->set) {
        return "has neither field nor getter nor setter";
    } else if (a->element_bytes > 0) {
        return "element_bytes are for a field: MW_ARRAY";
    }
    if (a->is_unsigned && (a->field_bytes == 0 || (a->kind != MW_INT && !(field_is_enum(a) && field_cell_bytes(a) < 8))))
        return "is_unsigned is for int fields, and enums of 1, 2 or 4 bytes";
    if (a->is_shared && (fault = shared_fault(a)) != NULL)
        return fault;
    if (is_bare_atomic(a))
        return "its field is an atomic: .is_shared = true, or a getter and a setter (or read_only) that know how";
    if (a->look_ns != 0 && (a->look_ns < LOOK_MIN_NS || !(mw_attribute_offers(a) & MW_GETTABLE)))
        return "look_ns is at least 1000000 (1 ms), for what can be read; 0: after turns alone";
    if ((a->marks & ~MW_EXPOSED) != 0)
        return "marks may be MW_GETTABLE and MW_SETTABLE";
    if (mw_attribute_offers(a) == 0)
        return "can be neither read nor written";
    return NULL;
}

int attribute_table_check(const mw_attribute *attributes, size_t count, size_t object_bytes, struct name_table *names,
                          struct mw_error *ret_error)
{
    char shown[NAME_SHOWN_BYTES];
    size_t i;

    if (count > ATTRIBUTES_MAX)
        return mw_fail(ret_error, -EINVAL, "%zu attributes are more than %zu", count, ATTRIBUTES_MAX);
    if (name_table_reserve(names, count) < 0)
        return mw_fail(ret_error, -ENOMEM, "index %zu attributes: out of memory", count);
    for (i = 0; i < count; i++) {
        const mw_attribute *a = &attributes[i];
        const size_t name_bytes = a->name ? strnlen(a->name, NAME_BYTES + 1) : 0;
        const char *fault = name_fault(a->name, name_bytes);

        if (fault)
            mw_fail(ret_error, -EINVAL, "attribute %zu: its name '%s' %s", i,
                    name_show(shown, a->name ? a->name : "", name_bytes), fault);
        else if ((fault = declaration_fault(a, object_bytes)) != NULL)
            mw_fail(ret_error, -EINVAL, "attribute '%s': %s", name_show(shown, a->name, name_bytes), fault);
        else if (name_table_find(names, a->name, name_bytes) != NAME_NONE)
            mw_fail(ret_error, -EINVAL, "attribute '%s': %s", name_show(shown, a->name, name_bytes),
                    fault = "is declared twice");
        if (fault) {
            name_table_clear(names);
            return -EINVAL;
        }
        name_table_add(names, a->name, name_bytes, (uint32_t)i);
    }
    return 0;
}

int mw_attributes_check(const mw_attribute *attributes, size_t count, size_t object_bytes, struct mw_error *ret_error)
{
    struct name_table names = {0};
    int err = attribute_table_check(attributes, count, object_bytes, &names, ret_error);

    name_table_clear(&names);
    return err;
}

/* ---- getters and setters ---------------------------------------------------------------------------- */
/* A callback's code, such that it cannot pass for a judgement of ours; its reason, such that there is one. */
static int callback_failed(const mw_attribute *a, const char *what, int code, bool may_be_invalid,
                           const struct mw_error *reason, struct mw_error *ret_error)
{
    if (code == -EACCES || code == -ENOENT || code == -EROFS || code == -ENODATA || (code == -EINVAL && !may_be_invalid))
        code = -EIO;
    if (reason->text[0])
        return mw_fail(ret_error, code, "%s", reason->text);
    return mw_fail(ret_error, code, "%s: the %s failed: %s", a->name, what, mw_strerror(code));
}

int attribute_store(const mw_attribute *a, void *object, mw_value accepted, struct mw_error *ret_error)
{
    struct mw_error reason;
    int err;

    if (!a->set) {
        field_store(a, object, accepted);
        return 0;
    }
    reason.text[0] = '\0';
    err = a->set(object, a, accepted, &reason);
    return err < 0 ? callback_failed(a, "setter", err, true, &reason, ret_error) : 0;
}

int attribute_load(const mw_attribute *a, const void *object, mw_value *ret, struct mw_error *ret_error)
{
    struct mw_error reason;
    mw_value value = mw_null();
    int err = 0;

    if (a->get) {
        reason.text[0] = '\0';
        err = a->get(object, a, &value, &reason);
        if (err < 0) {
            mw_release(value); /* it may have had one before it failed */
            return callback_failed(a, "getter", err, false, &reason, ret_error);
        }
    } else {
        value = field_load(a, object);
    }
    err = outgoing_check(a, &value, ret_error);
    if (err < 0) {
        mw_release(value);
        return err;
    }
    *ret = value;
    return 0;
}

bool attribute_is_same(const mw_attribute *a, const void *object, const mw_value *seen)
{
    return !a->get && field_is_same(a, object, seen);
}
