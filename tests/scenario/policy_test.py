"""`meshwork policy`: what policies say, asked before anybody meets them; and `explain` on the wire.
Read next: docs/exposable.md.
SPDX-License-Identifier: MIT"""
import os

from scenario import Case, Server, run

# Whatever of it ran without an instance would crash: getters and predicates follow a pointer that `open` sets.
APP = r"""
#include <meshwork/app.h>
struct state { double *sensor; double target, limit; char api_key[16]; };
static int app_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    static double sensor = 20;
    (void)instance, (void)ret_error;
    ((struct state *)state)->sensor = &sensor;
    return 0;
}
static int read_sensor(const void *object, const mw_attribute *attribute, mw_value *ret, struct mw_error *ret_error)
{
    (void)attribute, (void)ret_error;
    *ret = mw_real(*((const struct state *)object)->sensor);
    return 0;
}
static const mw_attribute attributes[] = {
    {.name = "reading", .kind = MW_REAL, .get = read_sensor},
    {MW_FIELD(struct state, target), .kind = MW_REAL},
    {MW_FIELD(struct state, limit), .kind = MW_REAL, .read_only = true},
    {MW_FIELD(struct state, api_key), .kind = MW_TEXT},
};
static int gentle(const mw_access *access)
{
    return *((struct state *)access->object)->sensor < 30;
}
static int reset(mw_client *client, mw_value args, mw_value *ret, struct mw_error *ret_error)
{
    (void)client, (void)args, (void)ret, (void)ret_error;
    return 0;
}
static const mw_predicate predicates[] = {{"gentle", gentle}};
static const mw_command commands[] = {{.name = "reset", .call = reset}};
static const mw_rule stop_rules[] = {{.right = MW_CALLABLE, .name = "reset", .predicate = &predicates[0]}};
static const mw_policy_table policies[] = {{"stop", stop_rules, 1}};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "policy", .state_bytes = sizeof(struct state), .open = app_open,
    .attributes = attributes, .attribute_count = MW_COUNT(attributes), .predicates = predicates, .predicate_count = 1,
    .commands = commands, .command_count = 1, .policies = policies, .policy_count = 1,
};
"""
INI = """[policy read]
gettable = /^(reading|target|limit)$/
deny_gettable = api_key
[policy operate]
settable = target@gentle
[role anonymous]
policies = read
[role operator]
policies = read, operate, stop
[role admin]
policies = read, operate, stop
grants = explain
"""


