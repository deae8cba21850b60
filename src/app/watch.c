/* Watching: which client watches what, the look of each loop pass, and the `changed` that follows from it.
 * Not the request `watch`; that is in methods_watch.c. Not who is told of other rights; that is watch_rights.c. Read next: ../exposable/.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/memory.h"

#define WATCHES_AT_FIRST 8
/* So many changes at once are compared with those of the client before, to print alike messages once. */
#define ALIKE_CHANGES 32
/* A `changed` that is longer is sent, and another one begun. */
#define CHANGED_BYTES ((size_t)64 * 1024)
/* An attribute that other threads write is looked at so often while it is watched, unless it says otherwise. */
#define SHARED_LOOK_NS INT64_C(100000000)

/* A revision that none has: of a watch that watch_remove_marked ends. */
#define LEAVING INT64_C(-1)
/* So many messages `changed` of an instance leave in each turn that has any, whatever else the turn did. */
#define TOLD_ALWAYS 4

/* What clients have that watch nothing; never written. */
static const struct watcher no_watcher = {
    .dirty = {{(struct mw_link *)(uintptr_t)&no_watcher.dirty.head, (struct mw_link *)(uintptr_t)&no_watcher.dirty.head}}};

void watch_init(mw_client *client)
{
    client->watcher = (struct watcher *)(uintptr_t)&no_watcher;
}

/* ---- the set of a client: by index, so that it is found in a few steps ---------------------------------- */

/* Where index is, or where it belongs. */
static size_t place_of(const mw_client *client, size_t index)
{
    const struct watcher *r = client->watcher;
    size_t low = 0, high = r->count;

    if (high > 0 && r->watches[high - 1]->index < index) /* in table order, as pages ask */
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->watches[middle]->index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const mw_client *client, size_t place, size_t index)
{
    return place < client->watcher->count && client->watcher->watches[place]->index == index;
}

bool watch_has(const mw_client *client, size_t index)
{
    return is_at(client, place_of(client, index), index);
}

/* What it watches with, from the first watch on. 0, -ENOMEM */
static int begin(mw_client *client)
{
    struct watcher *fresh;

    if (client->watcher != &no_watcher)
        return 0;
    fresh = mw_alloc_zeroed(1, sizeof(*fresh));
    if (!fresh)
        return -ENOMEM;
    fresh->client = client;
    mw_list_init(&fresh->dirty);
    client->watcher = fresh;
    return 0;
}

static int make_room(mw_client *client, size_t more_count)
{
    struct watcher *r = client->watcher;
    size_t capacity = r->capacity ? r->capacity : WATCHES_AT_FIRST;
    struct watch **more;

    if (more_count <= r->capacity - r->count)
        return 0;
    while (capacity < r->count + more_count)
        capacity *= 2;
    more = mw_resize(r->watches, capacity * sizeof(struct watch *));
    if (!more)
        return -ENOMEM;
    r->watches = more;
    r->capacity = capacity;
    return 0;
}

