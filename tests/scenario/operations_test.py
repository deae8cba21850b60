"""What whoever runs a server looks at and does: health, metrics, limits, drain, reload, logs.
SPDX-License-Identifier: MIT"""
import contextlib
import json
import os
import pty
import re
import signal
import shlex
import socket
import subprocess
import time

import back_end_test
import scenario
from scenario import Case, ManagedCase, Server, run

MESH = scenario.BACK_END.replace("s->a = 1,", """
    for (int i = 0; i < 3; i++)
        (void)mw_tasklet_named(i < 2 ? "worker" : "odd \\"one\\"");
    s->a = 1,""").replace("struct state {", """
static int swallow(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    mw_release(item);
    return 0;
}
static mw_tasklet *mw_tasklet_named(const char *name)
{
    mw_tasklet *t = mw_handler_new(swallow, NULL);
    (void)mw_tasklet_set_name(t, name);
    (void)mw_send(t, mw_int(1));
    return t;
}
struct state {""")


def metrics(server, **fields):
    """{'name{labels}': value} of the metrics, each line checked for its form."""
    answer = server.get("/_mw/metrics", **fields)
    assert answer.status == 200, answer.data
    assert answer.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found, family = {}, None
    for line in answer.text().splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family and line.split()[3] in ("gauge", "counter"), line
        else:
            taken = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? ([0-9.]+)', line)
            assert taken and taken.group(1) == family, line
            found[taken.group(1) + (taken.group(2) or "")] = float(taken.group(3))
    return found


