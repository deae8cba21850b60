"""Back ends: compiled once, loaded, and every way in which one can be wrong.
SPDX-License-Identifier: MIT"""
import contextlib
import ctypes
import os
import platform
import signal
import subprocess

import scenario
from scenario import Case, Server, environment, run

DESCRIPTOR = "MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = \"x\"%s};\n"


def threads_of(pid):
    """The ids of a process's threads, by their names."""
    ids = {}
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, task)) as file:
            ids[file.read().strip()] = int(task)
    return ids


class Wrong(Case):
    def refused(self, *words, **env):
        code, out, err = run("serve", *words, "--port", 0, **env)
        self.assertEqual((code, out), (1, ""), err)
        return err

    def test_a_compile_error_is_shown_as_the_compiler_printed_it(self):
        folder = self.app(app_c="#include <meshwork/app.h>\nint f(void)\n{\n    return undeclared;\n}\n")
        said = self.refused(folder)
        source = os.path.join(folder, "app.c")
        want = subprocess.run(["cc", "-std=gnu17", "-Wall", "-I", os.path.join(scenario.BUILD, "include"), "-c", source, "-o",
                               os.devnull], env=environment(), capture_output=True, text=True).stderr
        self.assertIn(want, said)
        self.assertIn("meshwork: compile '%s': correct what" % source, said)

    def test_a_link_error_names_what_is_missing(self):
        said = self.refused(self.app(app_c="#include <meshwork/app.h>\nint missing_function(void);\n"
                                           "int f(void) { return missing_function(); }\n" + DESCRIPTOR % ""))
        self.assertIn("missing_function", said)
        self.assertIn("meshwork: link '", said)

    def test_no_descriptor(self):
        line = self.one_line(self.refused(self.app(app_c="int f(void) { return 1; }\n")))
        self.assertIn("app.c", line)
        self.assertIn("mw_app_descriptor", line)

    def test_another_abi(self):
        text = "#include <meshwork/app.h>\n" + (DESCRIPTOR % "").replace("MW_ABI", "MW_ABI + 1")
        line = self.one_line(self.refused(self.app(app_c=text)))
        self.assertIn("app.c", line)
        self.assertIn("ABI", line)

    def test_open_fails(self):
        text = ("#include <errno.h>\n#include <meshwork/app.h>\n"
                "static int no(mw_instance *i, void *s, struct mw_error *e)\n"
                "{ (void)i, (void)s; return mw_fail(e, -EIO, \"the motor does not answer\"); }\n" + DESCRIPTOR % ", .open = no")
        self.assertIn("the motor does not answer", self.one_line(self.refused(self.app(app_c=text))))

    def test_an_attribute_table_that_makes_no_sense(self):
        text = ("#include <meshwork/app.h>\nstatic const mw_attribute a[] = {{.name = \"a b\", .kind = MW_INT}};\n" +
                DESCRIPTOR % ", .attributes = a, .attribute_count = 1")
        self.assertIn("a b", self.one_line(self.refused(self.app(app_c=text))))

    def test_an_app_so_that_is_none(self):
        self.assertIn("app.so", self.one_line(self.refused(self.app(app_so="not an object"))))

    def test_no_compiler(self):
        folder = self.app(app_c=DESCRIPTOR)
        self.assertIn("apt install", self.one_line(self.refused(folder, PATH="/nowhere")))
        self.assertIn("CC says 'nocc'", self.one_line(self.refused(folder, CC="nocc")))
        self.assertIn("false failed without a word; is there room left", self.one_line(self.refused(folder, CC="false")))

    def test_no_home_for_the_cache(self):
        folder = self.app(app_c=DESCRIPTOR)
        line = self.one_line(self.refused(folder, XDG_CACHE_HOME="/proc/nowhere"))
        self.assertIn("XDG_CACHE_HOME", line)

    def test_a_broken_folder_does_not_listen(self):
        a, b = self.app("good", app_html="x"), self.app("bad", app_c="nonsense")
        self.assertIn("bad", self.refused(a, b))


