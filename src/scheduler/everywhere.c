/* A dump of all meshes of the process. Each belongs to a thread that alone may look at it, so each is asked to dump itself in its next turn,
 * and woken where it sleeps and something can wake it.
 * Not the dump; that is dump.c. Read next: run.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <time.h>

#include "scheduler/dump.h"
#include "scheduler/host.h"
#include "scheduler/scheduler_priv.h"

#define LOOK_NS 1000000

/* The one question that is asked; under the lock of mesh_registry. */
static struct {
    bool is_open, is_json;
    int fd;
    size_t written; /* meshes */
} question;

static struct mw_scheduler *mesh_of(struct mw_link *link)
{
    return MW_CONTAINER_OF(link, struct mw_scheduler, registry_link);
}

/* ---- answering: the mesh's own thread ------------------------------------------------------------------------ */
static void write_mesh(const mw_scheduler *s)
{
    struct dump_out o = {.fd = question.fd};

    if (question.is_json && question.written > 0)
        out_text(&o, ",\n");
    if (question.is_json)
        dump_mesh_json(&o, s, 0);
    else
        dump_mesh(&o, s, 0);
    out_flush(&o);
    question.written++;
}

/* It has been dumped, and all within it. Recursion ends: nesting does, at 64. */
static void settle(mw_scheduler *s)
{
    uint32_t i;

    atomic_store_explicit(&s->is_asked, false, memory_order_relaxed);
    for (i = 0; i < s->top; i++) {
        if (s->members[i] && s->members[i]->kind == TASKLET_MESH && s->members[i]->scope)
            settle(s->members[i]->scope);
    }
}

COLD void dump_answer(mw_scheduler *s)
{
    if (mesh_parent(s))
        return; /* its root does it */
    (void)pthread_mutex_lock(&mesh_registry.lock); /* one of the default kind fails only where memory is broken */
    if (atomic_load_explicit(&s->is_asked, memory_order_relaxed) && question.is_open) {
        write_mesh(s);
        settle(s);
    }
    (void)pthread_mutex_unlock(&mesh_registry.lock);
}

/* ---- asking: any thread ---------------------------------------------------------------------------------------- */
/* Those of this thread can be looked at; the others are asked. */
static void ask(void)
{
    struct mw_link *at;

    for (at = mesh_registry.meshes.head.next; at != &mesh_registry.meshes.head; at = at->next)
        atomic_store_explicit(&mesh_of(at)->is_asked, true, memory_order_relaxed);
    for (at = mesh_registry.meshes.head.next; at != &mesh_registry.meshes.head; at = at->next) {
        mw_scheduler *s = mesh_of(at);

        if (atomic_load_explicit(&s->owner, memory_order_acquire) == &mw_thread && !mesh_parent(s)) {
            write_mesh(s);
            settle(s);
        }
    }
}

/* What sleeps is woken again each time, so that no order of falling asleep and being woken matters. */
static size_t wake_asked(void)
{
    struct mw_link *at;
    size_t count = 0;

    for (at = mesh_registry.meshes.head.next; at != &mesh_registry.meshes.head; at = at->next) {
        mw_scheduler *s = mesh_of(at);

        if (!atomic_load_explicit(&s->is_asked, memory_order_relaxed))
            continue;
        count++;
        if (s->inbox)
            inbox_rouse_reader(s->inbox);
        else if (s->posted)
            s->posted(s->posted_context);
    }
    return count;
}

static void say_silent(const mw_scheduler *s)
{
    struct dump_out o = {.fd = question.fd};

    if (question.is_json) {
        out_text(&o, question.written > 0 ? ",\n{" : "{");
        out_key_id(&o, "id", s);
        out_key_bool(&o, "silent", true);
        out_byte(&o, '}');
    } else {
        out_text(&o, "mesh ");
        out_hex(&o, (uint64_t)(uintptr_t)s);
        out_text(&o, " does not answer: its thread computes, or sleeps where nothing wakes it\n");
    }
    out_flush(&o);
    question.written++;
}

static int end_question(void)
{
    struct mw_link *at;
    int silent = 0;

    for (at = mesh_registry.meshes.head.next; at != &mesh_registry.meshes.head; at = at->next) {
        mw_scheduler *s = mesh_of(at);

        if (!atomic_exchange_explicit(&s->is_asked, false, memory_order_relaxed))
            continue;
        say_silent(s);
        silent++;
    }
    question.is_open = false;
    return silent;
}

static void say(int fd, const char *text)
{
    struct dump_out o = {.fd = fd};

    out_text(&o, text);
    out_flush(&o);
}

static int dump_everywhere(int fd, int64_t timeout_ns, bool is_json)
{
    static const struct timespec look = {.tv_nsec = LOOK_NS};
    int64_t begun_ns = mw_now_ns();
    int silent;

    if (timeout_ns < 0)
        return -EINVAL;
    (void)pthread_mutex_lock(&mesh_registry.lock); /* as above */
    if (question.is_open) {
        (void)pthread_mutex_unlock(&mesh_registry.lock);
        return -EBUSY;
    }
    question.is_open = true;
    question.is_json = is_json;
    question.fd = fd;
    question.written = 0;
    if (is_json)
        say(fd, "[");
    ask();
    while (wake_asked() > 0 && mw_now_ns() - begun_ns < timeout_ns) {
        (void)pthread_mutex_unlock(&mesh_registry.lock);
        (void)nanosleep(&look, NULL); /* a signal only makes us look earlier */
        (void)pthread_mutex_lock(&mesh_registry.lock);
    }
    silent = end_question();
    if (is_json)
        say(fd, "]\n");
    (void)pthread_mutex_unlock(&mesh_registry.lock);
    return silent;
}

int mw_dump_all(int fd, int64_t timeout_ns)
{
    return dump_everywhere(fd, timeout_ns, false);
}

int mw_dump_all_json(int fd, int64_t timeout_ns)
{
    return dump_everywhere(fd, timeout_ns, true);
}

void mw_scheduler_hand_over(mw_scheduler *s)
{
    atomic_store_explicit(&s->owner, NULL, memory_order_release);
}
