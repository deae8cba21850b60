/* Whatever a name looks like, it has the rights of a listed one only if it is that one, byte by byte.
 * Not names on the wire; those are in tests/app/odd_name_test.c.
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include <errno.h>

#include "base/utf8.h"
#include "exposable/odd_names.h"

static const mw_attribute attributes[] = {
    {.name = "a", .field_bytes = 4, .kind = MW_INT},
    {.name = "A", .field_bytes = 4, .kind = MW_INT},
    {.name = "motor.speed", .field_bytes = 4, .kind = MW_INT},
    {.name = "motor.speed.", .field_bytes = 4, .kind = MW_INT},
    {.name = "\xc3\xa9", .field_bytes = 4, .kind = MW_INT},
    {.name = "e\xcc\x81", .field_bytes = 4, .kind = MW_INT},
    {.name = "motor..speed", .field_bytes = 4, .kind = MW_INT},
};
static int32_t object = 7;

static int say_yes(const mw_access *access)
{
    return strlen(access->name) == access->name_bytes ? 1 : -EINVAL; /* a NUL inside: not one that could be judged */
}
static const mw_predicate predicates[] = {{"yes", say_yes}};

static mw_policy *new_policy(const char *key, const char *members)
{
    mw_policy *policy = mw_policy_new("p");

    CHECK(policy != NULL);
    mw_policy_set_predicates(policy, predicates, MW_COUNT(predicates));
    if (key)
        CHECK_INT(mw_policy_parse(policy, key, members, NULL), 0);
    return policy;
}

/* ---- asking ------------------------------------------------------------------------------------------------ */

/* Everything that one can do with a name, against one answer. */
static void check_all(const mw_view *view, const struct odd_name *name, int rights)
{
    mw_value v = mw_null();
    int right, err;

    CHECK_INT(mw_view_rights(view, name->bytes, name->count), rights);
    for (right = MW_GETTABLE; right <= MW_HEARABLE; right <<= 1) {
        mw_value trail;

        CHECK_INT(mw_view_may(view, right, name->bytes, name->count), (rights & right) != 0);
        CHECK_INT(mw_view_explain(view, right, name->bytes, name->count, &trail), (rights & right) != 0);
        mw_release(trail);
    }
    err = mw_view_get_one(view, name->bytes, name->count, &v, NULL);
    CHECK_INT(err, rights & MW_GETTABLE ? 0 : -EACCES);
    mw_release(v);
    CHECK_INT(mw_view_check_one(view, name->bytes, name->count, mw_int(8), NULL), rights & MW_SETTABLE ? 0 : -EACCES);
    CHECK_INT(mw_view_set_one(view, name->bytes, name->count, mw_int(7), NULL), rights & MW_SETTABLE ? 0 : -EACCES);
}

static mw_exposable *new_exposable(void)
{
    mw_exposable *e = NULL;

    CHECK_INT(mw_exposable_new(attributes, MW_COUNT(attributes), &object, &e, NULL), 0);
    return e;
}

/* With one list of policies: what is listed has these rights, all else has none. */
static void check_matrix(const mw_policy *const *policies, size_t count, int rights)
{
    mw_exposable *e = new_exposable();
    mw_view view = mw_view_of(e, policies, count);
    size_t i;

    odd_names_make();
    for (i = 0; i < ODD_NAMES; i++)
        check_all(&view, &odd_names[i], is_listed(&odd_names[i]) ? rights : 0);
    mw_exposable_free(e);
}

static void no_policy_and_an_empty_one_allow_nothing(void)
{
    mw_policy *empty = new_policy(NULL, NULL), *blank = new_policy("exposed", " ");
    const mw_policy *const list[] = {empty, NULL, blank};

    check_matrix(list, 0, 0);
    check_matrix(list, 3, 0); /* nothing is marked */
    mw_policy_free(empty);
    mw_policy_free(blank);
}

static void only_what_is_listed_is_allowed_whatever_form_the_rule_has(void)
{
    static const char *const forms[] = {
        LISTED_MEMBERS,
        "/^(a|motor\\.speed|\\x{e9})$/",
        "/^a$/, /^motor\\.speed$/, /^\xc3\xa9$/",
        "a@yes, motor.speed@yes, /^\xc3\xa9$/@yes",
    };
    static const struct {
        const char *key;
        int rights;
    } keys[] = {{"gettable", MW_GETTABLE}, {"settable", MW_SETTABLE}, {"exposed", MW_EXPOSED}, {"callable", MW_CALLABLE}, {"hearable", MW_HEARABLE}};
    size_t i, k;

    for (i = 0; i < MW_COUNT(forms); i++)
        for (k = 0; k < MW_COUNT(keys); k++) {
            mw_policy *policy = new_policy(keys[k].key, forms[i]), *empty = new_policy(NULL, NULL);
            const mw_policy *const list[] = {empty, policy};

            check_matrix(list, 2, keys[k].rights);
            mw_policy_free(policy);
            mw_policy_free(empty);
        }
}

static void a_deny_leaves_no_spelling_through(void)
{
    static const char *const denies[] = {LISTED_MEMBERS, "/./", "/^/", "/[a-z\\x{e9}]/"};
    size_t i;

    for (i = 0; i < MW_COUNT(denies); i++) {
        mw_policy *allow = new_policy("exposed", LISTED_MEMBERS), *deny = new_policy("deny_exposed", denies[i]);
        const mw_policy *const list[] = {deny, allow};

        check_matrix(list, 2, 0);
        mw_policy_free(allow);
        mw_policy_free(deny);
    }
}