class Right(Case):
    def test_the_second_start_compiles_nothing(self):
        folder = self.app(app_c=scenario.ECHO)
        compiler = os.path.join(self.dir, "cc")
        runs = os.path.join(self.dir, "runs")
        with open(compiler, "w") as f:
            f.write("#!/bin/sh\necho run >>%s\nexec cc \"$@\"\n" % runs)
        os.chmod(compiler, 0o755)
        for _ in range(3):
            with Server(folder, CC=compiler) as server, server.websocket() as client:
                client.send("x")
                self.assertEqual(client.read(), "x")
        self.assertEqual(open(runs).read().count("run"), 2)  # compiled and linked, once

    def test_a_change_is_compiled(self):
        text = ("#include <meshwork/app.h>\n#include \"part.h\"\n"
                "static int start(mw_instance *i, void *s, struct mw_error *e)\n"
                "{ (void)i, (void)s; return WORD ? mw_fail(e, WORD, \"word\") : 0; }\n" + DESCRIPTOR % ", .open = start")
        folder = self.app(app_c=text, part_h="#define WORD 0\n")
        with Server(folder):
            pass
        self.app(part_h="#define WORD -5\n")
        code, _, err = run("serve", folder, "--port", 0)
        self.assertEqual(code, 1)
        self.assertIn("word", err)

    def test_warnings_are_shown_and_do_not_stop(self):
        folder = self.app(app_c=scenario.ECHO + "static int never_used(void) { return 1; }\n")
        with Server(folder) as server:
            self.assertIn("never_used", server.stderr())

    def test_a_built_app_so_is_taken(self):
        folder = self.app("built", app_html="x")
        subprocess.run(["cc", "-shared", "-fPIC", "-I", os.path.join(scenario.BUILD, "include"), "-o",
                        os.path.join(folder, "app.so"), "-x", "c", "-"], input=scenario.ECHO.encode(), check=True)
        with Server(folder, PATH="/nowhere") as server, server.websocket() as client:
            client.send("x")
            self.assertEqual(client.read(), "x")

    def test_folders_may_have_odd_names(self):
        for name in ("with space", "quote'd", "dollar$HOME", "ümlaut", "100%"):
            with Server(self.app(name, app_html="page", app_c=scenario.ECHO)) as server:
                self.assertEqual(server.lines[0], "meshwork: %s at %s" % (name, server.url))
                self.assertEqual(server.get("/").text(), "page")

    def test_two_back_ends_of_one_source_are_two(self):
        a, b = self.app("a", app_c=scenario.BACK_END), self.app("b", app_c=scenario.BACK_END)
        with Server(a, b) as server:
            with server.websocket("/a/", protocols=["meshwork.v1"]) as client:
                client.read_json()
                self.assertEqual(client.ask("setAttr", {"a": 10})["result"]["errors"], {})
            for path, want in (("/a/_mw/rpc", 10), ("/b/_mw/rpc", 1)):
                answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]}, path=path)
                self.assertEqual(answer.json()["result"]["values"], {"a": want})

    def test_a_failing_tick_is_logged_and_the_server_goes_on(self):
        text = ("#include <errno.h>\n#include <meshwork/app.h>\nstatic int tick(mw_instance *i, void *s)\n"
                "{ (void)i, (void)s; return -EIO; }\n" + DESCRIPTOR % ", .tick = tick, .tick_ns = 1000000")
        with Server(self.app(app_html="x", app_c=text)) as server:
            self.eventually(lambda: "failed" in server.stderr(), "nothing is logged")
            self.assertEqual(server.get("/").status, 200)

    def test_connect_may_refuse_and_disconnect_follows_every_connect(self):
        text = r"""
#include <errno.h>
#include <meshwork/app.h>
struct state { int64_t here, refused; };
static int enter(mw_client *client, void *client_state, struct mw_error *ret_error)
{
    struct state *s = mw_instance_state(mw_client_instance(client));
    (void)client_state;
    if (s->here >= 2) {
        s->refused++;
        return mw_fail(ret_error, -EACCES, "two are enough");
    }
    s->here++;
    return 0;
}
static void leave(mw_client *client, void *client_state)
{
    struct state *s = mw_instance_state(mw_client_instance(client));
    (void)client_state;
    s->here--;
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, here), .kind = MW_INT, .marks = MW_GETTABLE},
    {MW_FIELD(struct state, refused), .kind = MW_INT, .marks = MW_GETTABLE},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "x", .state_bytes = sizeof(struct state), .attributes = attributes,
    .attribute_count = 2, .connect = enter, .disconnect = leave,
};
"""
        with Server(self.app(app_c=text)) as server:
            def values():
                request = {"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["here", "refused"]}
                return server.rpc(request).json()["result"]["values"]
            first, second = server.websocket(), server.websocket()
            with server.websocket() as third:
                opcode, payload = third.read_frame()
                self.assertEqual((opcode, payload), (scenario.CLOSE, b"\x03\xf0two are enough"))
            self.eventually(lambda: values() == {"here": 2, "refused": 1}, "the third is still counted")
            first.socket.close()  # without a word
            self.eventually(lambda: values()["here"] == 1, "the first is still counted")
            second.send(b"", scenario.CLOSE)
            self.eventually(lambda: values()["here"] == 0, "the second is still counted")
            second.socket.close()


CRASHES = r"""
#include <meshwork/app.h>
static int app_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    volatile uintptr_t nowhere = 0x1230;
    (void)instance, (void)state, (void)ret_error;
    *(volatile int *)nowhere = 1;
    return 0;
}
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "crashes", .open = app_open};
"""

CRASHES_LATER = r"""
#include <meshwork/app.h>
static const char in[] = "%s";
static void crash(const char *where)
{
    volatile uintptr_t nowhere = 0x1230;
    if (strcmp(where, in) == 0)
        *(volatile int *)nowhere = 1;
}
static int app_connect(mw_client *client, void *state, struct mw_error *ret_error)
{
    (void)client, (void)state, (void)ret_error;
    crash("connect");
    return 0;
}
static int boom(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)client, (void)args, (void)ret, (void)ret_error;
    crash("command");
    return 0;
}
static const mw_command commands[] = {{.name = "boom", .call = boom}};
static const mw_rule rules[] = {{.right = MW_CALLABLE, .name = "boom"}};
static const mw_policy_table policies[] = {{"all", rules, 1}};
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "crashes", .commands = commands, .command_count = 1,
                                            .policies = policies, .policy_count = 1, .connect = app_connect};
"""

SLEEPS = r"""
#include <meshwork/app.h>
#include <meshwork/scheduler.h>
static int nap(mw_tasklet *self, void *scope)
{
    (void)scope;
    while (mw_sleep_until(self, mw_clock(self) + 10000000) == 0)
        ;
    return 0;
}
static int app_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)state, (void)ret_error;
    return mw_tasklet_new(nap, NULL) ? 0 : -1;
}
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "sleeps", .open = app_open};
"""


# The first tick does this, the others that.
STALLS = r"""
#include <meshwork/app.h>
#include <unistd.h>
static int app_tick(mw_instance *instance, void *state)
{
    int *ticks = state;
    (void)instance;
    if ((*ticks)++ == 0)
        %s;
    else
        %s;
    return 0;
}
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "stalls", .state_bytes = sizeof(int),
                                            .tick = app_tick, .tick_ns = INT64_C(10000000)};
"""


# Commands that ask where the caller comes from, and that a coroutine answers when it has slept.
ASKED = r"""
#include <errno.h>
#include <meshwork/app.h>
#include <meshwork/runtime.h>
#include <stdio.h>
static int sleeper(mw_tasklet *self, void *scope)
{
    mw_value item;
    (void)scope;
    while (mw_receive(self, &item)) {
        mw_call *call = mw_get_opaque(item);
        mw_sleep_until(self, mw_now_ns() + 20000000);
        mw_call_answer(call, mw_text("slept"));
        mw_release(item);
    }
    return 0;
}
static int open_it(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    *(mw_tasklet **)state = mw_tasklet_new(sleeper, NULL);
    return 0;
}
static int rest(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    mw_call *call = mw_call_later(client);
    (void)args, (void)ret;
    if (!call)
        return mw_fail(ret_error, -EAGAIN, "not by POST, not in a batch");
    return mw_send(*(mw_tasklet **)mw_instance_state(mw_client_instance(client)), mw_opaque(call, mw_call_free));
}
static int where(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    char text[300];
    (void)args, (void)ret_error;
    snprintf(text, sizeof text, "%s?%s", mw_client_address(client), mw_client_query(client));
    *ret = mw_text(text);
    return 0;
}
static const mw_command commands[] = {{.name = "rest", .call = rest}, {.name = "where", .call = where}};
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "asked", .state_bytes = sizeof(mw_tasklet *),
                                            .open = open_it, .commands = commands, .command_count = 2};
"""
ASKED_INI = "[policy all]\ncallable = rest, where\n[role anonymous]\npolicies = all\n"


class Asks(Case):
    def serve(self, *flags):
        return Server(self.app(app_c=ASKED, app_ini=ASKED_INI, app_html="x"), *flags)

    def client(self, server, path="/"):
        client = server.websocket(path, protocols=["meshwork.v1"])
        self.assertEqual(client.read_json()["method"], "hello")
        return client

    def test_a_command_may_be_answered_later_while_others_are(self):
        with self.serve() as server, self.client(server) as client:
            for ident in range(5):
                client.send({"jsonrpc": "2.0", "id": ident, "method": "call", "params": {"name": "rest"}})
            client.send({"jsonrpc": "2.0", "id": 5, "method": "call", "params": {"name": "where"}})
            self.assertEqual([client.read_json()["id"] for _ in range(6)], [5, 0, 1, 2, 3, 4])
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "rest"}}).json()
            self.assertEqual(answer["error"]["data"], "not by POST, not in a batch")
            with self.client(server) as other:  # it goes before the answer
                other.send({"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "rest"}})
            self.assertEqual(client.ask("call", {"name": "rest"})["result"], "slept")

    def test_it_may_ask_where_a_client_comes_from(self):
        call = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "where"}}
        with self.serve("--trusted-proxy", "loopback") as server:
            with self.client(server, "/?room=5&x=%20") as client:
                self.assertEqual(client.ask("call", {"name": "where"})["result"], "127.0.0.1?room=5&x=%20")
            with self.client(server) as client:
                self.assertEqual(client.ask("call", {"name": "where"})["result"], "127.0.0.1?")
            self.assertEqual(server.rpc(call, X_Forwarded_For="192.0.2.7").json()["result"], "192.0.2.7?")


