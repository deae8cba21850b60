/* Every order in which the steps of an inbox can happen, on a memory that is sequentially consistent and on one with store buffers
 * (TSO, as x86 has it): inbox.c itself is compiled here, with its atomic operations as steps of coroutines, and a search goes
 * through all states that they can reach. A lost wake-up shows as a state in which nobody can go on.
 * Read next: src/tasklet/inbox.c.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "coroutine/coroutine.h"
#include "tasklet/inbox.h"

/* ---- the machine ------------------------------------------------------------------------------------------- */
enum { THREADS_MOST = 3, BUFFER_MOST = 16, CHOICES_MOST = 400, CELLS_MOST = 16, VISITED = 1 << 22 };

/* A memory cell that steps look at: its address is its name. */
struct cell {
    void *at;
    uint64_t value;
};
struct pending {
    void *at;
    uint64_t value;
};
struct virtual_thread {
    struct coroutine *c;
    void (*body)(void *argument);
    void *argument;
    bool has_begun, is_over;
    bool is_waiting;           /* in a futex */
    bool waits_for_others;     /* it spins: whether it goes on depends on what others do */
    uint64_t seen;             /* a hash of all that it has read: with its program, its state */
    struct pending buffer[BUFFER_MOST];
    int pending_count;
};
static struct {
    struct virtual_thread threads[THREADS_MOST];
    int thread_count, running;
    struct cell cells[CELLS_MOST];
    int cell_count;
    bool has_buffers;          /* TSO; else sequentially consistent */
    bool is_weakened;          /* for the test of this test: what an exchange writes is buffered too */
    /* The path: at each step, which of those that were possible. */
    int choices[CHOICES_MOST], options[CHOICES_MOST], depth, length;
    uint64_t *visited;
    int64_t states, paths;
    bool is_stuck;             /* a state was found in which nobody can go on */
} machine;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static struct cell *cell_of(void *at)
{
    int i;

    for (i = 0; i < machine.cell_count; i++)
        if (machine.cells[i].at == at)
            return &machine.cells[i];
    CHECK(machine.cell_count < CELLS_MOST);
    machine.cells[machine.cell_count] = (struct cell){at, 0};
    return &machine.cells[machine.cell_count++];
}

static struct virtual_thread *me(void)
{
    return &machine.threads[machine.running];
}

/* Before each step: let the search decide who goes on. Outside of it (setting up) there is only one. */
static void step(void)
{
    if (machine.running < 0)
        return;
    me()->seen = mix(me()->seen, 1); /* it is one step further */
    (void)coroutine_leave(me()->c);
}

static void note_seen(uint64_t value)
{
    if (machine.running >= 0)
        me()->seen = mix(me()->seen, value);
}

static uint64_t cell_read(void *at)
{
    int i;

    for (i = machine.running >= 0 ? me()->pending_count : 0; i-- > 0;)
        if (me()->buffer[i].at == at)
            return me()->buffer[i].value;
    return cell_of(at)->value;
}

static void drain_one(struct virtual_thread *t)
{
    cell_of(t->buffer[0].at)->value = t->buffer[0].value;
    memmove(t->buffer, t->buffer + 1, (size_t)--t->pending_count * sizeof(t->buffer[0]));
}

static void drain_all(void)
{
    while (machine.running >= 0 && me()->pending_count > 0)
        drain_one(me());
}

static uint64_t step_load(void *at)
{
    uint64_t value;

    step();
    value = cell_read(at);
    note_seen(value);
    return value;
}

static void step_store(void *at, uint64_t value, bool is_strong)
{
    step();
    note_seen(value);
    if (machine.running < 0 || !machine.has_buffers || is_strong) {
        drain_all();
        cell_of(at)->value = value;
        return;
    }
    CHECK(me()->pending_count < BUFFER_MOST);
    me()->buffer[me()->pending_count++] = (struct pending){at, value};
}

static uint64_t step_exchange(void *at, uint64_t value)
{
    uint64_t before;

    step();
    drain_all();
    before = cell_of(at)->value;
    note_seen(before);
    if (machine.running >= 0 && machine.is_weakened)
        me()->buffer[me()->pending_count++] = (struct pending){at, value};
    else
        cell_of(at)->value = value;
    return before;
}

