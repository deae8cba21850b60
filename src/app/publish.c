/* What other threads say of attributes: a value that holds from now on, or that one may have changed.
 * Not who is told of it; that is watch.c. Read next: watch.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"

#define PUBLICATIONS_WAITING 1024

/* The tasklet "publish", on the mesh's own thread. The item is [index, value]. */
static int take_publication(mw_tasklet *self, void *scope, mw_value takes_item)
{
    mw_instance *instance = scope;
    struct app *app = instance->app;
    const mw_value *index = mw_list_at(takes_item, 0), *value = mw_list_at(takes_item, 1);
    struct mw_error why = {0};
    int64_t at = -1;
    int err;

    (void)self;
    if (index && value && mw_get_int(*index, &at) == 0) {
        err = mw_exposable_record(instance->exposable, (size_t)at, *value, &why);
        if (err < 0) /* it was fit when it was posted: memory */
            app_log_failure(app, &app->publish_failures, "mw_publish", err, why.text);
        else
            watch_tell_each(instance, (size_t)at);
    }
    mw_release(takes_item);
    return 0;
}

int publish_open(mw_instance *instance)
{
    const mw_tasklet_options options = {.size = sizeof(options), .name = "publish", .file = __FILE__, .line = __LINE__,
                                        .scope = {.data = instance}, .mailbox_items = PUBLICATIONS_WAITING};
    mw_tasklet *t;

    if (instance->app->descriptor.attribute_count == 0)
        return 0;
    t = mw_tasklet_open(NULL, take_publication, &options);
    if (t)
        instance->publications = mw_tasklet_address(t);
    return instance->publications ? 0 : -ENOMEM; /* the tasklet goes with the mesh */
}

static int find(mw_instance *instance, const char *name)
{
    return name ? mw_exposable_find(instance->exposable, name, strlen(name)) : -ENOENT;
}

int mw_publish(mw_instance *instance, const char *name, mw_value value)
{
    int index = find(instance, name), err = index < 0 ? index : 0;
    mw_value item;

    if (err == 0)
        err = mw_attribute_check(&instance->app->descriptor.attributes[index], value, NULL);
    if (err < 0) {
        mw_release(value);
        return err;
    }
    item = mw_list_new();
    err = mw_list_append(&item, mw_int(index));
    if (err < 0)
        mw_release(value);
    else
        err = mw_list_append(&item, value);
    if (err < 0) {
        mw_release(item);
        return err;
    }
    return mw_post(instance->publications, item);
}

int mw_changed(mw_instance *instance, const char *name)
{
    int index = find(instance, name);

    if (index < 0)
        return index;
    instance_posted(instance);
    return 0;
}
