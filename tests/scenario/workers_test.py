"""Several workers: files come from each, what needs an app goes to the app's thread, and all of it stops together.
Read next: ../../src/server/workers.h.
SPDX-License-Identifier: MIT"""
import concurrent.futures
import contextlib
import json
import os
import signal
import ssl
import subprocess
import threading

import scenario
from login_test import LoginCase
from scenario import Case, ManagedCase, Refused, Server, run
from tls_test import TlsServer

# Each client has an instance of its own, which says on which thread it is, and whose tick fails on another one.
OWN = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <meshwork/app.h>
#include <unistd.h>
struct state { int64_t mine, ticks, thread, secret; };
static int open_it(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    ((struct state *)state)->thread = gettid();
    return 0;
}
static int tick(mw_instance *instance, void *state)
{
    (void)instance;
    ((struct state *)state)->ticks++;
    return ((struct state *)state)->thread == gettid() ? 0 : -EIO;
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, mine), .kind = MW_INT},
    {MW_FIELD(struct state, ticks), .kind = MW_INT},
    {MW_FIELD(struct state, thread), .kind = MW_INT},
    {MW_FIELD(struct state, secret), .kind = MW_INT},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "own", .state_bytes = sizeof(struct state), .instance = MW_INSTANCE_PER_CLIENT,
    .open = open_it, .tick = tick, .tick_ns = 50000000, .attributes = attributes, .attribute_count = MW_COUNT(attributes),
};
"""
OPEN = "[policy all]\ngettable = mine, ticks, thread\nsettable = mine\n[role anonymous]\npolicies = all\n"
OPERATOR = "[role operator]\npolicies = all\n[policy look]\ngettable = thread\n[role viewer]\npolicies = look\n"
EXPLAIN = "grants = explain\n"
RIGHTS = {"mine": "get", "ticks": "get", "thread": "get"}
PAGE = "<!DOCTYPE html><title>x</title>"
APP = r"""
#include <meshwork/app.h>
struct state { int64_t count; };
static const mw_attribute attributes[] = {{MW_FIELD(struct state, count), .kind = MW_INT, .marks = MW_EXPOSED}};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "demo", .state_bytes = sizeof(struct state),
    .attributes = attributes, .attribute_count = MW_COUNT(attributes),
};
"""


class Workers(Case):
    def folder(self):
        return self.app(app_html=PAGE, app_c=APP, css__a_css="a {}" * 1000)

    def number(self, server, name):
        return next(int(line.split()[1]) for line in server.get("/_mw/metrics").text().splitlines() if line.startswith(name + " "))

    def test_files_and_apps_are_reached_through_every_worker(self):
        with Server(self.folder(), "--workers", "3") as server:
            for _ in range(30):
                self.assertEqual(server.get("/").text(), PAGE)
                self.assertEqual(len(server.get("/css/a.css").body), 4000)
                self.assertEqual(server.get("/css/b.css").status, 404)
                self.assertEqual(server.get("/nowhere", method="POST", body="x").status, 405)
                self.assertEqual(server.get("/", host="elsewhere:1").status, 421)
                self.assertEqual(server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["count"]}).json()["result"]["errors"], {})
            self.assertEqual(self.number(server, "meshwork_workers"), 3)
            self.assertGreater(self.number(server, "meshwork_connections_moved_total"), 0)
            self.assertGreaterEqual(self.number(server, "meshwork_connections_accepted_total"), 180)

    def test_slow_peers_on_every_worker_keep_nobody_waiting(self):
        with Server(self.folder(), "--workers", "2") as server:
            slow = [server.connect() for _ in range(100)]
            for s in slow:
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            for _ in range(20):
                for s in slow:
                    s.sendall(b"a")
                self.assertEqual(server.get("/").text(), PAGE)
                self.assertEqual(server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["count"]}).status, 200)
            for s in slow:
                s.sendall(b"\r\nConnection: close\r\n\r\n")
            for s in slow:
                self.assertIn(b"HTTP/1.1 200", scenario.read_all(s))

    def test_clients_that_came_through_different_workers_see_the_same_app(self):
        with Server(self.folder(), "--workers", "3") as server:
            clients = [server.websocket(protocols=["meshwork.v1"]) for _ in range(24)]
            for client in clients:
                self.assertEqual(client.read_json()["method"], "hello")
                self.assertIn("count", client.ask("watch", ["count"])["result"]["values"])
            clients[0].ask("setAttr", {"count": 7})
            for client in clients[1:]:
                self.assertEqual(client.read_json()["params"]["values"], {"count": 7})
            self.assertEqual(self.number(server, "meshwork_websockets"), 24)

    def test_all_at_once_nothing_is_lost(self):
        """Pages, metrics, requests and WebSockets from many threads."""
        with Server(self.folder(), "--workers", "3") as server:
            def visit(turn):
                for _ in range(10):
                    assert server.get("/").text() == PAGE
                    assert self.number(server, "meshwork_workers") == 3
                    answer = server.rpc({"jsonrpc": "2.0", "id": turn, "method": "getAttr", "params": ["count"]}).json()
                    assert answer["id"] == turn and "count" in answer["result"]["values"]
                    with server.websocket(protocols=["meshwork.v1"]) as client:
                        assert client.read_json()["method"] == "hello"
                        assert "count" in client.ask("getAttr", ["count"])["result"]["values"]
                return True

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                self.assertTrue(all(pool.map(visit, range(16))))
            self.eventually(lambda: self.number(server, "meshwork_connections") == 1, "all connections to be gone but this one")

    def test_a_drain_ends_every_worker(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server(self.folder(), "--workers", "3", "--limit", "drain_notice_ms=100") as server:
                idle = [server.connect() for _ in range(12)]
                for s in idle:  # served, and kept open
                    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % server.port)
                    self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200"))
                server.process.send_signal(number)
                for s in idle:
                    self.assertEqual(s.recv(65536), b"")
                    s.close()
                self.assertEqual(server.process.wait(10), 0)

    def test_over_tls_connections_move_with_their_keys(self):
        crt, key = os.path.join(self.dir, "a.crt"), os.path.join(self.dir, "a.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                        "-out", crt, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, capture_output=True)
        with TlsServer(self.folder(), "--cert", crt, "--key", key, "--workers", "3", trusted=crt) as server:
            for turn in range(12):
                self.assertEqual(server.get("/").text(), PAGE)
                with server.websocket(protocols=["meshwork.v1"]) as client:
                    self.assertEqual(client.read_json()["method"], "hello")
                    self.assertEqual(client.ask("setAttr", {"count": turn})["result"]["errors"], {})
            before = ssl.get_server_certificate(("127.0.0.1", server.port))
            subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", crt, "-days", "3", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "reloaded" in server.stderr(), "the reload")
            self.eventually(lambda: all(ssl.get_server_certificate(("127.0.0.1", server.port)) != before for _ in range(12)),
                            "every worker to have the new certificate")

    def test_a_port_that_is_taken_is_refused_to_workers_too(self):
        with Server(self.folder(), "--workers", "2") as server:
            code, _, err = run("serve", self.folder(), "--workers", "2", "--port", server.port)
            self.assertEqual(code, 1)
            self.assertIn("port %d is taken" % server.port, err)

    def test_limits_hold_for_all_workers_together(self):
        with Server(self.folder(), "--workers", "3", "--limit", "connections=6") as server:
            kept = []
            for _ in range(6):
                s = server.connect()
                s.sendall(b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % server.port)
                self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 200"))
                kept.append(s)
            for _ in range(6):
                self.assertEqual(server.get("/").status, 503)
            for s in kept:
                s.close()
            self.eventually(lambda: server.get("/").status == 200, "room")
            self.assertGreaterEqual(int(server.get("/_mw/metrics").text().split('hits_total{limit="connections"} ')[1].split()[0]), 6)

    def test_each_request_is_logged_once_whoever_answers(self):
        with Server(self.folder(), "--workers", "3", "--log-level", "info", "--log-format", "json") as server:
            threads = [threading.Thread(target=lambda: [server.get("/") for _ in range(20)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.eventually(lambda: server.stderr().count('"path":"/"') == 80, "eighty lines")
            for line in server.stderr().splitlines():
                self.assertTrue(line.startswith("{") and line.endswith("}"), line)

    def test_a_number_that_makes_no_sense_is_refused(self):
        for words in (("--workers", "x"), ("--workers", "300"), ("--workers", "-1")):
            code, _, err = run("serve", self.folder(), *words)
            self.assertNotEqual(code, 0)
            self.assertIn("--workers", err)


# One whose client, asked to, does not come back while a file is there.
HANGS = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <meshwork/app.h>
#include <unistd.h>
static int receive(mw_client *client, mw_value message)
{
    mw_value answer = mw_map_new();
    if (mw_map_get(message, "hang"))
        (void)close(creat("FILE.seen", 0600));
    while (mw_map_get(message, "hang") && access("FILE", F_OK) == 0)
        (void)usleep(1000);
    (void)mw_map_set(&answer, "is_on_worker", mw_bool(gettid() != getpid()));
    return mw_client_send(client, answer);
}
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "hangs", .instance = MW_INSTANCE_PER_CLIENT,
                                            .receive = receive};
"""


