/* What people make of each word they are told: whether it was asked for, is theirs to know, comes once, in order, and with everything in it.
 * SPDX-License-Identifier: MIT */
#include <meshwork/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "person.h"

const char *const person_names[NAMES] = {"level", "note", "count"};

static const mw_value *member(mw_value map, const char *name)
{
    return mw_map_get_n(map, name, strlen(name));
}

static bool is_text(const mw_value *v, const char *want)
{
    return v && mw_kind_of(*v) == MW_TEXT && strcmp(mw_get_text(v, NULL), want) == 0;
}

static bool has(const mw_value *map, const char *name)
{
    return map && member(*map, name);
}

static void take_rights(struct person *p, const mw_value *rights, const char *text, size_t count)
{
    if (!rights || mw_kind_of(*rights) != MW_MAP) {
        person_complain(p, "rights are to be an object", text, count);
        return;
    }
    if (has(rights, "secret"))
        person_complain(p, "a right to the secret", text, count);
    p->may_note = has(rights, "note");
}

/* A value was told with its revision. */
static void take_value(struct person *p, size_t name, const mw_value *value, const mw_value *revs, bool is_news, const char *text, size_t count)
{
    struct watched *s = &p->watched[name];
    const mw_value *rev = revs ? member(*revs, person_names[name]) : NULL;
    mw_value json;
    int64_t revision;

    if (!rev || mw_get_int(*rev, &revision) < 0) {
        person_complain(p, "a value without its revision", text, count);
        return;
    }
    if (revision < s->revision || (is_news && revision == s->news))
        person_complain(p, "a revision that goes back, or came twice", text, count);
    s->revision = revision;
    s->news = is_news ? revision : s->news;
    if (!value)
        return;
    json = mw_json_print(*value);
    (void)snprintf(s->value, sizeof s->value, "%s", mw_get_text(&json, NULL));
    mw_release(json);
}

static void take_changed(struct person *p, const mw_value *params, const char *text, size_t count)
{
    const mw_value *values = params ? member(*params, "values") : NULL, *revs = params ? member(*params, "revs") : NULL;
    size_t i, known = 0;

    for (i = 0; values && i < NAMES; i++) {
        const mw_value *value = member(*values, person_names[i]);

        if (!value)
            continue;
        known++;
        if (!p->watched[i].may_come)
            person_complain(p, "changed, of what is not watched", text, count);
        if (i == NOTE && !p->may_note)
            person_complain(p, "changed, after the right was taken", text, count);
        take_value(p, i, value, revs, true, text, count);
    }
    if (!values || known != mw_map_count(*values))
        person_complain(p, "changed, of a name that nobody asked for", text, count);
}

static void take_news(struct person *p, const mw_value *params, const char *text, size_t count)
{
    const mw_value *data = params ? member(*params, "data") : NULL, *n = data && mw_kind_of(*data) == MW_MAP ? member(*data, "n") : NULL;
    int64_t number;

    if (!n || mw_get_int(*n, &number) < 0 || !is_text(member(*params, "channel"), "news")) {
        person_complain(p, "no such broadcast", text, count);
        return;
    }
    if (p->next_news > 0 && number != p->next_news)
        person_complain(p, "a broadcast is missing, or came twice", text, count);
    p->next_news = number + 1;
}

/* Every name that was asked for is in one of values and errors. */
static void take_names(struct person *p, const struct asked *a, const mw_value *result, const char *text, size_t count)
{
    const mw_value *values = member(*result, "values"), *revs = member(*result, "revs"), *errors = member(*result, "errors");
    size_t i;

    if (!values || !revs || !errors) {
        person_complain(p, "no answer to names", text, count);
        return;
    }
    if (a->with_secret != has(errors, "secret") || has(values, "secret"))
        person_complain(p, "the secret", text, count);
    for (i = 0; i < NAMES; i++) {
        bool is_asked = a->names & 1u << i, is_value = has(values, person_names[i]), is_error = has(errors, person_names[i]);

        if (is_asked ? is_value == is_error : is_value || is_error)
            person_complain(p, "each name is asked for once and answered once", text, count);
        if (is_error && i != NOTE && !p->w->is_faulty)
            person_complain(p, "denied what everybody may read", text, count);
        if (is_value)
            take_value(p, i, member(*values, person_names[i]), revs, false, text, count);
        if (a->what != WATCH || !is_asked)
            continue;
        if (is_value) /* else it is watched as before, if it was, and told when the right is back */
            p->watched[i].is_on = true;
        p->watched[i].may_come = p->watched[i].is_on;
    }
}

