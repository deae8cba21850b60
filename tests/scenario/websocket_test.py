"""WebSockets: the upgrade, messages byte for byte, and what bad frames get (RFC 6455).
SPDX-License-Identifier: MIT"""
import os
import re
import struct

import scenario
from scenario import BINARY, CLOSE, PING, PONG, TEXT, Answer, Case, Refused, Server

UPGRADE = ("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class Upgrade(Case):
    def test_bad_handshakes_are_refused(self):
        with Server(self.app(app_c=scenario.ECHO)) as server:
            for wrong, right, status in (("Version: 12", "Version: 13", 426),
                                         ("Key: c2hvcnQ=", "Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
                                         ("Key: ", "Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
                                         ("POST /", "GET /", 400),
                                         ("HTTP/1.0", "HTTP/1.1", 400),
                                         ("Connection: close", "Connection: Upgrade", 400)):
                request = UPGRADE.replace(right, wrong) + "Content-Length: 0\r\n" * wrong.startswith("POST") + "\r\n"
                answer = Answer(server.raw(request.encode()))
                self.assertIn(answer.status, (status, 400, 405, 426), wrong)
                if status == 426:
                    self.assertEqual(answer.fields["sec-websocket-version"], "13")
            self.assertEqual(server.raw((UPGRADE + "\r\n").encode()[:-2] + b"\r\n\x88\x80\0\0\0\0")[:12],
                             b"HTTP/1.1 101")

    def test_the_sub_protocol_decides_the_manner(self):
        with Server(self.app(app_c=scenario.BACK_END)) as server:
            for offered, chosen in (([], None), (["meshwork.v1"], "meshwork.v1"), (["x", "meshwork.v1"], "meshwork.v1"),
                                    (["x"], None), (["MESHWORK.V1"], None)):
                with server.websocket(protocols=offered) as client:
                    self.assertEqual(client.subprotocol, chosen)

    def test_only_the_base_path_and_ws_paths_are_upgraded(self):
        folder = self.app(app_c=scenario.ECHO, app_ini="[app]\nws_paths = /echo, /deep/er\n", css__a_css="a")
        with Server(folder) as server:
            for path in ("/", "/echo", "/deep/er", "/echo?x=1"):
                with server.websocket(path) as client:
                    client.send(path)
                    self.assertEqual(client.read(), path)
            for path in ("/other", "/echo/", "/css/a.css", "/_mw/rpc", "/_mw/meshwork.js"):
                with self.assertRaises(Refused) as refused:
                    server.websocket(path)
                self.assertEqual(refused.exception.answer.status, 404, path)

    def test_an_app_without_a_back_end_answers_in_v1(self):
        with Server(self.app(app_html="x")) as server, server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["method"], "hello")
            self.assertEqual(client.ask("getAttr", ["a"])["result"]["errors"], {"a": "denied"})


class Messages(Case):
    def test_every_message_comes_back_byte_for_byte(self):
        with Server(self.app(app_c=scenario.ECHO)) as server, server.websocket() as client:
            for count in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
                data = os.urandom(count)
                client.send(data, BINARY)
                self.assertEqual(client.read(), data)
                client.send("é" * (count // 2))
                self.assertEqual(client.read(), "é" * (count // 2))

    def test_fragments_make_one_message_with_control_frames_between(self):
        with Server(self.app(app_c=scenario.ECHO)) as server, server.websocket() as client:
            client.send_bytes(client.frame(TEXT, b"\xc3", fin=False) + client.frame(PING, b"p") +
                              client.frame(0, b"\xa9", fin=False) + client.frame(0, b""))
            self.assertEqual(client.read_frame(), (PONG, b"p"))
            self.assertEqual(client.read(), "é")

    def test_byte_by_byte_is_the_same_as_whole(self):
        with Server(self.app(app_c=scenario.ECHO)) as server, server.websocket() as client:
            for i in range(len(frame := client.frame(TEXT, "slowly"))):
                client.send_bytes(frame[i:i + 1])
            self.assertEqual(client.read(), "slowly")

    def test_a_close_is_answered_with_its_code(self):
        with Server(self.app(app_c=scenario.ECHO)) as server:
            for payload, code in ((b"", 1005), (struct.pack(">H", 1000), 1000), (struct.pack(">H", 4321) + b"bye", 4321)):
                with server.websocket() as client:
                    client.send(payload, CLOSE)
                    self.assertEqual(client.read_close(), code)

    def test_many_messages_in_one_write_are_all_answered_in_order(self):
        with Server(self.app(app_c=scenario.ECHO), "--rate", "1000000") as server, server.websocket() as client:
            client.send_bytes(b"".join(client.frame(TEXT, str(i)) for i in range(2000)))
            for i in range(2000):
                self.assertEqual(client.read(), str(i))

    def test_above_the_rate_nothing_is_lost(self):
        with Server(self.app(app_c=scenario.ECHO), "--rate", "200", "--limit", "messages_burst=10") as server:
            with server.websocket() as client:
                client.send_bytes(b"".join(client.frame(TEXT, str(i)) for i in range(60)))
                self.assertEqual([client.read() for _ in range(60)], [str(i) for i in range(60)])


class Deflate(Case):
    OFFER = "permessage-deflate; client_max_window_bits"
    TEXT = "".join('{"speed":%d,"target":20}' % i for i in range(400))

    def numbers(self, server):
        lines = server.get("/_mw/metrics").text().split("\n")
        return {name: int(value) for name, value in (line.split(" ") for line in lines if "flat" in line and line[0] != "#")}

    def test_it_is_off_unless_it_is_asked_for(self):
        with Server(self.app(app_c=scenario.ECHO)) as server, server.websocket(extensions=self.OFFER) as client:
            self.assertIsNone(client.extensions)
            client.send(self.TEXT)
            self.assertEqual(client.read(), self.TEXT)

    def test_compressed_messages_come_back_compressed_and_are_counted(self):
        with Server(self.app(app_c=scenario.ECHO), "--deflate") as server:
            with server.websocket(extensions=self.OFFER) as client:
                self.assertEqual(client.extensions, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
                                                    "server_max_window_bits=12; client_max_window_bits=12")
                payload = scenario.deflate(self.TEXT)
                for _ in range(3):
                    client.send_bytes(client.frame(TEXT, payload[:50], fin=False, rsv=4) + client.frame(PING, b"p") +
                                      client.frame(0, payload[50:]))
                    self.assertEqual(client.read_frame(), (PONG, b"p"))
                    self.assertEqual(client.read(), self.TEXT)
                    self.assertTrue(client.was_compressed)
                client.send("short")
                self.assertEqual(client.read(), "short")
                self.assertFalse(client.was_compressed)
                now = self.numbers(server)
                self.assertEqual(now["meshwork_deflating_websockets"], 1)
                self.assertEqual((now["meshwork_inflated_messages_total"], now["meshwork_deflated_messages_total"]), (3, 3))
                self.assertEqual(now["meshwork_inflated_bytes_total"], 3 * len(self.TEXT))
                self.assertEqual(now["meshwork_inflated_from_bytes_total"], 3 * len(payload))
                self.assertEqual(now["meshwork_deflated_from_bytes_total"], 3 * len(self.TEXT))
                self.assertLess(now["meshwork_deflated_bytes_total"], len(self.TEXT))

    def test_app_ini_says_it_too_with_the_limits_of_it(self):
        folder = self.app(app_c=scenario.ECHO, app_ini="[server]\ndeflate = yes\ndeflate_context = yes\n[limits]\n"
                                                       "deflate_from_bytes = 10\nmessage_bytes = 100K\n")
        with Server(folder) as server:
            with server.websocket(extensions="permessage-deflate; client_no_context_takeover") as client:
                self.assertEqual(client.extensions,
                                 "permessage-deflate; client_no_context_takeover; server_max_window_bits=12")
                client.send("a" * 100)
                self.assertEqual(client.read(), "a" * 100)
                self.assertTrue(client.was_compressed)

    def test_a_bomb_is_closed_with_1009_and_the_server_stays_small(self):
        with Server(self.app(app_c=scenario.ECHO), "--deflate") as server:
            for data, limit in ((bytes(4 << 20), "deflate_ratio"), (self.TEXT.encode() * 300, "message_bytes")):
                with server.websocket(extensions=self.OFFER) as client:
                    client.send(scenario.deflate(data), BINARY, rsv=4)
                    self.assertEqual(client.read_close(), 1009)
                text = server.get("/_mw/metrics").text()
                self.assertTrue('meshwork_limit_hits_total{limit="%s"} 1\n' % limit in text, limit)
            self.assertLess(int(re.search(r"\nmeshwork_memory_bytes (\d+)", text).group(1)), 4 << 20)

    def test_what_cannot_be_inflated_is_closed_with_1007(self):
        with Server(self.app(app_c=scenario.ECHO), "--deflate") as server:
            for payload, code in ((b"\xff\xff", 1007), (scenario.deflate(b"\xc3\x28" * 600), 1007)):
                with server.websocket(extensions=self.OFFER) as client:
                    client.send(payload, TEXT, rsv=4)
                    self.assertEqual(client.read_close(), code)


    def test_who_sends_what_is_long_to_inflate_does_not_keep_others_from_being_heard(self):
        data = b"".join(b"%032d" % (i * 7919) for i in range(30000))  # 1 MB, of which a seventh is left
        with Server(self.app(app_c=scenario.ECHO), "--deflate") as server:
            heavy = [server.websocket(extensions=self.OFFER) for _ in range(6)]
            frames = heavy[0].frame(BINARY, scenario.deflate(data), rsv=4) * 2
            with server.websocket() as light:
                for client in heavy:
                    client.send_bytes(frames)
                for i in range(20):
                    light.send(str(i))
                    self.assertEqual(light.read(), str(i))
            for client in heavy:
                for _ in range(2):
                    self.assertEqual(client.read(), data)
                client.socket.close()
            hits = re.search(r'limit_hits_total{limit="share_steps"} (\d+)', server.get("/_mw/metrics").text())
            self.assertEqual(int(hits.group(1)), 12)


class BadFrames(Case):
    def test_each_gets_the_close_code_of_the_rfc(self):
        def cases(c):
            f = c.frame
            return (
                ("unmasked", f(TEXT, "x", mask=False), 1002),
                ("RSV1", f(TEXT, "x", rsv=4), 1002),
                ("RSV2", f(TEXT, "x", rsv=2), 1002),
                ("RSV3", f(TEXT, "x", rsv=1), 1002),
                ("reserved data opcode", f(3, "x"), 1002),
                ("reserved control opcode", f(11, "x"), 1002),
                ("long control frame", f(PING, b"x" * 126), 1002),
                ("fragmented control frame", f(PING, b"x", fin=False), 1002),
                ("continuation of nothing", f(0, "x"), 1002),
                ("message within a message", f(TEXT, "x", fin=False) + f(TEXT, "y"), 1002),
                ("close of one byte", f(CLOSE, b"\x03"), 1002),
                ("close code 1005", f(CLOSE, struct.pack(">H", 1005)), 1002),
                ("close code 999", f(CLOSE, struct.pack(">H", 999)), 1002),
                ("close code 5000", f(CLOSE, struct.pack(">H", 5000)), 1002),
                ("close reason not UTF-8", f(CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007),
                ("text not UTF-8", f(TEXT, b"\xff\xfe"), 1007),
                ("text cut within a character", f(TEXT, b"\xc3"), 1007),
                ("surrogate", f(TEXT, b"\xed\xa0\x80"), 1007),
                ("bad UTF-8 in a fragment", f(TEXT, b"ok", fin=False) + f(0, b"\xf8", fin=False), 1007),
                ("too large", f(BINARY, b"", length=1 << 21), 1009),
                ("too large in fragments", f(BINARY, b"x" * 900000, fin=False) + f(0, b"x" * 900000), 1009),
                ("length of 64 bits", f(BINARY, b"", length=(1 << 63) - 1), 1009),
                ("length with the highest bit", b"\x82\xff" + b"\xff" * 12, 1002),
                ("length longer than needed", b"\x82\xfe\x00\x05" + b"\0" * 9, 1002),
                ("too many fragments", f(TEXT, "", fin=False) + f(0, "", fin=False) * 1100, 1009),
            )
        with Server(self.app(app_c=scenario.ECHO)) as server:
            with server.websocket() as other:
                for i in range(len(cases(other))):
                    with server.websocket() as client:
                        what, data, code = cases(client)[i]
                        try:
                            client.send_bytes(data)
                        except OSError:
                            pass  # it was refused before all was written
                        with self.subTest(what):
                            self.assertEqual(client.read_close(), code)
                other.send("still here")
                self.assertEqual(other.read(), "still here")

    def test_limits_can_be_set(self):
        flags = ("--max-message", "10", "--max-fragments=3")
        with Server(self.app(app_c=scenario.ECHO), *flags) as server:
            with server.websocket() as client:
                client.send("0123456789")
                self.assertEqual(client.read(), "0123456789")
                client.send_bytes(client.frame(TEXT, "a", fin=False) + client.frame(0, "b", fin=False) +
                                  client.frame(0, "c"))
                self.assertEqual(client.read(), "abc")
                client.send("0123456789A")
                self.assertEqual(client.read_close(), 1009)
            with server.websocket() as client:
                client.send_bytes(client.frame(TEXT, "a", fin=False) + client.frame(0, "b", fin=False) * 3)
                self.assertEqual(client.read_close(), 1009)

    def test_a_limit_that_was_reached_is_said(self):
        server = Server(self.app(app_c=scenario.ECHO), "--max-message", "10")
        with server.websocket() as client:
            client.send("0123456789A")
            self.assertEqual(client.read_close(), 1009)
        self.assertEqual(server.stop(), 0)
        self.assertIn("meshwork: limit message_bytes = 10 was reached (count 1): close 1009", server.stderr())

    def test_a_client_that_vanishes_mid_message_leaves_nothing(self):
        with Server(self.app(app_c=scenario.BACK_END)) as server, server.websocket() as other:
            fds = "/proc/%d/fd" % server.process.pid
            before = len(os.listdir(fds))
            for cut in (1, 2, 5, 7, 50):
                for _ in range(4):
                    client = server.websocket(protocols=["meshwork.v1"])
                    client.send_bytes(client.frame(TEXT, b"x" * 100)[:cut])
                    client.socket.close()
            self.eventually(lambda: len(os.listdir(fds)) <= before, "descriptors are still open")
            self.assertRegex(other.read(), re.escape('{"number":7}'))


class SecondPort(Case):
    """The 2012 layout: files on one port, WebSockets on another, under another name."""

    def test_a_page_of_the_first_port_may_use_it_on_any_path(self):
        folder = self.app(app_html="x", app_c=scenario.BACK_END)
        with Server(folder, "--ws-port", "0", "--host", "lab.example.org") as server:
            port = server.ws_port()
            self.assertNotEqual(port, server.port)
            for path in ("/", "/anything", "/any/thing"):
                for name in ("lab.example.org", "localhost", "127.0.0.1"):
                    with server.websocket(path, port=port, host="%s:%d" % (name, port),
                                          origin="http://%s:%d" % (name, server.port)) as client:
                        client.send({"content": "I am alive!"})
                        self.assertEqual(client.read(), '{"number":7}')
            for host, origin, status in (("evil.example:%d" % port, None, 421),
                                         ("localhost:%d" % port, "http://evil.example:%d" % server.port, 403)):
                with self.assertRaises(Refused) as refused:
                    server.websocket(port=port, host=host, origin=origin)
                self.assertEqual(refused.exception.answer.status, status)

    def test_it_serves_no_files(self):
        with Server(self.app(app_html="x"), "--ws-port=0") as server:
            answer = server.get("/", port=server.ws_port())
            self.assertEqual(answer.status, 426)
            self.assertEqual(server.get("/").status, 200)
