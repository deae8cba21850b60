"""meshwork config: what serve would go by, looked at without starting anything.
SPDX-License-Identifier: MIT"""
import os

import scenario
from scenario import Case, run


def shown(out):
    """{(section, name): (value, origin)} of what print says."""
    found, section = {}, None
    for line in out.splitlines():
        if line.startswith("["):
            section = line[1:line.index("]")]
        elif line:
            name, value, origin = line.split(None, 2)
            found[section, name] = (value, origin)
    return found


class Print(Case):
    def test_each_value_is_shown_with_where_it_comes_from(self):
        folder = self.app(app_html="x", app_ini="[app]\nname = Lab\n[server]\nport = 9000\nhost = a.example\nhost = b.example\n"
                                                "[limits]\nping_ms = 5000\n")
        code, out, err = run("config", "print", folder, "--rate=700", "--dev", MESHWORK_WS_PORT="6789",
                             MESHWORK_LIMIT_RANGES="4", MESHWORK_PORT="9001", STATE_DIRECTORY="/var/lib/lab")
        self.assertEqual((code, err), (0, ""))
        found = shown(out)
        for key, want in ((("server", "port"), ("9001", "environment")),
                          (("server", "ws_port"), ("6789", "environment")),
                          (("server", "dev"), ("yes", "flag")),
                          (("server", "state"), ("/var/lib/lab", "default")),
                          (("server", "plaintext"), ("no", "default")),
                          (("server", "cert"), ("-", "default")),
                          (("limits", "ping_ms"), ("5000", folder + "/app.ini: line 8")),
                          (("limits", "ranges"), ("4", "environment")),
                          (("limits", "messages_per_s"), ("700", "flag")),
                          (("limits", "messages_burst"), ("1400", "follows from messages_per_s")),
                          (("app", "name"), ("Lab", folder + "/app.ini: line 2")),
                          (("app", "require_login"), ("no", "default"))):
            self.assertEqual(found[key], want, key)
        self.assertIn("a.example, b.example", out)
        self.assertNotIn("max_message", out)  # a short form: what it sets is the limit

    def test_every_limit_of_the_help_is_there(self):
        listed = run("serve", "--help")[1].split("limits (also")[1].splitlines()[2:]
        found = shown(run("config", "print", self.app(app_html="x"))[1])
        self.assertGreater(len(listed), 20)
        for line in listed:
            self.assertIn(("limits", line.split()[0]), found)


