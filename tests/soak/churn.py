#!/usr/bin/python3 -B
"""Clients of every kind come, do something, and go well or badly, for as long as asked, against hello and echo. The
server must answer rightly to the end, and afterwards be as large as it was, with the descriptors it had.

usage: tests/soak/churn.py BUILD_DIR [seconds] [seed]
SPDX-License-Identifier: MIT"""
import contextlib
import os
import random
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if len(sys.argv) < 2 or not os.access(os.path.join(sys.argv[1], "meshwork"), os.X_OK):
    sys.exit("usage: tests/soak/churn.py BUILD_DIR [seconds] [seed] (BUILD_DIR holds a built meshwork)")
os.environ["MESHWORK_SCENARIO_BUILD"] = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, "tests", "scenario"))
import scenario  # noqa: E402

SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 600
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
GROWTH_KIB = 1024  # per run, after a warm-up of a third


def rss_kib(server):
    with open("/proc/%d/status" % server.process.pid, encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def descriptors(server):
    return len(os.listdir("/proc/%d/fd" % server.process.pid))


# ---- kinds of clients: each gets (hello, echo, random) ---------------------------------------------------------
def a_session_that_reads_sets_and_watches(hello, _echo, rng):
    with hello.websocket(protocols=["meshwork.v1"]) as me:
        assert me.read_json()["method"] == "hello"
        number = rng.randrange(1 << 40)
        assert "errors" in me.ask("setAttr", {"a": number})["result"]
        values = me.ask("watch", ["a", "c"])["result"]["values"]
        assert values["c"] == 3
        assert me.ask("getAttr", ["a", "b"])["result"]["errors"] == {"b": "denied"}
        me.send(b"\x03\xe8", 8)
        assert me.read_close() == 1000


def a_session_that_is_cut_off(hello, _echo, rng):
    me = hello.websocket(protocols=["meshwork.v1"])
    me.ask("watch", ["a"])
    me.send_bytes(me.frame(1, "x" * 300)[:rng.randrange(1, 300)])
    me.socket.close()


def echoes_of_all_sizes(_hello, echo, rng):
    with echo.websocket("/echo") as me:
        for _ in range(rng.randrange(1, 20)):
            data = rng.randbytes(rng.choice((0, 1, 125, 126, 5000, 65536, 200000)))
            cut = rng.randrange(len(data) + 1)
            me.send_bytes(me.frame(2, data[:cut], fin=False) + me.frame(0, data[cut:]))
            assert me.read() == data


def a_broken_frame(_hello, echo, rng):
    with echo.websocket() as me:
        me.send_bytes(rng.choice((b"\x81\x05hello", b"\xc1\x80abcd", b"\x83\x80abcd", b"\x80\x80abcd")))
        assert me.read_close() == 1002


def a_reader_that_does_not_read(_hello, echo, rng):
    with echo.websocket() as me, contextlib.suppress(BlockingIOError):
        me.socket.setblocking(False)
        for _ in range(rng.randrange(1, 40)):
            me.socket.send(me.frame(2, b"z" * 60000))


def files(hello, _echo, rng):
    path, status = rng.choice((("/", 200), ("/js/app.js", 200), ("/app.c", 404), ("/../x", 404), ("/_mw/meshwork.js", 200)))
    assert hello.get(path).status == status


def a_request_that_stops_halfway(hello, _echo, rng):
    with hello.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "[:rng.randrange(1, 38)])


def rubbish(hello, _echo, rng):
    assert hello.raw(rng.randbytes(rng.randrange(1, 300)) + b"\r\n\r\n")[:9] in (b"HTTP/1.1 ", b"")


KINDS = (a_session_that_reads_sets_and_watches, a_session_that_is_cut_off, echoes_of_all_sizes, a_broken_frame,
         a_reader_that_does_not_read, files, a_request_that_stops_halfway, rubbish)


def settle(server, wanted):
    """Wait until the descriptors are back to what they were; how many there are."""
    until = time.monotonic() + 15
    while descriptors(server) > wanted and time.monotonic() < until:
        time.sleep(0.05)
    return descriptors(server)


def check(name, is_good, said):
    print("%-4s %s: %s" % ("ok" if is_good else "FAIL", name, said), flush=True)
    return is_good


def main():
    rng = random.Random(SEED)
    done = {kind.__name__: 0 for kind in KINDS}
    print("seed %d; repeat: ./soak churn %g %d" % (SEED, SECONDS, SEED), flush=True)
    example = os.path.join(ROOT, "examples")
    results = []
    with scenario.Server(os.path.join(example, "hello")) as hello, scenario.Server(os.path.join(example, "echo")) as echo:
        servers = {"hello": hello, "echo": echo}
        base = {name: descriptors(server) for name, server in servers.items()}
        start, warm = time.monotonic(), None
        while time.monotonic() < start + SECONDS:
            kind = rng.choice(KINDS)
            kind(hello, echo, rng)
            done[kind.__name__] += 1
            if warm is None and time.monotonic() > start + SECONDS / 3:
                warm = {name: settle(server, base[name]) and rss_kib(server) for name, server in servers.items()}
        for name, server in servers.items():
            left = settle(server, base[name])
            results.append(check(name + " gives back every descriptor", left == base[name], "%d of %d" % (left, base[name])))
            now = rss_kib(server)
            results.append(check(name + " does not grow", now - warm[name] <= GROWTH_KIB,
                                 "%d KiB, after the warm-up %d" % (now, warm[name])))
    for name, count in done.items():
        results.append(check(name, count > 0, "%d times" % count))
    scenario.clean_up()
    print("%d passed, %d failed" % (results.count(True), results.count(False)))
    return 0 if all(results) else 1


sys.exit(main())
