#!/usr/bin/python3 -B
"""Logins with a wrong password, of a user that there is and of one that there is not, in turn: the answers must be the same bytes, and over
20,000 of them the times must not tell the two apart: |t| < 4.5 (Welch), with and without the slowest tenth of each.

usage: tests/soak/logins.py BUILD_DIR [seconds] [seed]
SPDX-License-Identifier: MIT"""
import json
import math
import os
import random
import re
import socket
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
if len(sys.argv) < 2 or not os.access(os.path.join(sys.argv[1], "meshwork"), os.X_OK):
    sys.exit("usage: tests/soak/logins.py BUILD_DIR [seconds] [seed] (BUILD_DIR holds a built meshwork)")
os.environ["MESHWORK_SCENARIO_BUILD"] = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(ROOT, "tests", "scenario"))
import scenario  # noqa: E402

SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 600
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
ENOUGH = 20000
MOST = 4.5


class Door:
    """One connection that is kept, with an address of its own for each try: who fails often is made to wait."""

    def __init__(self, server):
        self.server = server
        self.tries = 0
        self.socket = None

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def knock(self, user, password):
        """The answer without its date, and the seconds that it took."""
        if self.tries % 500 == 0:  # a connection takes 1,000 requests
            self.open()
        self.tries += 1
        body = json.dumps({"user": user, "password": password}).encode()
        address = "10.%d.%d.%d" % (self.tries >> 16 & 255, self.tries >> 8 & 255, self.tries & 255)
        head = ("POST /_mw/login HTTP/1.1\r\nHost: localhost:%d\r\nX-Forwarded-For: %s\r\nX-Forwarded-Proto: https\r\n"
                "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (self.server.port, address, len(body))).encode()
        began = time.perf_counter()
        self.socket.sendall(head + body)
        answer = self.socket.recv(65536)
        took = time.perf_counter() - began
        return re.sub(rb"(?i)\r\ndate: [^\r]*", b"", answer), took


def welch(a, b):
    def moments(x):
        mean = sum(x) / len(x)
        return mean, sum((v - mean) ** 2 for v in x) / (len(x) - 1) / len(x)

    (mean_a, var_a), (mean_b, var_b) = moments(a), moments(b)
    return (mean_a - mean_b) / math.sqrt(var_a + var_b)


def main():
    print("seed %d; repeat: ./soak logins %g %d" % (SEED, SECONDS, SEED), flush=True)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="meshwork-logins-") as folder:
        app, state = os.path.join(folder, "app"), os.path.join(folder, "state")
        os.mkdir(app)
        with open(os.path.join(app, "app.html"), "w", encoding="ascii") as page:
            page.write("x")
        code, _, err = scenario.run("user", "add", "bob", "--state", state, said="correct horse\n")
        assert code == 0, err
        with scenario.Server(app, "--state", state, "--trusted-proxy", "127.0.0.1") as server:
            door = Door(server)
            answers, times = set(), {"bob": [], "eve": []}
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                for user in rng.sample(("bob", "eve"), 2):
                    answer, took = door.knock(user, "wrong horse %d" % rng.randrange(10))
                    answers.add(answer)
                    times[user].append(took)
            count = 2 * len(times["bob"])
    known, unknown = sorted(times["bob"]), sorted(times["eve"])
    kept = len(known) * 9 // 10
    all_t, kept_t = welch(known, unknown), welch(known[:kept], unknown[:kept])
    print("%d logins, medians %.3f and %.3f ms, |t| = %.2f, without the slowest tenth %.2f" %
          (count, known[len(known) // 2] * 1e3, unknown[len(unknown) // 2] * 1e3, abs(all_t), abs(kept_t)))
    failed = []
    if len(answers) != 1 or not next(iter(answers)).startswith(b"HTTP/1.1 401"):
        failed.append("the answers differ, or are no 401: %r" % sorted(answers)[:3])
    if count >= ENOUGH and max(abs(all_t), abs(kept_t)) >= MOST:
        failed.append("the times tell who is a user")
    for why in failed:
        print("FAIL " + why)
    print("%d passed, %d failed" % (1 - bool(failed), bool(failed)))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
