/* What the roles of a client let it do: per instance, those clients that have the same roles share one audience.
 * Not the roles themselves; those are in roles.c. Not the decisions; those are exposable's. Read next: protocol.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/memory.h"
#include "exposable/policy.h"

/* ---- whose they are ------------------------------------------------------------------------------------- */

/* The names of a client's roles as a list: sorted, each once. returned owned; MW_MISSING: out of memory */
static mw_value role_list(const char *const *names, size_t count)
{
    mw_value list = mw_list_new();
    const char *last = ""; /* no role is named so */

    for (;;) {
        const char *least = NULL;
        size_t i;

        for (i = 0; i < count; i++)
            if (strcmp(names[i], last) > 0 && (!least || strcmp(names[i], least) < 0))
                least = names[i];
        if (!least)
            return list;
        if (mw_list_append(&list, mw_text(least)) < 0) {
            mw_release(list);
            return (mw_value){.kind = MW_MISSING};
        }
        last = least;
    }
}

/* Of most clients there is one role, and no list need be made to compare it. */
static struct audience *audience_find_one(mw_instance *instance, const char *role)
{
    struct mw_link *link;

    for (link = instance->audiences.head.next; link != &instance->audiences.head; link = link->next) {
        struct audience *audience = MW_CONTAINER_OF(link, struct audience, link);
        const char *name = mw_list_count(audience->roles) == 1 ? mw_get_text(mw_list_at(audience->roles, 0), NULL) : NULL;

        if (name && strcmp(name, role) == 0)
            return audience;
    }
    return NULL;
}

static struct audience *audience_find(mw_instance *instance, mw_value roles)
{
    struct mw_link *link;

    for (link = instance->audiences.head.next; link != &instance->audiences.head; link = link->next) {
        struct audience *audience = MW_CONTAINER_OF(link, struct audience, link);

        if (mw_equal(audience->roles, roles))
            return audience;
    }
    return NULL;
}

static void audience_free(mw_instance *instance, struct audience *audience)
{
    mw_link_remove(&audience->link);
    instance->audience_count--;
    mw_release(audience->roles);
    mw_release(audience->rights);
    mw_free(audience->policies);
    mw_free(audience);
}

/* NULL: out of memory */
static struct audience *audience_of(mw_instance *instance, const char *const *role_names, size_t role_count)
{
    struct audience *audience = role_count == 1 ? audience_find_one(instance, role_names[0]) : NULL;
    mw_value roles;

    if (audience)
        return audience;
    roles = role_list(role_names, role_count);
    audience = mw_kind_of(roles) == MW_MISSING ? NULL : audience_find(instance, roles);
    if (audience || mw_kind_of(roles) == MW_MISSING) {
        mw_release(roles);
        return audience;
    }
    audience = mw_alloc_zeroed(1, sizeof(*audience));
    if (!audience) {
        mw_release(roles);
        return NULL;
    }
    audience->roles = roles;
    mw_list_push_back(&instance->audiences, &audience->link);
    instance->audience_count++;
    return audience;
}

struct audience *audience_join(mw_instance *instance, const char *const *role_names, size_t role_count)
{
    struct audience *audience = audience_of(instance, role_names, role_count);

    if (!audience)
        return NULL;
    audience->client_count++;
    if (audience_refresh(instance, audience) < 0) {
        audience_leave(instance, audience);
        return NULL;
    }
    return audience;
}

void audience_leave(mw_instance *instance, struct audience *audience)
{
    /* One that nobody has may be wanted again soon, as by each request by POST. */
    if (--audience->client_count == 0 && (!audience->is_made || instance->audience_count > APP_AUDIENCES_KEPT))
        audience_free(instance, audience);
}

void audiences_clear(mw_instance *instance)
{
    while (!mw_list_is_empty(&instance->audiences))
        audience_free(instance, MW_CONTAINER_OF(instance->audiences.head.next, struct audience, link));
}

/* ---- their rights ----------------------------------------------------------------------------------------- */