class Explains(Case):
    def test_a_back_end_that_faults_in_open_is_named(self):
        code, out, err = run("serve", self.app(app_c=CRASHES), "--port", "0")
        self.assertEqual((code, out), (-11, ""), err)
        self.assertIn("meshwork: SIGSEGV at address 0x1230 ", err)
        self.assertIn("while the back end of 'demo' was being opened", err)

    def test_a_fault_in_a_command_or_a_callback_is_named(self):
        for fault, words in (("command", "outside any tasklet, in the command 'boom'"), ("connect", "outside any tasklet, in the app's connect")):
            server = Server(self.app(fault, app_c=CRASHES_LATER % fault, app_ini="[role anonymous]\npolicies = all\n"))
            try:
                with contextlib.suppress(OSError, EOFError, scenario.Refused), server.websocket(protocols=["meshwork.v1"]) as client:
                    client.ask("call", {"name": "boom"})
                self.assertEqual(server.process.wait(scenario.PATIENCE_S), -signal.SIGSEGV)
                self.assertIn(words, server.stderr())
            finally:
                server.stop(signal.SIGKILL)

    def test_a_fault_on_a_worker_is_named_too(self):
        tgkill = {"x86_64": 234, "aarch64": 131}[platform.machine()]
        server = Server(self.app(app_html="x"), "--workers", "3")
        pid = server.process.pid
        try:
            self.eventually(lambda: "mw-worker-2" in threads_of(pid), "the second worker")
            self.assertEqual(ctypes.CDLL(None).syscall(tgkill, pid, threads_of(pid)["mw-worker-2"], int(signal.SIGSEGV)), 0)
            self.assertEqual(server.process.wait(10), -signal.SIGSEGV)
            self.assertIn("outside any tasklet, on a worker of the server", server.stderr())
        finally:
            server.stop(signal.SIGKILL)

    def test_a_tasklet_that_does_not_come_back_is_named_and_counted(self):
        app = STALLS % ("usleep(400000)", "usleep(1000)")
        with Server(self.app(app_c=app, app_html="x")) as server:
            self.eventually(lambda: "tasklet 'tick' (made at " in server.stderr(), "the complaint")
            self.assertRegex(server.stderr(), r"has been running for \d{3} ms with one item: all else on its thread waits for it")
            self.eventually(lambda: 'hits_total{limit="tasklet_warn_ms"} 1\n' in server.get("/_mw/metrics").text(), "the count")

    def test_one_that_never_comes_back_ends_the_server_by_name(self):
        app = STALLS % ("for (;;) usleep(1000)", "usleep(1000)")
        code, _, err = run("serve", self.app(app_c=app, app_html="x"), "--port", "0", "--limit", "tasklet_abort_ms=300")
        self.assertEqual(code, -6, err)
        self.assertIn("SIGABRT in tasklet 'tick'", err)

    def test_one_on_a_worker_is_named_and_ends_the_server_as_well(self):
        app = STALLS.replace(".tick =", ".instance = MW_INSTANCE_PER_CLIENT, .tick =").replace("#include", "#define _GNU_SOURCE\n#include", 1)
        app = app % ("while (gettid() != getpid()) usleep(1000)", "usleep(1000)")
        server = Server(self.app(app_c=app, app_html="x"), "--workers", "3", "--limit", "tasklet_abort_ms=300")
        with contextlib.ExitStack() as clients, contextlib.suppress(OSError, EOFError, AssertionError):
            for _ in range(100):
                clients.enter_context(server.websocket())  # and stay: an instance whose client is gone ticks no more
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(0.02)
                    break
        self.assertEqual(server.process.wait(scenario.PATIENCE_S), -signal.SIGABRT)
        self.assertRegex(server.stderr(), r"tasklet 'tick' \(made at .*\) has been running for \d+ ms")
        self.assertIn("SIGABRT in tasklet 'tick'", server.stderr())
        server.stop(signal.SIGKILL)

    def test_sigquit_prints_what_tasklets_do_and_the_server_goes_on(self):
        with Server(self.app(app_c=SLEEPS, app_html="x")) as server:
            self.assertEqual(server.get("/").status, 200)
            server.process.send_signal(signal.SIGQUIT)
            self.eventually(lambda: "waits for a time for " in server.stderr(), "the dump")
            self.assertRegex(server.stderr(), r"nap +coroutine +0/1024 ")
            self.assertIn("what the tasklets of 'demo' are doing:", server.stderr())
            self.assertEqual(server.get("/").status, 200)