/* Watch what is not watched yet; for which there is room. 0, -ENOMEM */
static int add_new(mw_client *client, size_t place, size_t index)
{
    struct watcher *r = client->watcher;
    mw_instance *instance = client->instance;
    struct slot *slot = &instance->slots[index];
    struct watch *w = mw_alloc_zeroed(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->client = client;
    w->index = index;
    memmove(&r->watches[place + 1], &r->watches[place], (r->count - place) * sizeof(struct watch *));
    r->watches[place] = w;
    r->count++;
    instance->app->stats.watches++;
    atomic_fetch_add_explicit(&instance->app->together->watches, 1, memory_order_relaxed);
    if (!slot->watchers.head.next)
        mw_list_init(&slot->watchers);
    if (mw_list_is_empty(&slot->watchers))
        mw_list_push_back(&instance->watched_slots, &slot->link);
    mw_list_push_back(&slot->watchers, &w->slot_link);
    return 0;
}

/* Say what the client knows of it, and how it wants to be told. */
static void settle(struct watch *w, const struct watch_read *read, const struct watch_manner *manner)
{
    mw_instance *instance = w->client->instance;
    struct slot *slot = &instance->slots[w->index];
    bool is_alone = read->is_new && slot->watchers.head.next == slot->watchers.head.previous;

    if (read->revision == 0 || is_alone) /* no value was told: the next look that finds one is news */
        slot->revision = read->revision;
    slot->each_count += (size_t)manner->is_all - (size_t)w->manner.is_all;
    w->revision = read->revision;
    w->manner = *manner;
    w->due_ns = instance->app->now_ns + manner->interval_ns; /* the answer to the request is the first */
}

static int by_index(const void *a, const void *b)
{
    const size_t first = ((const struct watch_read *)a)->index, second = ((const struct watch_read *)b)->index;

    return (first > second) - (first < second);
}

/* In table order each of many is put behind those before it, and moves none of them. */
static void sort_reads(struct watch_read *reads, size_t count)
{
    size_t i;

    for (i = 1; i < count; i++) {
        if (reads[i - 1].index <= reads[i].index)
            continue;
        qsort(reads, count, sizeof *reads, by_index);
        return;
    }
}

int watch_add(mw_client *client, struct watch_read *reads, size_t count, const struct watch_manner *manner)
{
    int err = begin(client);
    size_t i;

    if (err == 0)
        err = make_room(client, count);
    sort_reads(reads, count);

    for (i = 0; i < count && err == 0; i++) {
        size_t place = place_of(client, reads[i].index);

        reads[i].is_new = !is_at(client, place, reads[i].index);
        if (reads[i].is_new)
            err = add_new(client, place, reads[i].index);
    }
    if (err < 0) { /* the last was not added; those before it go */
        for (i -= i > 0; i-- > 0;)
            if (reads[i].is_new)
                watch_mark(client, reads[i].index);
        watch_remove_marked(client);
        return err;
    }
    if (manner->is_all || manner->interval_ns > 0)
        client->watcher->has_manners = true;
    for (i = 0; i < count; i++)
        settle(client->watcher->watches[place_of(client, reads[i].index)], &reads[i], manner);
    return 0;
}

static void free_watch(mw_client *client, struct watch *w)
{
    struct slot *slot = &client->instance->slots[w->index];

    mw_link_remove(&w->slot_link);
    mw_link_remove(&w->dirty_link);
    slot->each_count -= w->manner.is_all;
    if (mw_list_is_empty(&slot->watchers))
        mw_link_remove(&slot->link);
    client->instance->app->stats.watches--;
    atomic_fetch_sub_explicit(&client->instance->app->together->watches, 1, memory_order_relaxed);
    mw_free(w);
}

void watch_mark(mw_client *client, size_t index)
{
    size_t place = place_of(client, index);

    if (is_at(client, place, index))
        client->watcher->watches[place]->revision = LEAVING;
}

void watch_remove_marked(mw_client *client)
{
    struct watcher *r = client->watcher;
    size_t i, kept = 0;

    if (r->count == 0) /* as of one that watches nothing, which is never written */
        return;
    for (i = 0; i < r->count; i++) {
        if (r->watches[i]->revision == LEAVING)
            free_watch(client, r->watches[i]);
        else
            r->watches[kept++] = r->watches[i];
    }
    r->count = kept;
}

void watch_remove_all(mw_client *client)
{
    struct watcher *r = client->watcher;

    if (r == &no_watcher)
        return;
    while (r->count > 0)
        free_watch(client, r->watches[--r->count]);
    mw_link_remove(&r->pending_link);
    mw_free(r->watches);
    mw_free(r);
    watch_init(client);
}

/* ---- the look ---------------------------------------------------------------------------------------------- */

void watch_mark_dirty(struct watch *w)
{
    struct watcher *r = w->client->watcher;

    if (mw_link_is_linked(&w->dirty_link))
        return;
    mw_list_push_back(&r->dirty, &w->dirty_link);
    if (!mw_link_is_linked(&r->pending_link))
        mw_list_push_back(&w->client->instance->pending, &r->pending_link);
}

static bool is_behind(const mw_client *client)
{
    return client->sink->is_behind && client->sink->is_behind(client->connection);
}

static void look_at(mw_instance *instance, struct slot *slot)
{
    struct app *app = instance->app;
    size_t index = (size_t)(slot - instance->slots);
    int64_t revision = mw_exposable_look(instance->exposable, index, NULL);
    struct mw_link *link;

    if (revision < 0) {
        app_log_failure(app, &app->getter_failures, app->descriptor.attributes[index].name, (int)revision, NULL);
        return;
    }
    if (revision == slot->revision)
        return;
    slot->revision = revision;
    for (link = slot->watchers.head.next; link != &slot->watchers.head; link = link->next) {
        struct watch *w = MW_CONTAINER_OF(link, struct watch, slot_link);

        if (w->revision == revision)
            continue;
        if (mw_link_is_linked(&w->dirty_link) && w->manner.interval_ns == 0 && client_is_reachable(w->client) &&
            is_behind(w->client)) /* it waits for a slow reader */
            w->client->watcher->conflated++;
        watch_mark_dirty(w);
    }
}

/* ---- changed ------------------------------------------------------------------------------------------------------ */

/* What the last message printed says, and to which audience. */
struct alike {
    const struct audience *audience; /* NULL: there is none to compare with */
    size_t indexes[ALIKE_CHANGES];
    size_t count;
};

/* Whether this client is due exactly what was printed last. Notes what it is due. */
static bool is_alike(struct alike *last, mw_client *client)
{
    bool same = last->audience == client->audience && !client_is_special(client);
    struct mw_link *link;
    size_t count = 0;

    for (link = client->watcher->dirty.head.next; link != &client->watcher->dirty.head; link = link->next) {
        size_t index = MW_CONTAINER_OF(link, struct watch, dirty_link)->index;

        if (count < ALIKE_CHANGES) {
            same = same && count < last->count && last->indexes[count] == index;
            last->indexes[count] = index;
        }
        count++;
    }
    same = same && count == last->count && count <= ALIKE_CHANGES;
    last->audience = client_is_special(client) ? NULL : client->audience;
    last->count = count;
    return same;
}

/* One member of "values" and of "revs". 0; -ENOMEM, -EMSGSIZE with both as they were */
static int print_change(mw_instance *instance, size_t index, struct scratch *s, int64_t *ret_revision)
{
    size_t values_before = s->out.count, revs_before = s->revs.count;
    const mw_value *value;
    int64_t revision = mw_exposable_look(instance->exposable, index, &value);
    int err;

    if (revision < 0) { /* it could be read a moment ago: the next look that finds a value is news */
        instance->slots[index].revision = 0;
        return 0;
    }
    print_comma(&s->out);
    app_print_key(instance->app, &s->out, index);
    print_attribute(&s->out, mw_exposable_attribute(instance->exposable, index), *value);
    print_comma(&s->revs);
    app_print_key(instance->app, &s->revs, index);
    print_int(&s->revs, revision);
    *ret_revision = revision;
    err = s->out.error ? s->out.error : s->revs.error;
    if (err == 0 && s->out.count - values_before <= instance->app->answer_bytes)
        return 0;
    print_rewind(&s->out, values_before);
    print_rewind(&s->revs, revs_before);
    return err == -ENOMEM ? err : -EMSGSIZE;
}

/* Take watches off the dirty list into one message, as many as make it long. Nothing is printed when none of them
 * may be read: they keep their old revision and are told when the right comes back. 0, -ENOMEM */
static int print_changed(mw_client *client, struct scratch *s)
{
    const mw_view view = client_view(client);
    mw_instance *instance = client->instance;
    struct mw_link *link;
    int err = 0;

    print_rewind(&s->out, 0);
    print_rewind(&s->revs, 0);
    print_literal(&s->out, "{\"jsonrpc\":\"2.0\",\"method\":\"changed\",\"params\":{\"values\":{");
    while (s->out.count < CHANGED_BYTES && (link = mw_list_pop_front(&client->watcher->dirty)) != NULL) {
        struct watch *w = MW_CONTAINER_OF(link, struct watch, dirty_link);

        if (!mw_view_may_at(&view, MW_GETTABLE, w->index, NULL))
            continue;
        err = print_change(instance, w->index, s, &w->revision);
        w->due_ns = instance->app->now_ns + w->manner.interval_ns;
        if (err == -ENOMEM) {
            mw_list_push_front(&client->watcher->dirty, &w->dirty_link);
            break;
        }
        if (err == -EMSGSIZE) /* no message can hold it */
            instance->app->stats.answers_too_large++;
    }
    if (s->revs.count == 0) {
        print_rewind(&s->out, 0);
        return err == -ENOMEM ? err : 0;
    }
    print_literal(&s->out, "},\"revs\":{");
    (void)mw_buffer_append(&s->out, s->revs.data, s->revs.count);
    print_literal(&s->out, "}}}");
    return s->out.error;
}

static void send_changed(mw_client *client, const struct scratch *s)
{
    if (s->out.count == 0)
        return;
    client->instance->app->stats.changes_sent++;
    (void)client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count); /* a failure closes it */
}