class Metrics(Case):
    def test_who_reads_them_in_a_loop_waits_for_others(self):
        with Server(self.app(app_html="x"), "--limit", "share_steps=100") as server:
            for _ in range(3):
                found = metrics(server)
            self.assertGreaterEqual(found['meshwork_limit_hits_total{limit="share_steps"}'], 2)

    def test_what_happens_is_counted(self):
        with Server(self.app("lab", app_html="x", app_c=MESH)) as server:
            before = metrics(server)
            with server.websocket(protocols=["meshwork.v1"]) as client:
                self.assertIn("result", client.ask("getAttr", ["a", "b", "nothing"]))
                client.ask("watch", ["a"])
                during = metrics(server)
            self.assertEqual(server.get("/missing").status, 404)
            self.eventually(lambda: metrics(server)["meshwork_websockets"] == 0, "the client goes")
            after = metrics(server)
        self.assertEqual(during["meshwork_websockets"], 1)
        self.assertEqual(during['meshwork_app_clients{app="lab"}'], 1)
        self.assertEqual(during['meshwork_app_watches{app="lab"}'], 1)
        self.assertEqual(during['meshwork_policy_denials_total{app="lab"}'], 2)
        for name in ("meshwork_upgrades_total", 'meshwork_responses_total{class="1xx"}', 'meshwork_responses_total{class="4xx"}'):
            self.assertEqual(after[name], before[name] + 1, name)
        self.assertGreater(after["meshwork_received_bytes_total"], before["meshwork_received_bytes_total"])
        self.assertEqual(after['meshwork_tasklets{app="lab",tasklet="worker"}'], 2)
        self.assertEqual(after['meshwork_tasklet_items_total{app="lab",tasklet="worker"}'], 2)
        self.assertEqual(after['meshwork_tasklets{app="lab",tasklet="odd \\"one\\""}'], 1)
        self.assertEqual(after['meshwork_queue_items{app="lab",tasklet="worker"}'], 0)
        self.assertGreaterEqual(after['meshwork_mesh_turns_total{app="lab"}'], 1)
        self.assertEqual(after["meshwork_ready"], 1)
        self.assertGreater(after["process_resident_memory_bytes"], 1 << 20)
        self.assertGreater(after["process_open_fds"], 3)

    def test_every_limit_is_there_and_its_hits_are_counted(self):
        listed = run("serve", "--help")[1].split("limits (also")[1].splitlines()[2:]
        with Server(self.app(app_html="x"), "--limit", "request_line_bytes=100") as server:
            self.assertEqual(server.get("/" + "x" * 200).status, 414)
            found = metrics(server)
        for line in listed:
            name, value = line.split()[:2]
            self.assertIn('meshwork_limit_hits_total{limit="%s"}' % name, found)
            if name != "request_line_bytes":
                self.assertEqual(found['meshwork_limit{limit="%s"}' % name], int(value), name)
        self.assertEqual(found['meshwork_limit{limit="request_line_bytes"}'], 100)
        self.assertEqual(found['meshwork_limit_hits_total{limit="request_line_bytes"}'], 1)

    def test_what_says_nothing_takes_little_memory(self):
        """Allocated for each, with the app's client: bounds to be lowered where less suffices. The first ones make what all share."""
        def idle(server, is_websocket):
            if is_websocket:
                return server.websocket(protocols=["meshwork.v1"])
            s = server.connect()
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            s.recv(65536)
            return s

        with Server(self.app("demo", app_html="x")) as server:
            for is_websocket, most in ((False, 230), (True, 500)):
                kept = [idle(server, is_websocket) for _ in range(20)]
                before = metrics(server)["meshwork_memory_bytes"]
                kept += [idle(server, is_websocket) for _ in range(200)]
                self.eventually(lambda: metrics(server)["meshwork_memory_bytes"] <= before + 200 * most, f"{most} bytes or less for each")
                for one in kept:
                    getattr(one, "socket", one).close()

    def test_names_that_an_app_makes_up_do_not_grow_the_answer(self):
        many = MESH.replace("i < 3", "i < 300").replace('(void)mw_tasklet_named(i < 2 ? "worker" : "odd \\"one\\"");', """{
            char name[32];
            (void)snprintf(name, sizeof name, "t%d", i);
            (void)mw_tasklet_named(name);
        }""").replace("#include <meshwork/app.h>", "#include <meshwork/app.h>\n#include <stdio.h>")
        with Server(self.app("lab", app_c=many)) as server:
            found = metrics(server)
        names = [key for key in found if key.startswith("meshwork_tasklets{")]
        self.assertEqual(len(names), 65)
        self.assertEqual(found['meshwork_mesh_tasklets{app="lab"}'], sum(found[name] for name in names))
        self.assertGreaterEqual(found['meshwork_tasklets{app="lab",tasklet="other"}'], 236)

    def test_they_are_for_this_machine_or_for_who_has_the_token(self):
        folder, token = self.app(app_html="x"), "s3cret-" * 5
        path = os.path.join(self.dir, "token")
        with open(path, "w") as file:
            file.write(token + "\n")
        os.chmod(path, 0o644)
        code, _, err = run("serve", folder, "--metrics-token", path)
        self.assertEqual(code, 1)
        self.assertIn("chmod 600", self.one_line(err))
        os.chmod(path, 0o600)
        with Server(folder) as server:
            self.assertEqual(server.get("/_mw/metrics", X_Forwarded_For="10.0.0.1").status, 403)
            self.assertEqual(server.get("/_mw/metrics", Forwarded="for=10.0.0.1", Authorization="Bearer x").status, 403)
            self.assertEqual(server.get("/_mw/metrics", method="POST").status, 405)
        self.app(app_ini="[server]\nmetrics_token = ../token\n")  # beside app.ini
        with Server(folder) as server:
            metrics(server)
            metrics(server, X_Forwarded_For="10.0.0.1", Authorization="Bearer " + token)
            for wrong in (token[:-1], token + "x", "", "Basic " + token):
                refused = server.get("/_mw/metrics", X_Forwarded_For="10.0.0.1", Authorization="Bearer " + wrong)
                self.assertEqual((refused.status, refused.fields["www-authenticate"]), (401, "Bearer"))
        for text in ("short\n", "two words of a token here\n", ""):
            with open(path, "w") as file:
                file.write(text)
            self.assertIn("16 to 256 visible characters", run("config", "check", folder)[2])

    def test_health_and_readiness_answer_ok(self):
        with Server(self.app("a", app_html="x"), self.app("b", app_html="x")) as server:
            for path in ("/_mw/healthz", "/_mw/readyz", "/a/_mw/readyz"):
                self.assertEqual((server.get(path).status, server.get(path).body), (200, b"ok\n"))


