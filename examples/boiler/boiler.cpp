/* A program in C++ that has been there for years, with an object and a loop of its own, gets a live front end: what is new is
 * everything with mw_ in its name. The page is app.html, who may what is in app.ini; README.md says how to build it.
 * Read next: docs/server.md, "In your own program".
 * SPDX-License-Identifier: MIT */
#include <meshwork/meshwork.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- the program as it was ------------------------------------------------------------------------------ */
enum Mode { OFF, HEAT, HOLD };

struct Boiler {
    double water_c = 18, target_c = 60;
    Mode mode = OFF;
    int starts = 0;
    double history_c[8] = {};
    std::string site = "Cellar";

    void step() /* ten times a second */
    {
        double goal = mode == OFF ? 18 : target_c;

        water_c += (goal - water_c) / 40;
        std::rotate(history_c, history_c + 1, history_c + 8);
        history_c[7] = water_c;
    }
};

static Boiler boiler;

/* ---- what a front end may get, set and watch -------------------------------------------------------------- */
/* What is no plain field goes through functions. */
static int get_site(const void *object, const mw_attribute *, mw_value *ret, mw_error *)
{
    const std::string &site = static_cast<const Boiler *>(object)->site;

    *ret = mw_text_n(site.data(), site.size());
    return 0;
}

static int set_site(void *object, const mw_attribute *, mw_value value, mw_error *ret_error)
{
    std::size_t bytes;
    const char *text = mw_get_text(&value, &bytes); /* its kind and length have been checked */

    if (bytes == 0)
        return mw_fail(ret_error, -EINVAL, "a site has a name");
    static_cast<Boiler *>(object)->site.assign(text, bytes);
    return 0;
}

static const mw_choice modes[] = {{"off", OFF}, {"heat", HEAT}, {"hold", HOLD}};

static const mw_attribute attributes[] = {
    {MW_FIELD(Boiler, water_c), .kind = MW_REAL, .read_only = true, .unit = "°C"},
    {MW_FIELD(Boiler, target_c), .kind = MW_REAL, .range = MW_RANGE(30, 90), .unit = "°C"},
    {MW_FIELD(Boiler, mode), .kind = MW_TEXT, .choices = modes, .choice_count = MW_COUNT(modes)},
    {MW_FIELD(Boiler, starts), .kind = MW_INT, .read_only = true},
    {MW_ARRAY(Boiler, history_c), .kind = MW_REAL, .read_only = true, .unit = "°C"},
    {.name = "site", .kind = MW_TEXT, .get = get_site, .set = set_site, .max_bytes = 40},
};

/* ---- what it may call --------------------------------------------------------------------------------------- */
static int start(mw_client *client, mw_value args, mw_value *ret, mw_error *ret_error)
{
    double to_c = 0;

    if (boiler.mode != OFF)
        return mw_fail(ret_error, -EAGAIN, "it runs already");
    (void)mw_get_real(*mw_map_get(args, "to_c"), &to_c); /* there, and of 30 to 90, or we would not be here */
    boiler.target_c = to_c;
    boiler.mode = HEAT;
    boiler.starts++;
    *ret = mw_format("start {} of {}", mw_int(boiler.starts), mw_text(boiler.site.c_str()));
    (void)mw_broadcast(mw_client_instance(client), "news", mw_text("The boiler has been started."));
    return 0;
}

static const mw_param start_params[] = {{.name = "to_c", .kind = MW_REAL, .range = MW_RANGE(30, 90), .unit = "°C"}};
static const mw_command commands[] = {
    {.name = "start", .doc = "Heat up", .call = start, .params = start_params, .param_count = MW_COUNT(start_params)},
};

static const mw_app app = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "boiler",
    .state_bytes = sizeof(Boiler),
    .attributes = attributes, .attribute_count = MW_COUNT(attributes),
    .commands = commands, .command_count = MW_COUNT(commands),
    .state = &boiler, /* not an object of the server's */
};

/* ---- the loop ------------------------------------------------------------------------------------------------- */
static mw_server *server;

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "examples/boiler", *port = argc > 2 ? argv[2] : "8000";
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    const itimerspec tenth = {{0, 100000000}, {0, 100000000}};
    mw_error error;

    server = mw_server_new();
    mw_server_on_log(server, [](void *, const mw_log_line *line) { std::fprintf(stderr, "boiler: %s\n", line->text); }, nullptr);
    if (mw_server_set(server, "port", port, &error) < 0 || mw_server_mount(server, "boiler", folder, &app, &error) < 0 ||
        mw_server_start(server, &error) < 0) {
        std::fprintf(stderr, "%s\n", error.text);
        mw_server_free(server);
        return 1;
    }
    std::printf("boiler at %s\n", mw_server_url(server, 0));
    std::fflush(stdout);
    std::signal(SIGINT, [](int) { mw_server_stop(server); });

    timerfd_settime(timer, 0, &tenth, nullptr);
    for (;;) {
        pollfd fds[] = {{timer, POLLIN, 0}, {mw_server_fd(server), POLLIN, 0}};
        std::int64_t ns = mw_server_timeout_ns(server);
        std::uint64_t times;

        poll(fds, 2, ns == MW_FOREVER ? -1 : static_cast<int>((ns + 999999) / 1000000)); /* rounded up: never too early */
        if (fds[0].revents && read(timer, &times, sizeof(times)) > 0)
            boiler.step(); /* pages that watch what has changed are told by the turn that follows */
        if (mw_server_turn(server, 0) != 1)
            break;
    }
    mw_server_free(server);
    close(timer);
    std::puts("the program goes on");
    return 0;
}
