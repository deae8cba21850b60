"""Each limit of the table in src/edge/limits.h, driven to its bound on a server of its own: what happens then, and that it is counted.
Those that need more than that stand elsewhere, by name. Read next: ../../src/edge/limits.h.
SPDX-License-Identifier: MIT"""
import contextlib
import os
import re
import struct
import threading
import time

import scenario
from scenario import BINARY, CLOSE, PING, TEXT, Answer, Refused, Server, ask, read_all, run
from login_test import LoginCase
import tls_test

# Not here: which test drives it (file without _test.py, name without test_).
ELSEWHERE = {
    "descriptors": ("descriptors", "running_out_refuses_newcomers_and_ends_nothing"),
    "deflate_ratio": ("websocket", "a_bomb_is_closed_with_1009_and_the_server_stays_small"),
    "share_steps": ("websocket", "who_sends_what_is_long_to_inflate_does_not_keep_others_from_being_heard"),
    "memory_bytes": ("operations", "what_goes_and_what_stays_in_this_order"),
    "tasklet_warn_ms": ("back_end", "a_tasklet_that_does_not_come_back_is_named_and_counted"),
    "tasklet_abort_ms": ("back_end", "one_that_never_comes_back_ends_the_server_by_name"),
    "drain_notice_ms": ("operations", "readiness_fails_first_then_each_client_hears_bye_and_1012"),
    "drain_spread_ms": ("operations", "clients_are_spread_over_time"),
    "drain_ms": ("operations", "a_client_that_stays_is_dropped_at_the_deadline"),
    **{name: ("protocol", "each_limit_of_an_app_refuses_what_is_beyond_it_and_is_counted")
       for name in ("watches_per_client", "watches", "watch_globs", "batch_requests", "json_depth", "json_tokens", "json_keys")},
}
# Part of another limit, which is the one that is counted.
PART_OF = {
    "body_grace_ms": "body_bytes_per_s", "messages_burst": "messages_per_s", "ping_ms": "pings_missed", "output_soft_ms": "output_soft_bytes",
}
# No bound on what a peer does: from when on, or for how long, the server saves itself work.
NO_BOUND = {"file_cache_ms", "deflate_from_bytes"}

BROADCAST = r"""
#include <meshwork/app.h>
#include <string.h>
static mw_instance *self;
static int opened(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)state, (void)ret_error;
    self = instance;
    return 0;
}
static int tell_all(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    static char page[65536];
    (void)client, (void)kind, (void)bytes, (void)byte_count;
    memset(page, 'x', sizeof page);
    return mw_broadcast(self, NULL, mw_text_n(page, sizeof page)) < 0 ? -1 : 0;
}
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "broadcast", .open = opened, .receive_raw = tell_all,
};
"""
GET = "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


class LimitCase(LoginCase):
    @contextlib.contextmanager
    def limited(self, *flags, app_c=None, ini="", **limits):
        """A server with these limits, and an app of files, or of app_c."""
        files = {"app_c": app_c} if app_c else {}
        folder = self.app(app_html="home", css__page_css="p{}" * 2000, css__other_css="q{}" * 2000, app_ini=ini, **files)
        with Server(folder, *self.words(limits), *flags) as server:
            yield server

    def words(self, limits):
        return [word for name, value in limits.items() for word in ("--limit", "%s=%s" % (name, value))]

    def hits(self, server, name):
        """How often it was reached; None while the server lets nobody in to say so."""
        try:
            answer = server.get("/_mw/metrics")
        except OSError:
            return None
        found = re.search(r'^meshwork_limit_hits_total\{limit="%s"\} (\d+)$' % name, answer.text(), re.M)
        return int(found.group(1)) if found else None

    def reached(self, server, name, least=1):
        self.eventually(lambda: (self.hits(server, name) or 0) >= least, "%s to be counted" % name)

    def keep(self, stack, server, count=1):
        return [stack.enter_context(server.connect()) for _ in range(count)]