static uint64_t step_add(void *at, uint64_t more)
{
    uint64_t before;

    step();
    drain_all();
    before = cell_of(at)->value;
    note_seen(before);
    cell_of(at)->value = before + more;
    return before;
}

static bool step_compare(void *at, uint64_t *io_want, uint64_t value)
{
    uint64_t before;

    step();
    drain_all();
    before = cell_of(at)->value;
    note_seen(before);
    if (before == *io_want) {
        cell_of(at)->value = value;
        return true;
    }
    *io_want = before;
    return false;
}

/* FUTEX_WAIT: sleeps only while the cell holds what it should. FUTEX_WAKE: all, there is one at most. */
static long step_futex(void *at, int operation, uint64_t want)
{
    int i;

    step();
    drain_all();
    if (operation == FUTEX_WAIT_BITSET) {
        uint64_t value = cell_of(at)->value;

        note_seen(value);
        if (value != want)
            return 0;
        me()->is_waiting = true;
        step();
        return 0;
    }
    for (i = 0; i < machine.thread_count; i++)
        machine.threads[i].is_waiting = false;
    return 0;
}

/* ---- inbox.c on that machine ----------------------------------------------------------------------------------- */
#undef atomic_init
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_compare_exchange_weak
#define CELL(at) ((void *)(uintptr_t)(at))
#define atomic_init(at, to) (cell_of(CELL(at))->value = (uint64_t)(to))
#define atomic_load(at) ((__typeof__((void)0, *(at)))step_load(CELL(at))) /* of a pointer, too */
#define atomic_load_explicit(at, order) step_load(CELL(at))
#define atomic_store(at, value) step_store(CELL(at), (uint64_t)(value), true)
#define atomic_store_explicit(at, value, order) step_store(CELL(at), (uint64_t)(value), false)
#define atomic_exchange(at, value) (unsigned)step_exchange(CELL(at), (uint64_t)(value))
#define atomic_fetch_add(at, more) step_add(CELL(at), (uint64_t)(more))
#define atomic_fetch_add_explicit(at, more, order) step_add(CELL(at), (uint64_t)(more))
#define atomic_fetch_sub(at, less) step_add(CELL(at), (uint64_t)0 - (uint64_t)(less))
#define atomic_compare_exchange_weak(at, io_want, value) step_compare(CELL(at), (io_want), (uint64_t)(value))
#define syscall(number, at, operation, value, timeout, ...)                                                                      \
    ((void)(timeout), step_futex(CELL(at), (operation) & ~FUTEX_PRIVATE_FLAG, (uint64_t)(value)))
#define inbox_new virtual_inbox_new
#define inbox_ref virtual_inbox_ref
#define inbox_unref virtual_inbox_unref
#define inbox_put virtual_inbox_put
#define inbox_close virtual_inbox_close
#define inbox_take virtual_inbox_take
#define inbox_has virtual_inbox_has
#define inbox_tail virtual_inbox_tail
#define inbox_fall_asleep virtual_inbox_fall_asleep
#define inbox_rouse_reader virtual_inbox_rouse_reader
#define inbox_wake_up virtual_inbox_wake_up
#define inbox_sleep_until virtual_inbox_sleep_until
void virtual_inbox_wake_up(struct inbox *inbox); /* the header has them by their own names */
#include "../../src/tasklet/inbox.c"

/* ---- the search --------------------------------------------------------------------------------------------------- */
static int thread_main(void *argument)
{
    struct virtual_thread *t = argument;

    t->has_begun = true;
    t->body(t->argument);
    t->is_over = true;
    return 0;
}

/* A hash of all that decides what can follow. Own contexts: what each thread has seen; the cells; what is buffered. order says which thread
 * stands where. */
static uint64_t state_in_order(const int order[THREADS_MOST], uint64_t extra)
{
    uint64_t hash = extra;
    int i, k;

    for (i = 0; i < machine.thread_count; i++) {
        struct virtual_thread *t = &machine.threads[order[i]];

        hash = mix(hash, t->seen);
        hash = mix(hash, (uint64_t)t->is_over | (uint64_t)t->is_waiting << 1 | (uint64_t)t->waits_for_others << 2);
        for (k = 0; k < t->pending_count; k++)
            hash = mix(mix(hash, (uint64_t)(uintptr_t)t->buffer[k].at), t->buffer[k].value);
    }
    for (i = 0; i < machine.cell_count; i++)
        hash = mix(mix(hash, (uint64_t)(uintptr_t)machine.cells[i].at), machine.cells[i].value);
    return hash ? hash : 1;
}

