"""TLS: the same server behind a certificate, what is refused at start, and peers that shake hands badly.
SPDX-License-Identifier: MIT"""
import os
import signal
import socket
import ssl
import subprocess

import scenario
from scenario import Answer, Case, Refused, Server, run


class TlsServer(Server):
    """Every connection speaks TLS and believes the server's own certificate alone."""

    def __init__(self, *words, trusted, **options):
        self.context = ssl.create_default_context(cafile=trusted)
        super().__init__(*words, **options)

    def connect(self, port=None):
        return self.context.wrap_socket(super().connect(port), server_hostname="localhost")

    def plain(self):
        return Server.connect(self)


class Tls(Case):
    def pair(self, name="one", names="DNS:localhost,IP:127.0.0.1", kind=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        """Make a certificate and its key: their paths."""
        crt, key = (os.path.join(self.dir, name + end) for end in (".crt", ".key"))
        subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext",
                        "subjectAltName=" + names, "-out", crt, "-keyout", key], check=True, capture_output=True)
        os.chmod(key, 0o600)
        return crt, key

    def serve(self, folder, *words, **options):
        crt, key = self.pair()
        return TlsServer(folder, "--cert", crt, "--key", key, *words, trusted=crt, **options)

    def test_pages_and_websockets_come_over_tls(self):
        with self.serve(self.app(app_html="<p>Secret.</p>", app_c=scenario.ECHO)) as server:
            self.assertTrue(server.url.startswith("https://localhost:"), server.url)
            answer = server.get("/")
            self.assertEqual((answer.status, answer.body), (200, b"<p>Secret.</p>"))
            with server.websocket(origin=server.url.rstrip("/")) as client:
                for count in (0, 125, 65536, 1 << 20):
                    data = os.urandom(count)
                    client.send(data, scenario.BINARY)
                    self.assertEqual(client.read(), data)

    def test_what_is_for_one_client_is_never_compressed_over_tls(self):
        text = "what the client said, and what it must not know " * 100
        with self.serve(self.app(app_c=scenario.ECHO), "--deflate") as server:
            with server.websocket(origin=server.url.rstrip("/"), extensions="permessage-deflate") as client:
                self.assertIn("permessage-deflate", client.extensions)
                client.send(scenario.deflate(text), rsv=4)
                self.assertEqual(client.read(), text)
                self.assertFalse(client.was_compressed)

    def test_a_page_from_plain_http_is_another_origin(self):
        with self.serve(self.app(app_c=scenario.ECHO)) as server:
            with self.assertRaises(Refused) as refused:
                server.websocket(origin="http://localhost:%d" % server.port)
            self.assertEqual(refused.exception.answer.status, 403)

    def test_large_files_ranges_and_pipelines_arrive_whole(self):
        data = os.urandom(3000000)
        with self.serve(self.app(app_html="x", public__large_bin=data)) as server:
            self.assertEqual(server.get("/large.bin").body, data)
            self.assertEqual(server.get("/large.bin", Range="bytes=100000-2099999").body, data[100000:2100000])
            request = b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
            got = server.raw(request * 3 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            self.assertEqual(got.count(data), 4)

    def test_the_end_is_said_by_close_notify(self):
        with self.serve(self.app(app_html="x")) as server, server.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while s.recv(65536):
                pass  # without close_notify Python's recv would raise SSLEOFError

    def test_who_speaks_plain_http_is_told_so(self):
        with self.serve(self.app(app_html="x")) as server, server.plain() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = Answer(scenario.read_all(s))
            self.assertEqual(answer.status, 400)
            self.assertIn("https://", answer.text())

    def test_old_versions_and_foreign_protocols_are_refused(self):
        with self.serve(self.app(app_html="x")) as server:
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("ALL:@SECLEVEL=0")
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            with self.assertRaises((ssl.SSLError, ConnectionResetError)), server.plain() as s:
                old.wrap_socket(s)
            server.context.set_alpn_protocols(["h2", "http/1.1"])
            with server.connect() as s:
                self.assertEqual(s.selected_alpn_protocol(), "http/1.1")
            server.context.set_alpn_protocols(["h2"])
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                server.connect()

    def test_tls_1_2_has_forward_secrecy(self):
        with self.serve(self.app(app_html="x")) as server:
            server.context.maximum_version = ssl.TLSVersion.TLSv1_2
            with server.connect() as s:
                self.assertEqual(s.version(), "TLSv1.2")
                self.assertIn("ECDHE", s.cipher()[0])
            server.context.set_ciphers("AES128-SHA")
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                server.connect()

    def shake(self, server, session=None, version=ssl.TLSVersion.TLSv1_3):
        """A connection, perhaps resuming a session: whether it did, and the session that it leaves."""
        server.context.minimum_version = server.context.maximum_version = version
        with server.context.wrap_socket(server.plain(), server_hostname="localhost", session=session) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertEqual(Answer(scenario.read_all(s)).status, 200)  # the tickets came before it
            self.assertEqual(s.version(), {ssl.TLSVersion.TLSv1_3: "TLSv1.3", ssl.TLSVersion.TLSv1_2: "TLSv1.2"}[version])
            return s.session_reused, s.session

    def test_who_comes_again_resumes_its_session(self):
        with self.serve(self.app(app_html="x")) as server:
            reused, session = self.shake(server)
            self.assertFalse(reused)
            self.assertEqual(session.ticket_lifetime_hint, 43200)
            for _ in range(3):
                reused, session = self.shake(server, session)
                self.assertTrue(reused)
            # Not in TLS 1.2, where a ticket's key would open what was said before.
            reused, session = self.shake(server, version=ssl.TLSVersion.TLSv1_2)
            self.assertEqual((reused, session.has_ticket), (False, False))
            self.assertFalse(self.shake(server, session, ssl.TLSVersion.TLSv1_2)[0])

    def test_another_certificate_ends_the_sessions_and_nobody_is_refused_for_it(self):
        crt, key = self.pair()
        with TlsServer(self.app(app_html="x"), "--cert", crt, "--key", key, trusted=crt) as server:
            session = self.shake(server)[1]
            self.pair("two")
            for path in (crt, key):
                os.replace(path.replace("one", "two"), path)
            server.context.load_verify_locations(crt)
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: not self.shake(server, session)[0], "the session is not resumed")
            self.assertTrue(self.shake(server, self.shake(server)[1])[0])

    def test_a_handshake_that_does_not_go_on_is_dropped(self):
        with self.serve(self.app(app_html="x"), "--limit", "tls_ms=2000") as server, server.plain() as s:
            s.sendall(b"\x16\x03\x01")
            s.settimeout(scenario.PATIENCE_S)
            self.assertEqual(s.recv(100), b"")
            self.assertEqual(server.get("/").status, 200)

    def test_for_one_handshake_too_many_the_oldest_is_dropped(self):
        with self.serve(self.app(app_html="x"), "--limit", "tls_handshakes=2", "--limit", "tls_ms=600000") as server:
            open_before = server.connect()  # done: it stays, however old
            waiting = [server.plain() for _ in range(5)]
            for s in waiting[:3]:
                s.settimeout(scenario.PATIENCE_S)
                self.assertEqual(scenario.read_all(s), b"")
            self.assertEqual(server.get("/").status, 200)  # in whose place the fourth went
            self.assertEqual(scenario.read_all(waiting[3]), b"")
            self.assertEqual(server.get("/").status, 200)
            open_before.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(b"HTTP/1.1 200", scenario.read_all(open_before))
            for s in waiting:
                s.close()

    def test_handshakes_that_do_not_go_on_keep_nobody_out(self):
        with self.serve(self.app(app_html="x"), "--limit", "tls_ms=600000") as server:
            waiting = []
            for i in range(700):  # more than tls_handshakes
                waiting.append(server.plain())
                waiting[-1].sendall(b"\x16\x03\x01\x02")
                if i % 100 == 99:
                    self.assertEqual(server.get("/").status, 200)
            for s in waiting:
                s.close()

    def test_rubbish_in_records_ends_that_connection_only(self):
        with self.serve(self.app(app_html="x")) as server:
            for rubbish in (b"\x16\x03\x01\xff\xff" + b"x" * 70000, b"\x17\x03\x03\x00\x05hello", b"\x00" * 100, b"\x80\x2e\x01"):
                with server.plain() as s:
                    try:
                        s.sendall(rubbish)
                        s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    scenario.read_all(s)
            self.assertEqual(server.get("/").status, 200)

    def test_browsers_are_told_to_stay_but_not_at_localhost(self):
        with self.serve(self.app(app_html="x"), "--host", "lab.example.org") as server:
            self.assertNotIn("strict-transport-security", server.get("/").fields)
            answer = server.get("/", host="lab.example.org:%d" % server.port)
            self.assertEqual(answer.fields["strict-transport-security"], "max-age=63072000")

    def test_a_new_certificate_is_taken_without_a_restart(self):
        crt, key = self.pair()
        new_crt, new_key = self.pair("two")
        with TlsServer(self.app(app_html="x"), "--cert", crt, "--key", key, trusted=crt) as server:
            before = ssl.get_server_certificate(("127.0.0.1", server.port))
            with server.connect() as held:
                os.replace(new_crt, crt)
                os.replace(new_key, key)
                self.eventually(lambda: ssl.get_server_certificate(("127.0.0.1", server.port)) != before, "the new one")
                held.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertEqual(Answer(scenario.read_all(held)).status, 200)

    def test_a_new_certificate_that_is_none_leaves_the_old_one(self):
        crt, key = self.pair()
        with TlsServer(self.app(app_html="x"), "--cert", crt, "--key", key, trusted=crt) as server:
            with open(crt + ".new", "w") as f:
                f.write("no certificate\n")
            trusted = server.context
            os.replace(crt + ".new", crt)
            self.eventually(lambda: "the certificate from before stays" in server.stderr(), "a line about it")
            server.context = trusted
            self.assertEqual(server.get("/").status, 200)

    def test_self_signed_goes_with_dev_and_is_made_once(self):
        folder = self.app(app_html="x")
        code, _, err = run("serve", folder, "--port", "0", "--self-signed")
        self.assertEqual(code, 1)
        self.assertIn("say --dev too", self.one_line(err))
        cache = os.path.join(self.dir, "cache")
        made = []
        for _ in range(2):
            with Server(folder, "--dev", "--self-signed", XDG_CACHE_HOME=cache) as server:
                self.assertTrue(server.url.startswith("https://"))
                made.append(ssl.get_server_certificate(("127.0.0.1", server.port)))
        self.assertEqual(made[0], made[1])
        self.assertEqual(os.stat(os.path.join(cache, "meshwork", "self-signed.key")).st_mode & 0o777, 0o600)
        crt = os.path.join(cache, "meshwork", "self-signed.crt")
        with TlsServer(folder, "--dev", "--self-signed", trusted=crt, XDG_CACHE_HOME=cache) as server:
            self.assertEqual(server.get("/").status, 200)
        with Server(folder, "--dev", "--self-signed", "--host", "lab.example.org", XDG_CACHE_HOME=cache) as server:
            self.assertNotEqual(ssl.get_server_certificate(("127.0.0.1", server.port)), made[0])

    def test_what_is_wrong_at_start_is_one_line(self):
        folder = self.app(app_html="x")
        crt, key = self.pair()
        other_crt, other_key = self.pair("two")
        rsa_crt, rsa_key = self.pair("rsa", kind=("-newkey", "rsa:1024"))
        with open(os.path.join(self.dir, "open.key"), "w") as f:
            f.write(open(key).read())
        os.chmod(f.name, 0o644)
        subprocess.run(["openssl", "ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", key + ".locked"], check=True,
                       capture_output=True)
        os.chmod(key + ".locked", 0o600)
        for words, said in ((("--cert", crt), "--cert wants --key too"),
                            (("--key", key), "--key wants --cert too"),
                            (("--cert", crt + "x", "--key", key), "certificate '%sx': no such file; to try TLS without one: --dev --self-signed" % crt),
                            (("--cert", self.dir, "--key", key), "is no file"),
                            (("--cert", key, "--key", key), "want PEM, the server's own certificate first"),
                            (("--cert", crt, "--key", other_key), "key values mismatch"),
                            (("--cert", crt, "--key", rsa_key), "is not the key of certificate"),
                            (("--cert", crt, "--key", f.name), "can be read by everybody: chmod 600"),
                            (("--cert", crt, "--key", key + ".locked"), "without a passphrase"),
                            (("--cert", rsa_crt, "--key", rsa_key), "key too small"),
                            (("--bind", "any"), "give a certificate by --cert and --key")):
            code, out, err = run("serve", folder, "--port", "0", *words)
            self.assertEqual((code, out), (1, ""), words)
            self.assertIn(said, self.one_line(err), words)
        code, _, err = run("serve", folder, "--cert", crt, "--key", key, "--dev", "--self-signed")
        self.assertEqual(code, 1)
        self.assertIn("leave it out where --cert names one", err)

    def dated_pair(self, name, begins, ends):
        """As pair, with times of its own: what `openssl req` cannot say, `openssl ca` can."""
        _, key = self.pair(name)
        crt, ca = os.path.join(self.dir, name + ".dated.crt"), os.path.join(self.dir, name + ".ca")
        os.mkdir(ca)
        for file, text in (("index", ""), ("serial", "01\n"),
                           ("conf", "[ca]\ndefault_ca=x\n[x]\nnew_certs_dir=%s\ndatabase=%s/index\nserial=%s/serial\ndefault_md=sha256\n"
                                    "policy=p\n[p]\ncommonName=supplied\n" % (ca, ca, ca))):
            with open(os.path.join(ca, file), "w") as f:
                f.write(text)
        subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", ca + "/request"], check=True,
                       capture_output=True)
        subprocess.run(["openssl", "ca", "-batch", "-config", ca + "/conf", "-selfsign", "-keyfile", key, "-in", ca + "/request", "-out", crt,
                        "-startdate", begins, "-enddate", ends], check=True, capture_output=True)
        return crt, key

    def test_a_renegotiation_is_refused(self):
        with self.serve(self.app(app_html="x")) as server:
            client = subprocess.Popen(["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port, "-tls1_2"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            os.set_blocking(client.stdout.fileno(), False)
            said = b""

            def has_said(text):
                nonlocal said
                said += client.stdout.read() or b""
                return text in said
            self.eventually(lambda: has_said(b"Verify return code"), "the handshake")
            client.stdin.write(b"R\n")
            client.stdin.flush()
            self.eventually(lambda: has_said(b"no renegotiation"), "the refusal")
            client.stdin.close()
            client.stdout.close()
            client.wait(scenario.PATIENCE_S)
            self.assertEqual(server.get("/").status, 200)

    def test_records_of_a_byte_each_are_read(self):
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with self.serve(self.app(app_html="slow")) as server:
            slow = [server.connect() for _ in range(20)]
            for at in range(len(request)):
                for s in slow:
                    s.sendall(request[at:at + 1])
                if at % 20 == 0:
                    self.assertEqual(server.get("/").status, 200)
            for s in slow:
                self.assertIn(b"slow", scenario.read_all(s))

    def test_a_certificate_that_clients_refuse_for_its_time_is_said(self):
        folder = self.app(app_html="x")
        for name, begins, ends, said in (("old", "20200101000000Z", "20210203000000Z", "ended on 2021-02-03"),
                                         ("new", "20990101000000Z", "21000101000000Z", "does not hold before 2099-01-01")):
            crt, key = self.dated_pair(name, begins, ends)
            line = "certificate '%s' %s: clients refuse it\n" % (crt, said)
            code, _, err = run("config", "check", folder, "--cert", crt, "--key", key)
            self.assertEqual(code, 0)
            self.assertIn(line, err)
            with Server(folder, "--cert", crt, "--key", key) as server:
                self.assertEqual(server.stderr().count(line), 1)
        crt, key = self.pair()
        self.assertNotIn("clients refuse it", run("config", "check", folder, "--cert", crt, "--key", key)[2])

    def test_app_ini_names_the_files_beside_itself(self):
        crt, key = self.pair()
        folder = self.app(app_html="x", app_ini="[tls]\ncert = ../one.crt\nkey = ../one.key\n")
        with TlsServer(folder, trusted=crt) as server:
            self.assertEqual(server.get("/").status, 200)
        folder = self.app(name="bad", app_html="x", app_ini="[tls]\ncerts = one.crt\n")
        code, _, err = run("serve", folder, "--port", "0")
        self.assertEqual(code, 1)
        self.assertIn("line 2: [tls] has no key certs (cert, key)", self.one_line(err))

    def test_off_loopback_with_a_certificate_needs_no_further_word(self):
        with self.serve(self.app(app_html="x"), "--bind", "0.0.0.0") as server:
            self.assertEqual(server.get("/", host="127.0.0.1:%d" % server.port).status, 200)
