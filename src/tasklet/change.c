/* The verbs that end a body or put another in its place: close, finish, set, rescope, restart, free. Asked for from
 * inside the body they are noted, and done when it has returned.
 * Not handing over items; that is verbs.c. Read next: tasklet.c.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>

#include "tasklet/address.h"
#include "tasklet/run.h"

static bool is_running(const mw_tasklet *t)
{
    return t->state == TASKLET_RUNNING;
}

/* ---- the end of a body ---------------------------------------------------------------------- */
void tasklet_release_scope(mw_tasklet *t)
{
    void *scope = t->scope;
    void (*release)(void *) = t->side ? t->side->release : NULL;

    if (t->kind == TASKLET_MESH)
        mesh_detach(t);
    t->scope = NULL;
    if (!release)
        return;
    t->side->release = NULL;
    release(scope);
}

/* After a new body. Without memory for the note the old name stays. */
static void tasklet_rename(mw_tasklet *t, const char *name)
{
    struct site *site = name ? mesh_site_like(t->mesh, t->site, name) : NULL;

    if (site)
        t->site = site;
}

static void tasklet_install(mw_tasklet *t)
{
    struct tasklet_side *side = t->side;
    struct replacement next;

    assert(side); /* made when the replacement was asked for */
    next = side->next;
    side->next = (struct replacement){0};
    if (next.has_body) {
        t->kind = next.kind;
        t->closed = NULL;
        if (next.kind == TASKLET_HANDLER)
            t->run.handler = next.handler;
        else
            t->run.body = next.body;
        tasklet_rename(t, next.kind == TASKLET_NULL ? "null" : next.name);
    }
    if (!next.has_scope)
        return;
    tasklet_release_scope(t);
    t->scope = next.scope.data;
    side->release = next.scope.release;
}

static void tasklet_die(mw_tasklet *t)
{
    t->attention |= ASKED_FREE; /* callbacks below find nobody home */
    t->plain_room = 0;
    if (t->side && t->side->next.has_scope) {
        struct mw_scope scope = t->side->next.scope;

        t->side->next.has_scope = false;
        if (scope.release)
            scope.release(scope.data);
    }
    (void)mailbox_drop_all(t);
    tasklet_release_scope(t);
    tasklet_destroy(t);
}

/* Do what was asked for, until the callbacks ask for no more. returns the last of it. */
static unsigned tasklet_apply(mw_tasklet *t)
{
    unsigned asked, last = 0;

    while ((asked = t->attention & ASKED_ANY) != 0) {
        last = asked;
        if (asked & ASKED_FREE)
            break;
        t->attention &= (uint8_t)~ASKED_ANY;
        if (asked & ASKED_REPLACE)
            tasklet_install(t);
        if (asked & ASKED_CLEAR) {
            size_t dropped = mailbox_drop_all(t);

            if (dropped && tasklet_side(t)) {
                t->side->dropped += dropped;
                if (t->side->address)
                    address_room(t);
            }
        }
    }
    return last;
}

static void tasklet_reopen(mw_tasklet *t)
{
    t->state = TASKLET_FRESH;
    t->attention = 0;
    t->quiet &= QUIET_READY;
    t->mesh->has_fresh = true;
    mailbox_update_room(t);
    if (!t->quiet && (t->kind == TASKLET_COROUTINE || t->kind == TASKLET_MESH || t->count > 0))
        tasklet_mark(t);
}

static void tasklet_stay_closed(mw_tasklet *t)
{
    t->state = TASKLET_CLOSED;
    if (t->quiet & QUIET_READY)
        tasklet_unmark(t);
    t->quiet = QUIET_STATE;
    mailbox_update_room(t);
}

