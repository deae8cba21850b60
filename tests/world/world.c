/* One run: a server with an app, people around it, faults below it; then quiet, a judgement, and the end.
 * SPDX-License-Identifier: MIT */
#include "world.h"

#include <meshwork/users.h>

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "people.h"

enum { QUIET_STEPS = 400, END_STEPS = 1200 };

/* ---- what is said of a run --------------------------------------------------------------------------------------- */
void world_say_wrong(struct world *w, const char *format, ...)
{
    va_list args;

    if (w->wrong[0])
        return;
    va_start(args, format);
    (void)vsnprintf(w->wrong, sizeof w->wrong, format, args);
    va_end(args);
}

void world_tell(struct world *w, const char *format, ...)
{
    va_list args;

    if (!w->is_told)
        return;
    printf("%9.3f s  ", (double)(kernel_now_ns() % (1000 * SECOND_NS)) / 1e9);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

void world_note(struct world *w, const void *bytes, size_t byte_count)
{
    const int64_t now_ns = kernel_now_ns();
    const uint8_t *at = bytes;
    size_t i;

    for (i = 0; i < sizeof now_ns; i++) /* FNV-1a */
        w->hash = (w->hash ^ (uint8_t)(now_ns >> 8 * i)) * UINT64_C(0x100000001b3);
    for (i = 0; i < byte_count; i++)
        w->hash = (w->hash ^ at[i]) * UINT64_C(0x100000001b3);
}

/* ---- the app ------------------------------------------------------------------------------------------------------ */
static struct world *world_open_for; /* the back end has no other way to say where its state is */

static const mw_attribute plant_attributes[] = {
    {MW_FIELD(struct plant, level), .kind = MW_INT, .range = MW_RANGE(0, 1000000)},
    {MW_FIELD(struct plant, note), .kind = MW_TEXT},
    {MW_FIELD(struct plant, count), .kind = MW_INT, .read_only = true},
    {MW_FIELD(struct plant, secret), .kind = MW_TEXT},
};

static int plant_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct plant *plant = state;

    (void)instance;
    (void)ret_error;
    *plant = (struct plant){.secret = WORLD_SECRET, .note = "begin", .news = 1};
    world_open_for->plant = plant;
    return 0;
}

static void plant_close(mw_instance *instance, void *state)
{
    (void)instance;
    (void)state;
    world_open_for->plant = NULL;
}

static int plant_tick(mw_instance *instance, void *state)
{
    struct plant *plant = state;

    (void)instance;
    if (++plant->count % 7 == 0)
        (void)snprintf(plant->note, sizeof plant->note, "note %" PRId64, plant->count);
    return 0;
}

static int bump(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    mw_instance *instance = mw_client_instance(client);
    struct plant *plant = mw_instance_state(instance);
    mw_value news = mw_map_new();

    (void)args;
    if (mw_map_set(&news, "n", mw_int(plant->news)) < 0) {
        mw_release(news);
        return mw_fail(ret_error, -ENOMEM, "no memory");
    }
    if (mw_broadcast(instance, "news", news) < 0)
        return mw_fail(ret_error, -ENOMEM, "no memory");
    *ret = mw_int(plant->news++);
    return 0;
}

static const mw_command plant_commands[] = {{.name = "bump", .call = bump}};
static const mw_app plant_app = {
    .abi = MW_ABI,
    .size = sizeof(mw_app),
    .name = "plant",
    .state_bytes = sizeof(struct plant),
    .attributes = plant_attributes,
    .attribute_count = MW_COUNT(plant_attributes),
    .commands = plant_commands,
    .command_count = MW_COUNT(plant_commands),
    .tick_ns = INT64_C(50000000),
    .open = plant_open,
    .close = plant_close,
    .tick = plant_tick,
};

/* ---- folders, files, users -------------------------------------------------------------------------------------------- */
static void write_file(const struct world *w, const char *name, const char *text)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", w->folder, name);
    file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        abort();
    }
}

