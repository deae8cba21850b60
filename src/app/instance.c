/* One running back end: its state, its mesh, its exposed attributes, its tick.
 * Not who talks to it; that is client.c. Read next: client.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/keys.h"
#include "base/memory.h"
#include "scheduler/host.h"

/* ---- the mesh's hooks ------------------------------------------------------------------------------- */

static void mesh_is_ready(void *context)
{
    instance_touch(context);
}

/* On whatever thread has posted to one of its tasklets. */
void instance_posted(mw_instance *instance)
{
    struct app *app = instance->app;

    atomic_store(&instance->is_posted, true);
    atomic_store(&app->has_posts, true);
    if (app->options.wake)
        app->options.wake(app->options.context);
}

static void mesh_is_posted(void *context)
{
    instance_posted(context);
}

static void body_failed(void *context, mw_tasklet *t, int code)
{
    mw_instance *instance = context;
    struct app *app = instance->app;

    app->stats.body_failures++;
    app_log(app, "tasklet \"%s\" of app \"%s\" failed and is closed: %s", mw_tasklet_name(t), app->name,
            mw_strerror(code));
}

/* ---- the tick ------------------------------------------------------------------------------------------ */

/* A tick that fails is logged and comes again: an instrument that did not answer once may answer the next time. */
static int run_tick(mw_tasklet *self, void *scope, mw_value takes_item)
{
    mw_instance *instance = scope;
    struct app *app = instance->app;
    int err;

    (void)self;
    mw_release(takes_item);
    err = app->descriptor.tick(instance, instance->state);
    if (err < 0)
        app_log_failure(app, &app->tick_failures, "tick", err, NULL);
    return 0;
}

/* Put a link where it belongs by the due time of its instance: nearly always at the end. */
static void insert_by_due(struct mw_list *list, struct mw_link *link, size_t link_offset, size_t due_offset)
{
    struct mw_link *after = list->head.previous;
    int64_t due_ns = *(int64_t *)(void *)((char *)link - link_offset + due_offset);

    while (after != &list->head && *(int64_t *)(void *)((char *)after - link_offset + due_offset) > due_ns)
        after = after->previous;
    link->previous = after;
    link->next = after->next;
    after->next->previous = link;
    after->next = link;
}

static void insert_ticking(mw_instance *instance)
{
    insert_by_due(&instance->app->ticking, &instance->tick_link, offsetof(mw_instance, tick_link),
                  offsetof(mw_instance, tick_due_ns));
}

void instance_note_deadline(mw_instance *instance)
{
    int64_t due_ns = mw_scheduler_deadline(instance->mesh), marks_end_ns;

    marks_end_ns = mw_exposable_expire(instance->exposable, INT64_MIN); /* nothing ends that early: it only asks */
    due_ns = marks_end_ns < due_ns ? marks_end_ns : due_ns;
    due_ns = instance->watch_due_ns < due_ns ? instance->watch_due_ns : due_ns;
    if (due_ns == (mw_link_is_linked(&instance->sleep_link) ? instance->mesh_due_ns : MW_FOREVER))
        return;
    mw_link_remove(&instance->sleep_link);
    instance->mesh_due_ns = due_ns;
    if (due_ns != MW_FOREVER)
        insert_by_due(&instance->app->sleeping, &instance->sleep_link, offsetof(mw_instance, sleep_link),
                      offsetof(mw_instance, mesh_due_ns));
}

void instance_tick(mw_instance *instance, int64_t now_ns)
{
    struct app *app = instance->app;
    int64_t every_ns = app->descriptor.tick_ns, late_ns;

    mw_link_remove(&instance->tick_link);
    if (instance->tick_due_ns == APP_UNSET) { /* the first turn: the clock starts here */
        instance->tick_due_ns = now_ns + every_ns;
        insert_ticking(instance);
        return;
    }
    /* Ticks never pile up: one that has not run yet stands for those that came due since. */
    if (mw_tasklet_stats(instance->tick).queued_items > 0 ||
        mw_send(instance->tick, mw_int(instance->tick_due_ns)) < 0)
        app->stats.ticks_skipped++;
    late_ns = now_ns - instance->tick_due_ns;
    app->stats.ticks_skipped += (uint64_t)(late_ns / every_ns);
    instance->tick_due_ns += (late_ns / every_ns + 1) * every_ns;
    insert_ticking(instance);
    instance_touch(instance);
}

