#!/usr/bin/python3
"""Meshwork against npm ws, one worker on one core, the load on another; medians of interleaved runs as ratios.

usage: ./bench web [rounds] [seconds per cell]
SPDX-License-Identifier: MIT
"""
import json
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("MW_BUILD", "build"))
LOAD = os.path.join(BUILD, "bench", "web-load")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = sys.argv[2] if len(sys.argv) > 2 else "1"

# kind, connections, depth, bytes
CELLS = [("echo", c, d, b) for c in (1, 50) for d in (1, 16) for b in (20, 1024)]
CELLS += [("getattr", c, d, 0) for c in (1, 50) for d in (1, 16)]


def start(command):
    """Start a server on the first core; it prints its address on its first line."""
    process = subprocess.Popen(["taskset", "-c", "0"] + command, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        found = re.search(r"http://localhost:(\d+)/", line)
        if found:
            return process, found.group(1)
    sys.exit("bench: did not start: " + " ".join(command))


def measure(port, kind, connections, depth, size):
    command = ["taskset", "-c", "1", LOAD, "--port", port, "--kind", kind, "--connections", str(connections),
               "--depth", str(depth), "--seconds", SECONDS]
    if kind == "echo":
        command += ["--bytes", str(size)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main():
    meshwork = os.path.join(BUILD, "meshwork")
    peer = ["node", os.path.join(ROOT, "benches/web/peer-ws.mjs"), os.path.join(ROOT, "tests/browser")]
    servers = {}
    processes = []
    try:
        for name, command in {
            "echo": [meshwork, "serve", os.path.join(ROOT, "examples/echo"), "--port", "0"],
            "getattr": [meshwork, "serve", os.path.join(ROOT, "examples/hello"), "--port", "0", "--rate", "100M"],
            "ws": peer,
        }.items():
            process, port = start(command)
            processes.append(process)
            servers[name] = port
        results = {}
        for _ in range(ROUNDS):
            for cell in CELLS:
                for who, port in (("meshwork", servers[cell[0]]), ("ws", servers["ws"])):
                    results.setdefault((cell, who), []).append(measure(port, *cell))
        table(results)
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def latency(depth, runs):
    """The 99th percentile; with several requests on the way one clock per connection cannot tell."""
    return f"{statistics.median(r['p99_us'] for r in runs):9.0f}" if depth == 1 else f"{'':9}"


def table(results):
    print(f"median of {ROUNDS} interleaved rounds of {SECONDS} s, server on one core, load on another")
    print(f"{'':34}{'meshwork/s':>12}{'ws/s':>12}{'ratio':>8}{'p99 us':>9}{'ws p99':>9}")
    ratios = {}
    for cell in CELLS:
        mine, theirs = results[(cell, "meshwork")], results[(cell, "ws")]
        ratio = statistics.median(m["per_s"] / t["per_s"] for m, t in zip(mine, theirs))
        ratios.setdefault(cell[2], []).append(ratio)
        kind, connections, depth, size = cell
        name = f"{kind} c{connections} d{depth}" + (f" {size} B" if size else "")
        print(f"{name:34}{statistics.median(m['per_s'] for m in mine):12.0f}"
              f"{statistics.median(t['per_s'] for t in theirs):12.0f}{ratio:8.2f}"
              + latency(depth, mine) + latency(depth, theirs))
    for depth, values in sorted(ratios.items()):
        print(f"geometric mean at depth {depth}: {statistics.geometric_mean(values):.2f}")


main()
