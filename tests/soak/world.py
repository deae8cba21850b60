#!/usr/bin/python3 -B
"""Ten thousand whole servers, each in a scripted world of its own (tests/world): sockets, clock, faults and people come from a seed, and
whoever receives a word judges it. The first seed that goes wrong is printed with the command that shows it.

usage: tests/soak/world.py BUILD_DIR [seconds] [seed]
SPDX-License-Identifier: MIT"""
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 600
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
WORLDS, AT_ONCE = 10000, 100


def program():
    """The program of the tests; a tree without them gets its own beside it."""
    for build in sys.argv[1:2] + [os.path.join(ROOT, "build-test")]:
        path = os.path.join(build, "test", "test-world")
        if os.access(path, os.X_OK):
            return path
    build = os.path.join(ROOT, "build-test")
    subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DMW_TESTS=ON", "-DMW_WERROR=ON"], check=True, stdout=sys.stderr)
    subprocess.run(["ninja", "-C", build, "test-world"], check=True, stdout=sys.stderr)
    return os.path.join(build, "test", "test-world")


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: tests/soak/world.py BUILD_DIR [seconds] [seed]")
    path = program()
    until = time.monotonic() + SECONDS
    done = 0
    while done < WORLDS and time.monotonic() < until:
        if subprocess.run([path, "--seeds", str(SEED + done), str(AT_ONCE)], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            sys.exit("world: a seed from %d on went wrong (above)" % (SEED + done))
        done += AT_ONCE
    print("world: %d seeds from %d on, nothing wrong" % (done, SEED))


main()