static void write_policies(const struct world *w, bool anybody_may_note)
{
    char text[600];

    (void)snprintf(text, sizeof text,
                   "[policy see]\ngettable = level, count%s\nhearable = news\n[policy steer]\ngettable = note\nsettable = level\ncallable = bump\n"
                   "[role anonymous]\npolicies = see\n[role operator]\npolicies = see, steer\n",
                   anybody_may_note ? ", note" : "");
    write_file(w, "app.ini", text);
}

void world_prepare(struct world *w)
{
    static const char *const roles[] = {"operator"};
    char path[160];
    mw_users *users = NULL;

    *w = (struct world){.folder = "/tmp/world.XXXXXX"};
    if (!mkdtemp(w->folder))
        abort();
    (void)snprintf(path, sizeof path, "%s/css", w->folder);
    (void)mkdir(path, 0755);
    write_file(w, "css/style.css", "body { color: black }\n");
    write_file(w, "app.html", "<title>world</title>\n");
    (void)snprintf(w->state, sizeof w->state, "%s/.state", w->folder);
    if (mw_users_open(w->state, &users, NULL) < 0 || mw_users_add(users, "olga", roles, 1, WORLD_PASSWORD, NULL) < 0 ||
        mw_users_issue_token(users, "olga", MW_TOKEN_MOST_S, w->token, NULL) < 0)
        abort();
    mw_users_free(users);
}

void world_clean_up(struct world *w)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", w->folder);
    if (system(command) != 0)
        perror(command);
}

/* ---- a run ---------------------------------------------------------------------------------------------------------------- */
static void set(struct world *w, const char *name, const char *value)
{
    struct mw_error error = {.text = ""};

    if (mw_server_set(w->server, name, value, &error) < 0)
        world_say_wrong(w, "%s %s: %s", name, value, error.text);
}

static void log_line(void *context, const mw_log_line *line)
{
    world_tell(context, "log: %s", line->text);
}

static void open_server(struct world *w)
{
    static const char *const low[] = {"connections=6",       "message_bytes=2048", "output_soft_bytes=4K", "output_soft_ms=500",
                                      "messages_per_s=20",   "messages_burst=5",   "ping_ms=2000",         "output_total_bytes=64K",
                                      "output_stall_ms=900", "controls_per_s=3",   "header_ms=2000",       "connections_per_ip=3",
                                      "keep_alive_requests=3"};
    struct mw_error error = {.text = ""};
    size_t i;

    w->server = mw_server_new();
    if (!w->server)
        abort();
    mw_server_on_log(w->server, log_line, w);
    set(w, "port", "8000");
    set(w, "workers", "1");
    set(w, "state", w->state);
    for (i = 0; w->is_short && i < MW_COUNT(low); i++)
        if (chance_one_in(&w->chance, 2))
            set(w, "limit", low[i]);
    if (mw_server_mount(w->server, "plant", w->folder, &plant_app, &error) < 0 || mw_server_start(w->server, &error) < 0)
        world_say_wrong(w, "the server does not start: %s", error.text);
}

/* A pass of the server, in which the n-th allocation may fail. */
static int turn(struct world *w)
{
    bool fails = w->is_faulty && chance_one_in(&w->chance, 20);
    int result;

    if (fails)
        (void)mw_memory_fail_at(1 + (int64_t)chance_below(&w->chance, 60), false);
    result = mw_server_turn(w->server, 0);
    if (fails)
        (void)mw_memory_fail_at(0, false);
    return result;
}

static void let_time_pass(struct world *w)
{
    static const int64_t steps_ns[] = {0, 100000, MS_NS, MS_NS, 5 * MS_NS, 30 * MS_NS};

    bool leaps = chance_one_in(&w->chance, 300);

    kernel_let_pass(leaps ? 12 * SECOND_NS : steps_ns[chance_below(&w->chance, MW_COUNT(steps_ns))]);
    w->has_leapt = w->has_leapt || leaps;
}

static void reload(struct world *w)
{
    bool anybody_may_note = chance_one_in(&w->chance, 2);

    world_tell(w, "reload: %s may read the note", anybody_may_note ? "anybody" : "operators");
    write_policies(w, anybody_may_note);
    if (mw_server_reload(w->server, NULL) < 0 && !w->is_faulty)
        world_say_wrong(w, "the reload failed");
}