class Watchdog(ManagedCase):
    def serve(self):
        self.file = os.path.join(self.dir, "hang")
        return Server(self.app(app_html=PAGE, app_c=HANGS.replace("FILE", self.file)), "--workers", "3", NOTIFY_SOCKET=self.path, WATCHDOG_USEC="300000")

    def client_on_worker(self, server):
        while True:
            client = server.websocket()
            client.send({})
            if client.read_json()["is_on_worker"]:
                return client

    def test_it_is_fed_while_workers_have_nothing_to_do(self):
        with self.serve():
            for _ in range(6):
                self.hear("WATCHDOG=1")

    def test_it_is_fed_while_a_worker_is_at_work(self):
        with self.serve() as server, self.client_on_worker(server) as client:
            for _ in range(6):
                client.send({})
                client.read_json()
                self.hear("WATCHDOG=1")

    def test_it_is_not_fed_while_a_worker_hangs_which_is_named(self):
        with self.serve() as server, self.client_on_worker(server) as client:
            with open(self.file, "wb"):
                client.send({"hang": True})
            self.eventually(lambda: os.path.exists(self.file + ".seen"), "it to hang")
            self.manager.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:  # what was said before
                    self.manager.recv(4096)
            self.manager.settimeout(scenario.PATIENCE_S)
            while "hang: 1" not in self.manager.recv(4096).decode():
                pass
            for _ in range(6):
                self.assertNotIn("WATCHDOG=1", self.manager.recv(4096).decode())
            self.assertRegex(server.stderr(), r"worker mw-worker-[12] has not come back from its turn for \d+ ms")
            os.remove(self.file)
            self.assertTrue(client.read_json()["is_on_worker"])
            self.hear("WATCHDOG=1")
            self.assertRegex(server.stderr(), r"worker mw-worker-[12] goes on, after \d+ ms")
            self.assertRegex(server.get("/_mw/metrics").text(), r"meshwork_worker_hangs_total [1-9]")


