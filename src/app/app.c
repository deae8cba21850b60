/* A mounted app: opened from its descriptor and options, given a turn in each loop pass, freed.
 * Not one running back end; that is instance.c. Read next: instance.c, then client.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "app/app_priv.h"
#include "app/print.h"
#include "base/hint.h"
#include "base/memory.h"
#include "codec/json_limit.h"

/* A pooled set of buffers keeps at most so much, and so many sets are kept. */
#define SCRATCH_KEPT_BYTES ((size_t)64 * 1024)
#define SCRATCH_FIRST_BYTES ((size_t)1024)
/* The longest answer, if the message limit is not larger: one message always enters an empty queue. */
#define ANSWER_MIN_BYTES ((size_t)1024 * 1024)
#define ANSWER_MORE_BYTES ((size_t)64 * 1024)

/* ---- log, randomness, wake ----------------------------------------------------------------------- */

void app_log(struct app *app, const char *format, ...)
{
    char line[768];
    va_list arguments;

    if (!app->options.log)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments); /* a line too long is cut */
    va_end(arguments);
    app->options.log(app->options.context, line);
}

void app_log_failure(struct app *app, uint64_t *count, const char *what, int code, const char *reason)
{
    uint64_t n = ++*count;

    if ((n & (n - 1)) != 0)
        return;
    if (!reason || !reason[0])
        reason = mw_strerror(code);
    if (n == 1)
        app_log(app, "%s of app \"%s\" failed: %s", what, app->name, reason);
    else
        app_log(app, "%s of app \"%s\" failed: %s (%llu times so far)", what, app->name, reason, (unsigned long long)n);
}

int app_no_memory(const char *app_name, struct mw_error *ret_error)
{
    return mw_fail(ret_error, -ENOMEM, "app \"%s\": out of memory", app_name);
}

bool app_is_text(const mw_value *v, const char *want)
{
    size_t byte_count;
    const char *text = v && mw_kind_of(*v) == MW_TEXT ? mw_get_text(v, &byte_count) : NULL;

    return text && byte_count == strlen(want) && memcmp(text, want, byte_count) == 0;
}

void app_wake(struct app *app)
{
    if (app->is_woken || app->is_ending)
        return;
    app->is_woken = true;
    if (app->options.wake)
        app->options.wake(app->options.context);
}

int app_random_hex(struct app *app, char *ret_text, size_t digit_count)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    size_t byte_count = digit_count / 2, i;

    if (app->options.random)
        app->options.random(app->options.context, bytes, byte_count);
    else if (getrandom(bytes, byte_count, 0) != (ssize_t)byte_count)
        return -EIO;
    for (i = 0; i < byte_count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * byte_count] = '\0';
    return 0;
}

/* ---- scratch ----------------------------------------------------------------------------------------- */

static void scratch_free(struct scratch *s)
{
    mw_buffer_clear(&s->out);
    mw_buffer_clear(&s->revs);
    mw_buffer_clear(&s->errors);
    mw_buffer_clear(&s->details);
    mw_buffer_clear(&s->decisions);
    mw_buffer_clear(&s->reads);
    mw_free(s);
}

struct scratch *scratch_take(struct app *app)
{
    struct mw_link *pooled = mw_list_pop_front(&app->scratch);
    struct scratch *s;

    if (pooled)
        return MW_CONTAINER_OF(pooled, struct scratch, link);
    s = mw_alloc_zeroed(1, sizeof(*s));
    if (!s)
        return NULL;
    /* A batch stops when it is longer than an answer may be: that, one more answer, and the refusals of the rest, each
     * with an id of the request. */
    mw_buffer_init(&s->out, 3 * app->answer_bytes + ANSWER_MORE_BYTES);
    mw_buffer_init(&s->revs, app->answer_bytes);
    mw_buffer_init(&s->errors, app->answer_bytes);
    mw_buffer_init(&s->details, app->answer_bytes);
    mw_buffer_init(&s->decisions, app->answer_bytes);
    mw_buffer_init(&s->reads, SIZE_MAX / 2); /* as many as a client may watch */
    if (mw_buffer_reserve(&s->out, SCRATCH_FIRST_BYTES) < 0) {
        scratch_free(s);
        return NULL;
    }
    return s;
}

static inline void scratch_shrink(struct mw_buffer *b)
{
    print_rewind(b, 0);
    if (UNLIKELY(b->capacity > SCRATCH_KEPT_BYTES))
        mw_buffer_clear(b);
}

