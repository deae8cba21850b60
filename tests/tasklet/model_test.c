/* Random programs of verbs, from outside and from inside bodies, against a reference model that keeps plain arrays:
 * what happens, in which order, and what every verb answers must be the same. usage: model_test [SEED]
 * SPDX-License-Identifier: MIT */
#include <meshwork/tasklet.h>

#include <errno.h>
#include <stdlib.h>

#include "check.h"

enum { TASKLETS = 5, CAPACITY = 6, STEPS = 1000000, LOG = 100000 };
enum action { NOTHING, SEND, FAIL, CLOSE_SELF, RESTART_SELF, RESCOPE_SELF, NEXT_OTHER, PASS_OTHER, CLOSE_OTHER, FLUSH_OTHER,
              FINISH_SELF, TAKE, CLEAR_SELF, ACTIONS };
enum verb { V_SEND, V_NEXT, V_LAST, V_FLUSH, V_CLEAR, V_PASS, V_START, V_CLOSE, V_FINISH, V_RESTART, V_RESTART_KEEP,
            V_RESCOPE, V_SET, V_SET_HANDLER, V_OFFER, VERBS };
enum event { SETUP = -1, CLOSED = -2, RESULT = -1000 }; /* items are 0 and up */

struct record {
    int64_t events[LOG];
    size_t count;
};
static struct record got, want;

static void note(struct record *r, int who, int64_t what)
{
    CHECK(r->count < LOG);
    r->events[r->count++] = what * 16 + who;
}

static uint64_t random_state;
static unsigned random_below(unsigned n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % n;
}

/* An item says what its receiver does: the action, the other tasklet, an item to send. It shrinks, so that all ends. */
static int64_t make_item(int depth)
{
    int64_t action = random_below(2) ? NOTHING : random_below(ACTIONS);

    return action + ACTIONS * (random_below(TASKLETS) + (depth > 0 ? TASKLETS * make_item(depth - 1) : 0));
}
static enum action action_of(int64_t item)
{
    return (enum action)(item % ACTIONS);
}
static int other_of(int64_t item)
{
    return (int)(item / ACTIONS % TASKLETS);
}
static int64_t rest_of(int64_t item)
{
    return item / ACTIONS / TASKLETS;
}

/* ---- the model -------------------------------------------------------------------------------------------- */
struct model {
    bool is_handler, is_fresh, is_closed, is_finishing, is_running;
    bool close_asked, open_asked, clear_asked;
    int64_t queue[CAPACITY];
    int count, taken;
};
static struct model model[TASKLETS];

static int m_act(int t, int64_t item);

static void m_close(int t, bool runs_close_path)
{
    struct model *m = &model[t];

    if (runs_close_path)
        note(&want, t, CLOSED);
    m->is_closed = !m->open_asked;
    if (m->clear_asked)
        m->count = 0;
    m->is_fresh = m->open_asked;
    if (m->open_asked)
        m->is_finishing = false;
    m->close_asked = m->open_asked = m->clear_asked = false;
}

static int m_ask(int t, bool opens, bool clears)
{
    struct model *m = &model[t];

    m->close_asked = true;
    m->open_asked = opens;
    m->clear_asked = m->clear_asked || clears;
    if (!m->is_running)
        m_close(t, !m->is_fresh && !m->is_closed);
    return 0;
}

static int m_prepare(int t)
{
    struct model *m = &model[t];

    if (m->is_running)
        return -EBUSY;
    if (m->is_closed)
        return 0;
    if (m->is_fresh && !m->is_handler) {
        m->is_fresh = false;
        note(&want, t, SETUP);
        if (m->is_finishing && m->count == 0)
            m_close(t, true);
    }
    return !m->is_closed;
}

static int m_hand(int t, int64_t item)
{
    struct model *m = &model[t];
    int err;

    m->is_fresh = false;
    m->is_running = true;
    note(&want, t, item);
    err = m_act(t, item);
    m->is_running = false;
    if (err < 0 && !m->close_asked) {
        m_close(t, m->is_handler);
        return err;
    }
    if (m->close_asked || err < 0 || (m->is_finishing && m->count == 0))
        m_close(t, m->is_handler || err == 0);
    return 0;
}

static int m_send(int t, int64_t item)
{
    struct model *m = &model[t];

    if (m->is_finishing)
        return -EPIPE;
    if (m->count == CAPACITY)
        return m->is_closed ? -EPIPE : -EAGAIN;
    m->queue[m->count++] = item;
    return 0;
}

static int64_t m_pop(int t, bool last)
{
    struct model *m = &model[t];
    int64_t item = m->queue[last ? m->count - 1 : 0];

    m->count--;
    if (!last)
        memmove(m->queue, m->queue + 1, (size_t)m->count * sizeof(m->queue[0]));
    return item;
}

