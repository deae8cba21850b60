"""meshwork.v1, plain mode and POST _mw/rpc against a real back end: the answers that protocol.md promises.
SPDX-License-Identifier: MIT"""
import json

import scenario
from scenario import BINARY, Case, Server


class Protocol(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.app("demo", app_c=scenario.BACK_END)

    def open(self, server):
        client = server.websocket(protocols=["meshwork.v1"])
        self.addCleanup(client.socket.close)
        return client, client.read_json()

    def test_the_server_says_hello_first(self):
        with Server(self.folder, "--max-message", "2M", "--rate", "600") as server:
            _, hello = self.open(server)
            self.assertEqual((hello["jsonrpc"], hello["method"]), ("2.0", "hello"))
            params = hello["params"]
            self.assertEqual((params["protocol"], params["app"], params["roles"]), (1, "demo", ["anonymous"]))
            self.assertEqual(params["rights"], {"a": "get set", "c": "get"})
            self.assertEqual(params["limits"], {"message_bytes": 2 << 20, "messages_per_s": 600})

    def test_attributes_are_read_set_and_watched(self):
        with Server(self.folder) as server:
            client, _ = self.open(server)
            other, _ = self.open(server)
            answer = client.ask("getAttr", ["a", "b", "c", "nowhere"])["result"]
            self.assertEqual(answer["values"], {"a": 1, "c": 3})
            self.assertEqual(answer["errors"], {"b": "denied", "nowhere": "denied"})
            self.assertEqual(other.ask("watch", ["a"])["result"]["values"], {"a": 1})
            answer = client.ask("setAttr", {"a": 10, "b": 1, "c": 1})["result"]
            self.assertEqual(list(answer["revs"]), ["a"])
            self.assertEqual(sorted(answer["errors"]), ["b", "c"])
            while True:
                message = other.read_json()
                if message["method"] == "changed":
                    break
            self.assertEqual(message["params"]["values"], {"a": 10})
            self.assertTrue(other.ask("unwatch", ["a"])["result"])

    def test_bad_messages_get_the_error_and_the_connection_stays(self):
        with Server(self.folder) as server:
            client, _ = self.open(server)
            for text, code in (("nonsense", -32700), ("", -32700), ("{", -32700), ("[" * 100, -32010), ("1", -32600),
                               ("[]", -32600), ('{"jsonrpc":"2.0","id":1}', -32600),
                               ('{"jsonrpc":"1.0","id":1,"method":"getAttr"}', -32600),
                               ('{"jsonrpc":"2.0","id":1,"method":"nowhere"}', -32601),
                               ('{"jsonrpc":"2.0","id":1,"method":"getAttr","params":{"a":[]}}', -32602),
                               ('{"jsonrpc":"2.0","id":1,"method":"setAttr","params":7}', -32602)):
                client.send(text)
                while "error" not in (message := client.read_json()):
                    self.assertEqual(message.get("method"), "broadcast", text)
                self.assertEqual(message["error"]["code"], code, text)
            client.send(b"\x00\x01", BINARY)
            self.assertEqual(client.ask("getAttr", ["a"])["result"]["values"], {"a": 1})

    def test_each_limit_of_an_app_refuses_what_is_beyond_it_and_is_counted(self):
        def call(method, params):
            return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

        def next_but_broadcasts():
            while isinstance(message := client.read_json(), dict) and message.get("method") == "broadcast":
                pass
            return message

        fits, beyond = call("getAttr", ["a"]), call("getAttr", ["a"] * 40)
        cases = [  # limit, its value, a request that is within it, one that is not, the code
            ("watches_per_client", 1, call("watch", ["a"]), call("watch", ["a", "c"]), -32010),
            ("watches", 1, call("watch", ["a"]), call("watch", ["a", "c"]), -32006),
            ("watch_globs", 1, call("watch", ["a*"]), call("watch", ["a*", "c*"]), -32010),
            ("batch_requests", 2, [fits] * 2, [fits] * 3, -32010),
            ("json_depth", 3, fits, call("getAttr", [["a", []]]), -32010),
            ("json_tokens", 20, fits, beyond, -32010),
            ("json_keys", 4, fits, dict(fits, more=1), -32010),
        ]
        for name, value, within, over, code in cases:
            with self.subTest(name), Server(self.folder, "--limit", "%s=%d" % (name, value)) as server:
                client, _ = self.open(server)
                for _ in range(2):
                    client.send(json.dumps(within))
                    answer = next_but_broadcasts()
                    self.assertIn("result", answer[0] if isinstance(answer, list) else answer)
                    client.send(json.dumps(over))
                    self.assertEqual(next_but_broadcasts()["error"]["code"], code)
                self.assertIn('\nmeshwork_limit_hits_total{limit="%s"} 2\n' % name, server.get("/_mw/metrics").text())

    def test_plain_json_is_answered_by_the_app(self):
        with Server(self.folder) as server, server.websocket() as client:
            client.send({"content": "I am alive!"})
            client.send("not JSON")
            client.send(b"\x00", BINARY)
            client.send({"msgId": 5, "commandText": "x"})
            while (message := client.read_json()) == {"number": 7}:
                pass
            self.assertEqual(message, {"msgId": 5, "lines": ["Hello.", "World."]})
            self.assertEqual(client.read_json(), {"number": 7})
            client.send({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]})
            while "id" not in (message := client.read_json()):
                pass
            self.assertEqual(message["result"]["values"], {"a": 1})

    def test_a_broadcast_reaches_every_client_in_its_manner(self):
        with Server(self.folder) as server, server.websocket() as plain:
            client, _ = self.open(server)
            self.assertEqual(plain.read(), '{"number":7}')
            message = client.read_json()
            self.assertEqual((message["method"], message["params"]), ("broadcast", {"channel": None, "data": {"number": 7}}))

    def test_rpc_answers_the_same_without_a_websocket(self):
        with Server(self.folder) as server:
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a", "b"]})
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.fields["content-type"], "application/json")
            self.assertEqual(answer.fields["cache-control"], "no-store")
            self.assertEqual(answer.json()["result"]["values"], {"a": 1})
            batch = [{"jsonrpc": "2.0", "id": "s", "method": "setAttr", "params": {"a": 5}},
                     {"jsonrpc": "2.0", "method": "getAttr", "params": ["a"]},
                     {"jsonrpc": "2.0", "id": "g", "method": "getAttr", "params": ["a"]}]
            answers = server.rpc(batch).json()
            self.assertEqual([a["id"] for a in answers], ["s", "g"])
            self.assertEqual(answers[1]["result"]["values"], {"a": 5})
            self.assertEqual(server.rpc("nonsense").json()["error"]["code"], -32700)
            silent = server.rpc({"jsonrpc": "2.0", "method": "getAttr", "params": ["a"]})
            self.assertEqual((silent.status, silent.body), (204, b""))

    def test_policies_of_the_file_decide_for_anonymous(self):
        folder = self.app("policed", app_c=scenario.BACK_END,
                          app_ini="[policy read]\ngettable = b\ndeny_exposed = a\n[role anonymous]\npolicies = read\n")
        with Server(folder) as server:
            client, hello = self.open(server)
            self.assertEqual(hello["params"]["rights"], {"b": "get"})
            self.assertEqual(client.ask("getAttr", ["a", "b", "c"])["result"]["values"], {"b": 2})
            self.assertEqual(client.ask("setAttr", {"a": 1})["result"]["errors"], {"a": "denied"})

    def test_a_slow_reader_holds_no_other_up(self):
        text = scenario.BACK_END.replace("mw_int(7)", "mw_text(big)").replace(
            "struct state {", "static char big[20000];\nstruct state {").replace(
            "s->a = 1", "__builtin_memset(big, 'x', sizeof big - 1);\n    s->a = 1")
        folder = self.app("big", app_c=text)
        with Server(folder, "--limit", "output_hard_bytes=1M", "--limit", "message_bytes=1K") as server:
            slow, _ = self.open(server)  # reads nothing from here on
            with server.websocket() as quick:
                for _ in range(10):
                    self.assertEqual(len(quick.read_json()["number"]), 19999)
            self.assertEqual(json.loads(server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]})
                                        .text())["result"]["values"], {"a": 1})
