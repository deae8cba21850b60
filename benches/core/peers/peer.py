#!/usr/bin/python3
"""The questions of benches/core, asked of the tasklet of the blog on generators, and of greenlet.

usage: peer.py tasklet|greenlet FIGURE...
SPDX-License-Identifier: MIT
"""
import collections
import sys
import time

ITEMS = 100000
FAN = 100


class Tasklet:
    """The blog's, as far as the questions need it."""

    def __init__(self, fn, *args):
        self.coro = fn(*args)
        next(self.coro)
        self.items = collections.deque()

    def send(self, item):
        self.items.append(item)

    def next(self):
        self.coro.send(self.items.popleft())

    def flush(self):
        count = 0
        while self.items:
            self.coro.send(self.items.popleft())
            count += 1
        return count


def taskmaster(tasks):
    while any([task.flush() for task in tasks]):
        pass


def swallow():
    while True:
        yield


def forward(targets):
    while True:
        item = (yield)
        targets[0].send(item)


def spread(targets):
    i = 0
    while True:
        item = (yield)
        targets[i].send(item)
        i = (i + 1) % FAN


def bounce(peer, left):
    while True:
        item = (yield)
        if left > 0:
            left -= 1
            peer[0].send(item)


def timed(run, count=ITEMS):
    start = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start) / count


def ring_of(count):
    peers = [[None] for _ in range(count)]
    tasks = [Tasklet(bounce, peers[i], ITEMS // count) for i in range(count)]
    for i in range(count):
        peers[i][0] = tasks[(i + 1) % count]
    tasks[0].send(1)
    return timed(lambda: taskmaster(tasks))


def through(*tasks):
    def run():
        for _ in range(ITEMS // 1000):
            for _ in range(1000):
                tasks[0].send(1)
            taskmaster(tasks)
    return timed(run)


def send_next():
    sink = Tasklet(swallow)

    def run():
        for _ in range(ITEMS):
            sink.send(1)
            sink.next()
    return timed(run)


def pipeline():
    sink = Tasklet(swallow)
    middle = Tasklet(forward, [sink])
    return through(Tasklet(forward, [middle]), middle, sink)


def fan_in():
    sink = Tasklet(swallow)
    sources = [Tasklet(forward, [sink]) for _ in range(FAN)]

    def run():
        for _ in range(ITEMS // FAN):
            for source in sources:
                source.send(1)
            taskmaster(sources + [sink])
    return timed(run)


def fan_out():
    sinks = [Tasklet(swallow) for _ in range(FAN)]
    return through(Tasklet(spread, sinks), *sinks)


def switch():
    def body():
        while True:
            yield
    generator = body()
    next(generator)
    send = generator.send

    def run():
        for _ in range(ITEMS // 2):
            send(None)
    return timed(run)


def lives():
    def run():
        for _ in range(ITEMS):
            Tasklet(swallow)
    return timed(run)


def greenlet_switch():
    import greenlet

    def body():
        switch_back = greenlet.getcurrent().parent.switch
        while True:
            switch_back()
    there = greenlet.greenlet(body).switch

    def run():
        for _ in range(ITEMS // 2):
            there()
    return timed(run)


def greenlet_lives():
    import greenlet

    def run():
        for _ in range(ITEMS):
            greenlet.greenlet(int).switch()
    return timed(run)


FIGURES = {
    "tasklet": {"send-next": send_next, "switch": switch, "ping-pong": lambda: ring_of(2), "pipeline": pipeline, "fan-in": fan_in,
                "fan-out": fan_out, "make": lives},
    "greenlet": {"switch": greenlet_switch, "make": greenlet_lives},
}


def main():
    for name in sys.argv[2:]:
        measure = FIGURES[sys.argv[1]].get(name)
        if measure:
            print("%s\t%.2f" % (name, sorted(measure() for _ in range(3))[1]), flush=True)


main()
