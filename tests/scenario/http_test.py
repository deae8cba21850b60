"""HTTP: what is served and what is not, who may ask, and what malformed requests get.
SPDX-License-Identifier: MIT"""
import gzip
import os
import re
import socket

import scenario
from scenario import Answer, Case, Refused, Server, read_all

SECRET = "nobody may read this"


class Files(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.app(app_html="<h1>home</h1>", app_ini="[app]\nname = demo\n", css__a_css="a {}",
                               js__a_js="'js'", images__a_png=b"\x89PNG", fonts__a_woff2=b"woff", public__b_txt="b",
                               public__deep__c_txt="c", public__css__p_css="p {}", other__d_txt=SECRET,
                               notes_txt=SECRET, data_bin=SECRET, public__weird_xyz="?")
        with open(os.path.join(self.dir, "outside.txt"), "w") as f:
            f.write(SECRET)

    def test_the_four_folders_public_and_the_home_page_are_served(self):
        with Server(self.folder) as server:
            for path, body, kind in (("/", "<h1>home</h1>", "text/html; charset=utf-8"),
                                     ("/css/a.css", "a {}", "text/css; charset=utf-8"),
                                     ("/js/a.js", "'js'", "text/javascript; charset=utf-8"),
                                     ("/images/a.png", None, "image/png"),
                                     ("/fonts/a.woff2", "woff", "font/woff2"),
                                     ("/b.txt", "b", "text/plain; charset=utf-8"),
                                     ("/deep/c.txt", "c", "text/plain; charset=utf-8"),
                                     ("/css/p.css", "p {}", "text/css; charset=utf-8"),
                                     ("/b.txt?query=1", "b", "text/plain; charset=utf-8")):
                answer = server.get(path)
                self.assertEqual((answer.status, answer.fields["content-type"]), (200, kind), path)
                if body is not None:
                    self.assertEqual(answer.text(), body)

    def test_a_folder_of_public_is_shown_by_its_index_html(self):
        folder = self.app(app_html="x", public__docs__index_html="docs", public__css__index_html="styles")
        with Server(folder) as server:
            for path, status, body, location in (("/docs/", 200, "docs", None), ("/docs?q=1", 308, None, "/docs/?q=1"),
                                                 ("/css/", 200, "styles", None), ("/css", 308, None, "/css/")):
                answer = server.get(path)
                self.assertEqual((answer.status, answer.fields.get("location")), (status, location), path)
                if body is not None:
                    self.assertEqual((answer.text(), answer.fields["content-type"]), (body, "text/html; charset=utf-8"))

    def test_nothing_else_is(self):
        os.symlink(os.path.join(self.dir, "outside.txt"), os.path.join(self.folder, "public", "link.txt"))
        os.symlink(self.dir, os.path.join(self.folder, "css", "up"))
        os.symlink("../notes.txt", os.path.join(self.folder, "public", "sideways.txt"))
        os.symlink("/proc/self/environ", os.path.join(self.folder, "js", "environ"))
        os.mkfifo(os.path.join(self.folder, "public", "fifo.txt"))
        with open(os.path.join(self.folder, "public", ".hidden"), "w") as f:
            f.write(SECRET)
        with open(os.path.join(self.folder, "app.c"), "w") as f:
            f.write(scenario.BACK_END)
        with Server(self.folder) as server:
            for path in ("/app.c", "/app.ini", "/app.html", "/notes.txt", "/other/d.txt", "/data.bin", "/public/b.txt",
                         "/../outside.txt", "/css/../../outside.txt", "/css/../app.c", "/%2e%2e/outside.txt",
                         "/%2e%2e%2foutside.txt", "/css/%2e%2e/app.ini", "/css/..%2fapp.ini", "/..%5coutside.txt",
                         "/link.txt", "/css/up/outside.txt", "/sideways.txt", "/js/environ", "/fifo.txt", "/.hidden",
                         "/css", "/css/", "/deep", "/deep/", "//css/a.css", "/css//a.css", "/./css/a.css", "/nowhere",
                         "/_mw", "/_mw/", "/_mw/nowhere.js", "/_mw/../css/a.css", "/css/a.css/", "/CSS/a.css"):
                answer = server.get(path)
                self.assertIn(answer.status, (400, 404), path)
                self.assertNotIn(SECRET.encode(), answer.data, path)
                self.assertLess(len(answer.body), 500)
            for path in ("/%00", "/css/a.css%00.html", "/%", "/%zz", "/\xff"):
                answer = server.get(path)
                self.assertIn(answer.status, (400, 404), path)
            self.assertEqual(server.get("/").status, 200)

    def test_a_folder_that_is_a_link_out_is_not_served(self):
        outside = os.path.join(self.dir, "outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "x.css"), "w") as f:
            f.write(SECRET)
        folder = self.app("linked", app_html="x")
        os.symlink(outside, os.path.join(folder, "css"))
        with Server(folder) as server:
            self.assertEqual(server.get("/css/x.css").status, 404)

    def test_head_says_what_get_would(self):
        with Server(self.folder) as server:
            get, head = server.get("/b.txt"), server.get("/b.txt", method="HEAD")
            for name in ("content-length", "content-type", "etag"):
                self.assertEqual(get.fields[name], head.fields[name])
            self.assertEqual(head.body, b"")

    def test_a_known_file_is_not_sent_again(self):
        with Server(self.folder) as server:
            for path in ("/b.txt", "/"):
                tag = server.get(path).fields["etag"]
                answer = server.get(path, If_None_Match=tag)
                self.assertEqual((answer.status, answer.body), (304, b""))

    def test_index_html_is_a_home_page_too_and_app_html_goes_first(self):
        with Server(self.app("index", index_html="index")) as server:
            self.assertEqual(server.get("/").text(), "index")
        with Server(self.app("both", index_html="index", app_html="app")) as server:
            self.assertEqual(server.get("/").text(), "app")

    def test_a_home_page_that_has_gone_is_told_in_html(self):
        with Server(self.folder) as server:
            os.remove(os.path.join(self.folder, "app.html"))
            answer = server.get("/")
            self.assertEqual((answer.status, answer.fields["content-type"]), (500, "text/html; charset=utf-8"))
            self.assertIn("app.html", answer.text())
            with open(os.path.join(self.folder, "app.html"), "w") as f:
                f.write("back")
            self.assertEqual(server.get("/").text(), "back")

    def test_a_back_end_alone_has_no_page_but_answers(self):
        with Server(self.app("bare", app_c=scenario.BACK_END)) as server:
            answer = server.get("/")
            self.assertEqual((answer.status, answer.fields["content-type"]), (404, "text/html; charset=utf-8"))
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]})
            self.assertEqual(answer.json()["result"]["values"], {"a": 1})

    def test_an_app_says_its_own_headers(self):
        ini = """[headers]
# a map from elsewhere, shown within the portal
content_security_policy = default-src 'self'; img-src 'self' https://tiles.example
content_security_policy = frame-ancestors https://portal.example
x_frame_options =
permissions_policy = camera=(self)
"""
        with Server(self.app(app_html="x", app_ini=ini, js__a_js="1")) as server:
            for path in ("/", "/js/a.js"):
                fields = server.get(path).fields
                self.assertEqual(fields["content-security-policy"],
                                 "default-src 'self'; img-src 'self' https://tiles.example; frame-ancestors https://portal.example")
                self.assertEqual((fields["permissions-policy"], fields["referrer-policy"], fields["x-content-type-options"]),
                                 ("camera=(self)", "no-referrer", "nosniff"))
                self.assertNotIn("x-frame-options", fields)
            own = server.get("/_mw/healthz").fields  # the server's own pages have nothing of that
            self.assertEqual(own["x-frame-options"], "DENY")
            self.assertIn("default-src 'none'", own["content-security-policy"])

    def test_answers_carry_the_security_headers(self):
        with Server(self.folder) as server:
            for path in ("/", "/css/a.css", "/b.txt", "/_mw/healthz"):
                fields = server.get(path).fields
                self.assertEqual(fields["x-content-type-options"], "nosniff")
                self.assertEqual(fields["referrer-policy"], "no-referrer")
                self.assertEqual(fields["cross-origin-opener-policy"], "same-origin")
                self.assertEqual(fields["cross-origin-resource-policy"], "same-origin")
                self.assertEqual(fields["x-frame-options"], "DENY")
                self.assertNotIn("server", fields)
                self.assertNotIn("access-control-allow-origin", fields)
            app, own = (server.get(p).fields["content-security-policy"] for p in ("/", "/_mw/healthz"))
            self.assertEqual(app, "default-src 'self' 'unsafe-inline' data:; connect-src 'self' ws: wss:; object-src "
                                  "'none'; base-uri 'none'; frame-ancestors 'none'")
            self.assertTrue(own.startswith("default-src 'none'; script-src 'self'"))
            self.assertEqual(server.get("/nowhere").fields["x-content-type-options"], "nosniff")
            unknown = server.get("/weird.xyz").fields
            self.assertEqual(unknown["content-type"], "application/octet-stream")
            self.assertEqual(unknown["content-disposition"], "attachment")

    def test_the_client_is_part_of_the_server(self):
        with Server(self.folder) as server:
            answer = server.get("/_mw/meshwork.js")
            self.assertEqual((answer.status, answer.fields["content-type"]), (200, "text/javascript; charset=utf-8"))
            self.assertIn("export", answer.text())
            tag = answer.fields["etag"]
            for known in (tag, "W/" + tag, '"other", ' + tag, "*"):
                again = server.get("/_mw/meshwork.js", If_None_Match=known)
                self.assertEqual((again.status, again.body), (304, b""), known)
            for unknown in ('"other"', '"a' + tag + 'b"'):
                self.assertEqual(server.get("/_mw/meshwork.js", If_None_Match=unknown).status, 200, unknown)

    def test_the_client_goes_gzipped_to_who_takes_that(self):
        with Server(self.folder) as server:
            for name in ("meshwork.js", "meshwork.classic.js"):
                plain = server.get("/_mw/" + name)
                for _ in range(2):
                    packed = server.get("/_mw/" + name, Accept_Encoding="br, gzip")
                    self.assertEqual(packed.fields["content-encoding"], "gzip")
                    self.assertEqual(gzip.decompress(packed.body), plain.body)
                    self.assertLess(len(packed.body), len(plain.body) / 2)
                    self.assertEqual(packed.fields["vary"], "Accept-Encoding")
                self.assertEqual(plain.fields["vary"], "Accept-Encoding")
                self.assertNotIn("content-encoding", plain.fields)
                self.assertEqual(server.get("/_mw/" + name, Accept_Encoding="gzip;q=0").body, plain.body)
                tags = [answer.fields["etag"] for answer in (plain, packed)]
                self.assertNotEqual(*tags)
                for coding, want in (("gzip", [200, 304]), ("identity", [304, 200])):
                    got = [server.get("/_mw/" + name, Accept_Encoding=coding, If_None_Match=tag) for tag in tags]
                    self.assertEqual([answer.status for answer in got], want)
                    self.assertNotIn("content-encoding", got[want.index(304)].fields)

    def test_metrics_and_the_list_of_apps_are_gzipped_for_who_takes_it(self):
        with Server(*[self.app(name="app-with-a-long-name-%02d" % i, app_html="x") for i in range(20)]) as server:
            for path, has in (("/_mw/metrics", "meshwork_connections "), ("/", "app-with-a-long-name-19")):
                plain, packed = server.get(path), server.get(path, Accept_Encoding="gzip")
                self.assertEqual((packed.fields["content-encoding"], packed.fields["vary"]), ("gzip", "Accept-Encoding"))
                self.assertIn(has, gzip.decompress(packed.body).decode())
                self.assertLess(len(packed.body), len(plain.body) / 2)
                self.assertNotIn("content-encoding", plain.fields)
                self.assertEqual(plain.fields["vary"], "Accept-Encoding")
            self.assertIn("\nmeshwork_gzip_bodies_total 2\n", server.get("/_mw/metrics").text())

    def test_what_may_hold_a_secret_is_never_compressed(self):
        """Its length would tell of the secret, where others choose what stands beside it (BREACH)."""
        with Server(self.app(app_html="x", app_c=scenario.BACK_END)) as server:
            names = ["a" * 200 + str(i) for i in range(20)]
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": names}, Accept_Encoding="gzip")
            self.assertGreater(len(answer.body), 4000)
            self.assertNotIn("content-encoding", answer.fields)
            self.assertNotIn("content-encoding", server.get("/_mw/login", Accept_Encoding="gzip").fields)

    def test_dev_lets_no_browser_keep_a_file(self):
        with Server(self.folder, "--dev") as server:
            for path in ("/", "/css/a.css"):
                self.assertEqual(server.get(path).fields["cache-control"], "no-store")
            self.assertIn("dev: ", server.stderr())
        with Server(self.folder) as server:
            self.assertEqual(server.get("/").fields["cache-control"], "no-cache")

    def test_each_folder_says_how_long_it_may_be_kept(self):
        folder = self.app(app_html="x", css__a_css="a", js__a_js="a", images__a_png="a", fonts__a_woff2="a", public__a_txt="a",
                          app_ini="[cache]\ncss = 90s\njs = 2h\nimages = 30d\nfonts = 365d immutable\npublic = no-store\n")
        with Server(folder) as server:
            for path, want in (("/", "no-cache"), ("/css/a.css", "max-age=90"), ("/js/a.js", "max-age=7200"),
                               ("/images/a.png", "max-age=2592000"), ("/fonts/a.woff2", "max-age=31536000, immutable"),
                               ("/a.txt", "no-store")):
                answer = server.get(path)
                self.assertEqual((answer.status, answer.fields["cache-control"]), (200, want), path)
                again = server.get(path, If_None_Match=answer.fields["etag"])
                self.assertEqual((again.status, again.fields["cache-control"]), (304, want), path)
                part = server.get(path, Range="bytes=0-0")
                self.assertEqual((part.status, part.fields["cache-control"]), (206, want), path)
            # What is refused now may be there in a minute.
            for path, fields, status in (("/fonts/b.woff2", {}, 404), ("/css/a.css", {"If_Match": '"x"'}, 412),
                                         ("/css/a.css", {"Range": "bytes=9-"}, 416)):
                answer = server.get(path, **fields)
                self.assertEqual((answer.status, answer.fields["cache-control"]), (status, "no-store"), path)
            self.assertEqual(server.get("/css/a.css", method="POST", body="").fields["cache-control"], "no-store")
        with Server(folder, "--dev") as server:
            self.assertEqual(server.get("/fonts/a.woff2").fields["cache-control"], "no-store")

    def test_pages_are_gzipped_for_who_takes_it(self):
        page = "".join("<p>speed %d</p>" % i for i in range(500))
        folder = self.app(app_html=page)
        os.utime(os.path.join(folder, "app.html"), (1e9, 1e9))
        with Server(folder) as server:
            plain = server.get("/")
            for _ in range(2):
                answer = server.get("/", Accept_Encoding="gzip")
                self.assertEqual((answer.fields["content-encoding"], answer.fields["vary"]), ("gzip", "Accept-Encoding"))
                self.assertEqual(gzip.decompress(answer.body).decode(), page)
                self.assertNotEqual(answer.fields["etag"], plain.fields["etag"])
            self.assertEqual(plain.text(), page)
            self.assertNotIn("content-encoding", plain.fields)
            numbers = server.get("/_mw/metrics").text()
            for line in ("meshwork_gzip_made_total 1", "meshwork_gzip_answers_total 2", "meshwork_gzip_cached_files 1"):
                self.assertIn("\n%s\n" % line, numbers)
        with Server(folder, "--limit", "gzip_cache_bytes=0") as server:
            self.assertEqual(server.get("/", Accept_Encoding="gzip").text(), page)


