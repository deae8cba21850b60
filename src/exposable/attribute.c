/* One declared attribute: is the declaration sound, reading and writing its memory.
 * Not which values are fit for it, that is accept.c; not who may, that is view.c. Read next: accept.c.
 * SPDX-License-Identifier: MIT */
#include "exposable/attribute.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "exposable/name.h"
#include "exposable/outgoing.h"

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
    return "a field is a bool, int, real or text; others need a getter and no field";
}

/* Does what the compiler says of a field go with its kind? NULL: it does, or nothing is known. */
static const char *class_fault(enum mw_kind kind, uint32_t field_class)
{
    switch (field_class) {
    case MW_FIELD_INTEGER:
        return kind == MW_BOOL || kind == MW_INT ? NULL : "its field is an integer: .kind = MW_INT (MW_BOOL for a bool)";
    case MW_FIELD_REAL:
        return kind == MW_REAL ? NULL : "its field is a float or a double: .kind = MW_REAL";
    case MW_FIELD_CHARS:
        return kind == MW_TEXT ? NULL : "its field is an array of char: .kind = MW_TEXT";
    case MW_FIELD_OTHER:
        return "its field is a pointer, a struct or a list: a text is a char array, all else needs a getter and no field";
    default:
        return NULL;
    }
}

/* Check one declaration, its name excepted. returns NULL, or what is wrong. */
static const char *declaration_fault(const mw_attribute *a, size_t object_bytes)
{
    const bool is_number = a->kind == MW_INT || a->kind == MW_REAL;
    const char *fault;
    size_t end;

    if (a->kind == MW_NULL)
        return "kind is left out";
    if ((unsigned)a->kind >= MW_OPAQUE)
        return "kind is none that can go out";
    if (a->field_bytes > 0) {
        fault = class_fault(a->kind, a->field_class);
        if (!fault)
            fault = size_fault(a->kind, a->field_bytes);
        if (fault)
            return fault;
        if (__builtin_add_overflow(a->offset, a->field_bytes, &end) || (object_bytes > 0 && end > object_bytes))
            return "its field ends behind the object: is it a field of another struct?";
    } else if (!a->get && !a->set) {
        return "has neither field nor getter nor setter";
    }
    if (a->is_unsigned && (a->kind != MW_INT || a->field_bytes == 0))
        return "is_unsigned is for int fields";
    if (a->range.is_set && !is_number)
        return "a range is for int and real";
    if (a->range.is_set && !(a->range.min <= a->range.max))
        return "its range is empty";
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

/* ---- fields ------------------------------------------------------------------------------------------
 * By memcpy: a packed struct's field may lie anywhere. */
static mw_value int_load(const mw_attribute *a, const void *field)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } copy;

    /* Copies of known size are one instruction each. */
    switch (a->field_bytes) {
    case 1:
        memcpy(&copy, field, 1);
        return mw_int(a->is_unsigned ? (int64_t)copy.u8 : (int64_t)copy.i8);
    case 2:
        memcpy(&copy, field, 2);
        return mw_int(a->is_unsigned ? (int64_t)copy.u16 : (int64_t)copy.i16);
    case 4:
        memcpy(&copy, field, 4);
        return mw_int(a->is_unsigned ? (int64_t)copy.u32 : (int64_t)copy.i32);
    default:
        memcpy(&copy, field, 8);
        return a->is_unsigned ? outgoing_uint(copy.u64) : mw_int(copy.i64);
    }
}

static void int_store(const mw_attribute *a, void *field, mw_value accepted)
{
    uint64_t bits = (uint64_t)accepted.as.integer;
    const uint32_t bits32 = (uint32_t)bits;
    const uint16_t bits16 = (uint16_t)bits;
    const uint8_t bits8 = (uint8_t)bits;

    switch (a->field_bytes) {
    case 1:
        memcpy(field, &bits8, 1);
        break;
    case 2:
        memcpy(field, &bits16, 2);
        break;
    case 4:
        memcpy(field, &bits32, 4);
        break;
    default:
        /* A text is an unsigned number that no int64 holds; accept has checked it. */
        if (mw_kind_of(accepted) == MW_TEXT)
            (void)outgoing_uint_parse(&accepted, &bits);
        memcpy(field, &bits, 8);
    }
}

static mw_value real_load(const mw_attribute *a, const void *field)
{
    double wide = 0;
    float narrow = 0;

    if (a->field_bytes == sizeof(wide)) {
        memcpy(&wide, field, sizeof(wide));
        return mw_real(wide);
    }
    memcpy(&narrow, field, sizeof(narrow));
    return mw_real((double)narrow);
}

static void real_store(const mw_attribute *a, void *field, double value)
{
    float narrow = (float)value;

    if (a->field_bytes == sizeof(value))
        memcpy(field, &value, sizeof(value));
    else
        memcpy(field, &narrow, sizeof(narrow));
}

/* What lay behind the old text's end does not stay there. */
static void text_store(const mw_attribute *a, char *field, const mw_value *accepted)
{
    size_t byte_count = 0;
    const char *text = mw_get_text(accepted, &byte_count);

    if (byte_count > 0)
        memcpy(field, text, byte_count);
    memset(field + byte_count, 0, a->field_bytes - byte_count);
}

static mw_value field_load(const mw_attribute *a, const void *object)
{
    const char *field = (const char *)object + a->offset;
    unsigned char byte;

    if (a->kind == MW_INT)
        return int_load(a, field);
    if (a->kind == MW_REAL)
        return real_load(a, field);
    if (a->kind == MW_TEXT)
        return mw_text_n(field, strnlen(field, a->field_bytes));
    memcpy(&byte, field, 1); /* a bool that is neither 0 nor 1 must not be read as one */
    return mw_bool(byte != 0);
}

static void field_store(const mw_attribute *a, void *object, mw_value accepted)
{
    char *field = (char *)object + a->offset;

    if (a->kind == MW_INT)
        int_store(a, field, accepted);
    else if (a->kind == MW_REAL)
        real_store(a, field, accepted.as.real);
    else if (a->kind == MW_TEXT)
        text_store(a, field, &accepted);
    else
        memcpy(field, &accepted.as.boolean, sizeof(bool));
}

bool attribute_is_same(const mw_attribute *a, const void *object, const mw_value *seen)
{
    const char *field = (const char *)object + a->offset;
    const char *text;
    size_t byte_count = 0;
    mw_value value;
    bool is_same;

    if (a->get)
        return false;
    if (a->kind != MW_TEXT) {
        value = field_load(a, object);
        if (mw_kind_of(value) == MW_INT && mw_kind_of(*seen) == MW_INT) /* most of them */
            return value.as.integer == seen->as.integer;
        is_same = mw_equal(value, *seen);
        mw_release(value); /* a large unsigned int is a text */
        return is_same;
    }
    text = mw_get_text(seen, &byte_count);
    return text && strnlen(field, a->field_bytes) == byte_count && memcmp(field, text, byte_count) == 0;
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
        if (err < 0)
            return callback_failed(a, "getter", err, false, &reason, ret_error);
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