const char *rights_word(int rights)
{
    static const char *const words[] = {"", "get", "set", "get set", "call", "get call", "set call", "get set call"};

    static_assert(MW_GETTABLE == 1 && MW_SETTABLE == 2 && MW_CALLABLE == 4, "the words are in the order of the bits");
    return words[rights & (MW_EXPOSED | MW_CALLABLE)];
}

int audience_rights_at(const mw_instance *instance, const struct audience *audience, size_t index)
{
    return mw_view_rights_at(&audience->view, index) & MW_EXPOSED &
           mw_attribute_offers(mw_exposable_attribute(instance->exposable, index));
}

/* As with attributes, a right that hangs on a predicate is in: whether it holds is asked when it is used. */
static bool may_call(const struct audience *audience, const char *name, size_t name_bytes)
{
    return (mw_view_rights(&audience->view, name, name_bytes) & MW_CALLABLE) != 0;
}

const mw_command *audience_command(const mw_instance *instance, const struct audience *audience, const char *name,
                                   size_t name_bytes)
{
    const mw_command *command = descriptor_command(&instance->app->descriptor, name, name_bytes);

    return command && may_call(audience, name, name_bytes) ? command : NULL;
}

const struct exposed_tasklet *audience_tasklet(const mw_instance *instance, const struct audience *audience,
                                               const char *name, size_t name_bytes)
{
    const struct exposed_tasklet *exposed = instance_tasklet(instance, name, name_bytes);

    return exposed && may_call(audience, name, name_bytes) ? exposed : NULL;
}

const mw_command *client_command(const mw_client *client, const char *name, size_t name_bytes)
{
    const mw_view view = client_view(client);
    const mw_command *command = descriptor_command(&client->instance->app->descriptor, name, name_bytes);

    return command && mw_view_may(&view, MW_CALLABLE, name, name_bytes) ? command : NULL;
}

const struct exposed_tasklet *client_tasklet(const mw_client *client, const char *name, size_t name_bytes)
{
    const mw_view view = client_view(client);
    const struct exposed_tasklet *exposed = instance_tasklet(client->instance, name, name_bytes);

    return exposed && mw_view_may(&view, MW_CALLABLE, name, name_bytes) ? exposed : NULL;
}

const struct exposed_tasklet *audience_tasklet_at(const mw_instance *instance, const struct audience *audience,
                                                  size_t index, const mw_value **ret_name)
{
    size_t name_bytes;
    const char *name;

    (void)mw_map_at(instance->tasklets, index, ret_name);
    name = mw_get_text(*ret_name, &name_bytes);
    return audience_tasklet(instance, audience, name, name_bytes);
}

int audience_rights(const mw_instance *instance, const struct audience *audience, const char *name, size_t name_bytes)
{
    int index = mw_exposable_find(instance->exposable, name, name_bytes);
    int rights = index < 0 ? 0 : audience_rights_at(instance, audience, (size_t)index);

    if (audience_command(instance, audience, name, name_bytes) || audience_tasklet(instance, audience, name, name_bytes))
        rights |= MW_CALLABLE;
    return rights;
}

/* One map for attributes, commands and tasklets: a name that is attribute and command has the rights of both. */
static size_t print_rights(const mw_instance *instance, const struct audience *audience, struct mw_buffer *b)
{
    const mw_app *d = &instance->app->descriptor;
    size_t named = 0, i;

    (void)mw_buffer_append_byte(b, '{');
    for (i = 0; i < d->attribute_count && named <= APP_HELLO_RIGHTS; i++) {
        const char *name = d->attributes[i].name;
        int rights = audience_rights_at(instance, audience, i);

        if (audience_command(instance, audience, name, strlen(name)))
            rights |= MW_CALLABLE;
        if (rights == 0)
            continue;
        named++;
        print_comma(b);
        app_print_key(instance->app, b, i);
        print_c_text(b, rights_word(rights));
    }
    for (i = 0; i < d->command_count && named <= APP_HELLO_RIGHTS; i++) {
        const char *name = d->commands[i].name;

        if (!audience_command(instance, audience, name, strlen(name)) ||
            mw_exposable_find(instance->exposable, name, strlen(name)) >= 0)
            continue;
        named++;
        print_comma(b);
        print_c_text(b, name);
        print_literal(b, ":\"call\"");
    }
    for (i = 0; i < mw_map_count(instance->tasklets) && named <= APP_HELLO_RIGHTS; i++) {
        const mw_value *name;

        if (!audience_tasklet_at(instance, audience, i, &name))
            continue;
        named++;
        print_comma(b);
        print_name(b, *name);
        print_literal(b, "\"call\"");
    }
    (void)mw_buffer_append_byte(b, '}');
    return named;
}

