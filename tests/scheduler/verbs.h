/* Every public verb over a tasklet, called from anywhere on a tasklet in any state: what verb_matrix_test.c and torture_test.c share.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_SCHEDULER_VERBS_H
#define TEST_SCHEDULER_VERBS_H

#include <meshwork/graph.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"

/* Who calls, and in which state the target is. */
enum cell {
    OUT_FRESH, OUT_IDLE, OUT_FULL, OUT_CLOSED,         /* the host */
    OTHER_FRESH, OTHER_IDLE, OTHER_FULL, OTHER_CLOSED, /* the body of another tasklet, a coroutine */
    SELF_RUNNING, SELF_CLOSING,                        /* its own body, in its loop or in its close path */
    CELLS,
};
enum shape { COROUTINE, HANDLER, SHAPES };

struct stage;
struct verb {
    const char *name;
    int (*call)(struct stage *g, mw_tasklet *t); /* 0 and up, or a negative code */
    bool is_last; /* the target may not be touched after it */
};

/* A mesh with a target, another tasklet that calls, and a third that is named in verbs. */
struct stage {
    mw_scheduler *s, *other, *previous;
    mw_tasklet *target, *caller, *third;
    mw_value item;      /* for the next call, which takes it */
    int scopes, items_live;
    int64_t now_ns, id;
    const struct verb *verb;
    void (*act)(struct stage *g, mw_tasklet *t); /* what is done where the cell says; the test's */
    int results[2];
    int result_count;
    bool acts_at_close;
    char before[600], after[600]; /* torture_test.c */
    int64_t fail_at;
};

static const char stage_text[] = "a text that is longer than what fits inside a value";

/* ---- verbs ---------------------------------------------------------------------------------------------- */
static void stage_scope_free(void *data)
{
    --*(int *)data;
}

/* No allocation: the failing one is to be the verb's. */
static mw_scope stage_scope(struct stage *g)
{
    g->scopes++;
    return (mw_scope){&g->scopes, stage_scope_free};
}

static int stage_body(mw_tasklet *self, void *scope);
static int stage_handler(mw_tasklet *self, void *scope, mw_value takes_item);
static struct stage *stage_now;
static bool stage_has_priorities; /* the mesh is a priority scheduler */

static mw_value stage_item(struct stage *g)
{
    return mw_share(g->item);
}

static int v_send(struct stage *g, mw_tasklet *t) { return mw_send(t, stage_item(g)); }
static int v_pass(struct stage *g, mw_tasklet *t) { return mw_pass(t, stage_item(g)); }
static int v_start(struct stage *g, mw_tasklet *t) { (void)g; return mw_start(t); }
static int v_next(struct stage *g, mw_tasklet *t) { (void)g; return mw_next(t); }
static int v_last(struct stage *g, mw_tasklet *t) { (void)g; return mw_last(t); }
static int v_flush(struct stage *g, mw_tasklet *t) { (void)g; return mw_flush(t); }
static int v_clear(struct stage *g, mw_tasklet *t) { (void)g; return mw_clear(t); }
static int v_set(struct stage *g, mw_tasklet *t) { return mw_set(t, stage_body, stage_scope(g)); }
static int v_set_handler(struct stage *g, mw_tasklet *t) { return mw_set_handler(t, stage_handler, stage_scope(g)); }
static int v_set_null(struct stage *g, mw_tasklet *t) { return mw_set(t, NULL, stage_scope(g)); }
static int v_rescope(struct stage *g, mw_tasklet *t) { return mw_rescope(t, stage_scope(g)); }
static int v_restart(struct stage *g, mw_tasklet *t) { (void)g; return mw_restart(t, false); }
static int v_restart_keep(struct stage *g, mw_tasklet *t) { (void)g; return mw_restart(t, true); }
static int v_close(struct stage *g, mw_tasklet *t) { (void)g; return mw_close(t); }
static int v_finish(struct stage *g, mw_tasklet *t) { (void)g; return mw_finish(t); }
static int v_sleep(struct stage *g, mw_tasklet *t) { return mw_sleep_until(t, g->now_ns + 1); }
static int v_set_name(struct stage *g, mw_tasklet *t) { (void)g; return mw_tasklet_set_name(t, stage_text); }
static int v_set_priority(struct stage *g, mw_tasklet *t) { (void)g; return mw_set_priority(t, 7); }
static int v_add(struct stage *g, mw_tasklet *t) { return mw_scheduler_add(g->other, t); }
static int v_pause(struct stage *g, mw_tasklet *t) { (void)t; return mw_scheduler_pause(g->s) + mw_scheduler_resume(g->s); }
static int v_turn(struct stage *g, mw_tasklet *t) { (void)t; return mw_scheduler_turn(g->s); }
static int v_step(struct stage *g, mw_tasklet *t) { (void)t; return mw_scheduler_step(g->s); }
static int v_answer(struct stage *g, mw_tasklet *t) { return mw_answer(t, stage_item(g)); }