static void live(struct world *w, struct person **people, int steps)
{
    int step;
    bool has_run_out = false;

    for (step = 0; step < steps && !w->wrong[0]; step++) {
        person_act(people[chance_below(&w->chance, PEOPLE)]);
        if (chance_one_in(&w->chance, 2))
            let_time_pass(w);
        if (chance_one_in(&w->chance, 100))
            reload(w);
        if (w->is_short && chance_one_in(&w->chance, 50))
            kernel_run_out(has_run_out = !has_run_out);
        if (chance_one_in(&w->chance, 2) && turn(w) != 1)
            world_say_wrong(w, "the server ended by itself");
    }
    kernel_run_out(false);
}

/* All that is under way arrives; then everybody is to know what there is to know. */
static void settle(struct world *w, struct person **people)
{
    bool was_faulty = w->is_faulty;
    int step, i;

    w->is_faulty = false;
    kernel_be_rough(false);
    for (step = 0; step < QUIET_STEPS && !w->wrong[0]; step++) {
        for (i = 0; i < PEOPLE; i++) {
            w->is_faulty = was_faulty; /* what it has to answer for is from before */
            person_settle(people[i]);
            person_act(people[i]);
            w->is_faulty = false;
        }
        kernel_let_pass(10 * MS_NS);
        (void)turn(w);
    }
    /* The clock stands: what the last tick changed is told, and no other comes. */
    for (step = 0; step < 10 && !w->wrong[0]; step++) {
        (void)turn(w);
        for (i = 0; i < PEOPLE; i++)
            person_act(people[i]);
    }
    for (i = 0; i < PEOPLE && !was_faulty; i++)
        person_judge(people[i]);
    w->is_faulty = was_faulty;
}

/* It ends in one of three ways, in bounded time, whoever is there. */
static void end(struct world *w, struct person **people)
{
    size_t way = chance_below(&w->chance, 3);
    int step, i;

    w->has_ended = true;
    if (way == 0)
        mw_server_drain(w->server);
    else if (way == 1)
        mw_server_stop(w->server);
    for (step = 0; way < 2 && step < END_STEPS && !w->wrong[0]; step++) {
        if (mw_server_turn(w->server, 0) != 1)
            break;
        kernel_let_pass(50 * MS_NS);
        for (i = 0; i < PEOPLE; i++)
            person_act(people[i]);
    }
    if (way < 2 && step == END_STEPS)
        world_say_wrong(w, "it was told to %s, and has not ended a minute later", way ? "stop" : "drain");
}

void world_run(struct world *w, struct chance chance, int steps)
{
    struct person *people[PEOPLE];
    int64_t blocks = mw_memory_stats().live_blocks;
    int i;

    w->chance = chance;
    w->hash = UINT64_C(0xcbf29ce484222325);
    w->wrong[0] = '\0';
    w->has_leapt = w->has_ended = false;
    world_open_for = w;
    kernel_begin(&w->chance);
    w->is_faulty = chance_one_in(&w->chance, 3);
    w->is_short = chance_one_in(&w->chance, 3);
    write_policies(w, true);
    open_server(w);
    for (i = 0; i < PEOPLE; i++)
        people[i] = person_new(w, i);
    kernel_be_rough(chance_one_in(&w->chance, 2));
    if (!w->wrong[0])
        live(w, people, steps);
    if (!w->wrong[0])
        settle(w, people);
    if (!w->wrong[0])
        end(w, people);
    mw_server_free(w->server);
    for (i = 0; i < PEOPLE; i++)
        person_free(people[i]);
    if (kernel_held() > 0)
        world_say_wrong(w, "%zu sockets are still open", kernel_held());
    if (mw_memory_stats().live_blocks != blocks)
        world_say_wrong(w, "%" PRId64 " blocks of memory are left", mw_memory_stats().live_blocks - blocks);
    kernel_end();
}
