"""Behind a proxy: from where clients come, how many of them may, and whom not to believe.
Read next: login_test.py, then docs/operations.md, Behind a proxy.
SPDX-License-Identifier: MIT"""
import contextlib
import json
import os

import scenario
from scenario import Case, Refused, Server, run


def forwarded(*lines):
    return ["X-Forwarded-For: " + line for line in lines]


class Proxy(Case):
    def serve(self, *flags, **files):
        files.setdefault("app_html", "x")
        return Server(self.app(**files), "--log-level", "info", "--log-format", "json", *flags)

    def told(self, server, event, count):
        """What the log says of so many requests or WebSockets."""
        def lines():
            return [line for line in map(json.loads, server.stderr().splitlines()) if line["event"] == event]
        self.eventually(lambda: len(lines()) >= count, "%d of %s" % (count, event))
        return lines()

    def test_the_log_says_from_where_a_client_comes(self):
        rows = (  # lines of X-Forwarded-For, whom they name for who believes 127.0.0.1 and 10.0.0.0/8
            (("203.0.113.9",), "203.0.113.9"),
            (("6.6.6.6, 203.0.113.9",), "203.0.113.9"),  # what stands before is anybody's invention
            (("6.6.6.6", "203.0.113.9"), "203.0.113.9"),  # as haproxy adds it: a line of its own
            (("203.0.113.9, 10.1.2.3",), "203.0.113.9"),  # through two that are believed
            (("203.0.113.9", "10.1.2.3, 10.0.0.1"), "203.0.113.9"),
            (("10.1.2.3",), "10.1.2.3"),
            (("203.0.113.9:4711",), "203.0.113.9"),
            (("[2001:db8::0:1]:4711",), "2001:db8::1"),
            (("2001:db8::1",), "2001:db8::1"),
            (("203.0.113.9, unknown",), "127.0.0.1"),
            (("nonsense\"",), "127.0.0.1"),
            (("",), "127.0.0.1"),
            ((), "127.0.0.1"),
        )
        with self.serve("--trusted-proxy", "loopback", "--trusted-proxy", "10.0.0.0/8") as server:
            for lines, _ in rows:
                server.raw(("GET / HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n%s\r\n" % (
                    server.port, "".join(line + "\r\n" for line in forwarded(*lines)))).encode())
            self.assertEqual([line["peer"] for line in self.told(server, "request", len(rows))], [want for _, want in rows])

    def test_who_is_not_believed_names_nobody_and_is_named_once(self):
        with self.serve("--trusted-proxy", "10.0.0.7") as server:
            for _ in range(2):
                server.websocket(further=forwarded("203.0.113.9")).socket.close()
            self.assertEqual([line["peer"] for line in self.told(server, "websocket_closed", 2)], ["127.0.0.1"] * 2)
            said = [line for line in server.stderr().splitlines() if "--trusted-proxy loopback" in line]
            self.assertEqual(len(said), 1)

    def test_the_limits_per_address_are_about_clients_and_not_about_the_proxy(self):
        flags = ("--per-ip-loopback", "--trusted-proxy", "loopback", "--limit", "connections_per_ip=3")
        with self.serve(*flags) as server, contextlib.ExitStack() as stack:
            for last in range(8):
                stack.enter_context(server.websocket(further=forwarded("203.0.113.%d" % last)))
            mine = [server.websocket(further=forwarded("203.0.113.99")) for _ in range(3)]
            with self.assertRaises(Refused) as refused:
                server.websocket(further=forwarded("203.0.113.99"))
            self.assertEqual(refused.exception.answer.status, 503)
            mine.pop().socket.close()
            self.eventually(lambda: self.can_open(server, "203.0.113.99"), "the place of who has gone")
            self.assertIn('meshwork_limit_hits_total{limit="connections_per_ip"}', server.get("/_mw/metrics").text())
            for client in mine:
                client.socket.close()

    def can_open(self, server, address):
        try:
            server.websocket(further=forwarded(address)).socket.close()
            return True
        except Refused:
            return False

    def test_those_who_have_yet_to_log_in_are_counted_by_client(self):
        ini = "[app]\nrequire_login = yes\n"
        flags = ("--trusted-proxy", "loopback", "--limit", "unauthenticated_per_ip=2", "--state", os.path.join(self.dir, "state"))
        with self.serve(*flags, app_ini=ini) as server, contextlib.ExitStack() as stack:
            for address in ("203.0.113.1", "203.0.113.1", "203.0.113.2"):
                stack.enter_context(server.websocket(protocols=["meshwork.v1"], further=forwarded(address)))
            with self.assertRaises(Refused):
                server.websocket(protocols=["meshwork.v1"], further=forwarded("203.0.113.1"))

    def test_a_user_named_twice_is_nobody(self):
        state = os.path.join(self.dir, "state")
        self.assertEqual(run("user", "add", "bob", "--state", state, said="correct horse\n")[0], 0)
        flags = ("--trusted-proxy", "loopback", "--proxy-user-header", "X-Remote-User", "--state", state)
        request = {"jsonrpc": "2.0", "id": 1, "method": "describe", "params": []}
        with self.serve(*flags, app_c=scenario.ECHO) as server:
            self.assertEqual(server.rpc(request, X_Remote_User="bob").status, 200)
            self.assertEqual(server.rpc(request, X_Remote_User="bob\r\nX-Remote-User: bob").status, 401)

    def test_what_the_proxy_added_last_says_whether_it_came_by_https(self):
        with self.serve("--trusted-proxy", "loopback", "--state", os.path.join(self.dir, "state")) as server:
            for proto, status in (("https", 401), ("http, https", 401), ("https, http", 403), ("https\r\nX-Forwarded-Proto: http", 403)):
                answer = server.get("/_mw/login", method="POST", body='{"user":"bob","password":"x"}', Content_Type="application/json",
                                    X_Forwarded_For="203.0.113.%d" % status, X_Forwarded_Proto=proto)
                self.assertEqual(answer.status, status, proto)
