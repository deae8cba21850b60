"""Logins: by POST, by the method, by token, through a proxy; what they give and how they end.
Read next: ../server/, then docs/users.md.
SPDX-License-Identifier: MIT"""
import json
import os
import signal
import threading
import time

import scenario
from scenario import Case, Refused, Server, run

APP = r"""
#include <meshwork/app.h>
struct state { double target, reading; };
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, target), .kind = MW_REAL},
    {MW_FIELD(struct state, reading), .kind = MW_REAL},
};
static int who(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)args, (void)ret_error;
    *ret = mw_text(mw_client_user(client));
    return 0;
}
static const mw_command commands[] = {{.name = "who", .call = who}};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "login", .state_bytes = sizeof(struct state), .instance = INSTANCE,
    .attributes = attributes, .attribute_count = MW_COUNT(attributes), .commands = commands, .command_count = 1,
};
"""
INI = """[app]
require_login = %s
[policy read]
gettable = reading, target
callable = who
[policy operate]
settable = target
[role anonymous]
policies = read
[role operator]
policies = read, operate
[role viewer]
policies = read
"""
READ = {"target": "get", "reading": "get", "who": "call"}
OPERATE = {"target": "get set", "reading": "get", "who": "call"}
WRONG = "wrong name or password"


class LoginCase(Case):
    """A server with one user, bob."""

    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.dir, "state")
        self.user("add", "bob", "--role", "operator", said="correct horse\n")

    def user(self, *words, said=""):
        code, out, err = run("user", *words, "--state", self.state, said=said)
        self.assertEqual((code, err), (0, ""))
        return out.strip()

    def serve(self, *flags, required=False, instance="MW_INSTANCE_ONE"):
        folder = self.app(app_c=APP.replace("INSTANCE", instance, 1), app_html="x", app_ini=INI % ("yes" if required else "no"))
        return Server(folder, "--state", self.state, *flags)

    def post(self, server, user="bob", password="correct horse", **fields):
        body = json.dumps({"user": user, "password": password})
        fields.setdefault("Content_Type", "application/json")
        return server.get("/_mw/login", method="POST", body=body, **fields)

    def cookie(self, server, **who):
        answer = self.post(server, **who)
        self.assertEqual(answer.status, 200, answer.text())
        return answer.fields["set-cookie"].split(";")[0]

    def origin(self, server):
        return "http://localhost:%d" % server.port

    def hello(self, client):
        told = client.read_json()["params"]
        return told["user"], told["roles"], told["rights"]

    def v1(self, server, **options):
        return server.websocket(protocols=["meshwork.v1"], **options)