/* All of it has just been printed for another client. */
static void clean(mw_client *client)
{
    const mw_view view = client_view(client);
    struct mw_link *link;

    while ((link = mw_list_pop_front(&client->watcher->dirty)) != NULL) {
        struct watch *w = MW_CONTAINER_OF(link, struct watch, dirty_link);

        if (mw_view_may_at(&view, MW_GETTABLE, w->index, NULL))
            w->revision = client->instance->slots[w->index].revision;
        w->due_ns = client->instance->app->now_ns + w->manner.interval_ns;
    }
}

/* What has been told to somebody takes of the turn's share. */
static void count_told(struct app *app, const struct scratch *s)
{
    if (app->options.worked)
        app->options.worked(app->options.context, 1 + s->out.count / APP_WORK_BYTES);
}

/* Some are told in each turn, however little room there is: others may take all of it each time. */
static bool has_room(const struct app *app, uint64_t told_count)
{
    return told_count < TOLD_ALWAYS || !app->options.has_room || app->options.has_room(app->options.context);
}

/* What there is no room for stays dirty. */
static void deliver(mw_client *client, struct alike *last, struct scratch *s)
{
    uint64_t told_count = 0;

    if (is_alike(last, client)) {
        clean(client);
        send_changed(client, s);
        count_told(client->instance->app, s);
        return;
    }
    do {
        if (print_changed(client, s) < 0) { /* no memory just now: the connection starts afresh when there is */
            client->instance->app->stats.unsent++;
            last->audience = NULL;
            client_abort(client);
            return;
        }
        send_changed(client, s);
        count_told(client->instance->app, s);
        if (!mw_list_is_empty(&client->watcher->dirty))
            last->audience = NULL; /* more than one message: nothing to compare with */
    } while (!mw_list_is_empty(&client->watcher->dirty) && client_is_reachable(client) && has_room(client->instance->app, ++told_count));
}