static void a_name_that_is_no_utf8_or_no_name_is_denied_by_whatever_regex(void)
{
    mw_policy *policy = new_policy("exposed", "/a/, /^/, /[^x]/, /$/");
    const mw_policy *const list[] = {policy};
    mw_exposable *e = new_exposable();
    mw_view view = mw_view_of(e, list, 1);
    size_t i;

    odd_names_make();
    for (i = 0; i < ODD_NAMES; i++) {
        const struct odd_name *name = &odd_names[i];
        bool is_one = name->count > 0 && name->count <= 256 && mw_utf8_is_valid(name->bytes, name->count);

        CHECK_INT(mw_view_rights(&view, name->bytes, name->count), is_one ? MW_EXPOSED : 0);
    }
    mw_exposable_free(e);
    mw_policy_free(policy);
}

/* ---- written into a policy ------------------------------------------------------------------------------------- */

/* NULL: it holds a NUL, so that C cannot say it. returned owned: free */
static char *as_c_string(const struct odd_name *name)
{
    char *text = memchr(name->bytes, '\0', name->count) ? NULL : malloc(name->count + 1);

    if (text) {
        memcpy(text, name->bytes, name->count);
        text[name->count] = '\0';
    }
    return text;
}

/* Read off the documentation: 1 to 256 bytes of UTF-8 without , / @ = * [ ], space and control characters. */
static bool is_legal(const struct odd_name *name)
{
    size_t i;

    if (name->count == 0 || name->count > 256 || !mw_utf8_is_valid(name->bytes, name->count))
        return false;
    for (i = 0; i < name->count; i++)
        if ((unsigned char)name->bytes[i] <= ' ' || name->bytes[i] == 0x7f || strchr(",/@=*[]", name->bytes[i]))
            return false;
    return true;
}

/* A policy with one member: it is about that very name among all of these. */
static void check_about(mw_policy *policy, const struct odd_name *member)
{
    const mw_policy *const list[] = {policy};
    mw_exposable *e = new_exposable();
    mw_view view = mw_view_of(e, list, 1);
    size_t i;

    for (i = 0; i < ODD_NAMES; i++)
        CHECK_INT(mw_view_rights(&view, odd_names[i].bytes, odd_names[i].count),
                  member && is_same_name(member, &odd_names[i]) ? MW_CALLABLE : 0);
    mw_exposable_free(e);
}

static void a_rule_takes_a_legal_name_and_is_about_no_other(void)
{
    size_t i;

    odd_names_make();
    for (i = 0; i < ODD_NAMES; i++) {
        char *text = as_c_string(&odd_names[i]);
        const mw_rule rule = {.right = MW_CALLABLE, .name = text};
        mw_policy *policy = new_policy(NULL, NULL);

        if (text) {
            CHECK_INT(mw_policy_add(policy, &rule), is_legal(&odd_names[i]) ? 0 : -EINVAL);
            check_about(policy, is_legal(&odd_names[i]) ? &odd_names[i] : NULL);
        }
        mw_policy_free(policy);
        free(text);
    }
}

static void a_member_is_a_legal_name_or_the_line_is_refused_with_a_reason(void)
{
    size_t i;

    odd_names_make();
    for (i = 0; i < ODD_NAMES; i++) {
        const struct odd_name *name = &odd_names[i];
        char *text = as_c_string(name);
        mw_policy *policy = new_policy(NULL, NULL);
        struct mw_error error = {0};

        if (text && !strpbrk(text, ",/@ \t")) { /* those mean something in a line */
            bool is_nothing = *text == '\0';

            CHECK_INT(mw_policy_parse(policy, "callable", text, &error), is_legal(name) || is_nothing ? 0 : -EINVAL);
            CHECK(is_legal(name) || is_nothing || (*error.text && mw_utf8_is_valid(error.text, strlen(error.text))));
            check_about(policy, is_legal(name) ? name : NULL);
        }
        mw_policy_free(policy);
        free(text);
    }
}

static void an_attribute_has_a_legal_name_or_the_table_is_refused_with_a_reason(void)
{
    size_t i;

    odd_names_make();
    for (i = 0; i < ODD_NAMES; i++) {
        char *text = as_c_string(&odd_names[i]);
        const mw_attribute attribute = {.name = text, .field_bytes = 4, .kind = MW_INT};
        struct mw_error error = {0};

        if (text) {
            CHECK_INT(mw_attributes_check(&attribute, 1, 4, &error), is_legal(&odd_names[i]) ? 0 : -EINVAL);
            CHECK(is_legal(&odd_names[i]) || (*error.text && mw_utf8_is_valid(error.text, strlen(error.text))));
        }
        free(text);
    }
}

static const struct mw_test tests[] = {
    TEST(no_policy_and_an_empty_one_allow_nothing),
    TEST(only_what_is_listed_is_allowed_whatever_form_the_rule_has),
    TEST(a_deny_leaves_no_spelling_through),
    TEST(a_name_that_is_no_utf8_or_no_name_is_denied_by_whatever_regex),
    TEST(a_rule_takes_a_legal_name_and_is_about_no_other),
    TEST(a_member_is_a_legal_name_or_the_line_is_refused_with_a_reason),
    TEST(an_attribute_has_a_legal_name_or_the_table_is_refused_with_a_reason),
};

int main(int argc, char **argv)
{
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