class Login(LoginCase):
    def test_a_role_that_no_app_has_is_said_at_the_start(self):
        self.user("add", "eve", "--role", "operater,viewer", "--no-password")
        self.user("add", "fay", "--role", "operater", "--no-password")
        with self.serve() as server:
            self.assertIn("user 'eve' has the role 'operater', which gives nothing: no app here has [role operater] in its app.ini\n",
                          server.stderr())
            self.assertEqual(server.stderr().count("which gives nothing"), 1)

    def test_a_role_that_no_app_has_is_said_by_a_check_and_a_reload(self):
        self.user("add", "eve", "--role", "guard", "--no-password")
        told = "user 'eve' has the role 'guard', which gives nothing: no app here has [role guard] in its app.ini\n"
        with self.serve() as server:
            folder = os.path.join(self.dir, "demo")
            code, _, err = run("config", "check", folder, "--state", self.state)
            self.assertEqual((code, err.count(told)), (0, 1))
            self.assertEqual(server.stderr().count(told), 1)
            with open(os.path.join(folder, "app.ini"), "a", encoding="utf-8") as file:
                file.write("[role guard]\npolicies = read\n")
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "reloaded" in server.stderr(), "the reload")
            self.assertEqual(server.stderr().count(told), 1)  # it gives something now
            self.user("role", "eve", "watchman")
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "has the role 'watchman', which gives nothing" in server.stderr(), "the new one to be told")
            code, _, err = run("config", "check", folder, "--state", self.state)
            self.assertIn("'watchman'", err)

    # ---- by POST ------------------------------------------------------------------------------------------------
    def test_a_session_makes_requests_and_connections_the_users(self):
        with self.serve() as server:
            answer = self.post(server)
            self.assertEqual((answer.status, answer.json()), (200, {"user": "bob", "roles": ["operator"]}))
            self.assertRegex(answer.fields["set-cookie"],
                             r"\Amw-%d=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict\Z" % server.port)
            self.assertEqual(answer.fields["cache-control"], "no-store")
            cookie = answer.fields["set-cookie"].split(";")[0]
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as client:
                self.assertEqual(self.hello(client), ("bob", ["operator"], OPERATE))
                self.assertEqual(client.ask("call", {"name": "who"})["result"], "bob")
            rpc = {"jsonrpc": "2.0", "id": 1, "method": "setAttr", "params": {"target": 4}}
            set_it = server.rpc(rpc, Cookie=cookie, Origin=self.origin(server)).json()["result"]
            self.assertEqual(set_it["errors"], {})
            self.assertEqual(server.rpc(rpc).json()["result"]["errors"], {"target": "denied"})
            with self.v1(server) as client:
                self.assertEqual(self.hello(client), (None, ["anonymous"], READ))
            # With a cookie nobody comes without an origin, nor from another one.
            self.assertEqual(server.rpc(rpc, Cookie=cookie).status, 403)
            with self.assertRaises(Refused) as refused:
                self.v1(server, cookie=cookie, origin="http://evil.example")
            self.assertEqual(refused.exception.answer.status, 403)

    def test_wrong_name_and_wrong_password_are_the_same_bytes(self):
        with self.serve() as server:
            answers = [self.post(server, **wrong) for wrong in (
                {"password": "wrong horse"}, {"user": "eve"}, {"user": "bo b"}, {"user": "x" * 200}, {"password": "y" * 300})]
            for answer in answers:
                self.assertEqual((answer.status, answer.json()), (401, {"error": WRONG}))
                self.assertEqual(answer.data.replace(answer.fields["date"].encode(), b""),
                                 answers[0].data.replace(answers[0].fields["date"].encode(), b""))

    def test_what_is_no_login_is_refused(self):
        with self.serve() as server:
            for body, content_type, status in (
                    ("", "application/json", 400), ("[]", "application/json", 400), ('{"user":"bob"}', "application/json", 400),
                    ('{"user":"bob","password":7}', "application/json", 400), ("user=bob", "application/x-www-form-urlencoded", 400),
                    ('{"user":"bob","password":"correct horse"}', "text/plain", 415),
                    ('{"user":"b\\u0000","password":"correct horse"}', "application/json", 400),
                    ("x" * 5000, "application/json", 400)):
                self.assertEqual(server.get("/_mw/login", method="POST", body=body, Content_Type=content_type).status, status, body)
            self.assertEqual(self.post(server, Origin="http://evil.example").status, 403)
            self.assertEqual(server.get("/_mw/logout").status, 405)
            self.assertEqual(server.get("/_mw/login", method="OPTIONS").fields["allow"], "GET, HEAD, POST, OPTIONS")

    def test_the_form_logs_in_and_out_without_a_script(self):
        with self.serve() as server:
            page = server.get("/_mw/login")
            self.assertEqual(page.status, 200)
            self.assertIn('<form method="post" action="login">', page.text())
            self.assertIn("form-action 'self'", page.fields["content-security-policy"])
            form = {"Content_Type": "application/x-www-form-urlencoded", "Origin": self.origin(server)}
            wrong = server.get("/_mw/login", method="POST", body="user=bob&password=%3Cb%3E", **form)
            self.assertEqual(wrong.status, 401)
            self.assertIn('<p role="alert">%s</p>' % WRONG, wrong.text())
            done = server.get("/_mw/login", method="POST", body="x=1&user=%62ob&password=correct+horse", **form)
            self.assertEqual((done.status, done.fields["location"]), (303, "../"))
            cookie = done.fields["set-cookie"].split(";")[0]
            self.assertIn("You are bob, in the role of operator.", server.get("/_mw/login", Cookie=cookie).text())
            out = server.get("/_mw/logout", method="POST", body="", Cookie=cookie, **form)
            self.assertEqual((out.status, out.fields["location"]), (303, "login"))
            self.assertIn("Max-Age=0", out.fields["set-cookie"])
            self.assertIn("Log in", server.get("/_mw/login", Cookie=cookie).text())

    def test_a_new_login_ends_the_session_that_was_there(self):
        with self.serve() as server:
            first = self.cookie(server)
            second = self.post(server, Cookie=first, Origin=self.origin(server)).fields["set-cookie"].split(";")[0]
            self.assertNotEqual(first, second)
            self.assertIn("Log in", server.get("/_mw/login", Cookie=first).text())
            self.assertIn("You are bob", server.get("/_mw/login", Cookie="a=b; " + second + "; c=d").text())

    def test_too_many_tries_wait(self):
        with self.serve("--limit", "logins_per_user=3") as server:
            for _ in range(3):
                self.assertEqual(self.post(server, password="wrong horse").status, 401)
            later = self.post(server)
            self.assertEqual(later.status, 429)
            self.assertRegex(later.fields["retry-after"], r"\A[1-6][0-9]?\Z")
            self.assertRegex(later.json()["error"], r"too many tries: try again in [1-6][0-9]? s")
            self.assertEqual(self.post(server, user="eve").status, 401)  # others are not held up
            hits = server.get("/_mw/metrics").text()
            self.assertIn('meshwork_limit_hits_total{limit="logins_per_user"} 1\n', hits)
            self.assertIn('meshwork_logins_total{outcome="wrong"} 4\n', hits)

    def test_while_passwords_are_judged_everybody_else_is_served(self):
        with self.serve("--limit", "logins_per_user=100") as server:
            answers = []
            judged = [threading.Thread(target=lambda: answers.append(self.post(server).status)) for _ in range(8)]
            for thread in judged:
                thread.start()
            for _ in range(20):
                self.assertEqual(server.get("/").status, 200)
            for thread in judged:
                thread.join(scenario.PATIENCE_S)
            self.assertEqual(answers, [200] * 8)

    # ---- how it ends ----------------------------------------------------------------------------------------------
    def test_a_logout_ends_the_sessions_connections(self):
        with self.serve() as server:
            cookie = self.cookie(server)
            other = self.cookie(server)
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as mine, \
                    self.v1(server, cookie=other, origin=self.origin(server)) as elsewhere, self.v1(server) as guest:
                server.get("/_mw/logout", method="POST", Cookie=cookie, Origin=self.origin(server))
                self.assertEqual(mine.read_close(), 4001)
                for client in (elsewhere, guest):
                    self.assertEqual(client.ask("getAttr", ["reading"])["result"]["errors"], {})

    def test_a_planned_restart_keeps_logins_where_it_is_told_to(self):
        for flags, kept in ((("--keep-sessions",), True), ((), False)):
            with self.serve(*flags) as server:
                cookie = self.cookie(server)
                stranger = self.cookie(server)
                server.get("/_mw/logout", method="POST", Cookie=stranger, Origin=self.origin(server))
            with self.serve(*flags) as server:
                self.assertFalse(os.path.exists(os.path.join(self.state, "sessions")))
                for secret, who in ((cookie, "bob" if kept else None), (stranger, None)):
                    named = "mw-%d=%s" % (server.port, secret.split("=")[1])  # the port is in the name, and is another one now
                    with self.v1(server, cookie=named, origin=self.origin(server)) as client:
                        self.assertEqual(self.hello(client)[0], who)

    def test_the_users_file_is_followed_within_a_second(self):
        with self.serve() as server:
            cookie = self.cookie(server)
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as client:
                self.assertEqual(self.hello(client)[2], OPERATE)
                client.ask("watch", ["target"])
                began = time.monotonic()
                self.user("role", "bob", "viewer")
                self.assertEqual(client.read_json(), {"jsonrpc": "2.0", "method": "roles",
                                                      "params": {"user": "bob", "roles": ["viewer"]}})
                self.assertEqual(client.read_json(), {"jsonrpc": "2.0", "method": "rights", "params": READ})
                self.assertLess(time.monotonic() - began, scenario.PATIENCE_S)
                self.assertEqual(client.ask("setAttr", {"target": 4})["result"]["errors"], {"target": "denied"})
                self.user("passwd", "bob", said="battery staple\n")
                self.assertEqual(client.read_close(), 4001)
            self.assertIn("Log in", server.get("/_mw/login", Cookie=cookie).text())
            self.assertEqual(self.post(server).status, 401)
            cookie = self.cookie(server, password="battery staple")
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as client:
                self.user("remove", "bob")
                self.assertEqual(client.read_close(), 4001)
            self.assertEqual(self.post(server, password="battery staple").status, 401)

    def test_a_session_that_is_not_used_runs_out(self):
        with self.serve("--limit", "session_idle_ms=2500") as server:
            cookie = self.cookie(server)
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as client:
                self.assertEqual(client.read_close(), 4001)
            self.assertIn("Log in", server.get("/_mw/login", Cookie=cookie).text())

    def test_a_broken_users_file_leaves_those_from_before(self):
        with self.serve() as server:
            cookie = self.cookie(server)
            with open(os.path.join(self.state, "users"), "a", encoding="utf-8") as file:
                file.write("usr eve\n")
            self.eventually(lambda: server.get("/_mw/login", Cookie=cookie) and "the users from before stay" in server.stderr(),
                            "the complaint")
            self.assertRegex(server.stderr(), r"users: line 3: 'usr' begins no line")
            self.assertEqual(self.post(server).status, 200)
        code, _, err = run("serve", self.app(app_html="x"), "--port", 0, "--state", self.state)
        self.assertEqual(code, 1)
        self.assertIn("line 3: 'usr' begins no line", err)

    # ---- by the method ----------------------------------------------------------------------------------------------
    def test_the_method_logs_a_connection_in(self):
        with self.serve() as server, self.v1(server) as client:
            self.assertEqual(self.hello(client), (None, ["anonymous"], READ))
            error = client.ask("login", {"user": "bob", "password": "wrong horse"})["error"]
            self.assertEqual((error["code"], error["data"]), (-32008, WRONG))
            self.assertEqual(client.ask("login", {"user": "bob", "password": "correct horse"}, 2)["result"],
                             {"user": "bob", "roles": ["operator"], "rights": OPERATE})
            self.assertEqual(client.ask("setAttr", {"target": 4})["result"]["errors"], {})
            self.user("passwd", "bob", said="battery staple\n")
            self.assertEqual(client.read_close(), 4001)

    def test_a_user_with_a_back_end_of_their_own_is_greeted_by_it(self):
        with self.serve(instance="MW_INSTANCE_PER_USER") as server, self.v1(server) as client, self.v1(server) as guest:
            self.hello(client)
            client.send({"jsonrpc": "2.0", "id": 1, "method": "login", "params": {"user": "bob", "password": "correct horse"}})
            self.assertEqual(self.hello(client), ("bob", ["operator"], OPERATE))
            self.assertEqual(client.read_json()["result"]["user"], "bob")
            client.ask("setAttr", {"target": 4})
            self.hello(guest)
            self.assertEqual(guest.ask("getAttr", ["target"])["result"]["values"], {"target": 0})
            with self.v1(server, cookie=self.cookie(server), origin=self.origin(server)) as again:
                self.hello(again)
                self.assertEqual(again.ask("getAttr", ["target"])["result"]["values"], {"target": 4})

    # ---- where it is required ---------------------------------------------------------------------------------------
    def test_where_a_login_is_required_nothing_else_comes_first(self):
        with self.serve(required=True) as server:
            with self.v1(server) as client:
                self.assertEqual(self.hello(client), (None, [], {}))
                self.assertEqual(client.ask("getAttr", ["reading"])["error"]["code"], -32008)
                client.ask("login", {"user": "bob", "password": "correct horse"}, 2)
                self.assertEqual(client.ask("getAttr", ["reading"])["result"]["values"], {"reading": 0})
            rpc = {"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["reading"]}
            self.assertEqual(server.rpc(rpc).status, 401)
            self.assertEqual(server.rpc(rpc, Authorization="Bearer " + self.user("token", "bob")).status, 200)
            with self.assertRaises(Refused) as refused:
                server.websocket()  # in the plain manner there is no method
            self.assertEqual(refused.exception.answer.status, 401)
            self.assertEqual(server.get("/").status, 200)  # files are for everybody
            with self.v1(server) as client:
                client.send("x" * 5000)
                self.assertEqual(client.read_close(), 1009)

    def test_who_does_not_log_in_in_time_is_closed(self):
        with self.serve("--limit", "login_ms=100", required=True) as server:
            with self.v1(server) as late, self.v1(server, token=self.user("token", "bob")) as known:
                self.assertEqual(late.read_close(), 4001)
                self.assertEqual(self.hello(known), ("bob", ["operator"], OPERATE))
            self.assertIn('meshwork_limit_hits_total{limit="login_ms"} 1\n', server.get("/_mw/metrics").text())

    def test_no_more_of_one_address_than_may_wait_for_a_login(self):
        flags = ("--limit", "unauthenticated_per_ip=2", "--per-ip-loopback")
        with self.serve(*flags, required=True) as server, self.v1(server), self.v1(server):
            with self.assertRaises(Refused) as refused:
                self.v1(server)
            self.assertEqual(refused.exception.answer.status, 503)
            with self.v1(server, token=self.user("token", "bob")) as known:
                self.assertEqual(self.hello(known)[0], "bob")

    def test_without_anybody_who_could_log_in_the_start_says_so(self):
        self.user("remove", "bob")
        with self.serve(required=True) as server:
            self.assertIn("there is nobody who could: meshwork user add NAME", server.stderr())

    # ---- tokens, proxies, places -----------------------------------------------------------------------------------------
    def test_a_token_is_its_user_until_it_ends_or_is_revoked(self):
        with self.serve() as server:
            token = self.user("token", "bob")
            rpc = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "who"}}
            self.assertEqual(server.rpc(rpc, Authorization="Bearer " + token).json()["result"], "bob")
            for wrong in ("Bearer " + token[:-1], "Bearer", "Basic Ym9iOng="):
                answer = server.rpc(rpc, Authorization=wrong)
                self.assertEqual((answer.status, answer.fields["www-authenticate"]), (401, "Bearer"), wrong)
            with self.v1(server, token=token) as client, self.v1(server, cookie=self.cookie(server), origin=self.origin(server)) as other:
                self.assertEqual(self.hello(client)[0], "bob")
                self.user("revoke", self.user("tokens")[:8])
                self.assertEqual(client.read_close(), 4001)
                self.assertEqual(server.rpc(rpc, Authorization="Bearer " + token).status, 401)
                self.assertEqual(self.hello(other)[0], "bob")
                self.assertEqual(other.ask("call", {"name": "who"})["result"], "bob")

    def test_a_token_that_ends_takes_its_connections_along(self):
        with self.serve() as server:
            for seconds in (4, 30):  # the longer for a machine that is too busy for the shorter
                token = self.user("token", "bob", "--expires", "%ds" % seconds)
                try:
                    with self.v1(server, token=token) as client:
                        self.assertEqual(self.hello(client)[0], "bob")
                        client.socket.settimeout(2 * seconds + scenario.PATIENCE_S)
                        self.assertEqual(client.read_close(), 4001)
                        return
                except Refused:
                    continue
            self.fail("no token lived long enough to be shown")

    def test_a_trusted_proxy_says_who_it_is(self):
        rpc = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"name": "who"}}
        flags = ("--trusted-proxy", "loopback", "--proxy-user-header", "X-Remote-User")
        with self.serve(*flags) as server:
            self.assertEqual(server.rpc(rpc, X_Remote_User="bob").json()["result"], "bob")
            self.assertEqual(server.rpc(rpc, X_Remote_User="eve").status, 401)
            answer = self.post(server, X_Forwarded_For="10.0.0.7", X_Forwarded_Proto="https")
            self.assertRegex(answer.fields["set-cookie"], r"\A__Host-mw=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure\Z")
        with self.serve() as server:  # nobody else is believed
            self.assertEqual(server.rpc(rpc, X_Remote_User="bob").json()["result"], "")
            self.assertEqual(self.post(server, X_Forwarded_For="10.0.0.7", X_Forwarded_Proto="https").status, 403)
        with self.serve("--insecure-cookie") as server:
            self.assertEqual(self.post(server, X_Forwarded_For="10.0.0.7").status, 200)

    def test_with_dev_this_machine_may_have_a_role_of_its_own(self):
        ini = INI % "no" + "[role local]\npolicies = operate\n"
        folder = self.app(app_c=APP.replace("INSTANCE", "MW_INSTANCE_ONE", 1), app_ini=ini)
        with Server(folder, "--dev") as server, self.v1(server) as client:
            self.assertEqual(self.hello(client), (None, ["anonymous", "local"], OPERATE))
        with Server(folder) as server, self.v1(server) as client:
            self.assertEqual(self.hello(client), (None, ["anonymous"], READ))

    def test_without_users_nobody_logs_in(self):
        with Server(self.app(app_html="x"), "--state", os.path.join(self.dir, "none")) as server:
            self.assertEqual(self.post(server).status, 401)
            self.assertFalse(os.path.exists(os.path.join(self.dir, "none")))