static void take_result(struct person *p, const struct asked *a, const mw_value *result, const char *text, size_t count)
{
    const mw_value *errors;
    size_t i;

    switch (a->what) {
    case GET:
    case WATCH:
    case BATCH:
        take_names(p, a, result, text, count);
        break;
    case SET:
        errors = member(*result, "errors");
        if (!has(errors, "secret"))
            person_complain(p, "the secret was set", text, count);
        if (!p->is_operator && !has(errors, "level"))
            person_complain(p, "a visitor has set the level", text, count);
        break;
    case UNWATCH:
        for (i = 0; i < NAMES; i++)
            if (a->names & 1u << i)
                p->watched[i].is_on = p->watched[i].may_come = false;
        break;
    case CALL:
        if (!p->is_operator)
            person_complain(p, "a visitor has called", text, count);
        break;
    case LOGIN:
        p->is_operator = true;
        take_rights(p, member(*result, "rights"), text, count);
        break;
    case RIGHTS:
        break;
    }
}

static void take_answer(struct person *p, mw_value answer, const char *text, size_t count)
{
    const mw_value *id = member(answer, "id"), *result = member(answer, "result"), *error = member(answer, "error");
    struct asked *a = NULL;
    int64_t number, code = 0;
    size_t i;

    for (i = 0; id && mw_get_int(*id, &number) == 0 && i < p->asked_count; i++)
        if (p->asked[i].id == number)
            a = &p->asked[i];
    if (!a && error && p->w->is_faulty) /* there was no memory to read whose it is */
        return;
    if (!a || (!result) == (!error)) {
        person_complain(p, "an answer that nobody asked for", text, count);
        return;
    }
    if (result) {
        take_result(p, a, result, text, count);
    } else {
        const mw_value *number_of = member(*error, "code");

        if (!number_of || mw_get_int(*number_of, &code) < 0 ||
            !((a->what == LOGIN && (code == -32008 || code == -32006)) || (a->what == CALL && code == -32001 && !p->is_operator) ||
              (code == -32603 && p->w->is_faulty) || (a->what == WATCH && code == -32010 && p->w->is_short) ||
              (a->what == LOGIN && code == -32602 && p->is_operator)))
            person_complain(p, "an error for nothing", text, count);
    }
    *a = p->asked[--p->asked_count];
}

static void take_map(struct person *p, mw_value map, const char *text, size_t count)
{
    const mw_value *method = member(map, "method"), *params = member(map, "params");

    if (is_text(method, "hello")) {
        if (p->was_greeted || !params)
            person_complain(p, "a second hello", text, count);
        p->was_greeted = true;
        if (params)
            take_rights(p, member(*params, "rights"), text, count);
    } else if (!p->was_greeted) {
        person_complain(p, "no hello first", text, count);
    } else if (is_text(method, "changed")) {
        take_changed(p, params, text, count);
    } else if (is_text(method, "broadcast")) {
        take_news(p, params, text, count);
    } else if (is_text(method, "rights")) {
        take_rights(p, params, text, count);
    } else if (!is_text(method, "lag") && !is_text(method, "bye")) {
        take_answer(p, map, text, count);
    }
}

void person_hear_message(struct person *p, const char *text, size_t count)
{
    mw_value message;
    size_t i;

    world_tell(p->w, "person %d hears %.*s", p->number, (int)count, text);
    if (mw_json_parse(text, count, NULL, &message, NULL) < 0) {
        person_complain(p, "no JSON", text, count);
        return;
    }
    if (mw_kind_of(message) == MW_LIST)
        for (i = 0; i < mw_list_count(message); i++)
            take_map(p, *mw_list_at(message, i), text, count);
    else
        take_map(p, message, text, count);
    mw_release(message);
}
