"""What whoever runs a server looks at and does: health, metrics, limits, drain, reload, logs.
SPDX-License-Identifier: MIT"""
import os
import re
import socket

import scenario
from scenario import Case, Server, run

MESH = scenario.BACK_END.replace("s->a = 1,", """
    for (int i = 0; i < 3; i++)
        (void)mw_tasklet_named(i < 2 ? "worker" : "odd \\"one\\"");
    s->a = 1,""").replace("struct state {", """
static int swallow(mw_tasklet *self, void *scope, mw_value item)
{
    (void)self, (void)scope;
    mw_release(item);
    return 0;
}
static mw_tasklet *mw_tasklet_named(const char *name)
{
    mw_tasklet *t = mw_handler_new(swallow, NULL);
    (void)mw_tasklet_set_name(t, name);
    (void)mw_send(t, mw_int(1));
    return t;
}
struct state {""")


def metrics(server, **fields):
    """{'name{labels}': value} of the metrics, each line checked for its form."""
    answer = server.get("/_mw/metrics", **fields)
    assert answer.status == 200, answer.data
    assert answer.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found, family = {}, None
    for line in answer.text().splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family and line.split()[3] in ("gauge", "counter"), line
        else:
            taken = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})? ([0-9.]+)', line)
            assert taken and taken.group(1) == family, line
            found[taken.group(1) + (taken.group(2) or "")] = float(taken.group(3))
    return found


class Metrics(Case):
    def test_what_happens_is_counted(self):
        with Server(self.app("lab", app_html="x", app_c=MESH)) as server:
            before = metrics(server)
            with server.websocket(protocols=["meshwork.v1"]) as client:
                self.assertIn("result", client.ask("getAttr", ["a", "b", "nothing"]))
                client.ask("watch", ["a"])
                during = metrics(server)
            self.assertEqual(server.get("/missing").status, 404)
            self.eventually(lambda: metrics(server)["meshwork_websockets"] == 0, "the client goes")
            after = metrics(server)
        self.assertEqual(during["meshwork_websockets"], 1)
        self.assertEqual(during['meshwork_app_clients{app="lab"}'], 1)
        self.assertEqual(during['meshwork_app_watches{app="lab"}'], 1)
        self.assertEqual(during['meshwork_policy_denials_total{app="lab"}'], 2)
        for name in ("meshwork_upgrades_total", 'meshwork_responses_total{class="1xx"}', 'meshwork_responses_total{class="4xx"}'):
            self.assertEqual(after[name], before[name] + 1, name)
        self.assertGreater(after["meshwork_received_bytes_total"], before["meshwork_received_bytes_total"])
        self.assertEqual(after['meshwork_tasklets{app="lab",tasklet="worker"}'], 2)
        self.assertEqual(after['meshwork_tasklet_items_total{app="lab",tasklet="worker"}'], 2)
        self.assertEqual(after['meshwork_tasklets{app="lab",tasklet="odd \\"one\\""}'], 1)
        self.assertEqual(after['meshwork_queue_items{app="lab",tasklet="worker"}'], 0)
        self.assertGreaterEqual(after['meshwork_mesh_turns_total{app="lab"}'], 1)
        self.assertEqual(after["meshwork_ready"], 1)
        self.assertGreater(after["process_resident_memory_bytes"], 1 << 20)
        self.assertGreater(after["process_open_fds"], 3)

    def test_every_limit_is_there_and_its_hits_are_counted(self):
        listed = run("serve", "--help")[1].split("limits (also")[1].splitlines()[2:]
        with Server(self.app(app_html="x"), "--limit", "request_line_bytes=100") as server:
            self.assertEqual(server.get("/" + "x" * 200).status, 414)
            found = metrics(server)
        for line in listed:
            name, value = line.split()[:2]
            self.assertIn('meshwork_limit_hits_total{limit="%s"}' % name, found)
            if name != "request_line_bytes":
                self.assertEqual(found['meshwork_limit{limit="%s"}' % name], int(value), name)
        self.assertEqual(found['meshwork_limit{limit="request_line_bytes"}'], 100)
        self.assertEqual(found['meshwork_limit_hits_total{limit="request_line_bytes"}'], 1)

    def test_names_that_an_app_makes_up_do_not_grow_the_answer(self):
        many = MESH.replace("i < 3", "i < 300").replace('(void)mw_tasklet_named(i < 2 ? "worker" : "odd \\"one\\"");', """{
            char name[32];
            (void)snprintf(name, sizeof name, "t%d", i);
            (void)mw_tasklet_named(name);
        }""").replace("#include <meshwork/app.h>", "#include <meshwork/app.h>\n#include <stdio.h>")
        with Server(self.app("lab", app_c=many)) as server:
            found = metrics(server)
        names = [key for key in found if key.startswith("meshwork_tasklets{")]
        self.assertEqual(len(names), 65)
        self.assertEqual(found['meshwork_mesh_tasklets{app="lab"}'], sum(found[name] for name in names))
        self.assertGreaterEqual(found['meshwork_tasklets{app="lab",tasklet="other"}'], 236)

    def test_they_are_for_this_machine_or_for_who_has_the_token(self):
        folder, token = self.app(app_html="x"), "s3cret-" * 5
        path = os.path.join(self.dir, "token")
        with open(path, "w") as file:
            file.write(token + "\n")
        os.chmod(path, 0o644)
        code, _, err = run("serve", folder, "--metrics-token", path)
        self.assertEqual(code, 1)
        self.assertIn("chmod 600", self.one_line(err))
        os.chmod(path, 0o600)
        with Server(folder) as server:
            self.assertEqual(server.get("/_mw/metrics", X_Forwarded_For="10.0.0.1").status, 403)
            self.assertEqual(server.get("/_mw/metrics", Forwarded="for=10.0.0.1", Authorization="Bearer x").status, 403)
            self.assertEqual(server.get("/_mw/metrics", method="POST").status, 405)
        self.app(app_ini="[server]\nmetrics_token = ../token\n")  # beside app.ini
        with Server(folder) as server:
            metrics(server)
            metrics(server, X_Forwarded_For="10.0.0.1", Authorization="Bearer " + token)
            for wrong in (token[:-1], token + "x", "", "Basic " + token):
                refused = server.get("/_mw/metrics", X_Forwarded_For="10.0.0.1", Authorization="Bearer " + wrong)
                self.assertEqual((refused.status, refused.fields["www-authenticate"]), (401, "Bearer"))
        for text in ("short\n", "two words of a token here\n", ""):
            with open(path, "w") as file:
                file.write(text)
            self.assertIn("16 to 256 visible characters", run("config", "check", folder)[2])

    def test_health_and_readiness_answer_ok(self):
        with Server(self.app("a", app_html="x"), self.app("b", app_html="x")) as server:
            for path in ("/_mw/healthz", "/_mw/readyz", "/a/_mw/readyz"):
                self.assertEqual((server.get(path).status, server.get(path).body), (200, b"ok\n"))