class Audit(LoginCase):
    """Every login, denial and change as a line of JSON."""

    def test_what_is_done_and_denied_is_written_down(self):
        path = os.path.join(self.dir, "audit.log")
        with self.serve("--audit", path) as server:
            self.post(server, password="wrong horse")
            cookie = self.cookie(server)
            with self.v1(server, cookie=cookie, origin=self.origin(server)) as client, self.v1(server) as guest:
                client.ask("setAttr", {"target": 4, "reading": 3})
                client.ask("call", {"name": "who"})
                guest.ask("setAttr", {"target": 5})
                guest.ask("call", {"name": "n\u0000\n\"x"})
            server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["api_key"]})
            server.get("/_mw/logout", method="POST", Cookie=cookie, Origin=self.origin(server))
            lines = [line for line in self.lines(path) if line["event"] != "revoked"]
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            moved = path + ".1"
            os.rename(path, moved)
            server.process.send_signal(signal.SIGHUP)
            self.eventually(lambda: "reloaded" in server.stderr(), "the reload")
            server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["api_key"]})
            self.assertEqual([line["event"] for line in self.lines(path)], ["policies", "denied"])
            self.assertIn("meshwork_audit_lost_total 0\n", server.get("/_mw/metrics").text())
        for line in lines:
            self.assertRegex(line.pop("time"), r"\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertEqual(line.pop("peer"), "127.0.0.1")
            self.assertEqual(line.pop("app", "demo"), "demo")
            if line["event"] == "denied":
                self.assertRegex(line.pop("decision"), r"\A[2-9b-z]{4,6}\Z")
        self.assertEqual(lines, [
            {"event": "login", "user": "bob", "outcome": "wrong"}, {"event": "login", "user": "bob", "outcome": "right"},
            {"event": "done", "user": "bob", "method": "setAttr", "name": "target"},
            {"event": "denied", "user": "bob", "method": "setAttr", "name": "reading"},
            {"event": "done", "user": "bob", "method": "call", "name": "who"},
            {"event": "denied", "method": "setAttr", "name": "target"},
            {"event": "denied", "method": "call", "name": "n\0\n\"x"},
            {"event": "denied", "method": "getAttr", "name": "api_key"}, {"event": "logout", "user": "bob"}])

    def lines(self, path):
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_a_file_that_cannot_be_written_ends_the_start(self):
        code, _, err = run("serve", self.app(app_html="x"), "--port", 0, "--audit", os.path.join(self.dir, "none/audit.log"))
        self.assertEqual(code, 1)
        self.assertIn("open the audit log", err)

    def test_a_disk_that_is_full_loses_lines_and_says_so(self):
        with self.serve("--audit", "/dev/full") as server:
            server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["api_key"]})
            self.eventually(lambda: "takes nothing, lines are lost" in server.stderr(), "the complaint")
            self.assertIn("meshwork_audit_lost_total 1\n", server.get("/_mw/metrics").text())
