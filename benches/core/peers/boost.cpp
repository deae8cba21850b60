// The questions of benches/core, asked of Boost.Fiber: fibers and buffered channels of 1,024 (of 2 where one message is under way).
// usage: boost-peer [FIGURE...]. SPDX-License-Identifier: MIT
#include <boost/fiber/all.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace fibers = boost::fibers;
using channel = fibers::buffered_channel<int>;
using stack = fibers::pooled_fixedsize_stack;

static double now()
{
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double yields()
{
    const int n = 400000;
    double start = now();
    auto body = [] {
        for (int i = 0; i < n / 2; i++)
            boost::this_fiber::yield();
    };
    fibers::fiber a(body), b(body);
    a.join();
    b.join();
    return (now() - start) / n;
}

static double ring_of(int count)
{
    const int n = 200000;
    stack stacks(64 * 1024);
    std::vector<std::unique_ptr<channel>> channels;
    std::vector<fibers::fiber> all;
    for (int i = 0; i < count; i++)
        channels.push_back(std::make_unique<channel>(2));
    for (int i = 0; i < count; i++)
        all.emplace_back(std::allocator_arg, stacks, [&, i] {
            int left;
            while (channels[i]->pop(left) == fibers::channel_op_status::success) {
                if (left == 0) {
                    for (auto &c : channels)
                        c->close();
                    return;
                }
                channels[(i + 1) % count]->push(left - 1);
            }
        });
    double start = now();
    channels[0]->push(n);
    for (auto &f : all)
        f.join();
    return (now() - start) / n;
}

static void swallow(channel &in, int n)
{
    int item;
    for (int i = 0; i < n; i++)
        in.pop(item);
}

static double pipeline()
{
    const int n = 200000;
    channel a(1024), b(1024);
    double start = now();
    fibers::fiber sink([&] { swallow(b, n); });
    fibers::fiber middle([&] {
        int item;
        for (int i = 0; i < n; i++) {
            a.pop(item);
            b.push(item);
        }
    });
    fibers::fiber source([&] {
        for (int i = 0; i < n; i++)
            a.push(1);
    });
    sink.join();
    middle.join();
    source.join();
    return (now() - start) / n;
}

static double fan_in()
{
    const int n = 200000, fan = 100;
    channel in(1024);
    std::vector<fibers::fiber> all;
    double start = now();
    all.emplace_back([&] { swallow(in, n); });
    for (int i = 0; i < fan; i++)
        all.emplace_back([&] {
            for (int j = 0; j < n / fan; j++)
                in.push(1);
        });
    for (auto &f : all)
        f.join();
    return (now() - start) / n;
}

static double fan_out()
{
    const int n = 200000, fan = 100;
    std::vector<std::unique_ptr<channel>> outs;
    std::vector<fibers::fiber> all;
    double start = now();
    for (int i = 0; i < fan; i++) {
        outs.push_back(std::make_unique<channel>(1024));
        all.emplace_back([&outs, i] { swallow(*outs[i], n / fan); });
    }
    all.emplace_back([&] {
        for (int j = 0; j < n / fan; j++)
            for (int i = 0; i < fan; i++)
                outs[i]->push(1);
    });
    for (auto &f : all)
        f.join();
    return (now() - start) / n;
}

static double lives()
{
    const int n = 100000;
    stack stacks(64 * 1024);
    double start = now();
    for (int i = 0; i < n; i++)
        fibers::fiber(std::allocator_arg, stacks, [] {}).join();
    return (now() - start) / n;
}

int main(int argc, char **argv)
{
    struct {
        const char *name;
        double (*measure)();
    } const figures[] = {
        {"switch", yields}, {"ping-pong", [] { return ring_of(2); }}, {"ring", [] { return ring_of(503); }}, {"pipeline", pipeline},
        {"fan-in", fan_in}, {"fan-out", fan_out}, {"make", lives},
    };
    for (auto &f : figures) {
        if (argc > 1 && std::none_of(argv + 1, argv + argc, [&](const char *name) { return !std::strcmp(name, f.name); }))
            continue;
        std::vector<double> values;
        for (int i = 0; i < 5; i++)
            values.push_back(f.measure());
        std::sort(values.begin(), values.end());
        std::printf("%s\t%.2f\n", f.name, values[2]);
    }
}