static int make_tick(mw_instance *instance)
{
    const mw_tasklet_options options = {.size = sizeof(options), .name = "tick", .file = __FILE__, .line = __LINE__,
                                        .scope = {.data = instance}, .mailbox_items = 2, .overflow = MW_REFUSE};

    if (instance->app->descriptor.tick_ns == 0)
        return 0;
    instance->tick = mw_tasklet_open(NULL, run_tick, &options);
    if (!instance->tick)
        return -ENOMEM;
    instance->tick_due_ns = APP_UNSET;
    mw_list_push_front(&instance->app->ticking, &instance->tick_link);
    return 0;
}

/* ---- open and free ---------------------------------------------------------------------------------------- */

static int build(mw_instance *instance, const char *user, struct mw_error *why)
{
    const mw_app *d = &instance->app->descriptor;
    int err;

    instance->state = d->state ? d->state : mw_alloc_zeroed(1, d->state_bytes > 0 ? d->state_bytes : 1);
    instance->mesh = mw_taskmaster_new();
    instance->slots = mw_alloc_zeroed(d->attribute_count + 1, sizeof(struct slot));
    if (d->instance == MW_INSTANCE_PER_USER)
        instance->user = mw_copy_text(user);
    if (!instance->state || !instance->mesh || !instance->slots ||
        (d->instance == MW_INSTANCE_PER_USER && !instance->user))
        return -ENOMEM;
    err = app_random_hex(instance->app, instance->epoch, sizeof(instance->epoch) - 1);
    if (err < 0)
        return err;
    err = mw_exposable_new(d->attributes, d->attribute_count, instance->state, &instance->exposable, why);
    if (err < 0)
        return err;
    mw_scheduler_on_ready(instance->mesh, mesh_is_ready, instance);
    (void)mw_scheduler_on_post(instance->mesh, mesh_is_posted, instance); /* it is new: nobody has an address */
    mw_scheduler_set_host(instance->mesh, instance->app->options.host);
    mw_scheduler_on_failure(instance->mesh, body_failed, instance);
    return 0;
}

/* Build the mesh: the app's `open`, in it. */
static int run_open(mw_instance *instance, struct mw_error *why)
{
    const mw_app *d = &instance->app->descriptor;
    mw_scheduler *outside = mw_scheduler_enter(instance->mesh);
    int err = make_tick(instance);

    if (err == 0)
        err = publish_open(instance);
    if (err == 0 && d->open)
        err = d->open(instance, instance->state, why);
    mw_scheduler_leave(outside);
    if (err < 0)
        return err;
    instance->is_open = true;
    return 0;
}

static int instance_open(struct app *app, const char *user, mw_instance **ret, struct mw_error *ret_error)
{
    mw_instance *instance = mw_alloc_zeroed(1, sizeof(*instance));
    struct mw_error why = {0};
    int err;

    if (!instance)
        return mw_fail(ret_error, -ENOMEM, "open of app \"%s\": out of memory", app->name);
    instance->app = app;
    instance->tasklets = mw_map_new();
    mw_list_init(&instance->clients);
    mw_list_init(&instance->audiences);
    mw_list_init(&instance->watched_slots);
    mw_list_init(&instance->pending);
    mw_list_init(&instance->calls);
    instance->watch_due_ns = MW_FOREVER;
    mw_list_push_back(&app->instances, &instance->link);
    instance_pin(instance);
    err = build(instance, user, &why);
    if (err == 0)
        err = run_open(instance, &why);
    if (err < 0) {
        instance_free(instance);
        return mw_fail(ret_error, err, "open of app \"%s\": %s", app->name, why.text[0] ? why.text : mw_strerror(err));
    }
    app->stats.instances++;
    instance->pins--;
    instance_touch(instance); /* what `open` sent waits to be run */
    *ret = instance;
    return 0;
}