class Check(Case):
    def test_what_is_in_order_is_said_and_nothing_runs(self):
        folder = self.app(app_html="x", app_c=scenario.BACK_END.replace("s->a = 1,", "__builtin_trap();"))
        self.assertEqual(run("config", "check", folder, "--port", "1"),
                         (0, "meshwork: the settings of demo are in order\n", ""))

    def test_what_is_wrong_is_one_line_with_its_place(self):
        for text, want in (("[server]\nprot = 1\n", "line 2: prot is no setting; the nearest is port"),
                           ("[limits]\n\nmesage_bytes = 1\n", "line 3: mesage_bytes is no limit; the nearest is message_bytes"),
                           ("[app]\nnmae = x\n", "line 2: [app] has no key 'nmae'"),
                           ("[servers]\n", "line 1: [servers] is no section"),
                           ("[cache]\npictures = 1h\n", "line 2: [cache] has no key 'pictures'"),
                           ("[cache]\n\ncss = 1\n", "line 3: css = '1': want no-cache, no-store, or a time"),
                           ("[cache]\ncss = 366d\n", "at most 365d"), ("[cache]\ncss = 0s\n", "line 2: css = '0s'"),
                           ("[cache]\ncss = -1h\n", "line 2: css = '-1h'"), ("[cache]\ncss = 1w\n", "line 2: css = '1w'"),
                           ("[cache]\ncss = h\n", "line 2: css = 'h'"), ("[cache]\ncss =\n", "line 2: css = ''"),
                           ("[cache]\ncss = 1h forever\n", "line 2: css = '1h forever'"),
                           ("[cache]\ncss = no-cache immutable\n", "line 2: css = 'no-cache immutable'"),
                           ("[cache]\ncss = 99999999999999999999d\n", "line 2: css = '9"),
                           ("[headers]\nserver = x\n", "line 2: [headers] has no key 'server' (it has content_security_policy, cross"),
                           ("[headers]\nx_frame_options = a\nx_frame_options = b\n", "line 3: x_frame_options is given twice"),
                           ("[headers]\nreferrer_policy = caf\u00e9\n", "line 2: referrer_policy: a header field holds visible ASCII"),
                           ("[headers]\n" + ("permissions_policy = " + "a" * 1500 + "\n") * 3, "line 4: permissions_policy: more than 4096"),
                           ("[policy p]\nrite = a\n", "line 2"),
                           ("[server]\n\nbind = here\n", "line 3: bind 'here': want loopback, any, or a numeric address"),
                           ("[server]\nhost = a.example, two words\n", "line 2: host 'two words': want NAME"),
                           ("[server]\ntrusted_proxy = 10.1.0.0/8\n", "line 2: trusted-proxy '10.1.0.0/8': want loopback"),
                           ("[server]\nproxy_user_header = X User\n", "line 2: proxy-user-header 'X User': want the name of a header"),
                           ("[server]\nproxy_user_header = X-User\n", "line 2: proxy-user-header wants --trusted-proxy too"),
                           ("[server]\ndeflate_context = yes\n", "line 2: deflate-context wants --deflate too"),
                           ("[server]\nport = 8080\nws_port = 8080\n", "line 3: ws-port 8080 is --port's already"),
                           ("[tls]\ncert = a.pem\n", "line 2: cert wants --key too"),
                           ("[role anonymous]\npolicies = nowhere\n", "line 2")):
            folder = self.app(app_html="x", app_ini=text)
            code, out, err = run("config", "check", folder)
            self.assertEqual((code, out), (1, ""), text)
            self.assertIn(folder + "/app.ini", err)
            self.assertIn(want, self.one_line(err))

    def test_settings_that_do_not_go_together_and_files_that_are_not_there(self):
        folder = self.app(app_html="x")
        for words, want in ((["--bind", "any"], "--plaintext"), (["--cert", "x.pem"], "--key"),
                            (["--cert", "/nowhere.pem", "--key", "/nowhere.key"], "/nowhere.pem"),
                            (["--user", "nobody-of-that-name"], "there is no such user"),
                            (["--audit", "/nowhere/audit.log"], "open the audit log '/nowhere/audit.log'"),
                            (["--audit", folder], "Is a directory")):
            code, out, err = run("config", "check", folder, *words)
            self.assertEqual((code, out), (1, ""))
            self.assertIn(want, self.one_line(err))

    def test_a_policy_that_says_nothing_is_told(self):
        folder = self.app(app_c=scenario.BACK_END, app_ini="[policy look]\ngettable = zebra\n")
        code, _, err = run("config", "check", folder)
        self.assertEqual(code, 0)
        self.assertIn("'zebra' is no attribute", self.one_line(err))

    def test_wrong_words_exit_with_2(self):
        for words, want in (([], "check or print"), (["chek"], "no word 'chek'"), (["check", "--prot", "1"], "--port"),
                            (["check", "--quiet=no"], "--quiet takes no value"),
                            (["check", "--bind", "here"], "--bind 'here': want loopback, any, or a numeric address"),
                            (["check", "--host", "two words"], "--host 'two words': want NAME"),
                            (["check", "--trusted-proxy", "lab.example"], "--trusted-proxy 'lab.example': want loopback")):
            code, out, err = run("config", *words)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(want, self.one_line(err))
        self.assertIn("meshwork config check", run("config", "--help")[1])

    def test_there_is_help_on_each_word_and_on_no_other(self):
        for word in ("serve", "config", "user", "policy"):
            self.assertEqual(run("help", word), run(word, "--help"))
        code, out, err = run("help", "sreve")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("no help on 'sreve'", self.one_line(err))

    def test_a_check_makes_no_audit_log(self):
        folder = self.app(app_html="x")
        self.assertEqual(run("config", "check", folder, "--audit", folder + "/audit.log")[0], 0)
        self.assertFalse(os.path.exists(folder + "/audit.log"))