void scratch_give(struct app *app, struct scratch *s)
{
    scratch_shrink(&s->out);
    scratch_shrink(&s->revs);
    scratch_shrink(&s->errors);
    scratch_shrink(&s->details);
    scratch_shrink(&s->decisions);
    scratch_shrink(&s->reads);
    /* Two are enough: one for the request, one for what its callback sends. */
    if (s->out.capacity == 0 || (!mw_list_is_empty(&app->scratch) && app->scratch.head.next != app->scratch.head.previous))
        scratch_free(s);
    else
        mw_list_push_front(&app->scratch, &s->link);
}

/* ---- open and free -------------------------------------------------------------------------------------- */

static int print_keys(struct app *app)
{
    size_t count = app->descriptor.attribute_count, i;

    mw_buffer_init(&app->key_text, SIZE_MAX);
    app->key_at = mw_alloc_zeroed(count + 1, sizeof(*app->key_at));
    if (!app->key_at)
        return -ENOMEM;
    for (i = 0; i < count; i++) {
        app->key_at[i] = app->key_text.count;
        print_c_text(&app->key_text, app->descriptor.attributes[i].name);
        (void)mw_buffer_append_byte(&app->key_text, ':');
    }
    app->key_at[count] = app->key_text.count;
    return app->key_text.error;
}

void app_print_key(const struct app *app, struct mw_buffer *b, size_t index)
{
    (void)mw_buffer_append(b, app->key_text.data + app->key_at[index], app->key_at[index + 1] - app->key_at[index]);
}

/* ---- limits ------------------------------------------------------------------------------------------ */

static void default_limits(size_t limits[APP_LIMIT_COUNT])
{
    static const size_t defaults[] = {
#define X(id, value) [APP_LIMIT_##id] = (value),
        APP_LIMITS(X)
#undef X
    };
    size_t i;

    for (i = 0; i < APP_LIMIT_COUNT; i++)
        limits[i] = limits[i] ? limits[i] : defaults[i];
}

void app_limit_hit(struct app *app, enum app_limit limit)
{
    if (app->options.limit_hit)
        app->options.limit_hit(app->options.context, limit);
}

int app_parse(struct app *app, const void *bytes, size_t byte_count, mw_value *ret, struct mw_error *ret_error)
{
    static const enum app_limit counted[] = {[JSON_LIMIT_DEPTH] = APP_LIMIT_JSON_DEPTH, [JSON_LIMIT_TOKENS] = APP_LIMIT_JSON_TOKENS,
                                             [JSON_LIMIT_KEYS] = APP_LIMIT_JSON_KEYS};
    const struct mw_json_limits within = app_json_limits(app);
    enum json_limit reached = JSON_LIMIT_LENGTH;
    int err = json_parse(bytes, byte_count, &within, ret, &reached, ret_error);

    if (err == -EMSGSIZE && reached < JSON_LIMIT_LENGTH)
        app_limit_hit(app, counted[reached]);
    return err;
}

static size_t answer_limit(size_t message_bytes)
{
    size_t limit;

    if (!mw_add_size(message_bytes, ANSWER_MORE_BYTES, &limit) || limit > SIZE_MAX / 8)
        return SIZE_MAX / 8;
    return limit > ANSWER_MIN_BYTES ? limit : ANSWER_MIN_BYTES;
}

struct app_together *app_together_new(void)
{
    struct app_together *together = mw_alloc_zeroed(1, sizeof(*together));

    if (together)
        denials_init(&together->denials);
    return together;
}

void app_together_free(struct app_together *together)
{
    if (!together)
        return;
    denials_clear(&together->denials);
    mw_free(together);
}

static struct app *app_new(const struct app_options *options)
{
    struct app *app = mw_alloc_zeroed(1, sizeof(*app));

    if (!app)
        return NULL;
    app->options = *options;
    default_limits(app->options.limits);
    app->answer_bytes = answer_limit(options->message_bytes);
    mw_list_init(&app->instances);
    mw_list_init(&app->ready);
    mw_list_init(&app->ticking);
    mw_list_init(&app->sleeping);
    mw_list_init(&app->lingering);
    mw_list_init(&app->scratch);
    return app;
}