TALKS = r"""
#include <meshwork/app.h>
#include <meshwork/runtime.h>
#include <pthread.h>
#include <unistd.h>
struct state { int64_t posted, answered; mw_address *to; pthread_t thread; };
static int take(mw_tasklet *self, void *scope, mw_value item)
{
    struct state *s = scope;
    (void)self;
    s->posted += item.as.integer;
    return 0;
}
static void *instrument(void *context)      /* a thread of the program's own */
{
    struct state *s = context;
    int i;
    for (i = 0; i < 100; i++) {
        while (mw_post(s->to, mw_int(1)) == -11)
            usleep(1000);
        usleep(500);
    }
    mw_address_unref(s->to);
    return NULL;
}
static int square(void *arg) { return *(int *)arg * *(int *)arg; }
static int talk(mw_tasklet *self, void *scope)   /* a server within the server */
{
    struct state *s = scope;
    mw_stream *listener, *stream;
    struct mw_error error = {0};
    char byte;
    int port, seven = 7;
    if (mw_listen(self, "127.0.0.1", 0, &listener, &port, &error) < 0 ||
        mw_connect(self, "127.0.0.1", port, MW_FOREVER, &stream, &error) < 0)
        return -1;
    mw_stream_close(stream);
    if (mw_accept(self, listener, MW_FOREVER, &stream) < 0 || mw_read(self, stream, &byte, 1, MW_FOREVER) != 0)
        return -1;
    mw_stream_close(stream);
    mw_stream_close(listener);
    s->answered = mw_offload(self, square, &seven, NULL, MW_FOREVER);
    return 0;
}
static int app_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct state *s = state;
    (void)instance, (void)ret_error;
    s->to = mw_tasklet_address(mw_handler_new(take, s));
    return mw_tasklet_new(talk, s) && pthread_create(&s->thread, NULL, instrument, s) == 0 ? 0 : -1;
}
static void app_close(mw_instance *instance, void *state)
{
    (void)instance;
    pthread_join(((struct state *)state)->thread, NULL);
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, posted), .kind = MW_INT, .marks = MW_GETTABLE},
    {MW_FIELD(struct state, answered), .kind = MW_INT, .marks = MW_GETTABLE},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "talks", .state_bytes = sizeof(struct state), .open = app_open, .close = app_close,
    .attributes = attributes, .attribute_count = MW_COUNT(attributes),
};
"""