static int v_offer(struct stage *g, mw_tasklet *t)
{
    mw_value item = stage_item(g);
    int result = mw_offer(t, &item);

    CHECK_INT(item.kind, result == 0 ? MW_NULL : MW_TEXT); /* taken, or as it was */
    mw_release(item);
    return result;
}

static int v_next_item(struct stage *g, mw_tasklet *t)
{
    mw_value item = mw_null();
    int result = mw_next_item(t, &item);

    (void)g;
    mw_release(item);
    return result;
}

static int v_take(struct stage *g, mw_tasklet *t)
{
    mw_value item;

    (void)g;
    if (!mw_take(t, &item))
        return 0;
    mw_release(item);
    return 1;
}

static int v_send_at(struct stage *g, mw_tasklet *t)
{
    g->id = mw_send_at(t, stage_item(g), g->now_ns + 5);
    return g->id < 0 ? (int)g->id : mw_unsend(t, g->id);
}

static int v_send_later(struct stage *g, mw_tasklet *t)
{
    int64_t id = mw_send_at(t, stage_item(g), g->now_ns + 5);

    return id < 0 ? (int)id : 1;
}

static int v_ask(struct stage *g, mw_tasklet *t)
{
    mw_value answer;
    int result = mw_ask(t, stage_item(g), g->now_ns + 9, &answer);

    if (result == 0)
        mw_release(answer);
    return result;
}

static int v_ask_to(struct stage *g, mw_tasklet *t)
{
    int64_t id = mw_ask_to(t, stage_item(g), g->now_ns + 9, g->third);

    return id < 0 ? (int)id : 1;
}

static int v_question_keep(struct stage *g, mw_tasklet *t)
{
    mw_question *q = mw_question_keep(t);

    (void)g;
    mw_question_drop(q);
    return q != NULL;
}

static int v_supervise(struct stage *g, mw_tasklet *t)
{
    static const struct mw_supervision rules = {.size = sizeof(rules), .restarts = 3};

    (void)g;
    return mw_supervise(t, &rules);
}

static int v_monitor(struct stage *g, mw_tasklet *t)
{
    int64_t id = mw_monitor(t, g->third);

    return id < 0 ? (int)id : 1;
}

static int v_address(struct stage *g, mw_tasklet *t)
{
    mw_address *a = mw_tasklet_address(t);
    int result = a ? mw_post(a, stage_item(g)) : -ENOMEM;

    mw_address_unref(a);
    return result;
}

static int v_new(struct stage *g, mw_tasklet *t)
{
    mw_tasklet *made = mw_tasklet_open(stage_body, NULL,
                                       &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .name = stage_text, .scope = stage_scope(g)});

    (void)t;
    mw_tasklet_free(made);
    return made ? 0 : -ENOMEM;
}

static int v_nest(struct stage *g, mw_tasklet *t)
{
    mw_tasklet *stands_for = mw_scheduler_tasklet(g->other);

    (void)t;
    mw_tasklet_free(stands_for);
    return stands_for ? 0 : -ENOMEM;
}