class Drain(Case):
    def test_readiness_fails_first_then_each_client_hears_bye_and_1012(self):
        server = Server(self.app(app_html="x", app_c=scenario.BACK_END), "--limit", "drain_notice_ms=1500")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.websocket(protocols=["meshwork.v1"])) for _ in range(5)]
            plain = stack.enter_context(server.websocket())
            self.assertEqual(server.get("/_mw/readyz").status, 200)
            server.process.send_signal(signal.SIGTERM)
            self.eventually(lambda: server.get("/_mw/readyz").status == 503, "readyz fails")
            self.assertEqual(server.get("/_mw/healthz").status, 200)
            self.assertEqual(server.get("/").status, 200)  # requests go on until notice was given
            self.assertEqual(metrics(server)["meshwork_ready"], 0)
            with self.assertRaises(scenario.Refused) as refused:
                server.websocket()
            self.assertEqual(refused.exception.answer.status, 503)
            self.assertIn("retry-after", refused.exception.answer.fields)
            for client in clients:
                while True:
                    message = client.read_json()
                    if message["method"] == "bye":
                        break
                self.assertEqual(message["params"], {"reason": "restarting", "retry_ms": [0, 3000]})
                self.assertEqual(client.read_close(), 1012)
            self.assertEqual(plain.read_close(), 1012)
        began = time.monotonic()
        self.assertEqual(server.process.wait(scenario.PATIENCE_S), 0)
        self.assertLess(time.monotonic() - began, 15)  # nobody is there: not the deadline
        server.stop()

    def test_a_client_that_stays_is_dropped_at_the_deadline(self):
        server = Server(self.app(app_c=scenario.ECHO), "--limit", "drain_notice_ms=0", "--limit", "drain_ms=300",
                        "--limit", "close_ms=60000")
        with server.websocket():  # never answers the close
            began = time.monotonic()
            self.assertEqual(server.stop(signal.SIGTERM), 0)
            self.assertGreaterEqual(time.monotonic() - began, 0.3)
        self.assertIn("limit drain_ms = 300 was reached", server.stderr())

    def test_clients_are_spread_over_time(self):
        server = Server(self.app(app_c=scenario.ECHO), "--limit", "drain_notice_ms=0")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.websocket()) for _ in range(100)]
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual([client.read_close() for client in clients], [1012] * 100)
            self.assertGreaterEqual(time.monotonic() - began, 0.19)  # 2 ms from one to the next
        self.assertEqual(server.stop(), 0)

    def test_a_second_signal_ends_it_at_once(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            server = Server(self.app(app_c=scenario.ECHO), "--limit", "drain_notice_ms=600000", "--limit",
                            "drain_ms=3600000", "--limit", "close_ms=60000")
            with server.websocket() as client:
                server.process.send_signal(signal.SIGTERM)
                self.eventually(lambda: server.get("/_mw/readyz").status == 503, "readyz fails")
                self.assertEqual(server.stop(second), 0)
                self.assertEqual(client.read_close(), 1006)


class Reload(Case):
    def test_hangup_takes_another_token_and_keeps_the_old_where_the_new_is_none(self):
        path = os.path.join(self.dir, "token")

        def write(text):
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o600)

        def lets_in(token):
            return server.get("/_mw/metrics", Via="x", Authorization="Bearer " + token).status == 200

        write("a" * 20)
        with Server(self.app(app_c=scenario.BACK_END), "--metrics-token", path) as server, server.websocket() as client:
            self.assertTrue(lets_in("a" * 20))
            write("b" * 20)
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: lets_in("b" * 20), "the new token is taken")
            self.assertFalse(lets_in("a" * 20))
            write("short")
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "what was there stays" in server.stderr(), "it is said")
            self.assertTrue(lets_in("b" * 20))
            client.send({"msgId": 1})  # connections stay
            while "lines" not in client.read():
                pass

    def test_a_terminal_that_is_closed_ends_its_server(self):
        master, slave = pty.openpty()
        server = Server(self.app(app_html="x"), stdin=slave)
        os.close(slave)
        server.process.send_signal(signal.SIGHUP)
        self.eventually(lambda: "reloaded" in server.stderr(), "while it is there, SIGHUP reloads")
        os.close(master)
        server.process.send_signal(signal.SIGHUP)  # as the kernel does to those in its session
        self.assertEqual(server.process.wait(scenario.PATIENCE_S), 0)
        server.stop()