/* Two writers do the same: what can follow is the same, too, where they have changed places, so such states count as one. */
static uint64_t state_of(uint64_t (*extra)(const int order[THREADS_MOST]))
{
    static const int as_they_are[THREADS_MOST] = {0, 1, 2}, exchanged[THREADS_MOST] = {0, 2, 1};
    uint64_t one = state_in_order(as_they_are, extra(as_they_are)), other;

    if (machine.thread_count < THREADS_MOST)
        return one;
    other = state_in_order(exchanged, extra(exchanged));
    return one < other ? one : other;
}

/* true: it is new */
static bool visit_state(uint64_t hash)
{
    uint64_t at = hash & (VISITED - 1);

    while (machine.visited[at] != 0) {
        if (machine.visited[at] == hash)
            return false;
        at = (at + 1) & (VISITED - 1);
    }
    machine.visited[at] = hash;
    CHECK(++machine.states < VISITED * 3 / 4);
    return true;
}

/* What can happen next: thread i goes on (2i), its oldest store is seen by the others (2i + 1). */
static int list_options(int ret[2 * THREADS_MOST])
{
    int i, count = 0;

    for (i = 0; i < machine.thread_count; i++) {
        const struct virtual_thread *t = &machine.threads[i];

        if (!t->is_over && !t->is_waiting && !t->waits_for_others)
            ret[count++] = 2 * i;
        if (t->pending_count > 0)
            ret[count++] = 2 * i + 1;
    }
    return count;
}

static void do_option(int option)
{
    struct virtual_thread *t = &machine.threads[option / 2];
    int i;

    if (option % 2) {
        drain_one(t);
    } else {
        machine.running = option / 2;
        if (t->has_begun)
            coroutine_enter(t->c, 0);
        else
            coroutine_begin(t->c, thread_main, t);
        machine.running = -1;
    }
    for (i = 0; i < machine.thread_count; i++)
        if (i != option / 2)
            machine.threads[i].waits_for_others = false; /* something has changed, perhaps */
}

struct scenario {
    const char *name;
    int thread_count;
    void (*bodies[THREADS_MOST])(void *argument);
    void (*begin)(void);
    void (*check)(void); /* all are over */
    uint64_t (*extra)(const int order[THREADS_MOST]); /* what the bodies keep outside of cells */
};

/* One path to its end, or to a state that has been seen. */
static void run_path(const struct scenario *s)
{
    int i, options[2 * THREADS_MOST], count;

    machine.cell_count = 0;
    machine.running = -1;
    machine.thread_count = s->thread_count;
    s->begin();
    for (i = 0; i < s->thread_count; i++) {
        struct virtual_thread *t = &machine.threads[i];

        *t = (struct virtual_thread){.body = s->bodies[i], .argument = (void *)(intptr_t)i, .seen = i == 0 ? 1 : 2};
        CHECK_INT(coroutine_new(16384, &t->c, NULL), 0);
    }
    for (machine.depth = 0; (count = list_options(options)) > 0; machine.depth++) {
        CHECK(machine.depth < CHOICES_MOST);
        if (machine.depth == machine.length) { /* new ground */
            if (!visit_state(state_of(s->extra)))
                break;
            machine.choices[machine.length] = 0;
            machine.options[machine.length++] = count;
        }
        do_option(options[machine.choices[machine.depth]]);
    }
    machine.paths++;
    if (count == 0) {
        for (i = 0; i < s->thread_count; i++)
            machine.is_stuck = machine.is_stuck || !machine.threads[i].is_over;
        if (!machine.is_stuck)
            s->check();
    }
    for (i = 0; i < s->thread_count; i++)
        coroutine_free(machine.threads[i].c);
}