class All(LimitCase):
    def test_each_limit_is_driven_to_its_bound_by_some_test(self):
        code, out, _ = run("serve", "--help")
        self.assertEqual(code, 0)
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "src", "edge", "limits.h"), encoding="utf-8") as file:
            names = re.findall(r'^    X\(\w+, "(\w+)"', file.read(), re.M)
        self.assertGreater(len(names), 60)
        for name in names:
            self.assertIn(name, out)
        here = {match for case in (Http, Files, WebSockets, Output, Logins, OverTls) for method in dir(case)
                for match in re.findall(r"^test_(\w+?)__", method)}
        self.assertEqual(sorted([*here, *ELSEWHERE, *PART_OF, *NO_BOUND]), sorted(names))
        for file, name in ELSEWHERE.values():
            with open(os.path.join(os.path.dirname(__file__), file + "_test.py"), encoding="utf-8") as source:
                self.assertIn("def test_%s(" % name, source.read())
        for name in PART_OF.values():
            self.assertIn(name, here)


class Http(LimitCase):
    def test_connections__one_more_gets_503(self):
        with self.limited(connections=3) as server, contextlib.ExitStack() as stack:
            for s in self.keep(stack, server, 3):
                self.assertEqual(ask(s).status, 200)
            self.assertEqual(server.get("/").status, 503)
            stack.close()
            self.reached(server, "connections")
            self.assertEqual(server.get("/").status, 200)

    def test_connections_per_ip__one_more_from_there_gets_503(self):
        with self.limited("--per-ip-loopback", connections_per_ip=3) as server, contextlib.ExitStack() as stack:
            for s in self.keep(stack, server, 3):
                self.assertEqual(ask(s).status, 200)
            self.assertEqual(server.get("/").status, 503)
            stack.close()
            self.reached(server, "connections_per_ip")

    def test_accepts_per_s__those_who_come_too_fast_get_503(self):
        with self.limited("--per-ip-loopback", accepts_per_s=2) as server:
            seen = [server.get("/").status for _ in range(12)]
            self.assertIn(200, seen)
            self.assertIn(503, seen)
            self.reached(server, "accepts_per_s")  # one is let in again when time has passed

    def test_request_line_bytes__a_longer_one_is_414(self):
        with self.limited(request_line_bytes=100) as server:
            self.assertEqual(server.get("/" + "x" * 60).status, 404)
            self.assertEqual(server.get("/" + "x" * 100).status, 414)
            self.reached(server, "request_line_bytes")

    def test_header_bytes__a_longer_head_is_431(self):
        with self.limited(header_bytes=512) as server:
            self.assertEqual(server.get("/", A="x" * 200).status, 200)
            self.assertEqual(server.get("/", A="x" * 200, B="x" * 200, C="x" * 200).status, 431)
            self.reached(server, "header_bytes")

    def test_header_fields__one_more_is_431(self):
        with self.limited(header_fields=4) as server:
            self.assertEqual(server.get("/", A="1", B="2").status, 200)
            self.assertEqual(server.get("/", A="1", B="2", C="3").status, 431)
            self.reached(server, "header_fields")

    def test_header_field_bytes__a_longer_one_is_431(self):
        with self.limited(header_field_bytes=100) as server:
            self.assertEqual(server.get("/", A="x" * 50).status, 200)
            self.assertEqual(server.get("/", A="x" * 101).status, 431)
            self.reached(server, "header_field_bytes")

    def test_body_bytes__a_longer_one_is_413_however_it_is_framed(self):
        body = '{"jsonrpc":"2.0","id":1,"method":"getAttr","params":[]}'
        with self.limited(app_c=scenario.BACK_END, body_bytes=len(body)) as server:
            self.assertEqual(server.rpc(body).status, 200)
            self.assertEqual(server.rpc(body + " ").status, 413)
            head = "POST /_mw/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = Answer(server.raw((head + "%x\r\n%s\r\n1\r\n \r\n0\r\n\r\n" % (len(body), body)).encode()))
            self.assertEqual(answer.status, 413)
            self.reached(server, "body_bytes", 2)

    def test_body_bytes_per_s__a_slower_one_is_408(self):
        with self.limited(app_c=scenario.BACK_END, body_bytes_per_s=1000000, body_grace_ms=50) as server, server.connect() as s:
            s.sendall(b"POST /_mw/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            self.assertEqual(Answer(read_all(s)).status, 408)
            self.reached(server, "body_bytes_per_s")

    def test_header_ms__a_head_that_takes_longer_is_408(self):
        with self.limited(header_ms=50) as server, server.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            self.assertEqual(Answer(read_all(s)).status, 408)
            self.reached(server, "header_ms")

    def test_keep_alive_ms__who_asks_no_more_is_closed(self):
        with self.limited(keep_alive_ms=50) as server, server.connect() as s:
            self.assertEqual(ask(s).status, 200)
            self.assertEqual(read_all(s), b"")
            self.reached(server, "keep_alive_ms")

    def test_keep_alive_requests__the_last_answer_says_close(self):
        with self.limited(keep_alive_requests=2) as server, server.connect() as s:
            self.assertNotEqual(ask(s).fields.get("connection"), "close")
            self.assertEqual(ask(s).fields["connection"], "close")
            self.assertEqual(read_all(s), b"")
            self.reached(server, "keep_alive_requests")

    def test_pipelined_requests__reading_pauses_and_all_are_answered(self):
        with self.limited(pipelined_requests=2) as server:
            requests = GET % ("/", "") * 9 + GET % ("/", "Connection: close\r\n")
            self.assertEqual(server.raw(requests.encode()).count(b"HTTP/1.1 200 "), 10)
            self.reached(server, "pipelined_requests")

    def test_ranges__for_more_the_whole_file_is_sent(self):
        with self.limited(ranges=1) as server:
            self.assertEqual(server.get("/css/page.css", Range="bytes=0-9").status, 206)
            answer = server.get("/css/page.css", Range="bytes=0-9,20-29")
            self.assertEqual((answer.status, len(answer.body)), (200, 6000))
            self.reached(server, "ranges")


class Files(LimitCase):
    def gzipped(self, server, path="/css/page.css"):
        return server.get(path, Accept_Encoding="gzip").fields.get("content-encoding") == "gzip"

    def test_gzip_file_bytes__a_larger_file_is_sent_as_it_is(self):
        with self.limited(gzip_file_bytes=6000) as server:
            self.assertTrue(self.gzipped(server))
        with self.limited(gzip_file_bytes=5999) as server:
            self.assertFalse(self.gzipped(server))
            self.reached(server, "gzip_file_bytes")

    def test_gzip_cache_bytes__what_was_asked_for_longest_ago_goes(self):
        with self.limited(gzip_cache_bytes=300) as server:
            for _ in range(2):
                self.assertTrue(self.gzipped(server, "/css/page.css"))
                self.assertTrue(self.gzipped(server, "/css/other.css"))
            self.reached(server, "gzip_cache_bytes", 3)

    def test_file_cache_bytes__what_was_asked_for_longest_ago_goes(self):
        with self.limited(file_cache_bytes=8000) as server:
            for path in ("/css/page.css", "/css/other.css") * 2:
                self.assertEqual(len(server.get(path).body), 6000)
            self.reached(server, "file_cache_bytes", 3)

    def test_file_cache_file_bytes__a_larger_file_is_opened_each_time(self):
        with self.limited(file_cache_file_bytes=5999) as server:
            for _ in range(3):
                self.assertEqual(len(server.get("/css/page.css").body), 6000)
            self.assertIn("\nmeshwork_file_cache_too_large_total 3\n", server.get("/_mw/metrics").text())


class WebSockets(LimitCase):
    @contextlib.contextmanager
    def client(self, *flags, **limits):
        with self.limited(*flags, app_c=scenario.ECHO, **limits) as server, server.websocket() as client:
            yield server, client

    def echoes(self, client, text):
        client.send(text)
        self.assertEqual(client.read(), text)

    def test_message_bytes__a_longer_one_is_1009_also_in_fragments(self):
        with self.client(message_bytes=1000) as (server, client):
            self.echoes(client, "x" * 1000)
            client.send("x" * 1001)
            self.assertEqual(client.read_close(), 1009)
            with server.websocket() as other:
                other.send_bytes(other.frame(TEXT, "x" * 600, fin=False) + other.frame(0, "x" * 401))
                self.assertEqual(other.read_close(), 1009)
            self.reached(server, "message_bytes", 2)

    def test_deflate_most_bytes__a_longer_one_leaves_as_it_is(self):
        with self.limited("--deflate", app_c=scenario.ECHO, deflate_most_bytes=5000) as server:
            with server.websocket(extensions="permessage-deflate") as client:
                self.echoes(client, "x" * 5000)
                self.assertTrue(client.was_compressed)
                self.assertEqual(self.hits(server, "deflate_most_bytes"), 0)
                self.echoes(client, "x" * 5001)
                self.assertFalse(client.was_compressed)
            self.reached(server, "deflate_most_bytes")

    def test_message_fragments__one_more_is_1009(self):
        with self.client(message_fragments=3) as (server, client):
            two = client.frame(TEXT, "a", fin=False) + client.frame(0, "b", fin=False)
            client.send_bytes(two + client.frame(0, "c"))
            self.assertEqual(client.read(), "abc")
            client.send_bytes(two + client.frame(0, "c", fin=False) + client.frame(0, "d"))
            self.assertEqual(client.read_close(), 1009)
            self.reached(server, "message_fragments")

    def test_message_ms__one_that_takes_longer_is_1008(self):
        with self.client(message_ms=50) as (server, client):
            client.send("a", fin=False)
            self.assertEqual(client.read_close(), 1008)
            self.reached(server, "message_ms")

    def test_messages_per_s__reading_pauses_and_nothing_is_lost(self):
        with self.client(messages_per_s=20, messages_burst=2) as (server, client):
            client.send_bytes(b"".join(client.frame(TEXT, str(i)) for i in range(8)))
            self.assertEqual([client.read() for _ in range(8)], [str(i) for i in range(8)])
            self.reached(server, "messages_per_s")

    def test_controls_per_s__one_more_is_1008(self):
        with self.client(controls_per_s=3) as (server, client):
            client.send_bytes(client.frame(PING, "p") * 4)
            self.assertEqual(client.read_close(), 1008)
            self.reached(server, "controls_per_s")

    def test_pings_missed__who_answers_none_is_dropped(self):
        with self.client(ping_ms=50, pings_missed=2) as (server, client):
            seen = []
            with contextlib.suppress(EOFError, ConnectionResetError):
                while True:
                    seen.append(client.read_frame()[0])
            self.assertEqual(seen, [PING, PING])
            self.reached(server, "pings_missed")

    def test_close_ms__who_does_not_answer_a_close_is_dropped(self):
        with self.serve(*self.words({"close_ms": 50, "login_ms": 50}), required=True) as server, self.v1(server) as client:
            opcode = payload = None
            while opcode != CLOSE:
                opcode, payload = client.read_frame()
            self.assertEqual(payload[:2], struct.pack(">H", 4001))
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.socket.recv(1), b"")
            self.reached(server, "close_ms")

    def test_input_total_bytes__who_holds_most_of_what_is_unfinished_is_closed(self):
        with self.client(input_total_bytes=65536) as (server, large), server.websocket() as small:
            small.send("s" * 100, fin=False)
            large.send("l" * 100000, fin=False)
            self.assertEqual(large.read_close(), 1013)
            small.send("t", opcode=0)
            self.assertEqual(small.read(), "s" * 100 + "t")
            self.reached(server, "input_total_bytes")