class Policies(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.app(app_c=APP, app_ini=INI)
        self.state = os.path.join(self.dir, "state")

    def policy(self, *words):
        return run("policy", *words, "--state", self.state)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    # ---- explain ------------------------------------------------------------------------------------------------
    def test_explain_says_which_line_decides(self):
        for words, want in (
                (["--name", "reading", "--op", "get"],
                 "[anonymous]: get reading: allow\n  'gettable = /^(reading|target|limit)$/' in line 2 of policy 'read' allows it\n"
                 "    policy read, line 2 of app.ini: gettable = /^(reading|target|limit)$/: allow\n"),
                (["--name=api_key", "--op=get", "--role", "operator"],
                 "[operator]: get api_key: deny\n  'deny_gettable = api_key' in line 3 of policy 'read' denies it\n"
                 "    policy read, line 3 of app.ini: deny_gettable = api_key: deny\n"),
                (["--name", "target", "--op", "set", "--role", "operator"],
                 "[operator]: set target: depends\n  'settable = target@gentle' in line 5 of policy 'operate' allows it\n"
                 "    policy operate, line 5 of app.ini: settable = target@gentle: allow where the predicate holds: gentle\n"),
                (["--name", "reset", "--op", "call", "--role", "operator"],
                 "[operator]: call reset: depends\n  'callable = reset@gentle' of policy 'stop' allows it\n"
                 "    policy stop: callable = reset@gentle: allow where the predicate holds: gentle\n"),
                (["--name", "nowhere", "--op", "get"],
                 "[anonymous]: get nowhere: deny\n  no rule allows it, and nothing said is denied\n")):
            self.assertEqual(self.policy("explain", self.folder, *words), (0, want, ""), words)

    def test_explain_asks_for_a_users_roles(self):
        self.assertEqual(run("user", "add", "bob", "--no-password", "--role", "admin", "--state", self.state)[0], 0)
        code, out, err = self.policy("explain", self.folder, "--user", "bob", "--op", "set", "--name", "target")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("bob (admin): set target: depends\n"), out)
        self.assertEqual(self.policy("explain", self.folder, "--user", "eve", "--op", "set", "--name", "target"),
                         (1, "", "meshwork: there is no user 'eve'\n"))

    def test_on_the_wire_who_holds_the_grant_is_told_what_holds_now(self):
        for name in ("admin", "operator"):
            run("user", "add", name, "--no-password", "--role", name, "--state", self.state)
        token = run("user", "token", "admin", "--state", self.state)[1].strip()
        other = run("user", "token", "operator", "--state", self.state)[1].strip()
        request = {"jsonrpc": "2.0", "id": 1, "method": "explain", "params": {"user": "operator", "name": "target", "op": "set"}}
        with Server(self.folder, "--state", self.state) as server:
            told = server.rpc(request, Authorization="Bearer " + token).json()["result"]
            self.assertEqual(told["outcome"], "depends")
            self.assertEqual(told["trail"]["rules"], [{"policy": "operate", "rule": "settable = target@gentle", "line": 5,
                                                       "says": "allow"}])
            self.assertEqual(server.rpc(request, Authorization="Bearer " + other).json()["error"]["code"], -32001)
            self.assertEqual(server.rpc(request).json()["error"]["code"], -32001)

    # ---- lint -----------------------------------------------------------------------------------------------------
    def lint(self, text):
        """What it says of an app.ini, without the path; exit code 1 where it says something."""
        path = self.write("demo/app.ini", text)
        code, out, err = self.policy("lint", self.folder)
        self.assertEqual((code, err), (1 if out else 0, ""))
        return [line.replace(path + ": ", "") for line in out.splitlines()]

    def test_lint_is_silent_where_all_is_well(self):
        self.assertEqual(self.policy("lint", self.folder), (0, "", ""))  # api_key is denied by its name: that is meant
        self.assertEqual(self.lint(INI.replace("deny_gettable = api_key\n", "")), ["nobody can reach 'api_key'"])
        self.assertEqual(self.lint(INI.replace("deny_gettable = api_key\n", "").replace("limit)", "limit|api_key)")), [])

    def test_lint_knows_which_regexes_are_anchored(self):
        whole = "[policy p]\ngettable = /%s/\nexposed = target, api_key, reading\ncallable = reset\n[role anonymous]\npolicies = p\n"
        for regex, is_anchored in (("^limit$", True), ("^(limit|l)$", True), ("^limit$|^limits$", True), ("^[|]?limit$", True),
                                   ("^[]|]?limit$", True), (r"^\|?limit$", True), ("^limit", False), ("limit$", False), ("limit", False),
                                   ("^limit|limit$", False), ("^l|x$", False), (r"^limit\$|^limit", False), (r"^limi\\?t$", True)):
            said = self.lint(whole % regex)
            self.assertEqual([line for line in said if "anchor" in line] == [], is_anchored, (regex, said))

    def test_lint_tells_of_a_regex_that_meets_its_limit(self):
        said = self.lint("[policy p]\ngettable = /^(r|re|[a-z]+)+$/\nexposed = limit, target, api_key\ncallable = reset\n"
                         "[role anonymous]\npolicies = p\n")
        self.assertEqual(said, ["line 2: 'gettable = /^(r|re|[a-z]+)+$/' is slow: on a name such as 'aaaa...!' of 256 bytes it meets its "
                                "limit, which denies"])

    def test_lint_tells_what_says_nothing_new(self):
        said = self.lint("[policy p]\nexposed = target, reading\ngettable = target\nsettable = /^tar[a-z]+$/\ngettable = limit, api_key\n"
                         "gettable = /^lim[a-z]+$/\nsettable = target@gentle\ncallable = reset, rest, target\n"
                         "[policy nothing]\n[role anonymous]\npolicies = p, nothing\n[role anonymos]\npolicies = nothing\n")
        self.assertEqual(said, [
            "line 3: 'gettable = target' says nothing new: line 2 says it too",
            "line 5: 'gettable = limit' says nothing new: line 6 says it too",
            "line 7: 'settable = target@gentle' says nothing new: line 2 says it too",
            "line 8: 'callable = rest' is about no command; the nearest is reset",
            "line 8: 'callable = target' can never be used: it is an attribute, which is not called",
            "line 9: the policy 'nothing' says nothing",
            "line 12: the role 'anonymos' is for users who are given it; who has not logged in is 'anonymous'",
            "line 12: the role 'anonymos' has policies, but nothing that it may do"])

    def test_lint_tells_of_a_regex_that_is_shadowed_as_a_whole(self):
        said = self.lint("[policy p]\ngettable = /^(target|limit)$/, reading, api_key\ndeny_exposed = target\ncallable = reset\n"
                         "[policy q]\ndeny_gettable = /^l[a-z]+$/\n[role anonymous]\npolicies = p, q\n")
        self.assertEqual(said, ["line 2: 'gettable = /^(target|limit)$/' is shadowed: 'target' and all else that it is about are denied to "
                                "every role that has this policy", "nobody can reach 'limit'"])

    def test_lint_tells_what_says_nothing_or_too_much(self):
        path = self.write("demo/app.ini", """[policy read]
gettable = /read/, target, tarhet
gettable = api_key
deny_gettable = api_key
settable = limit
[policy alone]
settable = /^nothing$/
[role anonymous]
policies = read
[role empty]
""")
        code, out, err = self.policy("lint", self.folder)
        self.assertEqual((code, err), (1, ""))
        said = [line.replace(path + ": ", "") for line in out.splitlines()]
        self.assertEqual(said, [
            "line 2: 'gettable = /read/' is searched within the name: anchor it by ^ and $, or it is about longer names too",
            "line 2: 'gettable = tarhet' can never match: no attribute is named so; the nearest is target",
            "line 3: 'gettable = api_key' is shadowed: 'api_key' is denied to every role that has this policy",
            "line 5: 'settable = limit' can never be used: what it is about cannot be set",
            "line 7: 'settable = /^nothing$/' can never match: no attribute is named so",
            "line 6: no role has the policy 'alone'",
            "line 10: the role 'empty' has no policies, and so no rights",
            "nobody can reach 'limit'", "nobody can reach 'reset'"])

    # ---- test -----------------------------------------------------------------------------------------------------
    def test_a_table_is_held_line_by_line(self):
        run("user", "add", "bob", "--no-password", "--role", "operator", "--state", self.state)
        table = self.write("table", "# who      op   name    expected\n[anonymous] get reading allow\n\n"
                           "[anonymous] set target deny  # nobody's\nbob set target depends\n[admin,operator]\tcall reset depends\n")
        self.assertEqual(self.policy("test", table, self.folder), (0, "4 passed, 0 failed\n", ""))
        table = self.write("table", "[anonymous] get reading deny\nbob get reading allow\n")
        self.assertEqual(self.policy("test", table, self.folder),
                         (1, "%s: line 1: [anonymous]: get reading: expected deny, is allow\n"
                          "  'gettable = /^(reading|target|limit)$/' in line 2 of policy 'read' allows it\n"
                          "    policy read, line 2 of app.ini: gettable = /^(reading|target|limit)$/: allow\n1 passed, 1 failed\n" % table, ""))
        for text, why in (("bob get\n", "line 1: want: WHO get|set"), ("\neve get reading allow\n", "line 2: 'eve' is no user"),
                          ("bob eat reading allow\n", "line 1: want"), ("bob get reading perhaps\n", "line 1: want")):
            code, out, err = self.policy("test", self.write("table", text), self.folder)
            self.assertEqual((code, out), (1, ""), text)
            self.assertIn(why, err)

    # ---- diff -----------------------------------------------------------------------------------------------------
    def test_diff_says_who_gains_and_who_loses(self):
        before = self.write("before.ini", INI)
        self.assertEqual(self.policy("diff", before, self.folder), (0, "", ""))
        self.write("demo/app.ini", INI.replace("settable = target@gentle", "settable = target").replace("|limit", "")
                   .replace("[role admin]", "[role boss]"))
        self.assertEqual(self.policy("diff", before, self.folder), (1, """- [anonymous] get limit
~ [operator] set target: no longer depends on a predicate
- [operator] get limit
+ [boss] get reading
+ [boss] get target
+ [boss] set target
+ [boss] call reset: depends on a predicate
- [admin] get reading
- [admin] get target
- [admin] set target
- [admin] get limit
- [admin] call reset
""", ""))

    def test_wrong_usage_is_one_line_and_exit_2(self):
        for words, why in (([], "policy wants a word"), (["eat"], "policy has no word 'eat'"), (["explain", "--op", "eat"], "--op 'eat': want get, set"),
                           (["explain", "--op", "get", "--name", "a", "--user", "bob", "--role", "r"], "--user and --role: want one of them"),
                           (["explain", "--op", "get", "--name", ""], "want: meshwork policy explain"),
                           (["lint", "--name", "x"], "--name is for policy explain"), (["lint", ".", "x"], "want: meshwork policy lint"),
                           (["explain", "--name"], "--name wants a value"), (["lint", "--mane", "x"], "--mane is no flag"),
                           (["test"], "want: meshwork policy test FILE"), (["diff", "a"], "want: meshwork policy diff OLD NEW")):
            code, out, err = run("policy", *words)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), words)
            self.assertIn(why, err)

    def test_a_table_that_cannot_be_read_says_where_and_why(self):
        for line, why in (("[operator get a allow", "'[operator' is no list of roles: want [ROLE]"),
                          ("operator get a allow", "'operator' is no user; a role is written [operator]"),
                          ("[operator] eat a allow", "want: WHO get|set")):
            code, out, err = self.policy("test", self.write("table", "# first\n" + line + "\n"), self.folder)
            self.assertEqual((code, out, err.count("\n")), (1, "", 1), line)
            self.assertIn("line 2: " + why, err)
        code, _, err = self.policy("test", self.folder, self.folder)
        self.assertEqual(code, 1)
        self.assertIn("it is a folder; want a file of lines such as", err)

    def test_a_role_that_nobody_has_heard_of_is_told(self):
        code, out, err = self.policy("explain", self.folder, "--name", "a", "--op", "get", "--role", "oprator")
        self.assertEqual(code, 0)
        self.assertIn("[oprator]: get a: deny", out)
        self.assertIn("there is no [role oprator]: it gives nothing", err)

    def test_diff_wants_its_folder_to_be_there(self):
        code, out, err = self.policy("diff", self.folder, self.folder, "/nowhere")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("app folder '/nowhere': there is no such folder", err)
