#!/usr/bin/python3
"""Meshwork beside npm ws and Socket.IO, beside libwebsockets, nginx, h2o and lighttpd, and beside uWebSockets and Mongoose where their sources
are given: one worker on one core, one load program on another; medians of interleaved runs as ratios.

usage: ./bench web [rounds] [seconds per cell] [--uws DIR] [--mongoose DIR] [--peer NAME] [--cells REGEX] [--idle N]
The DIR of uws holds uWebSockets and uSockets beside each other, that of mongoose its sources; what is built of them goes to the build directory.
Socket.IO is asked in its own envelope, which is what its clients send; ours echoes the same bytes without one. The servers of files are those
of apt, unpacked beside it: nothing is installed, no service starts. How they are set up: servers.py. --idle N measures nothing but the
memory of N connections that say nothing: idle.py.
SPDX-License-Identifier: MIT
"""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

import idle
import servers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("MW_BUILD", "build"))
LOAD = os.path.join(BUILD, "bench", "web-load")

FILES = ([("get", c, d, b) for b in (1024, 10240) for c in (1, 50) for d in (1, 16)] +
         [("get", c, 1, 1048576) for c in (1, 50)])
ECHOES = [("echo", c, d, b) for c in (1, 50) for d in (1, 16) for b in (20, 1024)]
# kind, connections, depth, bytes
CELLS = {
    "ws": ECHOES + [("getattr", c, d, 0) for c in (1, 50) for d in (1, 16)] + [("broadcast", 1000, 1, 64), ("handshake", 50, 1, 0)],
    "uws": [("echo", c, d, b) for c in (1, 50, 500) for d in (1, 16) for b in (20, 1024, 65536)] +
           [("get", c, d, b) for c in (1, 50) for d in (1, 16) for b in (1024, 10240)] +
           [("broadcast", c, 1, 64) for c in (1000, 10000)] + [("handshake", 50, 1, 0)],
    "socketio": ECHOES,
    "lws": ECHOES + [("handshake", 50, 1, 0)],
    "mongoose": ECHOES,  # 7.22 leaves some of fifty handshakes at once unanswered
    **{name: FILES for name in servers.SERVERS},
}


def name_of(cell):
    kind, connections, depth, size = cell
    return f"{kind} c{connections} d{depth}" + (f" {size} B" if size else "")