class Output(LimitCase):
    def flood(self, client, condition, frame):
        """Send until a condition holds; the client's own sending must not block this test."""
        client.socket.settimeout(0.2)
        end = time.monotonic() + scenario.PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), end)
            with contextlib.suppress(OSError):
                client.socket.sendall(frame)

    def test_output_pause_bytes__reading_pauses_until_the_peer_has_read(self):
        with self.limited(app_c=scenario.ECHO, output_pause_bytes=1024) as server, server.websocket() as client:
            frames, count = client.frame(BINARY, bytes(32768)), 200
            sender = threading.Thread(target=lambda: [client.send_bytes(frames) for _ in range(count)])
            sender.start()
            self.reached(server, "output_pause_bytes")
            for _ in range(count):
                self.assertEqual(len(client.read()), 32768)
            sender.join()

    def broadcasting(self, **limits):
        return self.limited(app_c=BROADCAST, **limits)

    def check_dropped(self, server, limit):
        """One that does not read what others cause is closed with 1013, or dropped where it does not take that either; nobody else is."""
        with server.websocket() as deaf, server.websocket() as caller:
            for _ in range(40):
                caller.send("go")
                caller.read()
                if self.hits(server, limit):
                    break
            self.reached(server, limit)
            self.assertIn(deaf.read_close(), (1013, 1006))
            caller.send("go")
            self.assertEqual(len(caller.read()), 65538)

    def test_output_soft_bytes__over_it_for_too_long_is_1013(self):
        with self.broadcasting(output_soft_bytes=65536, output_soft_ms=50, output_hard_bytes="1G") as server:
            self.check_dropped(server, "output_soft_bytes")

    def test_output_hard_bytes__over_it_is_1013_at_once(self):
        with self.broadcasting(output_hard_bytes=131072, message_bytes=65536) as server:
            self.check_dropped(server, "output_hard_bytes")

    def test_output_total_bytes__of_all_the_one_with_most_goes(self):
        with self.broadcasting(output_total_bytes=262144) as server:
            self.check_dropped(server, "output_total_bytes")

    def test_output_stall_ms__who_takes_nothing_is_dropped(self):
        with self.limited(app_c=scenario.ECHO, output_stall_ms=100) as server, server.websocket() as client:
            frame = client.frame(BINARY, bytes(65536))
            self.flood(client, lambda: self.hits(server, "output_stall_ms"), frame)


