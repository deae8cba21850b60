"""A server that may open too few descriptors: it refuses, says so, serves those who are there, and recovers.
SPDX-License-Identifier: MIT"""
import contextlib
import os
import re
import resource
import socket

import scenario
from scenario import Case, Server, ask


def limit_descriptors(server, spare):
    """Let a running server open so many more than it has open now; how many it could open before."""
    pid = server.process.pid
    opened = max(int(name) for name in os.listdir("/proc/%d/fd" % pid)) + 1
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + spare, hard))
    return soft, hard


def hits(metrics, limit):
    """How often a limit was reached, out of the text of the metrics."""
    return int(re.search(r'^meshwork_limit_hits_total\{limit="%s"\} (\d+)$' % limit, metrics, re.M).group(1))


class Descriptors(Case):
    def folder(self):
        return self.app(app_html="home", css__small_css="a{}", css__large_css="b" * 200000, app_c=scenario.ECHO)

    def test_running_out_refuses_newcomers_and_ends_nothing(self):
        spare = 10
        with Server(self.folder(), "--limit", "file_cache_ms=3600000", "--limit", "gzip_cache_bytes=0") as server:
            with contextlib.ExitStack() as stack, server.websocket() as chat, server.connect() as known:
                self.assertEqual(ask(known, "/css/small.css").status, 200)
                before = limit_descriptors(server, spare)
                others, refused = [], 0
                for _ in range(3 * spare):
                    s = stack.enter_context(server.connect())
                    status = ask(s, "/_mw/healthz").status
                    self.assertIn(status, (200, 503))
                    refused += status == 503
                    others += [s] if status == 200 else []
                self.assertGreater(refused, spare)
                self.assertEqual(refused, hits(ask(known, "/_mw/metrics").text(), "descriptors"))
                self.assertGreater(len(others), spare // 2)
                # Those who are there notice nothing, but where a file has to be opened for them.
                self.assertEqual(ask(others[0], "/_mw/healthz").status, 200)
                self.assertEqual(ask(known, "/css/small.css").body, b"a{}")
                self.assertEqual(ask(known, "/css/large.css").status, 503)
                chat.send("still here")
                self.assertEqual(chat.read(), "still here")
                # One goes, one may come: no restart, no other limit.
                others.pop().close()
                self.eventually(lambda: server.get("/_mw/healthz").status == 200, "a descriptor is free again")
                for s in others:
                    s.close()
                self.eventually(lambda: ask(known, "/css/large.css").status == 200, "a file can be opened again")
                resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
            with contextlib.ExitStack() as stack:
                for _ in range(3 * spare):
                    self.assertEqual(ask(stack.enter_context(server.connect()), "/_mw/healthz").status, 200)
            self.eventually(lambda: "limit descriptors = 1 was reached" in server.stderr(), "it says so")

    def test_where_few_may_be_open_half_are_kept_for_the_server_itself(self):
        few = 80
        folder = self.folder()
        with Server(folder):  # compiles the back end, for which a compiler needs its own
            pass
        server = Server(folder, run_by=["sh", "-c", 'ulimit -n %d && exec "$@"' % few, "sh"])
        with server, contextlib.ExitStack() as stack:
            statuses = [ask(stack.enter_context(server.connect()), "/css/large.css").status for _ in range(few)]
            self.assertEqual(statuses, [200] * (few // 2) + [503] * (few // 2))
            stack.close()
            self.eventually(lambda: server.get("/_mw/healthz").status == 200, "there is room again")
            self.assertGreaterEqual(hits(server.get("/_mw/metrics").text(), "connections"), few // 2)
            self.assertEqual(hits(server.get("/_mw/metrics").text(), "descriptors"), 0)

    def test_a_socket_that_nobody_accepts_does_not_hold_up_the_loop(self):
        """Nothing is left at all: not even the one in reserve helps to refuse where the limit is below what is open."""
        with Server(self.folder()) as server, server.connect() as known:
            self.assertEqual(ask(known, "/_mw/healthz").status, 200)
            before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
            with socket.create_connection(("127.0.0.1", server.port), scenario.PATIENCE_S) as waiting:
                for _ in range(20):
                    self.assertEqual(ask(known, "/_mw/healthz").status, 200)
                resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
                self.assertEqual(ask(waiting, "/_mw/healthz").status, 200)