/* Take those off its list that are not due yet: their interval is not over, or their reader is slow and takes the newest later.
 * returns  when the first of them is due; MW_FOREVER: when the reader has caught up, or there are none */
static int64_t hold_back(mw_client *client, bool is_slow, struct mw_list *ret_held)
{
    int64_t now_ns = client->instance->app->now_ns, due_ns = MW_FOREVER;
    struct mw_link *link, *next;

    mw_list_init(ret_held);
    if (!is_slow && !client->watcher->has_manners)
        return MW_FOREVER;
    for (link = client->watcher->dirty.head.next; link != &client->watcher->dirty.head; link = next) {
        struct watch *w = MW_CONTAINER_OF(link, struct watch, dirty_link);

        next = link->next;
        if (w->due_ns > now_ns && w->due_ns < due_ns)
            due_ns = w->due_ns;
        if (w->due_ns > now_ns || (is_slow && !w->manner.is_all)) {
            mw_link_remove(link);
            mw_list_push_back(ret_held, link);
        }
    }
    return due_ns;
}

/* What was passed over for a slow reader is said, once it reads again. */
static void tell_lag(mw_client *client, struct alike *last, struct scratch *s)
{
    struct watcher *r = client->watcher;

    if (r->conflated == 0)
        return;
    last->audience = NULL; /* its message is printed over */
    print_rewind(&s->out, 0);
    print_literal(&s->out, "{\"jsonrpc\":\"2.0\",\"method\":\"lag\",\"params\":{\"conflated\":");
    print_int(&s->out, (int64_t)r->conflated);
    print_literal(&s->out, "}}");
    client->instance->app->stats.conflated += r->conflated;
    r->conflated = 0;
    if (!s->out.error)
        (void)client_put(client, MW_FRAME_TEXT, s->out.data, s->out.count); /* a failure closes it */
}

static void wait_for_room(mw_instance *instance)
{
    instance->is_telling = true;
    instance_touch(instance);
}

static void deliver_to(mw_client *client, struct alike *last, struct scratch *s)
{
    mw_instance *instance = client->instance;
    bool is_slow = is_behind(client);
    struct mw_list held;
    struct mw_link *link;
    int64_t due_ns = hold_back(client, is_slow, &held);

    if (!is_slow)
        tell_lag(client, last, s);
    if (!mw_list_is_empty(&client->watcher->dirty))
        deliver(client, last, s);
    if (!mw_list_is_empty(&client->watcher->dirty) && client_is_reachable(client))
        wait_for_room(instance);
    while ((link = mw_list_pop_front(&held)) != NULL)
        mw_list_push_back(&client->watcher->dirty, link);
    if (mw_list_is_empty(&client->watcher->dirty) || client->is_gone) /* its end found them gone from its list, and takes them from here */
        return;
    if (!mw_link_is_linked(&client->watcher->pending_link))
        mw_list_push_back(&instance->pending, &client->watcher->pending_link);
    if (due_ns < instance->watch_due_ns)
        instance->watch_due_ns = due_ns;
}