class Outside(Case):
    def test_threads_post_to_it_and_its_coroutines_read_write_and_offload(self):
        with Server(self.app(app_c=TALKS)) as server, server.websocket(protocols=["meshwork.v1"]) as client:
            client.read_json()
            got = client.ask("watch", ["posted", "answered"])["result"]["values"]
            while got.get("posted") != 100 or got.get("answered") != 49:  # a thread's posts wake the server by themselves
                for name, value in client.read_json().get("params", {}).get("values", {}).items():
                    got[name] = value


CONDITIONS = r"""
#include <meshwork/app.h>
#include <errno.h>
struct state { int64_t speed, speed_limit, salary; };
static int is_gentle(const mw_access *access)     /* at most five faster at a time, never slower */
{
    int64_t step;
    if (!access->new_value || !access->old_value)
        return 1;
    step = access->new_value->as.integer - access->old_value->as.integer;
    return step >= 0 && step <= 5;
}
static int refuse(void *object, const mw_attribute *attribute, mw_value value, struct mw_error *ret_error)
{
    (void)object, (void)attribute, (void)value;
    return mw_fail(ret_error, -EINVAL, "not today");
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, speed), .kind = MW_INT},
    {MW_FIELD(struct state, speed_limit), .kind = MW_INT},
    {MW_FIELD(struct state, salary), .kind = MW_INT},
    {.name = "picky", .kind = MW_INT, .set = refuse},
};
static const mw_predicate predicates[] = {{"gentle", is_gentle}};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "conditions", .state_bytes = sizeof(struct state),
    .attributes = attributes, .attribute_count = MW_COUNT(attributes), .predicates = predicates, .predicate_count = MW_COUNT(predicates),
};
"""