/* t may be gone afterwards. */
static void report_failure(mw_tasklet *t, bool is_begun, int code)
{
    struct mw_scheduler *m = t->mesh;

    if (is_begun) /* else the reason has been noted already */
        (void)mw_fail(&m->last_error, code, "tasklet '%s' failed: %s", mw_tasklet_name(t), mw_strerror(code));
    m->failures++;
    if (m->on_failure)
        m->on_failure(m->failure_context, t, code);
}

/* What is left of the life of a coroutine whose body has returned. */
ALWAYS_INLINE enum settled coroutine_settle(mw_tasklet *t, int *ret_code)
{
    int result = t->coroutine->result;

    if (t->coroutine->was_told)
        t->attention |= ASKED_CLOSE;
    coroutine_free(t->coroutine);
    t->coroutine = NULL;
    if (!ends_unnoticed(t))
        return tasklet_end(t, true, result, ret_code);
    *ret_code = 0;
    tasklet_destroy(t);
    return SETTLED_GONE;
}

enum settled tasklet_end(mw_tasklet *t, bool is_begun, int result, int *ret_code)
{
    struct mw_thread *thread = &mw_thread;
    mw_tasklet *outer = thread->current;
    bool was_asked = t->attention & ASKED_ANY; /* one that is to finish and has yet to be told so has failed with what it had in hand */
    bool has_failed = result < 0 && !was_asked, will_restart;
    unsigned asked;
    bool was_closed = t->state == TASKLET_CLOSED && !tasklet_will_restart(t); /* whoever wanted to know has been told */

    *ret_code = has_failed ? result : 0;
    thread->current = t; /* what the callbacks below ask of t is deferred to the end of them */
    t->state = TASKLET_RUNNING;
    t->quiet |= QUIET_STATE;
    t->attention &= (uint8_t)~LOOK;
    question_leave(t, -EPIPE);
    if (!was_asked)
        t->attention |= ASKED_CLOSE;
    if (t->kind == TASKLET_HANDLER && is_begun && t->closed)
        t->closed(t, t->scope);
    if (t->mesh->on_end)
        t->mesh->on_end(t->mesh, t, has_failed ? result : 0);
    will_restart = has_failed ? supervised_failed(t) : tasklet_will_restart(t);
    if (!will_restart)
        room_ended(t);
    stalls_forget(t);
    asked = tasklet_apply(t);
    thread->current = outer;
    if (asked & ASKED_FREE) {
        if (is_begun || !was_closed)
            monitors_tell(t, 0);
        tasklet_die(t);
        return SETTLED_GONE;
    }
    if (result < 0) {
        struct tasklet_side *side = tasklet_side(t);

        t->mesh->late_results += !has_failed;
        if (side) {
            side->failures += has_failed;
            side->late_results += !has_failed;
        }
    }
    if (asked & ASKED_OPEN) {
        tasklet_reopen(t);
    } else {
        tasklet_stay_closed(t);
        if (!will_restart) {
            questions_refuse(t);
            monitors_tell(t, *ret_code);
        }
    }
    if (has_failed) {
        report_failure(t, is_begun, result);
        return SETTLED_GONE;
    }
    return asked & ASKED_OPEN ? SETTLED_OPEN : SETTLED_CLOSED;
}

enum settled tasklet_settle(mw_tasklet *t, int result, int *ret_code)
{
    *ret_code = 0;
    if (t->kind == TASKLET_COROUTINE) {
        if (t->attention & LOOK && site_has_small_stack(t->site))
            tasklet_look_at_stack(t);
        if (t->attention & LOOK && t->state == TASKLET_IDLE) {
            if (!site_has_small_stack(t->site))
                t->attention &= (uint8_t)~LOOK;
            question_leave(t, -ENODATA); /* it went on without an answer */
        }
        if (t->state == TASKLET_IDLE)
            tasklet_rest(t);
        if (t->state != TASKLET_RUNNING)
            return SETTLED_OPEN;
        return coroutine_settle(t, ret_code);
    }
    if (t->kind == TASKLET_HANDLER && !t->closed && ends_unnoticed(t)) {
        tasklet_destroy(t);
        return SETTLED_GONE;
    }
    if (t->attention & LOOK && t->side && t->side->is_overrun) {
        t->side->is_overrun = false;
        result = result < 0 ? result : -EAGAIN;
    }
    if (result < 0 || t->attention & ASKED_ANY || (t->attention & FINISHING && t->count == 0))
        return tasklet_end(t, true, result, ret_code);
    if (t->attention & LOOK) {
        t->attention &= (uint8_t)~LOOK;
        question_leave(t, -ENODATA);
    }
    if (t->attention & STALLED) {
        t->attention &= (uint8_t)~STALLED;
        t->state = TASKLET_WAITING;
    } else {
        tasklet_rest(t);
    }
    return SETTLED_OPEN;
}