static mw_value rights_text(const mw_instance *instance, const struct audience *audience)
{
    struct mw_buffer b;
    mw_value text;

    mw_buffer_init(&b, SIZE_MAX);
    if (print_rights(instance, audience, &b) > APP_HELLO_RIGHTS) {
        print_rewind(&b, 0);
        print_literal(&b, "null");
    }
    text = print_as_text(&b);
    mw_buffer_clear(&b);
    return text;
}

/* ---- following policies ------------------------------------------------------------------------------------ */

static bool has_policy(const struct audience *audience, const mw_policy *policy)
{
    size_t i;

    for (i = 0; i < audience->policy_count; i++)
        if (audience->policies[i] == policy)
            return true;
    return false;
}

static bool has_predicates(const mw_policy *policy)
{
    size_t i;

    for (i = 0; policy && i < policy->rule_count; i++)
        if (policy->rules[i].predicate)
            return true;
    return false;
}

/* The union of its roles. A role that the app does not know has no policies. 0, -ENOMEM */
static int resolve(const struct app *app, struct audience *audience)
{
    size_t role_count = mw_list_count(audience->roles), most = 0, i, k;

    for (i = 0; i < app->roles.role_count; i++)
        most += app->roles.roles[i].policy_count;
    mw_free(audience->policies);
    audience->policies = mw_alloc_zeroed(most + 1, sizeof(*audience->policies));
    audience->policy_count = 0;
    audience->asks = false;
    audience->grants = 0;
    audience->view.policy_count = 0; /* it may have held on to policies that are about to go */
    if (!audience->policies)
        return -ENOMEM;
    for (i = 0; i < role_count; i++) {
        size_t name_bytes;
        const char *name = mw_get_text(mw_list_at(audience->roles, i), &name_bytes);
        const struct role *role = roles_find(&app->roles, name, name_bytes);

        audience->grants |= role ? role->grants : 0;
        for (k = 0; role && k < role->policy_count; k++) {
            if (has_policy(audience, role->policies[k]))
                continue;
            audience->policies[audience->policy_count++] = role->policies[k];
            audience->asks = audience->asks || has_predicates(role->policies[k]);
        }
    }
    return 0;
}

bool audience_is_stale(const mw_instance *instance, const struct audience *audience)
{
    return audience->generation != instance->app->roles_generation ||
           audience->stamp != mw_view_stamp(&audience->view) || audience->exposures != instance->exposures;
}

int audience_refresh(mw_instance *instance, struct audience *audience)
{
    mw_value text;
    bool differs;

    if (audience->is_made && !audience_is_stale(instance, audience))
        return 0;
    if ((!audience->is_made || audience->generation != instance->app->roles_generation) &&
        resolve(instance->app, audience) < 0)
        return -ENOMEM;
    audience->view = mw_view_of(instance->exposable, audience->policies, audience->policy_count);
    text = rights_text(instance, audience);
    if (mw_kind_of(text) == MW_MISSING)
        return -ENOMEM;
    differs = !mw_equal(text, audience->rights);
    mw_release(audience->rights);
    audience->rights = text;
    audience->stamp = mw_view_stamp(&audience->view);
    audience->exposures = instance->exposures;
    audience->generation = instance->app->roles_generation;
    audience->is_made = true;
    return differs;
}