class Reload(Case):
    """Policies that change while clients are there."""
    BEFORE = "[policy drive]\ngettable = speed\n[role anonymous]\npolicies = drive\n"
    AFTER = "[policy drive]\ngettable = speed\nsettable = speed\n[role anonymous]\npolicies = drive\n"

    def write(self, folder, ini):
        """As editors do: another file in its place."""
        fresh = os.path.join(folder, "app.ini~")
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(ini)
        os.replace(fresh, os.path.join(folder, "app.ini"))

    def test_with_dev_a_saved_app_ini_holds_and_is_told(self):
        folder = self.app(app_c=CONDITIONS, app_ini=self.BEFORE)
        with Server(folder, "--dev") as server, server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["params"]["rights"], {"speed": "get"})
            self.write(folder, self.AFTER)
            self.assertEqual(client.read_json(), {"jsonrpc": "2.0", "method": "rights", "params": {"speed": "get set"}})
            self.assertEqual(client.ask("setAttr", {"speed": 4})["result"]["errors"], {})
            self.write(folder, "[policy drive]\ngettable = speed\n\nsettable = /a(/\n")
            self.eventually(lambda: "the policies from before stay" in server.stderr(), "the refusal")
            self.assertRegex(server.stderr(), r"app\.ini': line 4: .*missing closing parenthesis")
            self.assertEqual(client.ask("setAttr", {"speed": 5})["result"]["errors"], {})
            self.write(folder, "[policy drive]\n[role anonymous]\npolicies = drive\n")
            self.assertEqual(client.read_json(), {"jsonrpc": "2.0", "method": "rights", "params": {}})
            self.assertEqual(client.ask("getAttr", ["speed"])["result"]["errors"], {"speed": "denied"})
            os.remove(os.path.join(folder, "app.ini"))  # nothing said: the back end's own marks, of which it has none
            self.eventually(lambda: server.stderr().count("took the policies") == 3, "the last reload")
            self.assertEqual(client.ask("getAttr", ["speed"])["result"]["errors"], {"speed": "denied"})

    def test_with_dev_an_app_c_that_was_saved_is_said_to_wait_for_a_start(self):
        folder = self.app(app_c=CONDITIONS, app_ini=self.BEFORE)
        source = os.path.join(folder, "app.c")
        with Server(folder, "--dev") as server:
            for count in (1, 2):
                with open(source, "a", encoding="utf-8") as file:
                    file.write("/* again */\n")
                self.eventually(lambda: server.stderr().count("app.c' has changed: start again to have it taken") == count, "the word")
            os.remove(source)
            self.write(folder, self.AFTER)
            self.eventually(lambda: "took the policies" in server.stderr(), "the next look")
            self.assertEqual(server.stderr().count("has changed"), 2)

    def test_sighup_takes_policies_and_says_what_waits_for_a_start(self):
        folder = self.app(app_c=CONDITIONS, app_ini=self.BEFORE)
        with Server(folder) as server, server.websocket(protocols=["meshwork.v1"]) as client:
            client.read_json()
            self.write(folder, self.AFTER + "[limits]\nmessages_per_s = 7\n")
            server.process.send_signal(signal.SIGHUP)
            self.assertEqual(client.read_json()["params"], {"speed": "get set"})
            self.eventually(lambda: "reloaded" in server.stderr(), "the end of the reload")
            self.assertIn("counts from the next start", server.stderr())
            self.write(folder, "[role anonymous]\npolicies = nowhere\n")
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "what was there stays" in server.stderr(), "the refusal")
            self.assertRegex(server.stderr(), r"app\.ini': line 2: there is no policy 'nowhere'")
            self.assertEqual(client.ask("setAttr", {"speed": 4})["result"]["errors"], {})