int instance_for(struct app *app, const char *user, mw_instance **ret, struct mw_error *ret_error)
{
    struct mw_link *link;

    if (app->is_ending)
        return mw_fail(ret_error, -EPIPE, "app \"%s\" is being closed", app->name);
    if (app->descriptor.instance == MW_INSTANCE_PER_CLIENT)
        return instance_open(app, user, ret, ret_error);
    for (link = app->instances.head.next; link != &app->instances.head; link = link->next) {
        mw_instance *instance = MW_CONTAINER_OF(link, mw_instance, link);

        if (!instance->is_open || instance->is_orphan)
            continue;
        if (app->descriptor.instance == MW_INSTANCE_ONE || strcmp(instance->user, user) == 0) {
            mw_link_remove(&instance->linger_link); /* the user is back in time */
            *ret = instance;
            return 0;
        }
    }
    return instance_open(app, user, ret, ret_error);
}

/* In the order of the contract: the app's `close` while its tasklets still are, then they, then what they used. */
void instance_free(mw_instance *instance)
{
    struct app *app;

    if (!instance)
        return;
    app = instance->app;
    instance->pins++; /* callbacks below may pin and unpin */
    instance->is_orphan = false;
    if (instance->is_open) {
        app->stats.instances--;
        if (app->descriptor.close) {
            mw_scheduler *outside = mw_scheduler_enter(instance->mesh);

            app->descriptor.close(instance, instance->state);
            mw_scheduler_leave(outside);
        }
    }
    mw_scheduler_free(instance->mesh);
    calls_clear(instance);
    mw_address_unref(instance->publications);
    audiences_clear(instance);
    mw_exposable_free(instance->exposable);
    mw_release(instance->tasklets);
    keys_free(instance->keys);
    mw_link_remove(&instance->link);
    mw_link_remove(&instance->ready_link);
    mw_link_remove(&instance->tick_link);
    mw_link_remove(&instance->sleep_link);
    mw_link_remove(&instance->linger_link);
    mw_free(instance->slots);
    mw_free(instance->user);
    if (!app->descriptor.state) /* else it is the program's */
        mw_free(instance->state);
    mw_free(instance);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

mw_instance *instance_walk(struct app *app, mw_instance *previous)
{
    struct mw_link *link = previous ? previous->link.next : app->instances.head.next;
    mw_instance *instance = NULL;

    if (link != &app->instances.head) {
        instance = MW_CONTAINER_OF(link, mw_instance, link);
        instance_pin(instance);
    }
    if (previous)
        instance_unpin(previous);
    return instance;
}

void instance_lost_client(mw_instance *instance)
{
    struct app *app = instance->app;

    if (instance->client_count > 0 || app->is_ending)
        return;
    switch (app->descriptor.instance) {
    case MW_INSTANCE_ONE:
        break;
    case MW_INSTANCE_PER_USER: /* a page that is loaded again finds its state */
        if (mw_link_is_linked(&instance->linger_link))
            break;
        instance->linger_due_ns = APP_UNSET;
        mw_list_push_front(&app->lingering, &instance->linger_link);
        app_wake(app);
        break;
    case MW_INSTANCE_PER_CLIENT:
        instance->is_orphan = true;
        break;
    }
}

/* ---- public ---------------------------------------------------------------------------------------------------- */

const char *mw_instance_user(mw_instance *instance)
{
    return instance->user ? instance->user : "";
}

void *mw_instance_state(mw_instance *instance)
{
    return instance->state;
}

mw_scheduler *mw_instance_mesh(mw_instance *instance)
{
    return instance->mesh;
}

mw_exposable *mw_instance_exposable(mw_instance *instance)
{
    return instance->exposable;
}