static int v_new_scheduler(struct stage *g, mw_tasklet *t)
{
    mw_scheduler *one = mw_taskmaster_new(), *two = one ? mw_priority_scheduler_new(false) : NULL;
    int result = one && two ? mw_scheduler_set_inbox(two, 100) : -ENOMEM;

    (void)g, (void)t;
    mw_scheduler_free(one);
    mw_scheduler_free(two);
    return result;
}

static int v_order(struct stage *g, mw_tasklet *t)
{
    int result = mw_scheduler_set_order(g->other, MW_ORDER_NEWEST) + mw_scheduler_set_seed(g->other, 3);

    (void)t;
    return result + mw_scheduler_set_seed(g->other, 0) + mw_scheduler_set_order(g->other, MW_ORDER_ROUNDS);
}

static int v_dump(struct stage *g, mw_tasklet *t)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), result = mw_scheduler_dump(g->s, fd) + mw_scheduler_dump_json(g->s, fd);

    (void)t;
    mw_dump(fd);
    (void)close(fd);
    return result;
}

static int v_trace_text(struct stage *g, mw_tasklet *t)
{
    mw_value text = mw_trace_text(&(struct mw_trace_event){.kind = MW_TRACE_ITEM, .tasklet = g->caller, .item = &g->item});
    mw_value json = mw_trace_json(&(struct mw_trace_event){.kind = MW_TRACE_ITEM, .tasklet = g->caller, .item = &g->item});
    int result = text.kind == MW_MISSING || json.kind == MW_MISSING ? -ENOMEM : 0;

    (void)t;
    mw_release(text);
    mw_release(json);
    return result;
}

static int v_graph(struct stage *g, mw_tasklet *t)
{
    int result = mw_graph_start(g->s, 1);

    (void)t;
    return result < 0 ? result : mw_graph_stop(g->s);
}

static int v_free(struct stage *g, mw_tasklet *t)
{
    g->target = NULL;
    mw_tasklet_free(t);
    return 0;
}

static const struct verb stage_verbs[] = {
    {"send", v_send, false}, {"offer", v_offer, false}, {"pass", v_pass, false}, {"start", v_start, false}, {"next", v_next, false},
    {"next_item", v_next_item, false}, {"last", v_last, false}, {"flush", v_flush, false}, {"clear", v_clear, false},
    {"take", v_take, false}, {"set", v_set, false}, {"set_handler", v_set_handler, false}, {"set null", v_set_null, false},
    {"rescope", v_rescope, false}, {"restart", v_restart, false}, {"restart, kept", v_restart_keep, false}, {"close", v_close, false},
    {"finish", v_finish, false}, {"sleep", v_sleep, false}, {"send_at, unsend", v_send_at, false}, {"send_at", v_send_later, false},
    {"ask", v_ask, false}, {"ask_to", v_ask_to, false}, {"answer", v_answer, false}, {"question_keep", v_question_keep, false},
    {"supervise", v_supervise, false}, {"monitor", v_monitor, false}, {"address, post", v_address, false}, {"set_name", v_set_name, false},
    {"set_priority", v_set_priority, false}, {"add", v_add, false}, {"pause, resume", v_pause, false}, {"turn", v_turn, false},
    {"step", v_step, false}, {"new", v_new, false}, {"nest", v_nest, false}, {"graph", v_graph, false},
    {"new scheduler", v_new_scheduler, false}, {"set_order", v_order, false}, {"dump", v_dump, false}, {"trace", v_trace_text, false},
    {"free", v_free, true},
};

/* ---- bodies --------------------------------------------------------------------------------------------- */
/* Those of the target also serve what verbs put in its place: these act no more. */
static int stage_handler(mw_tasklet *self, void *scope, mw_value takes_item)
{
    struct stage *g = stage_now;
    bool is_call = takes_item.kind == MW_BOOL;

    (void)scope;
    mw_release(takes_item);
    if (is_call)
        g->act(g, self == g->caller ? g->target : self);
    return 0;
}