BUSY = r"""
#include <meshwork/app.h>
#include <stdlib.h>
#include <string.h>
enum { LONG = 200000 };
struct state { int64_t count; char text[LONG]; };
static int app_tick(mw_instance *instance, void *state)
{
    struct state *s = state;
    (void)instance;
    s->count++;
    memset(s->text, 'a' + (int)(s->count % 26), LONG - 1);
    return 0;
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, count), .kind = MW_INT},
    {MW_FIELD(struct state, text), .kind = MW_TEXT},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "busy", .state_bytes = sizeof(struct state), .attributes = attributes,
    .attribute_count = MW_COUNT(attributes), .tick = app_tick, .tick_ns = INT64_C(5000000),
};
"""


class Revocation(Case):
    """Rights that are taken away while values are under way (promises, P15)."""
    MAY = "[policy look]\ngettable = count, text\n[role anonymous]\npolicies = look\n"
    MAY_NOT = "[policy look]\ngettable = text\ndeny_gettable = count, text\n[role anonymous]\npolicies = look\n"

    def revoke(self, server, folder):
        with open(os.path.join(folder, "app.ini"), "w", encoding="utf-8") as file:
            file.write(self.MAY_NOT)
        server.process.send_signal(signal.SIGHUP)

    def test_nothing_is_delivered_to_a_thousand_watchers_after_their_rights_went(self):
        folder = self.app(app_c=BUSY.replace("INT64_C(5000000)", "INT64_C(200000000)"), app_ini=self.MAY)
        with Server(folder, "--limit", "accepts_per_s=5000") as server:
            clients = [server.websocket(protocols=["meshwork.v1"]) for _ in range(1000)]
            for client in clients:
                client.ask("watch", ["count"])
            for client in clients:
                self.assertEqual(client.read_json()["method"], "changed")
            self.revoke(server, folder)
            self.eventually(lambda: "reloaded" in server.stderr(), "the reload")
            for client in clients:
                while (message := client.read_json())["method"] == "changed":
                    pass
                self.assertEqual(message, {"jsonrpc": "2.0", "method": "rights", "params": {}})
            for client in clients:  # and not a word more before the answer
                client.send({"jsonrpc": "2.0", "id": 2, "method": "getAttr", "params": ["count"]})
                self.assertEqual(client.read_json()["result"]["errors"], {"count": "denied"})
                client.socket.close()

    def test_a_reader_who_is_slow_then_is_dropped_with_what_is_queued(self):
        folder = self.app(app_c=BUSY, app_ini=self.MAY)
        flags = ("--limit", "output_soft_bytes=512M", "--limit", "output_hard_bytes=512M", "--limit", "output_total_bytes=1G")
        with Server(folder, *flags) as server, server.websocket(protocols=["meshwork.v1"]) as slow:
            slow.send({"jsonrpc": "2.0", "id": 1, "method": "watch", "params": {"names": ["text"], "mode": "all"}})
            self.eventually(lambda: metric(server, "meshwork_output_queued_bytes") > 1 << 20, "a queue")
            self.revoke(server, folder)
            self.eventually(lambda: metric(server, "meshwork_connections_hurried_total") == 1, "the end of the slow one")
            self.eventually(lambda: metric(server, "meshwork_websockets") == 0, "the end of its connection")