class OnWorkers(LoginCase):
    """An app with an instance per client, which every worker runs."""

    def own(self, **files):
        return self.app(app_html=PAGE, app_c=OWN, **files)

    def clients_of_all(self, server, threads=3, **options):
        """Clients, as many as it takes until each thread has one."""
        clients, by_thread = [], {}
        while len(by_thread) < threads:
            self.assertLess(len(clients), 500)
            clients.append(self.v1(server, **options))
            self.assertEqual(clients[-1].read_json()["method"], "hello")
            by_thread.setdefault(clients[-1].ask("getAttr", ["thread"])["result"]["values"]["thread"], clients[-1])
        self.one_of_each = list(by_thread.values())
        return clients

    def of_app(self, server, name):
        return next(int(line.split()[1]) for line in server.get("/_mw/metrics").text().splitlines() if line.startswith(name + '{app="demo"'))

    def test_every_worker_runs_it_and_each_client_has_its_own(self):
        with Server(self.own(app_ini=OPEN), "--workers", "3") as server:
            clients = self.clients_of_all(server)
            for number, client in enumerate(clients):
                self.assertEqual(client.ask("setAttr", {"mine": number})["result"]["errors"], {})
            for number, client in enumerate(clients):
                self.assertEqual(client.ask("getAttr", ["mine"])["result"]["values"], {"mine": number})
                self.assertIn("ticks", client.ask("watch", ["ticks"])["result"]["values"])
                self.assertEqual(client.read_json()["method"], "changed")
            self.assertEqual(self.of_app(server, "meshwork_app_clients"), len(clients))
            self.assertEqual(self.of_app(server, "meshwork_app_watches"), len(clients))
            self.eventually(lambda: self.of_app(server, "meshwork_mesh_tasklets") >= 2 * len(clients), "the meshes of all workers")
            self.assertEqual(self.of_app(server, "meshwork_app_body_failures_total"), 0)
            for client in clients:
                client.socket.close()
            self.eventually(lambda: self.of_app(server, "meshwork_app_instances") == 0, "all instances to end")
            self.assertNotIn("failed", server.stderr())

    def test_a_reload_reaches_every_worker(self):
        folder = self.own(app_ini=OPEN)
        with Server(folder, "--workers", "3") as server:
            clients = self.clients_of_all(server)
            with open(os.path.join(folder, "app.ini"), "w", encoding="utf-8") as file:
                file.write(OPEN.replace("settable = mine", ""))
            server.process.send_signal(signal.SIGHUP)
            for client in clients:
                self.assertEqual(client.read_json(), {"jsonrpc": "2.0", "method": "rights", "params": RIGHTS})
                self.assertEqual(client.ask("setAttr", {"mine": 1})["result"]["errors"], {"mine": "denied"})

    def test_who_loses_the_right_to_be_there_goes_wherever_it_is(self):
        with Server(self.own(app_ini=OPEN + OPERATOR), "--workers", "3", "--state", self.state) as server:
            clients = self.clients_of_all(server, token=self.user("token", "bob"))
            self.user("role", "bob", "viewer")
            for client in clients:
                self.assertEqual([client.read_json()["method"], client.read_json()["method"]], ["roles", "rights"])
            self.user("remove", "bob")
            for client in clients:
                self.assertEqual(client.read_close(), 4001)

    def test_a_logout_reaches_every_worker(self):
        with Server(self.own(app_ini=OPEN + OPERATOR), "--workers", "3", "--state", self.state) as server:
            cookie = self.cookie(server)
            clients = self.clients_of_all(server, cookie=cookie, origin=self.origin(server))
            server.get("/_mw/logout", method="POST", Cookie=cookie, Origin=self.origin(server))
            for client in clients:
                self.assertEqual(client.read_close(), 4001)

    def test_logins_by_the_method_are_judged_on_every_worker(self):
        with Server(self.own(app_ini=OPEN + OPERATOR), "--workers", "3", "--state", self.state) as server:
            self.clients_of_all(server)
            for client in self.one_of_each:  # at once: two are judged at a time, one waits for its turn on whichever thread it came
                client.send({"jsonrpc": "2.0", "id": 5, "method": "login", "params": {"user": "bob", "password": "correct horse"}})
            for client in self.one_of_each:
                self.assertEqual(self.answer(client, 5)["result"]["user"], "bob")
            self.assertIn('meshwork_logins_total{outcome="right"} 3\n', server.get("/_mw/metrics").text())

    def answer(self, client, ident):
        while True:
            message = client.read_json()
            if message.get("id") == ident:
                return message

    def test_of_one_address_no_more_may_wait_for_a_login_than_on_one_worker(self):
        flags = ("--limit", "unauthenticated_per_ip=3", "--per-ip-loopback", "--workers", "3", "--state", self.state)
        with Server(self.own(app_ini="[app]\nrequire_login = yes\n" + OPEN), *flags) as server:
            waiting = [self.v1(server) for _ in range(3)]
            for client in waiting:
                self.hello(client)
            for _ in range(6):
                with self.assertRaises(Refused):
                    self.v1(server)

    def test_a_decision_of_one_worker_is_explained_on_another(self):
        with Server(self.own(app_ini=OPEN + EXPLAIN), "--workers", "3") as server:
            clients = self.clients_of_all(server)
            ids = [client.ask("getAttr", ["secret"])["result"]["decisions"]["secret"] for client in clients]
            self.assertEqual(len(set(ids)), len(ids))
            for decision in ids:
                for client in (clients[0], clients[-1]):
                    told = client.ask("explain", {"decision": decision})["result"]
                    self.assertEqual((told["method"], told["name"]), ("getAttr", "secret"))

    def test_what_all_may_watch_is_counted_over_all_workers(self):
        with Server(self.own(app_ini=OPEN), "--workers", "3", "--limit", "watches=2") as server:
            clients = self.clients_of_all(server)
            outcomes = ["result" in client.ask("watch", ["mine"]) for client in clients]
            self.assertEqual(outcomes, [True, True] + [False] * (len(clients) - 2))

    def test_the_audit_log_has_what_every_worker_did(self):
        path = os.path.join(self.dir, "audit.log")
        with Server(self.own(app_ini=OPEN), "--workers", "3", "--audit", path) as server:
            clients = self.clients_of_all(server)
            for client in clients:
                client.ask("setAttr", {"mine": 1})
            self.eventually(lambda: self.done_in(path) == len(clients), "a line for each")

    def done_in(self, path):
        with open(path, encoding="utf-8") as file:
            return [json.loads(line)["event"] for line in file].count("done")

    def test_sigquit_prints_what_the_tasklets_of_every_worker_do(self):
        with Server(self.own(app_ini=OPEN), "--workers", "3") as server:
            self.clients_of_all(server)
            server.process.send_signal(signal.SIGQUIT)
            self.eventually(lambda: server.stderr().count("are doing on a worker") == 2, "both workers")
            self.assertEqual(server.get("/").status, 200)

    def test_a_drain_and_a_stop_say_bye_on_every_worker(self):
        for number, code in ((signal.SIGTERM, 1012), (signal.SIGINT, 1001)):
            with Server(self.own(app_ini=OPEN), "--workers", "3", "--limit", "drain_notice_ms=100") as server:
                clients = self.clients_of_all(server)
                server.process.send_signal(number)
                for client in clients:
                    self.assertEqual(client.read_json()["method"], "bye")
                    self.assertEqual(client.read_close(), code)
                    client.socket.close()
                self.assertEqual(server.process.wait(10), 0)
