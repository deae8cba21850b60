#!/usr/bin/python3
"""The core beside its peers: medians of interleaved runs, and what each peer takes as a multiple of ours.

usage: ./bench core [rounds] [figure...] [--libdill DIR]
Peers that are not installed are left out, and named. Those of apt: golang-go erlang-base libboost-fiber-dev libcaf-dev librust-tokio-dev (with rustc
and cargo) libst-dev python3-greenlet. DIR holds libdill's header and, there or in build/, its static library.
SPDX-License-Identifier: MIT
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("MW_BUILD", "build"), "bench")
PEERS = os.path.join(HERE, "peers")
OUT = os.path.join(BUILD, "peers")

# figure, program, unit, what is asked of the peers, cores
FIGURES = [
    ("send-next", "send", "ns", "send-next", 1),
    ("send-flush", "send", "ns", None, 1),
    ("switch", "switch", "ns", "switch", 1),
    ("ping-pong", "ring", "ns", "ping-pong", 1),
    ("ping-pong-handlers", "ring", "ns", "ping-pong", 1),
    ("ring", "ring", "ns", "ring", 1),
    ("pipeline", "pipeline", "ns", "pipeline", 1),
    ("fan-in", "pipeline", "ns", "fan-in", 1),
    ("fan-out", "pipeline", "ns", "fan-out", 1),
    ("make-handler", "make", "ns", "make", 1),
    ("make-coroutine", "make", "ns", "make", 1),
    ("priority", "priority", "ns", None, 1),
    ("idle-handler", "idle", "bytes", "idle", 1),
    ("idle-coroutine", "idle", "bytes", "idle", 1),
    ("idle-small", "idle", "bytes", None, 1),
    ("skynet-handlers", "skynet", "ms", "skynet", 1),
    ("skynet-handlers-peak", "skynet", "MB", None, 1),
    ("skynet-coroutines", "skynet", "ms", "skynet", 1),
    ("skynet-coroutines-peak", "skynet", "MB", None, 1),
    ("pipeline-2", "cores", "ns", "pipeline-2", 2),
    ("fan-in-2", "cores", "ns", "fan-in-2", 2),
    ("pair-2", "cores", "ns", "pair-2", 2),
    ("across-2", "cores", "ns", None, 2),
]
# Debian's crates stand in for the registry: nothing is fetched.
CRATES = "/usr/share/cargo/registry"
CARGO_TOML = '''[package]
name = "tokio-peer"
version = "0.0.0"
edition = "2021"
[[bin]]
name = "tokio-peer"
path = "%s/tokio.rs"
[dependencies]
tokio = { version = "1", features = ["rt-multi-thread", "sync"] }
[profile.release]
lto = true
''' % PEERS

# name, what must be there, how it is built ({} is its place), how it is run for one figure on so many cores
PEER_PROGRAMS = [
    ("Go", "go", ["go", "build", "-o", "{}/go-peer", PEERS + "/peer.go"], lambda figure, cores: [OUT + "/go-peer", figure]),
    ("Erlang", "erlc", ["erlc", "-o", "{}", PEERS + "/bench_peer.erl"],
     lambda figure, cores: ["erl", "+S", "%d:%d" % (cores, cores), "+P", "2000000", "-noshell", "-pa", OUT, "-run", "bench_peer", "main", figure]),
    ("Boost.Fiber", "/usr/include/boost/fiber/fiber.hpp",
     ["g++", "-O2", "-std=c++17", "-o", "{}/boost-peer", PEERS + "/boost.cpp", "-lboost_fiber", "-lboost_context", "-lpthread"],
     lambda figure, cores: [OUT + "/boost-peer", figure]),
    ("CAF", "/usr/include/caf/all.hpp", ["g++", "-O2", "-std=c++17", "-o", "{}/caf-peer", PEERS + "/caf.cpp", "-lcaf_core", "-lpthread"],
     lambda figure, cores: [OUT + "/caf-peer", figure]),
    ("Tokio", CRATES + "/tokio-1*",
     ["cargo", "build", "--quiet", "--release", "--offline", "--manifest-path", "{}/Cargo.toml", "--target-dir", "{}/tokio",
      "--config", 'source.crates-io.replace-with="debian"', "--config", 'source.debian.directory="%s"' % CRATES],
     lambda figure, cores: [OUT + "/tokio/release/tokio-peer", figure]),
    ("State Threads", "/usr/include/st.h", ["gcc", "-O2", "-o", "{}/threads-peer", PEERS + "/threads.c", "-lst"],
     lambda figure, cores: [OUT + "/threads-peer", figure]),
    ("greenlet", "/usr/lib/python3/dist-packages/greenlet", None,
     lambda figure, cores: ["/usr/bin/python3", PEERS + "/peer.py", "greenlet", figure]),
    ("the blog, Python", "/usr/bin/python3", None,
     lambda figure, cores: ["/usr/bin/python3", PEERS + "/peer.py", "tasklet", figure]),
]


def libdill_at(folder):
    """As a row of PEER_PROGRAMS."""
    folder = os.path.abspath(folder)
    return ("libdill", folder + "/libdill.h",
            ["gcc", "-O2", "-I" + folder, "-o", "{}/dill-peer", PEERS + "/dill.c", "-L" + folder, "-L" + folder + "/build", "-l:libdill.a", "-lpthread"],
            lambda figure, cores: [OUT + "/dill-peer", figure])


def is_there(what):
    return glob.glob(what) if what.startswith("/") else shutil.which(what)


def build_peers(programs):
    """Build those whose tools are here. returns name: run"""
    peers = {}
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "Cargo.toml"), "w", encoding="utf-8") as file:
        file.write(CARGO_TOML)
    for name, needs, build, run in programs:
        if not is_there(needs):
            print("without %s: no %s here" % (name, needs))
        elif build and subprocess.run([word.format(OUT) for word in build], check=False).returncode != 0:
            print("without %s: it did not build" % name)
        else:
            peers[name] = run
    return peers


SAID = set()


def say_once(line):
    """What has failed in one round fails in the others."""
    if line not in SAID:
        SAID.add(line)
        print(line, file=sys.stderr)


def run_program(command, cores):
    """returns figure: value; what a program does not know it does not print. One that fails is named on stderr, with its last line."""
    name = " ".join(os.path.basename(word) for word in command)
    core = "%d" % ((os.cpu_count() or 1) - 1)
    pinned = command if cores > 1 else ["taskset", "-c", core] + command
    try:
        done = subprocess.run(pinned, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env=dict(os.environ, ERL_CRASH_DUMP_BYTES="0"))  # a question that Erlang is not asked leaves no file
    except subprocess.TimeoutExpired:
        say_once("%s: no answer within 60 s" % name)
        return {}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        say_once("%s: ended with %d: %s" % (name, done.returncode, last[:200]))
    values = (line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
    return {name: float(value) for name, value in values}


def measure(figures, peers, rounds):
    """returns (who, figure): the values of all rounds"""
    values = {}
    asked = {}
    programs = dict.fromkeys((program, cores) for _, program, _, _, cores in figures)
    for _, _, _, question, cores in figures:
        if question:
            asked[question] = cores
    for _ in range(rounds):
        for program, cores in programs:
            wanted = [figure for figure, of, _, _, _ in figures if of == program]
            for who, suffix in (("static", ""), ("shared", "-shared")):
                path = os.path.join(BUILD, "core-" + program + suffix)
                for figure, value in (run_program([path] + wanted, cores) if os.path.exists(path) else {}).items():
                    values.setdefault((who, figure), []).append(value)
        for name, run in peers.items():
            for question, cores in asked.items():
                for figure, value in run_program(run(question, cores), cores).items():
                    values.setdefault((name, figure), []).append(value)
    return values


def main():
    words = sys.argv[1:]
    programs = list(PEER_PROGRAMS)
    if "--libdill" in words:
        at = words.index("--libdill")
        if at + 1 == len(words):
            sys.exit("bench: --libdill wants DIR")
        programs.append(libdill_at(words[at + 1]))
        del words[at:at + 2]
    rounds = int(words[0]) if words else 5
    wanted = words[1:]
    figures = [f for f in FIGURES if not wanted or f[0] in wanted]
    peers = build_peers(programs)
    values = measure(figures, peers, rounds)
    medians = {key: statistics.median(all_of_it) for key, all_of_it in values.items()}
    names = [name for name in peers if any(who == name for who, _ in medians)]
    print("medians of %d rounds; a peer's value, and in brackets how many times ours (static) it is" % rounds)
    print("%-24s%10s%10s" % ("", "static", "shared") + "".join("%20s" % name for name in names))
    for figure, _, unit, question, _ in figures:
        ours, shared = medians.get(("static", figure)), medians.get(("shared", figure))
        line = "%-24s" % (figure + ", " + unit)
        line += "".join("%10.1f" % value if value is not None else "%10s" % "-" for value in (ours, shared))
        for name in names:
            value = medians.get((name, question))
            line += "%20s" % ("%.1f (%.1f)" % (value, value / ours) if value is not None and ours else "-")
        print(line)


main()