static int m_step(int t, bool last)
{
    int err = m_prepare(t);

    if (err <= 0 || model[t].count == 0)
        return err < 0 ? err : 0;
    err = m_hand(t, m_pop(t, last));
    return err < 0 ? err : 1;
}

static int m_flush(int t)
{
    int err = m_prepare(t), count = 0, taken = model[t].taken;

    if (err <= 0)
        return err;
    /* One that opened itself again is another body: the flush of the old one is over. */
    while (!model[t].is_closed && !model[t].is_fresh && model[t].count > 0) {
        err = m_hand(t, m_pop(t, false));
        if (err < 0)
            return err;
        count++;
    }
    return count + model[t].taken - taken; /* what the body took by itself included */
}

static int m_first_flush(int t)
{
    struct model *m = &model[t];

    if (!m->is_running && !m->is_closed && m->is_fresh && m->is_handler && m->count > 0)
        m->is_fresh = false;
    return m_flush(t);
}

static int m_pass(int t, int64_t item)
{
    int err;

    if (model[t].is_closed || model[t].is_finishing)
        return -EPIPE;
    err = m_prepare(t);
    return err <= 0 ? (err < 0 ? err : -EPIPE) : m_hand(t, item);
}

static int m_clear(int t)
{
    int count = model[t].count;
    struct model *m = &model[t];

    m->count = 0;
    if (m->is_finishing && !m->is_running && !m->is_closed)
        m_close(t, !m->is_fresh);
    return count;
}

static int m_finish(int t)
{
    struct model *m = &model[t];

    m->is_finishing = true;
    if (m->count == 0 && !m->is_running && !m->is_closed)
        m_close(t, !m->is_fresh);
    return 0;
}

static int m_act(int t, int64_t item)
{
    int other = other_of(item), result = 0;
    bool is_free = !model[other].is_running;

    switch (action_of(item)) {
    case SEND: result = m_send(other, rest_of(item)); break;
    case FAIL: return -EIO;
    case CLOSE_SELF: result = m_ask(t, false, false); break;
    case RESTART_SELF: result = m_ask(t, true, other & 1); break;
    case RESCOPE_SELF: result = m_ask(t, true, false); break;
    case NEXT_OTHER: result = m_step(other, false); break;
    case PASS_OTHER: result = m_pass(other, rest_of(item)); break;
    case CLOSE_OTHER:
        result = other == t ? m_ask(t, false, false)
                 : !is_free ? -EBUSY : model[other].is_closed ? 0 : m_ask(other, false, false);
        break;
    case FLUSH_OTHER: result = m_first_flush(other); break;
    case FINISH_SELF: result = m_finish(t); break;
    case TAKE:
        result = model[t].count > 0;
        model[t].taken += result;
        if (result)
            note(&want, t, m_pop(t, false));
        break;
    case CLEAR_SELF: result = m_clear(t); break;
    case NOTHING:
    case ACTIONS: break;
    }
    note(&want, t, RESULT + result);
    return 0;
}

/* ---- the real thing ------------------------------------------------------------------------------------------- */
static mw_tasklet *tasklets[TASKLETS];

static int act(mw_tasklet *self, int t, int64_t item)
{
    mw_tasklet *other = tasklets[other_of(item)];
    int result = 0;
    mw_value taken;

    switch (action_of(item)) {
    case SEND: result = mw_send(other, mw_int(rest_of(item))); break;
    case FAIL: return -EIO;
    case CLOSE_SELF: result = mw_close(self); break;
    case RESTART_SELF: result = mw_restart(self, !(other_of(item) & 1)); break;
    case RESCOPE_SELF: result = mw_rescope(self, (mw_scope){.data = mw_tasklet_scope(self)}); break;
    case NEXT_OTHER: result = mw_next(other); break;
    case PASS_OTHER: result = mw_pass(other, mw_int(rest_of(item))); break;
    case CLOSE_OTHER: result = mw_close(other); break;
    case FLUSH_OTHER: result = mw_flush(other); break;
    case FINISH_SELF: result = mw_finish(self); break;
    case TAKE:
        result = mw_take(self, &taken);
        if (result)
            note(&got, t, taken.as.integer);
        break;
    case CLEAR_SELF: result = mw_clear(self); break;
    case NOTHING:
    case ACTIONS: break;
    }
    note(&got, t, RESULT + result);
    return 0;
}

static int coroutine_body(mw_tasklet *self, void *scope)
{
    int t = (int)(intptr_t)scope, err;
    mw_value item;

    note(&got, t, SETUP);
    while (mw_receive(self, &item)) {
        note(&got, t, item.as.integer);
        err = act(self, t, item.as.integer);
        if (err < 0)
            return err;
    }
    note(&got, t, CLOSED);
    return 0;
}

static int handler_body(mw_tasklet *self, void *scope, mw_value item)
{
    note(&got, (int)(intptr_t)scope, item.as.integer);
    return act(self, (int)(intptr_t)scope, item.as.integer);
}