/* Everything after the policies found their owner. */
static int app_start(struct app *app, struct mw_error *ret_error)
{
    mw_instance *first;

    if (print_keys(app) < 0)
        return app_no_memory(app->name, ret_error);
    if (app->descriptor.instance != MW_INSTANCE_ONE)
        return 0;
    return instance_for(app, "", &first, ret_error);
}

static void drop_policies(const struct app_policies *takes)
{
    size_t i;

    for (i = 0; i < takes->policy_count; i++)
        mw_policy_free(takes->policies[i]);
}

int app_open(const struct app_options *options, struct app **ret, struct mw_error *ret_error)
{
    struct app *app = app_new(options);
    int err;

    if (app) {
        app->name = mw_copy_text(options->name ? options->name : "");
        app->together = options->together ? options->together : app_together_new();
    }
    if (!app || !app->name || !app->together)
        err = app_no_memory(options->name ? options->name : "", ret_error);
    else
        err = descriptor_read(options->descriptor, app->name, &app->descriptor, ret_error);
    if (err < 0)
        drop_policies(&options->policies);
    else
        err = roles_make(app, &options->policies, &app->roles, ret_error);
    if (err == 0 && app)
        err = app_start(app, ret_error);
    if (err < 0) {
        app_free(app);
        return err;
    }
    app->options.policies = (struct app_policies){0};
    *ret = app;
    return 0;
}

const char *app_role_at(const struct app *app, size_t index)
{
    return index < app->roles.role_count ? app->roles.roles[index].name : NULL;
}

bool app_has_role(const struct app *app, const char *name)
{
    return roles_find(&app->roles, name, strlen(name)) != NULL;
}

/* Clients first, each told nothing, then the back end's `close`, then what it was made of. */
static void end_instance(mw_instance *instance)
{
    mw_client *client;

    instance_pin(instance);
    for (client = client_walk(instance, NULL); client; client = client_walk(instance, client)) {
        client->sink = NULL;
        client_end(client);
    }
    instance->is_orphan = true;
    instance_unpin(instance);
}

void app_free(struct app *app)
{
    struct mw_link *link;

    if (!app)
        return;
    app->is_ending = true;
    while (!mw_list_is_empty(&app->instances))
        end_instance(MW_CONTAINER_OF(app->instances.head.next, mw_instance, link));
    while ((link = mw_list_pop_front(&app->scratch)) != NULL)
        scratch_free(MW_CONTAINER_OF(link, struct scratch, link));
    roles_clear(&app->roles);
    if (app->together != app->options.together)
        app_together_free(app->together);
    mw_buffer_clear(&app->key_text);
    mw_free(app->key_at);
    mw_free(app->name);
    mw_free(app);
}

/* ---- turns ------------------------------------------------------------------------------------------------ */

static mw_instance *first_due(struct mw_list *list, size_t link_offset)
{
    if (mw_list_is_empty(list))
        return NULL;
    return (mw_instance *)(void *)((char *)list->head.next - link_offset);
}

static mw_instance *first_ticking(struct app *app)
{
    return first_due(&app->ticking, offsetof(mw_instance, tick_link));
}

static mw_instance *first_sleeping(struct app *app)
{
    return first_due(&app->sleeping, offsetof(mw_instance, sleep_link));
}

static mw_instance *first_lingering(struct app *app)
{
    return first_due(&app->lingering, offsetof(mw_instance, linger_link));
}

/* Users who did not come back in time: their instances end. */
static void end_lingering(struct app *app, int64_t now_ns)
{
    mw_instance *instance;

    while ((instance = first_lingering(app)) != NULL && instance->linger_due_ns <= now_ns) {
        mw_link_remove(&instance->linger_link);
        if (instance->linger_due_ns == APP_UNSET) {
            instance->linger_due_ns = now_ns + APP_LINGER_NS;
            mw_list_push_back(&app->lingering, &instance->linger_link);
            continue;
        }
        end_instance(instance);
    }
}

/* One instance's share of a turn. */
static void turn_instance(mw_instance *instance, int64_t now_ns)
{
    instance->app->stats.turns++;
    instance_pin(instance);
    (void)mw_exposable_expire(instance->exposable, now_ns); /* instance_note_deadline asks for the next */
    if (mw_scheduler_turn(instance->mesh) > 0)
        instance_touch(instance);
    watch_pass(instance);
    instance_note_deadline(instance);
    instance_unpin(instance);
}