/* Those who are pending now, or as many as there is room for: the others have their turn in the next. */
static void deliver_all(mw_instance *instance)
{
    struct app *app = instance->app;
    struct scratch *s = scratch_take(app);
    struct alike last = {0};
    struct mw_link mark = {0}, *link;
    uint64_t sent_before = app->stats.changes_sent;

    instance->is_telling = false;
    if (!s) {
        instance_touch(instance);
        return;
    }
    mw_list_push_back(&instance->pending, &mark);
    while ((link = instance->pending.head.next) != &mark) {
        mw_client *client = MW_CONTAINER_OF(link, struct watcher, pending_link)->client;

        if (!has_room(app, app->stats.changes_sent - sent_before)) {
            wait_for_room(instance);
            break;
        }
        mw_link_remove(link);
        if (!client_is_reachable(client))
            continue;
        client_pin(client);
        deliver_to(client, &last, s);
        client_unpin(client);
    }
    mw_link_remove(&mark);
    scratch_give(app, s);
}

/* Tell one client of one change, whatever else it is due. */
static void tell_one(mw_client *client, struct watch *w, struct alike *last, struct scratch *s)
{
    struct mw_list others, *dirty = &client->watcher->dirty;
    struct mw_link *link;

    mw_link_remove(&w->dirty_link);
    mw_list_init(&others);
    while ((link = mw_list_pop_front(dirty)) != NULL)
        mw_list_push_back(&others, link);
    mw_list_push_back(dirty, &w->dirty_link);
    if (is_alike(last, client)) {
        clean(client);
        send_changed(client, s);
    } else if (print_changed(client, s) == 0) {
        send_changed(client, s);
    } else { /* no memory just now: it stays for the next pass */
        last->audience = NULL;
    }
    while ((link = mw_list_pop_front(&others)) != NULL)
        mw_list_push_back(dirty, link);
}

void watch_tell_each(mw_instance *instance, size_t index)
{
    struct slot *slot = &instance->slots[index];
    struct alike last = {0};
    struct scratch *s;
    mw_client *client;

    if (slot->each_count == 0)
        return;
    app_worked(instance->app, instance->client_count);
    look_at(instance, slot);
    s = scratch_take(instance->app);
    if (!s) /* the next pass tells what it is then */
        return;
    for (client = client_walk(instance, NULL); client; client = client_walk(instance, client)) {
        const size_t place = place_of(client, index);
        struct watch *w = is_at(client, place, index) ? client->watcher->watches[place] : NULL;

        if (w && w->manner.is_all && mw_link_is_linked(&w->dirty_link) && client_is_reachable(client))
            tell_one(client, w, &last, s);
    }
    scratch_give(instance->app, s);
}

/* How long it may go unseen while it is watched. */
static int64_t look_interval_ns(const mw_attribute *a)
{
    if (a->look_ns > 0)
        return a->look_ns;
    return a->is_shared ? SHARED_LOOK_NS : MW_FOREVER;
}

/* returns how long what is watched may go unseen */
static int64_t look_at_all(mw_instance *instance)
{
    int64_t interval_ns = MW_FOREVER, longest_ns;
    struct mw_link *link;

    for (link = instance->watched_slots.head.next; link != &instance->watched_slots.head; link = link->next) {
        struct slot *slot = MW_CONTAINER_OF(link, struct slot, link);

        look_at(instance, slot);
        longest_ns = look_interval_ns(&instance->app->descriptor.attributes[slot - instance->slots]);
        interval_ns = longest_ns < interval_ns ? longest_ns : interval_ns;
    }
    return interval_ns;
}

void watch_pass(mw_instance *instance)
{
    /* While some are still to be told, they are told what is there by then; what changes meanwhile is looked at when all have been. */
    bool is_late = instance->is_telling;
    int64_t interval_ns = is_late ? MW_FOREVER : look_at_all(instance);

    watch_follow_rights(instance);
    instance->watch_due_ns = interval_ns < MW_FOREVER ? instance->app->now_ns + interval_ns : MW_FOREVER;
    if (mw_list_is_empty(&instance->pending))
        instance->is_telling = false;
    else
        deliver_all(instance);
    if (is_late && !instance->is_telling)
        instance_touch(instance);
}

void app_client_drained(mw_client *client)
{
    if (client && mw_link_is_linked(&client->watcher->pending_link))
        instance_touch(client->instance);
}