def start(command):
    """Start a server on the first core; it prints its address on its first line. Or call what starts one."""
    if callable(command):
        return command()
    process = subprocess.Popen(["taskset", "-c", "0"] + command, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        found = re.search(r"https?://localhost:(\d+)/", line)
        if found:
            return process, found.group(1)
    sys.exit("bench: did not start: " + " ".join(command))


def cpu_s(process):
    """What a server has used so far."""
    fields = open(f"/proc/{process.pid}/stat", encoding="ascii").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(who, server, seconds, kind, connections, depth, size):
    process, port = server
    command = ["taskset", "-c", "1", LOAD, "--port", port, "--kind", "socketio" if who == "socketio" else kind, "--connections", str(connections),
               "--depth", str(depth), "--seconds", str(seconds)]
    if kind in ("echo", "broadcast"):
        command += ["--bytes", str(size)]
    if kind == "broadcast":
        command += ["--path", "/all"]
    if who == "socketio":
        command += ["--path", "/socket.io/?EIO=4&transport=websocket"]
    if kind == "get":
        command += ["--path", f"/css/{size // 1024}k.css"]
    before = cpu_s(process)
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    result["cpu_s"] = cpu_s(process) - before
    return result


def files(folder):
    """An app of a few files, as large as the peers'."""
    os.mkdir(os.path.join(folder, "css"))
    for name, count in (("app.html", 20), ("css/1k.css", 1024), ("css/10k.css", 10240), ("css/1024k.css", 1048576)):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write("".join(chr(ord("a") + i % 26) for i in range(count)))
        os.utime(file.name, (1e9, 1e9))  # what was written within the last seconds is not held in memory
    return folder


def build_uws(folder):
    """Compile the peer as uWebSockets' own examples are: -O3, link-time optimization, no TLS, no zlib."""
    sockets, program = os.path.join(folder, "uSockets", "src"), os.path.join(BUILD, "bench", "peer-uws")
    includes = ["-I" + sockets, "-I" + os.path.join(folder, "uWebSockets", "src")]
    flags = ["-O3", "-flto=auto", "-w", "-DLIBUS_NO_SSL", "-DUWS_NO_ZLIB"]
    objects = []
    for source in [*glob.glob(sockets + "/*.c"), *glob.glob(sockets + "/eventing/epoll*.c"), *glob.glob(sockets + "/crypto/*.c")]:
        objects.append(f"{program}-{os.path.basename(source)}.o")
        subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", *flags, *includes, "-c", source, "-o", objects[-1]], check=True)
    subprocess.run(["g++", "-std=c++20", *flags, *includes, os.path.join(ROOT, "benches/web/peer-uws.cpp"), *objects,
                    "-o", program, "-pthread"], check=True)
    return program


def build_peer(name, words):
    """Compile a peer in C. None: its library is not there, which is said."""
    program = os.path.join(BUILD, "bench", "peer-" + name)
    try:
        subprocess.run(["gcc", "-O3", "-flto=auto", "-w", os.path.join(ROOT, f"benches/web/peer-{name}.c"), *words, "-o", program], check=True)
    except subprocess.CalledProcessError:
        print(f"bench: without {name}: it could not be built", file=sys.stderr)
        return None
    return [program]


def main():
    parser = argparse.ArgumentParser(prog="./bench web")
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    parser.add_argument("seconds", type=float, nargs="?", default=1)
    parser.add_argument("--uws", metavar="DIR")
    parser.add_argument("--mongoose", metavar="DIR")
    parser.add_argument("--peer", choices=CELLS)
    parser.add_argument("--cells", metavar="REGEX", default="")
    parser.add_argument("--idle", metavar="N", type=int)
    options = parser.parse_args()
    meshwork = os.path.join(BUILD, "meshwork")
    commands = {
        "echo": [meshwork, "serve", os.path.join(ROOT, "examples/echo"), "--port", "0"],
        "broadcast": [meshwork, "serve", os.path.join(ROOT, "benches/web/shout"), "--port", "0"],
        "handshake": [meshwork, "serve", os.path.join(ROOT, "examples/echo"), "--port", "0"],
        "getattr": [meshwork, "serve", os.path.join(ROOT, "examples/hello"), "--port", "0", "--rate", "100M"],
    }
    if options.peer in (None, "ws"):
        commands["ws"] = ["node", os.path.join(ROOT, "benches/web/peer-ws.mjs"), os.path.join(ROOT, "tests/browser")]
    if options.uws and options.peer in (None, "uws"):
        commands["uws"] = [build_uws(options.uws)]
    if options.peer in ("uws", "mongoose") and not getattr(options, options.peer):
        sys.exit(f"bench: --peer {options.peer} wants --{options.peer} DIR")
    if options.mongoose and options.peer in (None, "mongoose"):
        commands["mongoose"] = build_peer("mongoose", ["-I" + options.mongoose, os.path.join(options.mongoose, "mongoose.c")])
    if options.peer in (None, "socketio"):
        commands["socketio"] = ["node", os.path.join(ROOT, "benches/web/peer-socketio.mjs"), os.path.join(ROOT, "benches/web")]
    if options.peer in (None, "lws"):
        commands["lws"] = build_peer("lws", ["-lwebsockets"])
    with tempfile.TemporaryDirectory(prefix="bench-web-") as folder:
        if options.idle:
            measure_idle(commands, options.idle, folder)
            return
        commands["get"] = [meshwork, "serve", files(folder), "--port", "0", "--limit", "keep_alive_requests=1000000000"]
        for name in servers.SERVERS:
            if options.peer in (None, name):
                commands[name] = servers.prepare(name, os.path.join(BUILD, "peers"), folder)
        for peer in CELLS:
            if commands.get(peer):
                cells = [cell for cell in CELLS[peer] if re.search(options.cells, name_of(cell))]
                compare(peer, cells, commands, options)


def compare(peer, cells, commands, options):
    servers = {}
    results = {}
    try:
        for name in {peer, *(cell[0] for cell in cells)}:
            servers[name] = start(commands[name])
        for _ in range(options.rounds):
            for cell in cells:
                for who, server in (("meshwork", servers[cell[0]]), (peer, servers[peer])):
                    results.setdefault((cell, who), []).append(measure(who, server, options.seconds, *cell))
        table(peer, cells, results, options)
    finally:
        for process, _ in servers.values():
            process.terminate()
            process.wait()


def measure_idle(commands, count, folder):
    """Each kind against servers of its own, with room for so many."""
    ours = commands["echo"] + ["--limit", f"connections={count + 1000}"]
    rows = [("HTTP, meshwork", ours, {"is_websocket": False}),
            ("WebSocket, meshwork", ours, {"is_websocket": True}),
            ("HTTP over TLS, meshwork", ours, {"is_websocket": False, "is_tls": True}),
            ("WebSocket over TLS, meshwork", ours, {"is_websocket": True, "is_tls": True}),
            ("HTTP, uws", commands.get("uws"), {"is_websocket": False, "path": "/css/1k.css"}),
            ("WebSocket, uws", commands.get("uws"), {"is_websocket": True}),
            ("WebSocket, ws", commands.get("ws"), {"is_websocket": True})]
    print(f"bytes of memory for each of {count} idle connections, a tenth as many over TLS")
    print(f"{'':32}{'process':>9}{'allocated':>11}")
    for name, command, how in rows:
        if not command:
            continue
        is_tls = how.get("is_tls", False)
        server = start(command + idle.certificate(folder) if is_tls else command)
        try:
            process, counted = idle.measure(server, count=count // 10 if is_tls else count, **how)
        finally:
            server[0].terminate()
            server[0].wait()
        print(f"{name:32}{process:9.0f}" + (f"{counted:11.0f}" if counted else ""), flush=True)


def latency(cell, runs):
    """The 99th percentile; with several requests on the way one clock per connection cannot tell, and handshakes are not timed one by one."""
    return f"{statistics.median(r['p99_us'] for r in runs):9.0f}" if cell[2] == 1 and cell[0] != "handshake" else f"{'':9}"


def cpu_ns(run):
    """Of the server, per request; the load counts those of its warm-up too."""
    return run["cpu_s"] * 1e9 / max(run["all"], 1)


def table(peer, cells, results, options):
    print(f"median of {options.rounds} interleaved rounds of {options.seconds:g} s, server on one core, load on another")
    print(f"{'':28}{'meshwork/s':>12}{peer + '/s':>12}{'ratio':>8}{'cpu ratio':>11}{'p99 us':>9}{peer + ' p99':>9}")
    ratios = {}
    for cell in cells:
        mine, theirs = results[(cell, "meshwork")], results[(cell, peer)]
        ratio = statistics.median(max(m["per_s"], 1) / max(t["per_s"], 1) for m, t in zip(mine, theirs))
        cpu = statistics.median(cpu_ns(m) / max(cpu_ns(t), 1) for m, t in zip(mine, theirs))
        ratios.setdefault(f"{cell[0]} at depth {cell[2]}", []).append(ratio)
        print(f"{name_of(cell):28}{statistics.median(m['per_s'] for m in mine):12.0f}"
              f"{statistics.median(t['per_s'] for t in theirs):12.0f}{ratio:8.2f}{cpu:11.2f}"
              + latency(cell, mine) + latency(cell, theirs))
    for group, values in sorted(ratios.items()):
        print(f"geometric mean, {group}: {statistics.geometric_mean(values):.2f}")
    print()


main()