def metric(server, name):
    for line in server.get("/_mw/metrics").text().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError("there is no metric %s" % name)


class Conditions(Case):
    def test_app_ini_may_say_regexes_and_name_predicates_of_the_back_end(self):
        ini = "[policy drive]\ngettable = /^speed/\nsettable = speed@gentle, picky\n[role anonymous]\npolicies = drive\n"
        with Server(self.app(app_c=CONDITIONS, app_ini=ini)) as server, server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["params"]["rights"], {"speed": "get set", "speed_limit": "get", "picky": "set"})
            self.assertEqual(client.ask("getAttr", ["speed_limit", "salary"])["result"]["errors"], {"salary": "denied"})
            self.assertEqual(client.ask("setAttr", {"speed": 4})["result"]["errors"], {})
            self.assertEqual(client.ask("setAttr", {"speed": 40})["result"]["errors"], {"speed": "denied"})
            # The way back is not the user's: no predicate is asked about it.
            errors = client.ask("setAttr", {"values": {"speed": 8, "picky": 1}, "atomic": True})["result"]["errors"]
            self.assertEqual(errors["picky"], "invalid")
            self.assertEqual(client.ask("getAttr", ["speed"])["result"]["values"], {"speed": 4})
            self.assertNotIn("put back", server.stderr())

    def test_a_regex_or_predicate_that_is_none_ends_the_start_with_its_line(self):
        for member, why in ("/a(/", "missing closing parenthesis"), ("speed@gently", "no predicate 'gently'; it has 'gentle'"):
            folder = self.app(app_c=CONDITIONS, app_ini="[policy drive]\n\ngettable = %s\n" % member)
            code, _, err = run("serve", folder, "--port", 0)
            self.assertEqual(code, 1)
            self.assertIn("app.ini': line 3: ", err)
            self.assertIn(why, err)
