// The questions of benches/core, asked of CAF 0.17: actors driven by events. Their mailboxes are unbounded, so that no producer waits for room;
// there is no bare switch. On one core its scheduler has one thread, on two two.
// usage: caf-peer [FIGURE...]. SPDX-License-Identifier: MIT
#include <caf/all.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

using caf::actor;
using caf::behavior;
using caf::event_based_actor;

enum { N = 400000, FAN = 100, RING = 503, RUNS = 5 };

static double now()
{
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/* Sends what is left to the next one; the last tells who asked. */
struct hop_state {
    actor next;
};

static behavior hop(caf::stateful_actor<hop_state> *self, const actor &asker)
{
    return {[self](const actor &next) { self->state.next = next; },
            [self, asker](std::int64_t left) {
                if (left == 0)
                    self->send(asker, std::int64_t(0));
                else
                    self->send(self->state.next, left - 1);
            }};
}

static double ring_of(caf::actor_system &system, int count)
{
    caf::scoped_actor self{system};
    std::vector<actor> all;
    double start, ns = 0;

    for (int i = 0; i < count; i++)
        all.push_back(system.spawn(hop, caf::actor_cast<actor>(self)));
    for (int i = 0; i < count; i++)
        self->send(all[i], all[(i + 1) % count]);
    start = now();
    self->send(all[0], std::int64_t(N));
    self->receive([&](std::int64_t) { ns = (now() - start) / N; });
    for (auto &one : all)
        self->send_exit(one, caf::exit_reason::kill);
    return ns;
}

/* Counts, then tells who asked. */
struct sink_state {
    int seen = 0;
};

static behavior sink(caf::stateful_actor<sink_state> *self, const actor &asker, int count)
{
    return {[self, asker, count](int) {
        if (++self->state.seen == count) {
            self->send(asker, std::int64_t(0));
            self->quit();
        }
    }};
}

static behavior forward(event_based_actor *self, const actor &to)
{
    return {[self, to](int item) { self->send(to, item); }};
}

/* Told to go: sends so many to each in turn. */
static behavior source(event_based_actor *self, const std::vector<actor> &to, int count)
{
    return {[self, to, count](std::int64_t) {
        for (int i = 0; i < count; i++)
            for (auto &one : to)
                self->send(one, 1);
        self->quit();
    }};
}

static double wait_for(caf::scoped_actor &self, int count, double start)
{
    for (int i = 0; i < count; i++)
        self->receive([](std::int64_t) {});
    return (now() - start) / N;
}

static double pipeline(caf::actor_system &system)
{
    caf::scoped_actor self{system};
    double start = now();
    actor last = system.spawn(sink, caf::actor_cast<actor>(self), int(N)), middle = system.spawn(forward, last);

    self->send(system.spawn(source, std::vector<actor>{middle}, int(N)), std::int64_t(0));
    double ns = wait_for(self, 1, start);
    self->send_exit(middle, caf::exit_reason::kill);
    return ns;
}

static double fan_in(caf::actor_system &system)
{
    caf::scoped_actor self{system};
    double start = now();
    actor last = system.spawn(sink, caf::actor_cast<actor>(self), int(N));

    for (int i = 0; i < FAN; i++)
        self->send(system.spawn(source, std::vector<actor>{last}, N / FAN), std::int64_t(0));
    return wait_for(self, 1, start);
}

static double fan_out(caf::actor_system &system)
{
    caf::scoped_actor self{system};
    double start = now();
    std::vector<actor> sinks;

    for (int i = 0; i < FAN; i++)
        sinks.push_back(system.spawn(sink, caf::actor_cast<actor>(self), N / FAN));
    self->send(system.spawn(source, sinks, N / FAN), std::int64_t(0));
    return wait_for(self, FAN, start);
}

static behavior child(event_based_actor *self, const actor &parent)
{
    self->send(parent, 1);
    self->quit();
    return {};
}

/* Makes the next child when the one before has told of its end. */
struct mother_state {
    int left = N;
};

static behavior mother(caf::stateful_actor<mother_state> *self, const actor &asker)
{
    return {[self, asker](int) {
        if (self->state.left-- > 0) {
            self->spawn(child, caf::actor_cast<actor>(self));
            return;
        }
        self->send(asker, std::int64_t(0));
        self->quit();
    }};
}

static double lives(caf::actor_system &system)
{
    caf::scoped_actor self{system};
    double start = now();

    self->send(system.spawn(mother, caf::actor_cast<actor>(self)), 1);
    return wait_for(self, 1, start);
}

struct node_state {
    std::int64_t sum = 0;
    int left = 10;
};

static behavior node(caf::stateful_actor<node_state> *self, const actor &parent, std::int64_t number, std::int64_t size)
{
    if (size == 1) {
        self->send(parent, number);
        self->quit();
        return {};
    }
    for (int i = 0; i < 10; i++)
        self->spawn(node, caf::actor_cast<actor>(self), number + i * size / 10, size / 10);
    return {[self, parent](std::int64_t part) {
        self->state.sum += part;
        if (--self->state.left > 0)
            return;
        self->send(parent, self->state.sum);
        self->quit();
    }};
}

/* in milliseconds */
static double skynet(caf::actor_system &system)
{
    caf::scoped_actor self{system};
    double start = now();
    std::int64_t sum = 0;

    system.spawn(node, caf::actor_cast<actor>(self), std::int64_t(0), std::int64_t(1000000));
    self->receive([&](std::int64_t all) { sum = all; });
    if (sum != INT64_C(499999500000))
        std::exit(1);
    return (now() - start) / 1e6;
}

static double ping_pong(caf::actor_system &system)
{
    return ring_of(system, 2);
}

static double ring(caf::actor_system &system)
{
    return ring_of(system, RING);
}

static double median(double (*measure)(caf::actor_system &), std::size_t threads, int runs)
{
    caf::actor_system_config config;
    std::vector<double> values;

    config.set("scheduler.max-threads", threads);
    caf::actor_system system{config};
    for (int i = 0; i < runs; i++)
        values.push_back(measure(system));
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int main(int argc, char **argv)
{
    struct {
        const char *name;
        double (*measure)(caf::actor_system &);
        std::size_t threads;
        int runs;
    } const figures[] = {
        {"ping-pong", ping_pong, 1, RUNS}, {"ring", ring, 1, RUNS},        {"pipeline", pipeline, 1, RUNS},
        {"fan-in", fan_in, 1, RUNS},       {"fan-out", fan_out, 1, RUNS},  {"make", lives, 1, RUNS},
        {"skynet", skynet, 1, 1},          {"pipeline-2", pipeline, 2, RUNS}, {"fan-in-2", fan_in, 2, RUNS},
        {"pair-2", ping_pong, 2, RUNS},
    };
    for (auto &f : figures) {
        if (argc > 1 && std::none_of(argv + 1, argv + argc, [&](const char *name) { return !std::strcmp(name, f.name); }))
            continue;
        std::printf("%s\t%.2f\n", f.name, median(f.measure, f.threads, f.runs));
    }
}