class WhoMayAsk(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.app(app_html="x", app_c=scenario.BACK_END)

    def test_an_unknown_host_gets_421(self):
        with Server(self.folder, "--host", "lab.example.org") as server:
            port = server.port
            for host in ("localhost:%d" % port, "127.0.0.1:%d" % port, "[::1]:%d" % port, "localhost",
                         "LOCALHOST:%d" % port, "lab.example.org:%d" % port, socket.gethostname()):
                self.assertEqual(server.get("/", host=host).status, 200, host)
            for host in ("evil.example", "evil.example:%d" % port, "localhost:1", "localhost.evil.example",
                         "10.0.0.1:%d" % port, "sub.lab.example.org:%d" % port):
                answer = server.get("/", host=host)
                self.assertEqual(answer.status, 421, host)
                self.assertIn("start it with --host %s\n" % host, answer.text())
                with self.assertRaises(Refused) as refused:
                    server.websocket(host=host)
                self.assertEqual(refused.exception.answer.status, 421)
                self.assertEqual(server.rpc({}, host=host).status, 421)

    def test_a_foreign_origin_gets_403_on_upgrade_and_post(self):
        with Server(self.folder) as server:
            for origin in ("http://evil.example", "http://evil.example:%d" % server.port, "null",
                           "https://localhost:%d" % server.port, "http://localhost:%d.evil.example" % server.port,
                           "http://localhost", "http://localhost:1", "http://LOCALHOST:%d" % server.port):
                for cookie in (None, "mw=1"):
                    with self.assertRaises(Refused) as refused:
                        server.websocket(origin=origin, cookie=cookie)
                    self.assertEqual(refused.exception.answer.status, 403, origin)
                self.assertEqual(server.rpc({}, Origin=origin).status, 403, origin)
                self.assertEqual(server.get("/", Origin=origin).status, 200)
            for name in ("localhost", "127.0.0.1", "[::1]"):
                origin = "http://%s:%d" % (name, server.port)
                server.websocket(origin=origin, cookie="mw=1").socket.close()
                self.assertEqual(server.rpc("[]", Origin=origin).status, 200)

    def test_without_an_origin_a_cookie_gets_403(self):
        with Server(self.folder) as server:
            server.websocket().socket.close()
            with self.assertRaises(Refused) as refused:
                server.websocket(cookie="mw=1")
            self.assertEqual(refused.exception.answer.status, 403)
            self.assertEqual(server.rpc("[]").status, 200)
            self.assertEqual(server.rpc("[]", Cookie="a=b").status, 403)

    def test_a_host_may_come_with_its_own_port_and_scheme(self):
        with Server(self.folder, "--host", "https://front.example.org", "--host", "forwarded:9000") as server:
            server.websocket(host="front.example.org", origin="https://front.example.org").socket.close()
            server.websocket(host="forwarded:9000", origin="http://forwarded:9000").socket.close()
            with self.assertRaises(Refused):
                server.websocket(host="front.example.org", origin="http://front.example.org")


class Methods(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.app(app_html="x", app_c=scenario.BACK_END)

    def test_wrong_methods_get_405_and_what_is_allowed(self):
        with Server(self.folder) as server:
            for path in ("/", "/css/a.css", "/_mw/healthz"):
                answer = server.get(path, method="POST", body="x")
                self.assertEqual(answer.status, 405)
                self.assertIn("GET", answer.fields["allow"])
            for method in ("GET", "HEAD"):
                answer = server.get("/_mw/rpc", method=method)
                self.assertEqual((answer.status, answer.fields["allow"]), (405, "POST, OPTIONS"))
            for method in ("PUT", "DELETE", "TRACE", "PATCH"):
                for path, allow in (("/", "GET, HEAD, OPTIONS"), ("/css/a.css", "GET, HEAD, OPTIONS"),
                                    ("/_mw/rpc", "POST, OPTIONS"), ("/_mw/login", "GET, HEAD, POST, OPTIONS"),
                                    ("/_mw/logout", "POST, OPTIONS"), ("/_mw/metrics", "GET, HEAD, OPTIONS")):
                    answer = server.get(path, method=method, body="x")
                    self.assertEqual((answer.status, answer.fields["allow"]), (405, allow), (method, path))
                    self.assertEqual(server.get(path, method="OPTIONS").fields["allow"], allow)
            for method in ("CONNECT", "get", "BREW"):
                self.assertEqual(server.get("/", method=method).status, 501, method)

    def test_a_malformed_head_is_malformed_whatever_the_method(self):
        with Server(self.folder) as server:
            for method in (b"PUT", b"BREW"):
                for head in (b"", b"Host: a\r\nHost: b\r\n", b"Host : localhost\r\n",
                             b"Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"):
                    answer = Answer(server.raw(method + b" / HTTP/1.1\r\n" + head + b"\r\n"))
                    self.assertEqual(answer.status, 400, (method, head))

    def test_after_a_method_that_is_not_allowed_the_connection_goes_on(self):
        with Server(self.folder) as server:
            got = server.raw(b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
                             b"GET /_mw/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", got), [b"405", b"200"])

    def test_a_body_in_a_coding_is_refused_and_which_would_be_taken_is_said(self):
        with Server(self.folder) as server:
            for path in ("/_mw/rpc", "/_mw/login"):
                for coding in ("gzip", "br", "identity, gzip"):
                    answer = server.rpc("{}", path, Content_Encoding=coding)
                    self.assertEqual((answer.status, answer.fields["accept-encoding"]), (415, "identity"), (path, coding))
            self.assertEqual(server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": []},
                                        Content_Encoding="Identity").status, 200)
            answer = server.rpc("{}", Content_Type="text/plain")
            self.assertEqual((answer.status, answer.fields["accept"]), (415, "application/json"))

    def test_options_names_what_is_allowed(self):
        with Server(self.folder) as server:
            answer = server.get("/", method="OPTIONS")
            self.assertIn(answer.status, (200, 204))
            self.assertIn("GET", answer.fields["allow"])

    def test_rpc_wants_json(self):
        with Server(self.folder) as server:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
                self.assertEqual(server.rpc("[]", Content_Type=kind).status, 415, kind)
            for kind in ("application/json", "Application/JSON; charset=utf-8"):
                self.assertEqual(server.rpc("[]", Content_Type=kind).status, 200, kind)

    def test_rpc_is_bounded_and_expects(self):
        with Server(self.folder, "--limit", "body_bytes=1000") as server:
            self.assertEqual(server.rpc("[" + " " * 998 + "]").status, 200)
            self.assertEqual(server.rpc("[" + " " * 999 + "]").status, 413)
            with server.connect() as s:
                s.sendall(b"POST /_mw/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
                self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 100 "))
                s.sendall(b"[]")
                self.assertEqual(Answer(read_all(s)).status, 200)


class Malformed(Case):
    def test_malformed_requests_get_400_and_are_closed(self):
        good = b"Host: localhost\r\n"
        with Server(self.app(app_html="x")) as server:
            for request, statuses in (
                    (b"nonsense\r\n\r\n", (400,)),
                    (b"GET / HTTP/1.1\r\n\r\n", (400,)),                                      # no Host
                    (b"GET / HTTP/1.1\r\n" + good + good + b"\r\n", (400,)),                  # two
                    (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", (400,)),
                    (b"GET / HTTP/1.1\r\n" + good + b"A: b\r\n folded\r\n\r\n", (400,)),
                    (b"GET / HTTP/1.1\n" + good + b"\r\n", (400,)),
                    (b"GET / HTTP/2.0\r\n" + good + b"\r\n", (400, 505)),
                    (b"GET /\r\n\r\n", (400,)),
                    (b"GET  / HTTP/1.1\r\n" + good + b"\r\n", (400,)),
                    (b"GET / HTTP/1.1\r\n" + good + b": x\r\n\r\n", (400,)),
                    (b"GET / HTTP/1.1\r\n" + good + b"A: \x00\r\n\r\n", (400,)),
                    (b"GET / HTTP/1.1\r\n" + good + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", (400,)),
                    (b"POST / HTTP/1.1\r\n" + good + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     (400,)),
                    (b"POST / HTTP/1.1\r\n" + good + b"Transfer-Encoding: gzip\r\n\r\n", (400, 501)),
                    (b"POST /_mw/rpc HTTP/1.1\r\n" + good + b"Content-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n", (400, 413)),
                    (b"POST /_mw/rpc HTTP/1.1\r\n" + good + b"Content-Type: application/json\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", (400,)),
                    (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + good + b"\r\n", (414,)),
                    (b"GET / HTTP/1.1\r\n" + good + b"A: b\r\n" * 100 + b"\r\n", (431,)),
                    (b"GET / HTTP/1.1\r\n" + good + b"A: " + b"b" * 20000 + b"\r\n\r\n", (431,)),
                    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400,))):               # TLS to a plain port
                # Behind it lies a second request that must not be answered.
                data = server.raw(request + b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
                self.assertIn(Answer(data).status, statuses, request[:80])
                self.assertEqual(data.count(b"HTTP/1.1 "), 1, request[:80])
            self.assertEqual(server.get("/").status, 200)

    def test_requests_in_a_row_are_answered_in_order(self):
        folder = self.app(app_html="home", public__a_txt="a", public__b_txt="b")
        with Server(folder) as server:
            data = server.raw(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b.txt HTTP/1.1\r\nHost: localhost\r\n"
                              b"\r\nGET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertEqual(data.count(b"HTTP/1.1 200"), 3)
            self.assertTrue(data.endswith(b"home"))

    def test_clients_that_vanish_leave_nothing(self):
        with Server(self.app(app_html="x")) as server:
            fds = "/proc/%d/fd" % server.process.pid
            before = len(os.listdir(fds))
            for data in (b"", b"G", b"GET / HTTP/1.1\r\nHost: loc",
                         b"POST /_mw/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         b"Content-Length: 100\r\n\r\n{"):
                for _ in range(5):
                    with server.connect() as s:
                        s.sendall(data)
            self.eventually(lambda: len(os.listdir(fds)) <= before, "descriptors are still open")
            self.assertEqual(server.get("/").status, 200)


class SeveralApps(Case):
    def test_each_is_in_its_folder_and_the_front_page_lists_them(self):
        a = self.app("one", app_html="page one", app_ini="[app]\nname = First & <b>\n", css__a_css="one")
        b = self.app("two", app_html="page two", app_c=scenario.BACK_END, app_ini="[app]\nws_paths = /more\n")
        with Server(a, b) as server:
            base = "http://localhost:%d" % server.port
            self.assertEqual(server.lines[0], "meshwork: First & <b> at %s/one/" % base)
            self.assertEqual(server._line(), "meshwork: two at %s/two/" % base)
            front = server.get("/").text()
            self.assertIn('<a href="/one/">First &amp; &lt;b&gt;</a>', front)
            self.assertIn('<a href="/two/">two</a>', front)
            self.assertEqual(server.get("/one/").text(), "page one")
            self.assertEqual(server.get("/two/").text(), "page two")
            self.assertEqual(server.get("/one/css/a.css").text(), "one")
            self.assertEqual(server.get("/css/a.css").status, 404)
            moved = server.get("/one")
            self.assertEqual((moved.status, moved.fields["location"]), (308, "/one/"))
            for path in ("/three/", "/on", "/onetwo/"):
                self.assertEqual(server.get(path).status, 404)
            self.assertEqual(server.get("/_mw/healthz").status, 200)
            self.assertEqual(server.rpc("[]", path="/_mw/rpc").status, 404)
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]}, path="/two/_mw/rpc")
            self.assertEqual(answer.json()["result"]["values"], {"a": 1})
            for path in ("/two/", "/two/more"):
                with server.websocket(path, protocols=["meshwork.v1"]) as client:
                    self.assertEqual(client.read_json()["params"]["app"], "two")
            for path in ("/", "/more", "/one/more", "/three/"):
                with self.assertRaises(Refused) as refused:
                    server.websocket(path)
                self.assertEqual(refused.exception.answer.status, 404, path)