/* Resume one that has begun, so that it ends. */
ALWAYS_INLINE enum settled coroutine_shut(mw_tasklet *t, int passed)
{
    int code;

    t->coroutine->was_told |= t->state == TASKLET_IDLE; /* its receive gives false */
    tasklet_resume_last(t, passed);
    if (UNLIKELY(site_has_small_stack(t->site)))
        tasklet_look_at_stack(t);
    if (UNLIKELY(t->state != TASKLET_RUNNING && !(t->attention & ASKED_ANY)))
        return SETTLED_OPEN; /* finished, not closed: its close path may wait, and whoever resumes it sees it end */
    assert(t->state == TASKLET_RUNNING); /* every call that suspends returns at once while closing */
    return coroutine_settle(t, &code);
}

HOT enum settled tasklet_shut(mw_tasklet *t)
{
    bool is_begun = t->state != TASKLET_FRESH && t->state != TASKLET_CLOSED;
    int code;

    if (t->kind == TASKLET_COROUTINE && t->coroutine)
        return coroutine_shut(t, t->state == TASKLET_IDLE      ? 0 /* receive: false */
                                 : t->state == TASKLET_WAITING ? -ECANCELED
                                                               : t->coroutine->result);
    return tasklet_end(t, is_begun, 0, &code);
}

/* ---- the verbs -------------------------------------------------------------------------------- */
/* May t be changed by whoever runs now? From its own body: later. */
static int change_check(const mw_tasklet *t)
{
    if (!t)
        return -EINVAL;
    if (t->attention & ASKED_FREE)
        return -EPIPE;
    if (is_running(t) && mw_thread.current != t)
        return -EBUSY;
    return 0;
}

static int change_ask(mw_tasklet *t, unsigned bits)
{
    supervised_stop(t);
    t->attention = (uint8_t)((t->attention & ~(unsigned)ASKED_OPEN) | bits);
    if (is_running(t))
        t->allowance = 0; /* the next receive looks */
    else
        (void)tasklet_shut(t);
    return 0;
}

int mw_close(mw_tasklet *t)
{
    TASKLET_CHECK(t);
    int err = change_check(t);

    if (err < 0)
        return err;
    if (t->state != TASKLET_CLOSED)
        return change_ask(t, ASKED_CLOSE);
    if (tasklet_will_restart(t)) { /* no longer: now those who waited for that are told */
        supervised_stop(t);
        room_ended(t);
        questions_refuse(t);
        monitors_tell(t, 0);
    }
    return 0;
}

int mw_finish(mw_tasklet *t)
{
    TASKLET_CHECK(t);
    int err = change_check(t);

    if (err < 0)
        return err;
    t->attention |= FINISHING;
    mailbox_update_room(t);
    if (t->count == 0 && (t->state == TASKLET_IDLE || t->state == TASKLET_FRESH))
        (void)tasklet_shut(t);
    return 0;
}

int mw_restart(mw_tasklet *t, bool keep_queue)
{
    TASKLET_CHECK(t);
    int err = change_check(t);

    return err < 0 ? err : change_ask(t, ASKED_CLOSE | ASKED_OPEN | (keep_queue ? 0u : ASKED_CLEAR));
}

