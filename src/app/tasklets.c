/* The tasklets that an instance exposes: front ends may send to them by name, where they are callable.
 * Not the method `send`; that is in call.c. Read next: roles.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "base/memory.h"
#include "scheduler/host.h"

static struct exposed_tasklet *exposed_new(mw_tasklet *tasklet, const char *doc)
{
    size_t doc_bytes = doc ? strlen(doc) + 1 : 0, bytes;
    struct exposed_tasklet *exposed;

    if (!mw_add_size(sizeof(*exposed), doc_bytes, &bytes))
        return NULL;
    exposed = mw_alloc_zeroed(1, bytes);
    if (!exposed)
        return NULL;
    exposed->tasklet = tasklet;
    if (doc)
        exposed->doc = memcpy(exposed->text, doc, doc_bytes);
    return exposed;
}

/* Rights may differ now: those who are connected are told in the next turn. */
static void note_change(mw_instance *instance)
{
    instance->exposures++;
    instance_touch(instance);
}

/* Attributes, commands and tasklets are one space of names: what a policy says of one name is about one thing. */
static bool is_taken(const mw_instance *instance, const char *name, size_t name_bytes)
{
    return mw_exposable_find(instance->exposable, name, name_bytes) >= 0 ||
           descriptor_command(&instance->app->descriptor, name, name_bytes) ||
           instance_tasklet(instance, name, name_bytes);
}

int mw_expose_tasklet(mw_instance *instance, const char *name, mw_tasklet *tasklet, const char *doc)
{
    LIVE_CHECK(tasklet);
    const char *as = name || !tasklet ? name : mw_tasklet_name(tasklet);
    const mw_rule to_be_named = {.right = MW_CALLABLE, .name = as};
    struct exposed_tasklet *exposed;
    int err;

    if (!tasklet || mw_rule_check(&to_be_named, NULL) < 0) /* what no policy can name, nobody could reach */
        return -EINVAL;
    if (is_taken(instance, as, strlen(as)))
        return -EEXIST;
    exposed = exposed_new(tasklet, doc);
    if (!exposed)
        return -ENOMEM;
    err = mw_map_set(&instance->tasklets, as, mw_opaque(exposed, mw_free));
    if (err < 0)
        return err;
    note_change(instance);
    return 0;
}

int mw_unexpose_tasklet(mw_instance *instance, const char *name)
{
    int err = mw_map_remove(&instance->tasklets, name);

    if (err == 0)
        note_change(instance);
    return err;
}

const struct exposed_tasklet *instance_tasklet(const mw_instance *instance, const char *name, size_t name_bytes)
{
    const mw_value *exposed = mw_map_get_n(instance->tasklets, name, name_bytes);

    return exposed ? mw_get_opaque(*exposed) : NULL;
}
