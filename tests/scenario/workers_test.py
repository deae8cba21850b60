"""Several workers: files come from each, what needs an app goes to the app's thread, and all of it stops together.
Read next: ../../src/server/workers.h.
SPDX-License-Identifier: MIT"""
import concurrent.futures
import os
import signal
import ssl
import subprocess
import threading

from scenario import Case, Server, run
from tls_test import TlsServer

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
