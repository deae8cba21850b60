"""`meshwork user`: who may log in, said on the command line.
Read next: login_test.py.
SPDX-License-Identifier: MIT"""
import os
import pty
import pwd
import stat
import subprocess
import unittest

import scenario
from scenario import Case, run

PASSWORD = "correct horse\n"


class Users(Case):
    def user(self, *words, said="", **env):
        return run("user", *words, "--state", os.path.join(self.dir, "state"), said=said, **env)

    def test_users_are_added_listed_changed_and_removed(self):
        self.assertEqual(self.user("list"), (0, "", ""))
        self.assertEqual(self.user("add", "bob", "--role", "operator", "--role=admin", said=PASSWORD), (0, "", ""))
        self.assertEqual(self.user("add", "robot", "--no-password"), (0, "", ""))
        self.assertEqual(self.user("list"), (0, "bob  operator,admin\nrobot  (no password)\n", ""))
        self.assertEqual(self.user("role", "robot", "operator"), (0, "", ""))
        self.assertEqual(self.user("role", "bob", "-"), (0, "", ""))
        self.assertEqual(self.user("list"), (0, "bob\nrobot  operator  (no password)\n", ""))
        self.assertEqual(self.user("passwd", "robot", said=PASSWORD), (0, "", ""))
        self.assertEqual(self.user("remove", "bob"), (0, "", ""))
        self.assertEqual(self.user("list"), (0, "robot  operator\n", ""))
        mode = os.stat(os.path.join(self.dir, "state/users")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_a_token_is_printed_once_listed_and_revoked(self):
        self.user("add", "bob", "--no-password")
        code, token, err = self.user("token", "bob", "--expires=30d")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(token, r"\A[0-9a-f]{64}\n\Z")
        _, listed, _ = self.user("tokens")
        self.assertRegex(listed, r"\A[0-9a-f]{8}  bob  until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ\n\Z")
        self.assertEqual(self.user("revoke", listed[:8]), (0, "", ""))
        self.assertEqual(self.user("tokens"), (0, "", ""))

    def test_what_is_wrong_is_one_line_that_says_the_way_out(self):
        self.user("add", "bob", "--no-password")
        for words, said, code, why in (
                (["add", "bob"], PASSWORD, 1, "there is a user 'bob' already"),
                (["add", "a b"], PASSWORD, 1, "'a b' can name no user"),
                (["add", "eve"], "short\n", 1, "a password has 8 to 256 bytes; this one has 5"),
                (["add", "eve"], "x" * 300 + "\n", 1, "at most 256 bytes"),
                (["add", "eve"], "", 1, "want the password on a line of stdin"),
                (["add", "eve", "--password=x"], "", 2, "can be read by every program of this machine"),
                (["add"], "", 2, "want: meshwork user add NAME [FOLDER] [--role A,B]"),
                (["add", "a", "b", "c", "d"], "", 2, "a word too many"),
                (["add", "eve", "--roll", "x"], "", 2, "--roll is no flag of user"),
                (["list", "--role", "x"], "", 2, "--role is not for user list; want: meshwork user list [FOLDER]"),
                (["add", "eve", "--expires", "1h"], "", 2, "--expires is not for user add"),
                (["passwd", "bob", "--no-password"], "", 2, "--no-password is not for user passwd"),
                (["passwd", "bob", "hunter2hunter2"], "", 2, "is to be the folder of an app; a password is typed, or a line of stdin"),
                (["add", "e\u200bve"], PASSWORD, 1, "nothing that cannot be seen may be in it"),
                (["add", "\u202eeve"], PASSWORD, 1, "nothing that cannot be seen may be in it"),
                (["add", "eve\u009b"], PASSWORD, 1, "nothing that cannot be seen may be in it"),
                (["remove", "eve"], "", 1, "there is no user 'eve'"),
                (["passwd", "eve"], PASSWORD, 1, "there is no user 'eve'"),
                (["token", "bob", "--expires", "2y"], "", 2, "want a time such as 90m, 12h or 30d"),
                (["token", "bob", "--expires", "400d"], "", 1, "1 second to 365 days"),
                (["revoke", "00000000"], "", 1, "there is no token '00000000'"),
                (["add", "eve", "--no-password", "--role", "a,,b"], "", 2, "'a,,b': want roles such as operator,viewer: a comma too many"),
                (["add", "eve", "--no-password", "--role", ""], "", 2, "for none, user role takes -"),
                (["promote", "bob"], "", 2, "user has no word 'promote'")):
            got, out, err = self.user(*words, said=said)
            self.assertEqual((got, out), (code, ""), words)
            self.assertIn(why, err)
            self.assertEqual(err.count("\n"), 1, err)

    @unittest.skipUnless(os.geteuid() == 0, "who is not root gives nothing away")
    def test_another_users_state_is_named_with_whose_it_is(self):
        state = os.path.join(self.dir, "theirs")
        os.mkdir(state, 0o700)
        os.chown(state, pwd.getpwnam("nobody").pw_uid, -1)
        code, out, err = run("user", "list", "--state", state)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("belongs to another user; do this as that one (sudo -u nobody), or", err)

    def test_they_belong_to_the_state_of_the_app(self):
        folder = self.app(app_html="x", app_ini="[app]\nname = thermostat\n")
        here = os.path.join(self.dir, "home")
        self.assertEqual(run("user", "add", "bob", folder, said=PASSWORD, HOME=here), (0, "", ""))
        self.assertTrue(os.path.exists(os.path.join(here, ".local/state/meshwork/thermostat/users")))
        self.assertEqual(run("user", "list", cwd=folder, HOME=here), (0, "bob\n", ""))
        for env, where in (({"XDG_STATE_HOME": self.dir + "/xdg"}, "xdg/meshwork/thermostat"),
                           ({"STATE_DIRECTORY": self.dir + "/unit:/elsewhere"}, "unit"),
                           ({"MESHWORK_STATE": self.dir + "/ours"}, "ours")):
            self.assertEqual(run("user", "add", "eve", folder, said=PASSWORD, HOME=here, **env), (0, "", ""), env)
            self.assertTrue(os.path.exists(os.path.join(self.dir, where, "users")), env)

    def test_a_directory_open_to_others_is_refused(self):
        state = os.path.join(self.dir, "state")
        os.mkdir(state, 0o755)
        code, _, err = self.user("list")
        self.assertEqual(code, 1)
        self.assertIn("chmod 700 it", err)

    def test_at_a_terminal_the_password_is_asked_twice_and_not_shown(self):
        for typed, code, said in (("correct horse", 0, "Once more"), ("another one", 1, "the two passwords differ")):
            ours, theirs = pty.openpty()
            child = subprocess.Popen([scenario.program(), "user", "add", "bob%d" % code, "--state", os.path.join(self.dir, "state")],
                                     stdin=theirs, stdout=theirs, stderr=theirs, env=scenario.environment(), start_new_session=True)
            os.close(theirs)
            seen = b""
            for prompt, line in ((b"Password: ", b"correct horse"), (b"Once more: ", typed.encode())):
                while not seen.endswith(prompt):
                    seen += os.read(ours, 1024)
                os.write(ours, line + b"\n")
            try:
                while piece := os.read(ours, 1024):
                    seen += piece
            except OSError:  # the other side is closed
                pass
            self.assertEqual(child.wait(scenario.PATIENCE_S), code)
            self.assertIn(said.encode(), seen)
            self.assertNotIn(b"horse", seen)
            self.assertEqual(b"'bob0' is one of the users in " in seen, code == 0)  # where they are, is said to people
            os.close(ours)