static void explore(const struct scenario *s, bool has_buffers, bool is_weakened)
{
    memset(&machine, 0, sizeof(machine));
    machine.visited = calloc(VISITED, sizeof(*machine.visited));
    CHECK(machine.visited != NULL);
    machine.has_buffers = has_buffers;
    machine.is_weakened = is_weakened;
    do {
        run_path(s);
        while (machine.length > 0 && machine.choices[machine.length - 1] + 1 == machine.options[machine.length - 1])
            machine.length--;
        if (machine.length > 0)
            machine.choices[machine.length - 1]++;
    } while (machine.length > 0 && !machine.is_stuck);
    free(machine.visited);
    fprintf(stderr, "    %s, %s: %" PRId64 " states, %" PRId64 " paths%s\n", s->name, has_buffers ? "TSO" : "SC", machine.states,
            machine.paths, machine.is_stuck ? ", stuck" : "");
}

/* ---- scenarios --------------------------------------------------------------------------------------------------------- */
enum { PUTS_MOST = 2 };
static struct {
    struct inbox *inbox;
    int puts;                    /* of each writer */
    int results[THREADS_MOST][PUTS_MOST];
    uint64_t taken;              /* items, in the order of taking, a hexadecimal digit each */
    int taken_count;
    bool is_settled;
    _Atomic(struct inbox *) leads; /* where the address leads; NULL: elsewhere */
} scene;

static struct mw_address *const somebody = (struct mw_address *)(void *)&scene;

/* All that the thread still knows is this: how it came here no longer matters. Nor does which of the writers it is. */
static void forget_all_but(int who, int number)
{
    me()->seen = mix(who == 0 ? 1 : 2, (uint64_t)number);
}

/* Spins: nothing will be different before somebody else has done something. */
static void wait_for_others(void)
{
    me()->waits_for_others = true;
}

static int put(mw_value item)
{
    return virtual_inbox_put(scene.inbox, somebody, value_words(&item), &scene.leads);
}

static void write_some(void *argument)
{
    int who = (int)(intptr_t)argument, i;

    for (i = 0; i < scene.puts; i++) {
        int result;

        scene.results[who][i] = 1; /* under way */
        forget_all_but(who, i);
        while ((result = put(mw_int(who * PUTS_MOST + i + 1))) == -EAGAIN) {
            forget_all_but(who, i);
            wait_for_others();
        }
        scene.results[who][i] = result;
    }
}

static bool take_one(void)
{
    struct mw_address *address = NULL;
    struct value_words item = {0, 0};

    if (!virtual_inbox_take(scene.inbox, &address, &item))
        return false;
    if (address) {
        scene.taken = scene.taken << 4 | (uint64_t)value_of(item).as.integer;
        scene.taken_count++;
    }
    return true;
}

/* A mesh's thread: takes what there is, sleeps where there is nothing. */
static void take_all(void *argument)
{
    int want = scene.puts * (machine.thread_count - 1);

    (void)argument;
    while (scene.taken_count < want) {
        forget_all_but(0, 0); /* the rest is in extra() */
        if (take_one())
            continue;
        if (virtual_inbox_fall_asleep(scene.inbox, INBOX_IN_KERNEL))
            virtual_inbox_sleep_until(scene.inbox, MW_FOREVER);
        else if (!take_one())
            wait_for_others();
    }
}

/* A tasklet moves away: the address leads elsewhere, then what is on its way is settled. */
static void take_and_move(void *argument)
{
    uint64_t tail;

    (void)argument;
    (void)take_one();
    step_store(CELL(&scene.leads), 0, true);
    tail = virtual_inbox_tail(scene.inbox);
    while (scene.inbox->head < tail) {
        forget_all_but(0, (int)tail);
        if (!take_one())
            wait_for_others();
    }
    scene.is_settled = true;
}

static void begin(void)
{
    static _Alignas(64) char room[sizeof(struct inbox) + 2 * sizeof(struct inbox_slot)];
    int puts = scene.puts;
    uint64_t i;

    memset(&scene, 0, sizeof(scene));
    memset(room, 0, sizeof(room));
    scene.puts = puts;
    scene.inbox = (struct inbox *)(void *)room; /* of two places, so that it is full at times */
    scene.inbox->mask = 1;
    atomic_init(&scene.inbox->tail, 0);
    atomic_init(&scene.inbox->limit, 2);
    atomic_init(&scene.inbox->taken, 0);
    atomic_init(&scene.inbox->sleep, INBOX_AWAKE);
    for (i = 0; i < 2; i++)
        atomic_init(&scene.inbox->slots[i].filled, 0);
    atomic_init(&scene.leads, (uintptr_t)scene.inbox);
}

