"""Start and stop: what is printed, which exit codes, and every wrong word with its way out.
SPDX-License-Identifier: MIT"""
import os
import signal
import socket
import time

import scenario
from scenario import Case, Server, run


class Start(Case):
    def test_the_url_is_the_first_line_on_stdout(self):
        folder = self.app("hello", app_html="<h1>hello</h1>")
        with Server(folder) as server:
            self.assertEqual(server.lines[0], "meshwork: hello at http://localhost:%d/" % server.port)
            self.assertEqual(server.get("/").text(), "<h1>hello</h1>")

    def test_without_a_folder_the_current_one_is_served(self):
        folder = self.app("here", app_html="here")
        with Server(cwd=folder) as server:
            self.assertTrue(server.lines[0].startswith("meshwork: here at "))
            self.assertEqual(server.get("/").text(), "here")

    def test_both_loopbacks_answer(self):
        folder = self.app(app_html="x")
        with Server(folder) as server:
            with socket.create_connection(("127.0.0.1", server.port), 5):
                pass
            try:
                with socket.create_connection(("::1", server.port), 5):
                    pass
            except OSError:
                self.assertFalse(os.path.exists("/proc/net/if_inet6") and
                                 "00000000000000000000000000000001" in open("/proc/net/if_inet6").read())

    def test_a_policy_that_names_no_attribute_is_said_and_served(self):
        ini = "[policy look]\ngettable = a, /^x,y$/, cc, zebra\ndeny_settable = a\ncallable = later\n[role anonymous]\npolicies = look\n"
        with Server(self.app(app_c=scenario.BACK_END, app_ini=ini)) as server:
            said = server.stderr()
            self.assertIn("app.ini': line 2: 'cc' is no attribute, so this says nothing; the nearest is c\n", said)
            self.assertIn("app.ini': line 2: 'zebra' is no attribute, so this says nothing\n", said)
            self.assertEqual(said.count("is no attribute"), 2)

    def test_interrupt_ends_it_with_0_at_once(self):
        server = Server(self.app(app_html="x", app_c=scenario.BACK_END))
        with server.websocket() as client, server.connect():
            began = time.monotonic()
            self.assertEqual(server.stop(signal.SIGINT), 0)
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(client.read_close(), 1001)
        self.assertEqual(server.stderr().replace("meshwork: running as root, which no app needs: a plain user is "
                                                 "safer\n", ""), "")

    def test_clients_hear_bye_before_it_goes(self):
        folder = self.app(app_c=scenario.BACK_END)
        server = Server(folder)
        with server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["method"], "hello")
            server.process.send_signal(signal.SIGINT)
            while True:
                message = client.read_json()
                if message["method"] == "bye":
                    break
            self.assertEqual(message["params"]["reason"], "stopping")
            self.assertEqual(client.read_close(), 1001)
        self.assertEqual(server.stop(), 0)

    def test_a_client_that_does_not_answer_delays_the_end_by_a_second_at_most(self):
        folder = self.app(app_c=scenario.ECHO)
        server = Server(folder)
        with server.websocket():  # never reads its close frame, never closes
            began = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - began, 5)

    def test_hints_come_with_the_first_start_alone(self):
        folder, home = self.app(app_html="x"), os.path.join(self.dir, "home")
        for is_first in (True, False):
            server = Server(folder, XDG_CACHE_HOME=home)
            server.process.send_signal(signal.SIGINT)
            rest = server.process.stdout.read().decode()
            server.stop()
            server.errors.close()
            self.assertEqual("ssh -L %d:localhost:%d HOST" % (server.port, server.port) in rest, is_first, rest)
        server = Server(folder, "--quiet", XDG_CACHE_HOME=home + "2")
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.stdout.read(), b"")
        server.stop()
        server.errors.close()


