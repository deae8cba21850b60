"""gdb's words for Meshwork: the stacks of suspended coroutines, of a live process and of a core file.
SPDX-License-Identifier: MIT"""
import os
import re
import resource
import signal
import subprocess

import scenario
from scenario import Case, environment

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "tools", "gdb", "meshwork.py")

# A parser that waits for a line three calls deep, a filler that waits for room in a store that sleeps, one more in a mesh within.
PROGRAM = r"""
#include <meshwork/scheduler.h>
#include <stdlib.h>
static volatile int64_t seen; /* so that no frame is optimized away */
__attribute__((noinline)) static void stopped_here(void) { seen++; }
__attribute__((noinline)) static bool read_line(mw_tasklet *self, mw_value *ret, int depth)
{
    bool is_there = depth > 1 ? read_line(self, ret, depth - 1) : mw_receive(self, ret);
    seen += is_there;
    return is_there;
}
static int parser(mw_tasklet *self, void *scope)
{
    mw_value line;
    (void)scope;
    while (read_line(self, &line, 3))
        mw_release(line);
    return 0;
}
static int store(mw_tasklet *self, void *scope)
{
    (void)scope;
    seen += mw_sleep_until(self, mw_now_ns() + INT64_C(3600000000000));
    return 0;
}
static int filler(mw_tasklet *self, void *scope)
{
    int i;
    (void)self;
    for (i = 0; i < 3; i++)
        seen += mw_send(scope, mw_int(i));
    return 0;
}
static int count(mw_tasklet *self, void *scope, mw_value takes_item)
{
    (void)self, (void)scope;
    mw_release(takes_item);
    return 0;
}
int main(int argc, char **argv)
{
    mw_scheduler *inner = mw_taskmaster_new();
    mw_tasklet *target = mw_tasklet_open(store, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .mailbox_items = 1, .name = "store"});
    (void)mw_tasklet_new(parser, NULL);
    (void)mw_tasklet_new(filler, target);
    (void)mw_handler_new(count, NULL);
    (void)mw_scheduler_tasklet(inner);
    (void)mw_scheduler_add(inner, mw_tasklet_open(parser, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .name = "within"}));
    (void)mw_step();
    (void)mw_step();
    stopped_here();
    if (argc > 1 && argv[1])
        abort();
    return 0;
}
"""


class Gdb(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.dir, "program")
        done = subprocess.run(["cc", "-O2", "-g", "-x", "c", "-", "-x", "none", "-I", os.path.join(ROOT, "include"), "-o", self.path,
                               "-L", scenario.BUILD, "-Wl,-rpath," + scenario.BUILD, "-lmeshwork-core"],
                              input=PROGRAM, env=environment(), capture_output=True, text=True)
        if "san_" in done.stderr:
            self.skipTest("this build needs a sanitizer's runtime in the program")
        self.assertEqual(done.returncode, 0, done.stderr)

    def gdb(self, *commands, core=()):
        """What gdb prints on both outputs."""
        words = ["gdb", "-nx", "-batch", "-ex", "set debuginfod enabled off", "-ex", "source " + SCRIPT]
        for command in commands:
            words += ["-ex", command]
        done = subprocess.run([*words, self.path, *core], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=scenario.PATIENCE_S * 3)
        if re.search("ptrace: |Could not trace the inferior", done.stdout):
            self.skipTest("nobody may trace a process here")
        return done.stdout

    def live(self, *commands):
        return self.gdb("break stopped_here", "run", *commands, "kill")

    def check_stacks(self, said):
        """Every suspended coroutine, innermost call first, to the end of its own stack and not beyond."""
        stacks = {}
        for line in said.splitlines():
            head = re.match(r"'(\w+)' \(0x", line)
            if head:
                stacks[head.group(1)] = calls = []
            call = re.match(r"  #\d+ +(?:0x\w+ in )?(\w+) \(", line)
            if call:
                calls.append(call.group(1))
        self.assertEqual(sorted(stacks), ["filler", "parser", "store", "within"], said)
        for name in "parser", "within":
            self.assertEqual(stacks[name][:4], ["read_line"] * 3 + ["parser"], said)
        self.assertIn("filler", stacks["filler"], said)
        self.assertIn("mw_send", " ".join(stacks["filler"]), said)
        self.assertIn("store", stacks["store"], said)
        for calls in stacks.values():
            self.assertRegex(calls[-1], "^coroutine_start", said)
        self.assertNotIn("Backtrace stopped", said)

    def test_the_stack_of_every_suspended_coroutine(self):
        self.check_stacks(self.live("mw bt all"))

    def test_the_same_in_a_core_file(self):
        with open("/proc/sys/kernel/core_pattern") as pattern:
            pattern = pattern.read().strip()
        if pattern[:1] in "|/":
            self.skipTest("the kernel gives core files to " + pattern)
        most = resource.getrlimit(resource.RLIMIT_CORE)[1]
        if most == 0:
            self.skipTest("no core files here: ulimit -H -c is 0")
        done = subprocess.run([self.path, "crash"], cwd=self.dir, env=environment(), preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_CORE, (most, most)))
        self.assertEqual(done.returncode, -signal.SIGABRT)
        core = [name for name in os.listdir(self.dir) if name.startswith("core")]
        self.assertEqual(len(core), 1, os.listdir(self.dir))
        self.check_stacks(self.gdb("mw bt all", core=[os.path.join(self.dir, core[0])]))

    def test_what_each_does(self):
        said = self.live("mw list")
        self.assertRegex(said, r"mesh 0x\w+: 5 tasklets, 0 ready, \d+ turns", said)
        self.assertRegex(said, r"  0x\w+ +coroutine +1 queued +0 processed +\?:0 +store, waits for time\n")
        self.assertRegex(said, r"filler, waits for room of 'store'\n")
        self.assertRegex(said, r"handler +0 queued +0 processed +<stdin>:\d+ +count, fresh\n")
        self.assertRegex(said, r"\n    0x\w+ +coroutine .* within, idle\n")

    def test_one_by_name_or_address_and_words_for_what_is_not_there(self):
        said = self.live("mw bt within", "mw bt count", "mw bt nobody", "mw bt", "backtrace")
        self.assertEqual(said.count("made at"), 2, said)
        self.assertIn("a handler: it has no stack of its own", said)
        self.assertIn("mw: no tasklet 'nobody' (mw list has all)", said)
        self.assertIn("mw: whose stack? mw bt NAME|ADDRESS|all", said)
        self.assertRegex(said, r"#0 +stopped_here \(\).*\n#1 .*main \(argc=1", said)  # the thread's own is as it was
        address = re.search(r"'within' \((0x\w+)\)", said).group(1)
        self.assertIn("'within' (0x", self.live("mw bt " + address))

    def test_a_program_without_meshwork_is_told_so(self):
        self.path = "/bin/true"
        self.assertIn("mw: mesh_registry.meshes.head is not known here: is this a program of Meshwork", self.gdb("mw list"))