static void stage_closed(mw_tasklet *self, void *scope)
{
    struct stage *g = stage_now;

    (void)scope;
    if (!g->acts_at_close || self != g->target)
        return;
    g->acts_at_close = false;
    g->act(g, self);
}

static int stage_body(mw_tasklet *self, void *scope)
{
    mw_value item;

    while (mw_receive(self, &item))
        (void)stage_handler(self, scope, item);
    stage_closed(self, scope);
    return 0;
}

/* ---- a stage -------------------------------------------------------------------------------------------- */
static int64_t stage_clock(void *context)
{
    return ((struct stage *)context)->now_ns;
}

static int stage_idle(void *context, int64_t deadline_ns)
{
    struct stage *g = context;

    if (deadline_ns == MW_FOREVER)
        return -ECANCELED;
    g->now_ns = deadline_ns > g->now_ns ? deadline_ns : g->now_ns;
    return 0;
}

static mw_tasklet *stage_tasklet(enum shape shape, const char *name)
{
    mw_tasklet_options o = {.size = sizeof(o), .name = name, .mailbox_items = 2};

    o.closed = shape == HANDLER ? stage_closed : NULL;
    return mw_tasklet_open(shape == HANDLER ? NULL : stage_body, shape == HANDLER ? stage_handler : NULL, &o);
}

static void stage_open(struct stage *g, enum shape shape, const struct verb *verb)
{
    *g = (struct stage){.verb = verb, .s = stage_has_priorities ? mw_priority_scheduler_new(true) : mw_taskmaster_new(), .other = mw_taskmaster_new(), .item = mw_text(stage_text), .now_ns = 100};
    stage_now = g;
    CHECK(g->s && g->other);
    CHECK_INT(mw_scheduler_set_clock(g->s, stage_clock, g), 0);
    CHECK_INT(mw_scheduler_set_clock(g->other, stage_clock, g), 0);
    mw_scheduler_on_idle(g->s, stage_idle, g);
    mw_scheduler_on_idle(g->other, stage_idle, g);
    g->previous = mw_scheduler_enter(g->s);
    g->target = stage_tasklet(shape, "target");
    g->caller = stage_tasklet(COROUTINE, "caller");
    g->third = mw_handler_new(stage_handler, NULL);
    CHECK(g->target && g->caller && g->third);
    CHECK_INT(mw_start(g->caller), 0);
}

static void stage_close(struct stage *g)
{
    g->acts_at_close = false;
    mw_scheduler_leave(g->previous);
    mw_scheduler_free(g->s);
    mw_scheduler_free(g->other);
    mw_release(g->item);
    CHECK_INT(g->scopes, 0);
}

/* Bring the target to where the cell wants it, and have the test's act done from there. */
static void stage_run(struct stage *g, enum cell cell)
{
    enum cell state = cell >= OTHER_FRESH && cell <= OTHER_CLOSED ? cell - OTHER_FRESH + OUT_FRESH : cell;

    if (state != OUT_FRESH)
        CHECK_INT(mw_pass(g->target, mw_int(0)), 0); /* its body has run */
    if (state == OUT_FULL) {
        CHECK_INT(mw_send(g->target, mw_int(1)), 0);
        CHECK_INT(mw_send(g->target, mw_int(2)), 0);
    }
    if (state == OUT_CLOSED)
        CHECK_INT(mw_close(g->target), 0);
    if (cell <= OUT_CLOSED) {
        g->act(g, g->target);
    } else if (cell <= OTHER_CLOSED) {
        CHECK_INT(mw_pass(g->caller, mw_bool(true)), 0);
    } else if (cell == SELF_RUNNING) {
        CHECK_INT(mw_pass(g->target, mw_bool(true)), 0);
    } else {
        g->acts_at_close = true;
        CHECK_INT(mw_close(g->target), 0);
    }
    CHECK(mw_scheduler_run(g->s) >= 0);
    CHECK(mw_scheduler_run(g->other) >= 0);
    CHECK(mw_scheduler_run(g->s) >= 0);
}

#endif