static uint64_t extra(const int order[THREADS_MOST])
{
    uint64_t taken = 0, rest, hash;
    int i, k;

    for (rest = scene.taken; rest; rest >>= 4) {
        int item = (int)(rest & 15) - 1;

        taken = taken << 4 | (uint64_t)(order[item / PUTS_MOST] * PUTS_MOST + item % PUTS_MOST + 1); /* exchanging twice is none */
    }
    hash = mix(mix(taken, scene.inbox->head), scene.is_settled);
    for (i = 1; i < machine.thread_count; i++)
        for (k = 0; k < scene.puts; k++)
            hash = mix(hash, (uint64_t)(int64_t)scene.results[order[i]][k]);
    return hash;
}

/* Each once, those of one writer in order. */
static void check_all_taken(void)
{
    int seen[16] = {0}, i, who;
    uint64_t rest;
    int last[THREADS_MOST] = {99, 99, 99};

    CHECK_INT(scene.taken_count, scene.puts * (machine.thread_count - 1));
    for (rest = scene.taken, i = 0; i < scene.taken_count; i++, rest >>= 4) {
        int item = (int)(rest & 15);

        who = (item - 1) / PUTS_MOST;
        CHECK_INT(seen[item]++, 0);
        CHECK(item < last[who]); /* backwards: the last one is looked at first */
        last[who] = item;
    }
}

/* What was accepted was taken before the move was over; what was given back was not. Who meets a full ring may try for ever. */
static void check_moved(void)
{
    int i, k, accepted = 0;

    for (i = 1; i < machine.thread_count; i++)
        for (k = 0; k < scene.puts; k++)
            accepted += scene.results[i][k] == 0;
    CHECK_INT(scene.taken_count, accepted);
}

static const struct scenario sleeping = {"a writer and a sleeper", 2, {take_all, write_some}, begin, check_all_taken, extra};
static const struct scenario crowded = {"two writers and a sleeper", 3, {take_all, write_some, write_some}, begin, check_all_taken,
                                        extra};
static const struct scenario moving = {"a writer and a move", 2, {take_and_move, write_some}, begin, check_moved, extra};
static const struct scenario moving_crowd = {"two writers and a move", 3, {take_and_move, write_some, write_some}, begin, check_moved,
                                             extra};

static void check_scenario_with(const struct scenario *s, int puts, bool has_buffers)
{
    scene.puts = puts;
    explore(s, has_buffers, false);
    CHECK(!machine.is_stuck);
    CHECK(machine.states > 20);
}

static void check_scenario(const struct scenario *s, int puts)
{
    check_scenario_with(s, puts, false);
    check_scenario_with(s, puts, true);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------- */
static void no_wake_up_is_lost_by_one_writer(void)
{
    check_scenario(&sleeping, 2);
}

static void no_wake_up_and_no_item_is_lost_by_two_writers(void)
{
    check_scenario(&crowded, 1);
#if defined(__x86_64__) && !defined(MW_CHECKED) /* a million paths: once is enough, with buffers, which may also be drained at once */
    check_scenario_with(&crowded, 2, true);
#endif
}

static void nothing_accepted_is_left_behind_by_a_move(void)
{
    check_scenario(&moving, 2);
    check_scenario(&moving_crowd, 1);
}

static void a_weaker_exchange_would_lose_a_wake_up_and_the_search_finds_it(void)
{
    scene.puts = 1;
    explore(&sleeping, true, true);
    CHECK(machine.is_stuck);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(no_wake_up_is_lost_by_one_writer),
        TEST(no_wake_up_and_no_item_is_lost_by_two_writers),
        TEST(nothing_accepted_is_left_behind_by_a_move),
        TEST(a_weaker_exchange_would_lose_a_wake_up_and_the_search_finds_it),
    };

    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