static void handler_closed(mw_tasklet *self, void *scope)
{
    (void)self;
    note(&got, (int)(intptr_t)scope, CLOSED);
}

static int apply_model(enum verb verb, int t, int64_t item)
{
    struct model *m = &model[t];

    switch (verb) {
    case V_SEND:
    case V_OFFER: return m_send(t, item);
    case V_NEXT: return m_step(t, false);
    case V_LAST: return m_step(t, true);
    case V_FLUSH: return m_first_flush(t);
    case V_CLEAR: return m_clear(t);
    case V_PASS: return m_pass(t, item);
    case V_START: return m->is_closed ? -EPIPE : (m_prepare(t), 0);
    case V_CLOSE: return m->is_closed ? 0 : m_ask(t, false, false);
    case V_FINISH: return m_finish(t);
    case V_RESTART: return m_ask(t, true, true);
    case V_RESTART_KEEP:
    case V_RESCOPE: return m_ask(t, true, false);
    case V_SET: /* keeps its kind here: a handler set anew has no close path */
    case V_SET_HANDLER:
        m_ask(t, true, true);
        m->is_handler = false;
        return 0;
    case VERBS: break;
    }
    return 0;
}

static int apply_real(enum verb verb, int t, int64_t item)
{
    mw_tasklet *r = tasklets[t];
    mw_scope scope = {.data = (void *)(intptr_t)t};
    mw_value value = mw_int(item);

    switch (verb) {
    case V_SEND: return mw_send(r, value);
    case V_OFFER: return mw_offer(r, &value);
    case V_NEXT: return mw_next(r);
    case V_LAST: return mw_last(r);
    case V_FLUSH: return mw_flush(r);
    case V_CLEAR: return mw_clear(r);
    case V_PASS: return mw_pass(r, value);
    case V_START: return mw_start(r);
    case V_CLOSE: return mw_close(r);
    case V_FINISH: return mw_finish(r);
    case V_RESTART: return mw_restart(r, false);
    case V_RESTART_KEEP: return mw_restart(r, true);
    case V_RESCOPE: return mw_rescope(r, scope);
    case V_SET:
    case V_SET_HANDLER: return mw_set(r, coroutine_body, scope);
    case VERBS: break;
    }
    return 0;
}

static void check_same(unsigned step, enum verb verb, int t)
{
    size_t i;

    for (i = 0; i < got.count && i < want.count; i++) {
        if (got.events[i] != want.events[i]) {
            fprintf(stderr, "step %u: verb %d on %d: event %zu\n", step, (int)verb, t, i);
            CHECK_INT(got.events[i], want.events[i]);
        }
    }
    CHECK_INT(got.count, want.count);
    for (t = 0; t < TASKLETS; t++) {
        CHECK_INT(mw_is_closed(tasklets[t]), model[t].is_closed);
        CHECK_INT(mw_tasklet_stats(tasklets[t]).queued_items, model[t].count);
    }
    got.count = want.count = 0;
}

static void open_tasklet(int t, bool is_handler)
{
    mw_tasklet_options options = {.size = sizeof(options), .mailbox_items = CAPACITY, .overflow = MW_REFUSE,
                                  .scope.data = (void *)(intptr_t)t, .closed = is_handler ? handler_closed : NULL};

    tasklets[t] = mw_tasklet_open(is_handler ? NULL : coroutine_body, is_handler ? handler_body : NULL, &options);
    CHECK(tasklets[t] != NULL);
    model[t] = (struct model){.is_handler = is_handler, .is_fresh = true};
}

static void random_programs_do_what_the_model_says(void)
{
    unsigned step;
    int t;

    for (t = 0; t < TASKLETS; t++)
        open_tasklet(t, t % 2);
    for (step = 0; step < STEPS; step++) {
        enum verb verb = random_below(3) ? (random_below(2) ? V_SEND : V_NEXT) : (enum verb)random_below(VERBS);
        int64_t item = make_item(6);
        int expected, result;

        t = (int)random_below(TASKLETS);
        if (verb >= V_SET && verb <= V_SET_HANDLER && random_below(50)) /* seldom: they end as coroutines */
            verb = V_RESCOPE;
        expected = apply_model(verb, t, item);
        result = apply_real(verb, t, item);
        if (result != expected)
            fprintf(stderr, "step %u: verb %d on %d answers\n", step, (int)verb, t);
        CHECK_INT(result, expected);
        check_same(step, verb, t);
        if (random_below(300) == 0) {
            t = (int)random_below(TASKLETS);
            mw_tasklet_free(tasklets[t]);
            open_tasklet(t, random_below(2));
            got.count = 0;
        }
    }
    for (t = 0; t < TASKLETS; t++)
        mw_tasklet_free(tasklets[t]);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {TEST(random_programs_do_what_the_model_says)};

    random_state = argc > 1 ? strtoull(argv[1], NULL, 10) : 20121109;
    (void)argc;
    return mw_test_main(1, argv, tests, MW_COUNT(tests));
}