static void touch_posted(struct app *app)
{
    struct mw_link *at;

    for (at = app->instances.head.next; at != &app->instances.head; at = at->next) {
        mw_instance *instance = MW_CONTAINER_OF(at, mw_instance, link);

        if (atomic_exchange(&instance->is_posted, false))
            instance_touch(instance);
    }
}

bool app_turn(struct app *app, int64_t now_ns)
{
    struct mw_link mark = {0}, *link;
    mw_instance *due;
    size_t count;

    app->now_ns = now_ns;
    app->is_woken = true; /* what becomes ready is told by the result */
    while ((due = first_ticking(app)) != NULL && due->tick_due_ns <= now_ns)
        instance_tick(due, now_ns);
    if (atomic_exchange(&app->has_posts, false))
        touch_posted(app);
    while ((due = first_sleeping(app)) != NULL && due->mesh_due_ns <= now_ns) {
        mw_link_remove(&due->sleep_link);
        instance_touch(due);
    }
    if (app->descriptor.instance == MW_INSTANCE_ONE && !mw_list_is_empty(&app->instances))
        instance_touch(MW_CONTAINER_OF(app->instances.head.next, mw_instance, link));

    /* What becomes ready meanwhile waits for the next turn. */
    mw_list_push_back(&app->ready, &mark);
    for (count = 0; count < APP_TURN_INSTANCES && (link = app->ready.head.next) != &mark; count++) {
        mw_link_remove(link);
        turn_instance(MW_CONTAINER_OF(link, mw_instance, ready_link), now_ns);
    }
    mw_link_remove(&mark);
    end_lingering(app, now_ns);
    app->is_woken = !mw_list_is_empty(&app->ready);
    return app->is_woken;
}

int64_t app_next_deadline(const struct app *app)
{
    struct app *mutable = (struct app *)(uintptr_t)app; /* looked at only */
    const mw_instance *ticking = first_ticking(mutable), *sleeping = first_sleeping(mutable),
                      *lingering = first_lingering(mutable);
    int64_t deadline = MW_FOREVER;

    if (ticking)
        deadline = ticking->tick_due_ns;
    if (sleeping && sleeping->mesh_due_ns < deadline)
        deadline = sleeping->mesh_due_ns;
    if (lingering && lingering->linger_due_ns < deadline)
        deadline = lingering->linger_due_ns;
    return deadline;
}

void app_dump(const struct app *app, int fd)
{
    struct mw_link *at;

    for (at = app->instances.head.next; at != &app->instances.head; at = at->next)
        (void)mw_scheduler_dump(MW_CONTAINER_OF(at, mw_instance, link)->mesh, fd); /* it has a mesh */
}

void app_refuse_watches(struct app *app, bool is_refused)
{
    app->refuses_watches = is_refused;
}

void app_each_mesh(const struct app *app, void (*each)(void *context, const mw_scheduler *mesh), void *context)
{
    struct mw_link *at;

    for (at = app->instances.head.next; at != &app->instances.head; at = at->next)
        each(context, MW_CONTAINER_OF(at, mw_instance, link)->mesh);
}

const char *app_name(const struct app *app)
{
    return app->name;
}

enum mw_instance_mode app_instance_mode(const struct app *app)
{
    return app->descriptor.instance;
}

struct app_stats app_stats(const struct app *app)
{
    return app->stats;
}

void app_stats_add(struct app_stats *io, const struct app_stats *more)
{
    io->messages += more->messages;
    io->requests += more->requests;
    io->ignored_messages += more->ignored_messages;
    io->denied += more->denied;
    io->broadcasts += more->broadcasts;
    io->body_failures += more->body_failures;
    io->clients += more->clients;
    io->watches += more->watches;
    io->instances += more->instances;
    io->request_errors += more->request_errors;
    io->changes_sent += more->changes_sent;
    io->conflated += more->conflated;
    io->ticks_skipped += more->ticks_skipped;
    io->connects_refused += more->connects_refused;
    io->unauthenticated += more->unauthenticated;
    io->opens_failed += more->opens_failed;
    io->watches_refused += more->watches_refused;
    io->sends += more->sends;
    io->sends_refused += more->sends_refused;
    io->batches_refused += more->batches_refused;
    io->answers_too_large += more->answers_too_large;
    io->keys_forgotten += more->keys_forgotten;
    io->denials_forgotten += more->denials_forgotten;
    io->unsent += more->unsent;
    io->turns += more->turns;
}