static int change_refuse(struct mw_scope scope, int err)
{
    if (scope.release)
        scope.release(scope.data);
    return err;
}

/* Note scope (and body) for when the body has returned; a scope noted before was never used and goes now. */
static int change_replace(mw_tasklet *t, const struct replacement *next, unsigned bits)
{
    int err = change_check(t);
    struct tasklet_side *side;
    struct replacement before;

    if (err == 0 && t->kind == TASKLET_MESH)
        err = -ENOTSUP;
    side = err < 0 ? NULL : tasklet_side(t);
    if (!side)
        return change_refuse(next->scope, err < 0 ? err : -ENOMEM);
    before = side->next;
    side->next.scope = next->scope;
    side->next.has_scope = true;
    if (next->has_body)
        side->next = *next;
    err = change_ask(t, ASKED_REPLACE | ASKED_CLOSE | ASKED_OPEN | bits);
    if (before.has_scope && before.scope.release)
        before.scope.release(before.scope.data);
    return err;
}

int mw_set_as(mw_tasklet *t, const char *name, mw_body *body, mw_scope takes)
{
    struct replacement next = {.has_body = true, .name = name, .kind = body ? TASKLET_COROUTINE : TASKLET_NULL,
                               .body = body, .has_scope = true, .scope = takes};

    TASKLET_CHECK(t);
    return change_replace(t, &next, ASKED_CLEAR);
}

int mw_set_handler_as(mw_tasklet *t, const char *name, mw_handler *handler, mw_scope takes)
{
    struct replacement next = {.has_body = true, .name = name, .kind = handler ? TASKLET_HANDLER : TASKLET_NULL,
                               .handler = handler, .has_scope = true, .scope = takes};

    TASKLET_CHECK(t);
    return change_replace(t, &next, ASKED_CLEAR);
}

int(mw_set)(mw_tasklet *t, mw_body *body, mw_scope takes)
{
    return mw_set_as(t, NULL, body, takes);
}

int(mw_set_handler)(mw_tasklet *t, mw_handler *handler, mw_scope takes)
{
    return mw_set_handler_as(t, NULL, handler, takes);
}

int mw_rescope(mw_tasklet *t, mw_scope takes)
{
    struct replacement next = {.has_scope = true, .scope = takes};

    TASKLET_CHECK(t);
    return change_replace(t, &next, 0);
}

/* Nothing of it runs at its end, and nobody is told: most of those that live for a few items. */
static bool is_plain(const mw_tasklet *t)
{
    uint8_t state = byte_alone(t->state), kind = byte_alone(t->kind);

    return (state == TASKLET_FRESH || state == TASKLET_CLOSED || (state == TASKLET_IDLE && kind == TASKLET_HANDLER && !t->closed)) &&
           kind != TASKLET_MESH && !t->side && t->count == 0 && !t->mesh->on_end;
}

/* Not inlined, so that the others need no frame; it returns to whoever called the verb. */
static COLD HOT void free_parked(mw_tasklet *t)
{
    (void)coroutine_shut(t, 0); /* here, without a function between the switch and the return */
}

HOT void mw_tasklet_free(mw_tasklet *t)
{
    bool is_parked, runs;

    TASKLET_CHECK(t);
    if (!t)
        return;
    runs = byte_alone(t->state) == TASKLET_RUNNING;
    is_parked = byte_alone(t->state) == TASKLET_IDLE && byte_alone(t->kind) == TASKLET_COROUTINE;
    if (!runs && !is_parked && is_plain(t)) {
        tasklet_destroy(t);
        return;
    }
    condition_set(t, t->condition | CONDITION_OF(0, 0, 0, ASKED_FREE));
    t->allowance = 0;
    t->plain_room = 0;
    if (is_parked)
        free_parked(t);
    else if (!runs)
        (void)tasklet_shut(t);
}