class Logins(LimitCase):
    def wrong(self, server, user="bob"):
        return self.post(server, user=user, password="wrong horse").status

    def test_logins_per_user__one_more_try_is_put_off(self):
        with self.serve("--limit", "logins_per_user=2") as server:
            self.assertEqual([self.wrong(server) for _ in range(3)], [401, 401, 429])
            self.assertEqual(self.wrong(server, "eve"), 401)
            self.assertEqual((self.hits(server, "logins_per_user"), self.hits(server, "logins_per_ip")), (1, 0))

    def test_logins_per_ip__one_more_try_is_put_off_whatever_the_name(self):
        with self.serve("--per-ip-loopback", "--limit", "logins_per_ip=2") as server:
            self.assertEqual([self.wrong(server, "user%d" % i) for i in range(3)], [401, 401, 429])
            self.assertEqual((self.hits(server, "logins_per_user"), self.hits(server, "logins_per_ip")), (0, 1))

    def test_login_queue__one_more_that_would_wait_is_put_off(self):
        with self.serve("--limit", "login_queue=1") as server:
            seen = []
            threads = [threading.Thread(target=lambda i=i: seen.append(self.wrong(server, "user%d" % i))) for i in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(set(seen), {401, 503})
            self.assertEqual(self.hits(server, "login_queue"), seen.count(503))

    def test_login_ms__who_has_to_log_in_and_does_not_is_closed_with_4001(self):
        with self.serve("--limit", "login_ms=50", required=True) as server, self.v1(server) as client:
            self.assertEqual(client.read_close(), 4001)
            self.reached(server, "login_ms")

    def test_login_message_bytes__a_longer_one_before_the_login_is_1009(self):
        with self.serve("--limit", "login_message_bytes=200", required=True) as server:
            with self.v1(server) as client:
                client.ask("login", {"user": "bob", "password": "correct horse"})
                self.assertIn("result", client.ask("getAttr", ["reading"] * 30))  # as long as any other from then on
            with self.v1(server) as client:
                client.send("x" * 201)
                self.assertEqual(client.read_close(), 1009)
            self.reached(server, "login_message_bytes")

    def test_unauthenticated_per_ip__one_more_that_has_yet_to_log_in_gets_503(self):
        with self.serve("--limit", "unauthenticated_per_ip=1", "--per-ip-loopback", required=True) as server, self.v1(server):
            with self.assertRaises(Refused) as refused:
                self.v1(server)
            self.assertEqual(refused.exception.answer.status, 503)
            self.reached(server, "unauthenticated_per_ip")

    def is_bob(self, server, cookie):
        request = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "who"}}
        return server.rpc(request, Cookie=cookie, Origin=self.origin(server)).json()["result"] == "bob"

    def ended(self, server, limit):
        found = re.search(r'^meshwork_sessions_ended_total\{limit="%s"\} (\d+)$' % limit, server.get("/_mw/metrics").text(), re.M)
        return int(found.group(1))

    def test_sessions_per_user__of_one_more_the_one_unused_for_longest_ends(self):
        with self.serve("--limit", "sessions_per_user=2") as server:
            cookies = [self.cookie(server) for _ in range(3)]
            self.assertEqual([self.is_bob(server, cookie) for cookie in cookies], [False, True, True])
            self.assertEqual((self.hits(server, "sessions_per_user"), self.hits(server, "sessions")), (1, 0))
            self.assertEqual(self.ended(server, "sessions_per_user"), 1)

    def test_sessions__of_one_more_of_all_the_one_unused_for_longest_ends(self):
        self.user("add", "eve", "--role", "viewer", said="another horse\n")
        with self.serve("--limit", "sessions=1") as server:
            bob = self.cookie(server)
            self.assertTrue(self.is_bob(server, bob))
            self.cookie(server, user="eve", password="another horse")
            self.assertFalse(self.is_bob(server, bob))
            self.assertEqual((self.hits(server, "sessions_per_user"), self.hits(server, "sessions")), (0, 1))

    def test_session_idle_ms__one_that_is_not_used_ends(self):
        with self.serve("--limit", "session_idle_ms=1000") as server:
            cookie = self.cookie(server)
            self.assertTrue(self.is_bob(server, cookie))
            last = time.monotonic()
            self.eventually(lambda: time.monotonic() - last > 1, "a second to pass")
            self.assertFalse(self.is_bob(server, cookie))
            self.assertEqual((self.ended(server, "session_ms"), self.ended(server, "session_idle_ms")), (0, 1))

    def test_session_ms__it_ends_however_much_it_is_used(self):
        with self.serve("--limit", "session_ms=1000") as server:
            cookie = self.cookie(server)
            self.eventually(lambda: not self.is_bob(server, cookie), "the session to end")
            self.assertEqual((self.ended(server, "session_ms"), self.ended(server, "session_idle_ms")), (1, 0))


class OverTls(LimitCase):
    pair = tls_test.Tls.pair

    def over_tls(self, **limits):
        crt, key = self.pair()
        return tls_test.TlsServer(self.app(app_html="x"), "--cert", crt, "--key", key, *self.words(limits), trusted=crt)

    def test_tls_ms__a_handshake_that_takes_longer_is_dropped(self):
        with self.over_tls(tls_ms=50) as server, server.plain() as s:
            self.assertEqual(read_all(s), b"")
            self.reached(server, "tls_ms")

    def test_tls_handshakes__for_one_more_the_oldest_is_dropped(self):
        with self.over_tls(tls_handshakes=1) as server, server.plain() as oldest:
            self.assertEqual(server.get("/").status, 200)
            self.assertEqual(read_all(oldest), b"")
            self.reached(server, "tls_handshakes")