class Words(Case):
    def test_version_and_help(self):
        self.assertRegex(run("version")[1], r"^meshwork \d+\.\d+\.\d+\n$")
        self.assertEqual(run("--version")[:2], run("version")[:2])
        code, out, err = run("--help")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("meshwork serve", out)
        code, out, err = run("serve", "--help")
        self.assertEqual((code, err), (0, ""))
        for word in ("--port", "--bind", "--ws-port", "--host", "--plaintext", "--limit", "--max-message",
                     "--max-fragments", "--rate", "--dev", "message_bytes"):
            self.assertIn(word, out)

    def test_wrong_usage_is_one_line_and_exit_2(self):
        folder = self.app(app_html="x")
        for words, want in (
                (["serve", folder, "--prot", "8000"], "--prot is no flag; the nearest is --port"),
                (["serve", folder, "--ws_prt=1"], "--ws_prt is no flag; the nearest is --ws-port"),
                (["serve", folder, "-p", "8000"], "-p is no flag"),
                (["serve", folder, "--port"], "--port wants a value"),
                (["serve", folder, "--port", "70000"], "--port '70000'"),
                (["serve", folder, "--port="], "--port ''"),
                (["serve", folder, "--limit", "message_bites=1"], "the nearest is message_bytes"),
                (["serve", folder, "--limit", "message_bytes"], "NAME=VALUE"),
                (["serve", folder, "--max-message", "1T"], "--max-message '1T'"),
                (["sreve"], "'sreve' is no command"),
                (["version", "7"], "'7'"),
                ([], "want a command")):
            code, out, err = run(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertIn(want, self.one_line(err))

    def test_a_flag_takes_its_value_with_or_without_equals(self):
        folder = self.app(app_html="x")
        with Server(folder, "--port=0", "--limit=message_bytes=2K", "--dev", port=None) as server:
            self.assertEqual(server.get("/").status, 200)
            self.assertIn("no-store", server.get("/").fields["cache-control"])

    def test_the_environment_and_a_file_set_what_flags_do_not(self):
        folder = self.app(app_html="x", app_ini="[server]\nport = 1\nhost = from.ini\n")
        with Server(folder, MESHWORK_HOST="from.environment", MESHWORK_PORT="2") as server:  # and --port 0
            self.assertEqual(server.get("/", host="from.environment").status, 200)
            self.assertEqual(server.get("/", host="from.ini").status, 421)
        code, _, err = run("serve", folder, MESHWORK_PROT="1")
        self.assertEqual(code, 1)
        self.assertIn("the nearest is MESHWORK_PORT", self.one_line(err))

    def test_a_back_end_in_cpp_that_was_not_built_is_said(self):
        folder, built = self.app(app_html="x", app_cpp="int x;\n"), self.app("built", app_html="x", app_cpp="int x;\n", app_c=scenario.BACK_END)
        with Server(folder, built) as server:
            self.assertIn("demo/app.cpp' is not compiled, as only an app.c is: build it into an app.so beside it\n", server.stderr())
            self.assertEqual(server.stderr().count("is not compiled"), 1)

    def test_a_raised_limit_is_said(self):
        folder = self.app(app_html="x", app_ini="[limits]\nmessage_bytes = 2M\n")
        with Server(folder) as server:
            self.assertIn("limit message_bytes is raised to 2097152 (default 1048576)", server.stderr())


class Refusals(Case):
    """Each one line that says what, where and how to go on; exit 1."""

    def refused(self, *words, **env):
        code, out, err = run("serve", *words, **env)
        self.assertEqual((code, out), (1, ""), err)
        return self.one_line(err)

    def test_a_taken_port(self):
        folder = self.app(app_html="x")
        with Server(folder) as server:
            self.assertEqual(self.refused(folder, "--port", server.port),
                             "meshwork: port %d is taken; take another: --port %d" % (server.port, server.port + 1))
            self.assertIn("take another: --ws-port", self.refused(folder, "--port", 0, "--ws-port", server.port))

    def test_a_port_taken_on_one_loopback_alone(self):
        folder = self.app(app_html="x")
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.assertIn("is taken", self.refused(folder, "--port", other.getsockname()[1]))

    def test_folders_that_are_none(self):
        empty, page = self.app("empty"), self.app("page", app_html="x")
        only_ini = self.app("only_ini", app_ini="[app]\nname = x\n")
        self.assertIn("there is no such folder", self.refused(os.path.join(self.dir, "missing")))
        self.assertIn("is a file", self.refused(os.path.join(page, "app.html")))
        for folder in (empty, only_ini):
            line = self.refused(folder)
            self.assertIn("app.html", line)
            self.assertIn(folder, line)

    def test_an_unreadable_folder_or_page(self):
        nobody = 65534 if os.geteuid() == 0 else None
        os.chmod(self.dir, 0o755)
        page, folder = self.app("page", app_html="x"), self.app("locked", app_html="x")
        os.chmod(os.path.join(page, "app.html"), 0)
        os.chmod(folder, 0)
        try:
            self.assertIn("app.html' cannot be read", self.refused(page, user=nobody))
            self.assertIn("cannot be read by this user", self.refused(folder, user=nobody))
        except PermissionError:
            self.skipTest("the build lies where another user cannot run it")
        finally:
            os.chmod(folder, 0o700)

    def test_a_page_that_is_no_file(self):
        folder = self.app("odd")
        os.mkdir(os.path.join(folder, "app.html"))
        self.assertIn("app.html' cannot be read", self.refused(folder))

    def test_two_folders_of_one_name(self):
        a, b = self.app("a/same", app_html="x"), self.app("b/same", app_html="x")
        self.assertIn("two apps would be at /same/", self.refused(a, b))

    def test_app_ini(self):
        for text, line, want in (
                ("[server]\nprot = 1\n", 2, "the nearest is port"),
                ("[server]\n\nport = many\n", 3, "'many'"),
                ("[srever]\n", 1, "srever"),
                ("port = 1\n", 1, "section"),
                ("[limits]\nmesage_bytes = 1\n", 2, "the nearest is message_bytes"),
                ("[app]\nnmae = x\n", 2, "nmae"),
                ("[app]\nrequire_login = perhaps\n", 2, "yes or no"),
                ("[app]\nws_paths = echo\n", 2, "'echo' is no path"),
                ("[policy p]\nrite = a\n", 2, "rite"),
                ("[role anonymous]\npolicies = nowhere\n", 2, "nowhere")):
            folder = self.app("ini", app_html="x", app_ini=text)
            said = self.refused(folder)
            self.assertIn("app.ini", said)
            self.assertIn("line %d" % line, said)
            self.assertIn(want, said)

    def test_plaintext_off_loopback_unless_it_is_said(self):
        folder = self.app(app_html="x")
        for where in ("0.0.0.0", "::", "any", "192.0.2.1"):
            self.assertIn("--plaintext", self.refused(folder, "--bind", where, "--port", 0))
        with Server(folder, "--bind", "any", "--plaintext") as server:
            self.assertEqual(server.get("/").status, 200)

    def test_two_apps_that_want_different_ports(self):
        a = self.app("a", app_html="x", app_ini="[server]\nport = 1\n")
        b = self.app("b", app_html="x", app_ini="[server]\nport = 2\n")
        line = self.refused(a, b)
        self.assertIn("b/app.ini", line)
        self.assertIn("a/app.ini: line 2", line)