class Service(ManagedCase):
    def test_it_hears_of_start_reload_and_end(self):
        with Server(self.app(app_html="x"), NOTIFY_SOCKET=self.path) as server:
            self.assertIn("STATUS=serving " + server.url, self.hear("READY=1"))
            server.process.send_signal(signal.SIGHUP)
            self.assertRegex(" ".join(self.hear("RELOADING=1")), r"MONOTONIC_USEC=\d+")
            self.hear("READY=1")
            server.process.send_signal(signal.SIGTERM)
            self.hear("STOPPING=1")

    def test_an_abstract_socket_does_as_well(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            name = "meshwork-test-%d" % os.getpid()
            manager.bind("\0" + name)
            manager.settimeout(scenario.PATIENCE_S)
            with Server(self.app(app_html="x"), NOTIFY_SOCKET="@" + name):
                self.assertIn(b"READY=1", manager.recv(4096))

    def test_the_watchdog_is_fed_while_the_loop_turns_and_not_when_it_hangs(self):
        stuck = scenario.BACK_END.replace("static int app_receive(", "#include <unistd.h>\nstatic int app_receive(").replace(
            '    if (!mw_map_get(message, "msgId"))', '    if (mw_map_get(message, "hang"))\n        pause();\n'
                                                     '    if (!mw_map_get(message, "msgId"))')
        server = Server(self.app(app_c=stuck), NOTIFY_SOCKET=self.path, WATCHDOG_USEC="300000")
        with server.websocket() as client:
            for _ in range(3):
                self.hear("WATCHDOG=1")
            client.send({"hang": True})
            self.manager.settimeout(1.5)  # five periods
            with self.assertRaises(TimeoutError):
                while True:
                    self.manager.recv(4096)
        server.stop(signal.SIGKILL)

    def test_a_watchdog_of_another_process_is_not_fed(self):
        with Server(self.app(app_html="x"), NOTIFY_SOCKET=self.path, WATCHDOG_USEC="300000", WATCHDOG_PID="1"):
            self.hear("READY=1")
            self.manager.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                self.assertNotIn(b"WATCHDOG", self.manager.recv(4096))

    def test_a_socket_that_is_not_there_is_no_failure(self):
        for path in (self.path + "-none", "relative", "/" + "x" * 200):
            with Server(self.app(app_html="x"), NOTIFY_SOCKET=path) as server:
                self.assertEqual(server.get("/").status, 200)


class Logs(Case):
    def happen(self, *flags, **env):
        """The lines of a server that answers, refuses, opens and closes."""
        with Server(self.app(app_html="x" * 100, app_c=scenario.ECHO), *flags, **env) as server:
            server.get("/?secret=1")
            server.get("/a%22b", method="HEAD")
            server.raw(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
            with server.websocket() as client:
                client.send(b"\x03\xe8", scenario.CLOSE)
                client.read_close()
            if "info" in " ".join(flags):
                self.eventually(lambda: "1000" in server.stderr(), "the end is told")
            return server.stderr().splitlines()

    def test_as_json_each_line_is_an_object(self):
        lines = [json.loads(line) for line in self.happen("--log-level", "info", "--log-format", "json", "--limit",
                                                          "ranges=7", "--limit", "message_bytes=2M")]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line["level"], ("info", "notice", "warning"))
        self.assertTrue(any("message_bytes is raised" in line.get("message", "") for line in lines))
        requests = [(line["method"], line["path"], line["status"], line["bytes"]) for line in lines if line["event"] == "request"]
        self.assertEqual(requests[0], ("GET", "/", 200, 100))  # no query: it may hold secrets
        self.assertEqual(requests[1], ("HEAD", "/a%22b", 404, 0))
        self.assertEqual(requests[2][:3], ("-", "", 400))
        self.assertEqual(requests[3], ("GET", "/", 101, 0))
        closed = [line for line in lines if line["event"] == "websocket_closed"]
        self.assertEqual([(line["app"], line["code"], line["peer"]) for line in closed], [("demo", 1000, "127.0.0.1")])

    def test_as_logfmt_each_line_is_pairs(self):
        lines = [dict(pair.split("=", 1) for pair in shlex.split(line))
                 for line in self.happen("--log-format=logfmt", "--log-level=info")]
        self.assertIn(("/", "200", "100"), [(line.get("path"), line.get("status"), line.get("bytes")) for line in lines])
        self.assertTrue(all("time" in line and "level" in line and "event" in line for line in lines))

    def test_plainly_with_each_request_only_where_it_is_asked_for(self):
        self.assertIn('127.0.0.1 GET "/" 200 100', self.happen("--log-level", "info"))
        self.assertEqual([line for line in self.happen() if "root" not in line], [])

    def test_a_level_leaves_out_what_is_less_important(self):
        self.assertEqual(self.happen("--log-level", "error", "--limit", "message_bytes=2M"), [])

    def test_what_is_no_level_or_form_is_refused_with_those_there_are(self):
        folder = self.app(app_html="x")
        code, _, err = run("serve", folder, "--log-level", "loud")
        self.assertEqual(code, 2)
        self.assertIn("--log-level 'loud': want error, warning, notice, info or debug", self.one_line(err))
        self.app(app_ini="[server]\nlog_format = xml\n")
        self.assertIn("app.ini': line 2: log-format 'xml': want plain, logfmt or json", run("serve", folder)[2])

    def test_the_journal_gets_levels_as_prefixes(self):
        path = os.path.join(self.dir, "journal")
        folder = self.app(app_html="x")
        with open(path, "w") as file:
            status = os.fstat(file.fileno())
            env = scenario.environment(JOURNAL_STREAM="%d:%d" % (status.st_dev, status.st_ino))
            process = subprocess.Popen([scenario.program(), "serve", folder, "--port", "0", "--limit", "message_bytes=2M"],
                                       env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file)
        self.assertIn(b"meshwork: ", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.stdout.close()
        self.assertEqual(process.wait(scenario.PATIENCE_S), 0)
        with open(path) as file:
            self.assertIn("<5>limit message_bytes is raised to 2097152 (default 1048576)\n", file.readlines())


class Activation(Case):
    """Sockets that the service manager has opened."""

    def serve(self, sockets, *flags, names=None):
        """A server that gets them as descriptors 3 and up, as systemd does it: a process of `sh` becomes the server."""
        env = scenario.environment(LISTEN_FDS=str(len(sockets)))
        if names:
            env["LISTEN_FDNAMES"] = names
        high = [os.dup2(s.fileno(), 200 + i) for i, s in enumerate(sockets)]
        shuffle = " ".join("%d<&%d %d<&-" % (3 + i, fd, fd) for i, fd in enumerate(high))
        words = " ".join(map(shlex.quote, [scenario.program(), "serve", self.app(app_html="x", app_c=scenario.ECHO), *flags]))
        script = "exec %s; LISTEN_PID=$$ exec %s" % (shuffle, words)
        process = subprocess.Popen(["bash", "-c", script], env=env, pass_fds=high, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for fd in high:
            os.close(fd)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def listening(self, where="127.0.0.1"):
        s = socket.socket()
        s.bind((where, 0))
        s.listen()
        self.addCleanup(s.close)
        return s, s.getsockname()[1]

    def test_it_serves_on_what_it_is_given_and_takes_no_port(self):
        (web, port), (ws, ws_port) = self.listening(), self.listening()
        process = self.serve([web, ws], "--port", str(port), names="web:ws")  # a port that is taken: not looked at
        web.close(), ws.close()
        self.assertIn("at http://localhost:%d/" % port, process.stdout.readline().decode())
        server = type("Reached", (), {"port": port, "connect": lambda _, at=None: socket.create_connection(
            ("127.0.0.1", at or port), scenario.PATIENCE_S), "raw": Server.raw, "get": Server.get})()
        self.assertEqual(server.get("/").text(), "x")
        self.assertEqual(server.get("/", port=ws_port).status, 426)
        with scenario.WebSocket(server, port=ws_port) as client:
            client.send("hello")
            self.assertEqual(client.read(), "hello")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(scenario.PATIENCE_S), 0)

    def test_what_is_no_socket_that_listens_is_refused(self):
        with socket.socket() as idle, open("/dev/null") as file:
            idle.bind(("127.0.0.1", 0))
            for given in (idle, file):
                process = self.serve([given])
                self.assertEqual(process.wait(scenario.PATIENCE_S), 1)
                self.assertIn("descriptor 3: want a TCP socket that listens", self.one_line(process.stderr.read().decode()))

    def test_off_loopback_they_want_tls_or_plaintext_too(self):
        process = self.serve([self.listening("0.0.0.0")[0]])
        self.assertEqual(process.wait(scenario.PATIENCE_S), 1)
        self.assertIn("--plaintext", self.one_line(process.stderr.read().decode()))

    def test_those_of_another_process_are_left_alone(self):
        with Server(self.app(app_html="x"), LISTEN_FDS="1", LISTEN_PID="1") as server:
            self.assertEqual(server.get("/").status, 200)


class User(Case):
    def test_root_becomes_the_user_before_a_back_end_is_looked_at(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        os.chmod(self.dir, 0o755)
        folder = self.app(app_html="x")
        os.chmod(folder, 0o755)
        os.chmod(os.path.join(folder, "app.html"), 0o644)
        with Server(folder, "--user", "nobody") as server:
            with open("/proc/%d/status" % server.process.pid) as file:
                status = file.read()
            self.assertRegex(status, r"Uid:\t65534\t65534\t65534\t65534\n")
            self.assertNotRegex(status, r"Groups:\t(.* )?0 ")
            self.assertEqual(server.get("/").status, 200)
            self.assertNotIn("root", server.stderr())

    def test_a_user_that_cannot_be_is_said(self):
        folder = self.app(app_html="x")
        for user, want in (("no-such-user", "there is no such user"), ("root", "is root")):
            code, _, err = run("serve", folder, "--port", "0", "--user", user)
            self.assertEqual(code, 1)
            self.assertIn(want, self.one_line(err))


HOARD = scenario.BACK_END.replace("static int app_receive(mw_client *client, mw_value message)\n{", """
static mw_value hoard;
static int app_receive(mw_client *client, mw_value message)
{
    const mw_value *bytes = mw_map_get(message, "hold");
    int64_t count = 0;

    if (bytes && mw_get_int(*bytes, &count) == 0) {
        char *block = calloc(1, (size_t)count + 1);

        mw_release(hoard);
        hoard = mw_bytes(block, (size_t)count);
        free(block);
    }""").replace("#include <meshwork/app.h>", "#include <stdlib.h>\n#include <meshwork/app.h>")


class Shedding(Case):
    def test_what_goes_and_what_stays_in_this_order(self):
        most = 64 << 20
        with Server(self.app(app_html="x", app_c=HOARD), "--limit", "memory_bytes=64M") as server, contextlib.ExitStack() as stack:
            base = metrics(server)["meshwork_memory_bytes"]
            admin = stack.enter_context(server.websocket(protocols=["meshwork.v1"]))
            holder = stack.enter_context(server.websocket())
            looker = stack.enter_context(server.connect())  # asks for metrics on a connection that there is

            def look():
                looker.sendall(b"GET /_mw/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                data = b""
                while b"\r\n\r\n" not in data:
                    data += looker.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                count = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                while len(body) < count:
                    body += looker.recv(65536)
                return float(re.search(rb"\nmeshwork_shedding_level (\d)", body).group(1))

            def hold(percent):
                holder.send({"hold": int(most * percent / 100 - base)})

            def entering():
                with server.connect() as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    return scenario.Answer(scenario.read_all(s)).status

            self.assertEqual(look(), 0)
            hold(78)
            self.eventually(lambda: look() == 1, "connections are refused")
            self.eventually(lambda: entering() in (0, 503), "connections are refused")
            self.assertIn("result", admin.ask("watch", ["a"]))
            hold(89)
            self.eventually(lambda: looker.recv(1 << 20) == b"", "who waits for a request is closed")
            self.assertIn("result", admin.ask("watch", ["c"]))
            hold(94)
            self.eventually(lambda: "new watches are refused" in server.stderr(), "watches are refused")
            self.assertEqual(admin.ask("watch", ["a"])["error"]["code"], -32006)
            self.assertEqual(admin.ask("setAttr", {"a": 5})["result"].get("errors", {}), {})  # goes on
            hold(0)
            self.eventually(lambda: "nothing is shed" in server.stderr(), "all is well again")
            self.assertEqual(server.get("/_mw/readyz").status, 200)
            self.assertIn("result", admin.ask("watch", ["a"]))
            found = metrics(server)
        self.assertEqual(found["meshwork_shedding_level"], 0)
        for level in ("connections", "idle", "watches"):
            self.assertEqual(found['meshwork_shedding_entered_total{level="%s"}' % level], 1, level)
        self.assertEqual(found['meshwork_shedding_entered_total{level="largest"}'], 0)
        self.assertGreaterEqual(found["meshwork_shed_idle_total"], 1)
        self.assertGreaterEqual(found['meshwork_limit_hits_total{limit="memory_bytes"}'], 1)

    def test_last_of_all_the_client_goes_for_whom_most_is_held(self):
        limits = ("memory_bytes=32M", "output_soft_bytes=1G", "output_hard_bytes=1G", "output_total_bytes=1G")
        flags = [word for limit in limits for word in ("--limit", limit)]
        with Server(self.app(app_c=back_end_test.BUSY, app_ini=back_end_test.Revocation.MAY), *flags) as server, \
                server.websocket(protocols=["meshwork.v1"]) as reader, server.websocket(protocols=["meshwork.v1"]) as slow:
            reader.ask("watch", ["count"])
            slow.send({"jsonrpc": "2.0", "id": 1, "method": "watch", "params": {"names": ["text"], "mode": "all"}})
            self.eventually(lambda: "for which most is held is dropped" in server.stderr(), "the last step")
            self.eventually(lambda: server.stderr().count("nothing is shed") == 1, "room again")
            self.assertEqual(reader.ask("getAttr", ["count"])["result"]["errors"], {})
            found = metrics(server)
        self.assertEqual(found["meshwork_shed_clients_total"], 1)
        self.assertEqual(found["meshwork_websockets"], 1)
