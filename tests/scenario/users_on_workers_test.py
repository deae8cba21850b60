"""An app with an instance per user on several workers: each user has a thread, and whoever logs in on an open connection goes there with it.
Read next: workers_test.py, ../../src/server/bridge_move.c.
SPDX-License-Identifier: MIT"""
import concurrent.futures
import os
import signal

from login_test import LoginCase
from scenario import Server
from tls_test import Tls, TlsServer

# An instance that ends the process where a callback of it comes on another thread than its `open`.
OWN = r"""
#define _GNU_SOURCE
#include <meshwork/app.h>
#include <stdlib.h>
#include <unistd.h>
struct state { int64_t mine, ticks, thread, here; };
static void stay(const struct state *s)
{
    if (s->thread != gettid())
        abort();
}
static int open_it(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    ((struct state *)state)->thread = gettid();
    return 0;
}
static void close_it(mw_instance *instance, void *state)
{
    (void)instance;
    stay(state);
}
static int come(mw_client *client, void *mine, struct mw_error *ret_error)
{
    struct state *s = mw_instance_state(mw_client_instance(client));
    (void)mine, (void)ret_error;
    stay(s);
    s->here++;
    return 0;
}
static void go(mw_client *client, void *mine)
{
    struct state *s = mw_instance_state(mw_client_instance(client));
    (void)mine;
    stay(s);
    s->here--;
}
static int tick(mw_instance *instance, void *state)
{
    (void)instance;
    stay(state);
    ((struct state *)state)->ticks++;
    return 0;
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, mine), .kind = MW_INT},
    {MW_FIELD(struct state, ticks), .kind = MW_INT},
    {MW_FIELD(struct state, thread), .kind = MW_INT},
    {MW_FIELD(struct state, here), .kind = MW_INT},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "own", .state_bytes = sizeof(struct state), .instance = MW_INSTANCE_PER_USER,
    .open = open_it, .close = close_it, .connect = come, .disconnect = go, .tick = tick, .tick_ns = 20000000,
    .attributes = attributes, .attribute_count = MW_COUNT(attributes),
};
"""
INI = """[policy all]
gettable = mine, ticks, thread, here
settable = mine
[role anonymous]
policies = all
[role operator]
policies = all
"""
PASSWORD = "correct horse"


class Users(LoginCase):
    def folder(self, ini=INI):
        return self.app(app_html="x", app_c=OWN, app_ini=ini)

    def start(self, *flags, workers=3, ini=INI):
        return Server(self.folder(ini), "--workers", workers, "--state", self.state, "--limit", "logins_per_user=10000", *flags)

    def add(self, *names):
        for name in names:
            self.user("add", name, "--role", "operator", said=PASSWORD + "\n")

    def users_of_all(self, server, threads=3):
        """Names, as many as it takes until each thread has one: {thread: name}."""
        found = {}
        for number in range(60):
            name = "user%d" % number
            self.add(name)
            with self.v1(server, token=self.user("token", name)) as client:
                self.assertEqual(client.read_json()["params"]["user"], name)
                found.setdefault(self.value(client, "thread"), name)
            if len(found) == threads:
                return found
        raise AssertionError(found)

    def value(self, client, name):
        return client.ask("getAttr", [name], 77)["result"]["values"][name]

    def set(self, client, number):
        self.assertEqual(client.ask("setAttr", {"mine": number}, 78)["result"]["errors"], {})

    def guest(self, server, **options):
        client = self.v1(server, **options)
        self.assertIsNone(client.read_json()["params"]["user"])
        return client

    def log_in(self, client, name, ident=5):
        """returns what came before hello"""
        client.send({"jsonrpc": "2.0", "id": ident, "method": "login", "params": {"user": name, "password": PASSWORD}})
        return self.greeted(client, name, ident)

    def greeted(self, client, name, ident=5):
        before = []
        while True:
            message = client.read_json()
            if message.get("method") == "hello":
                break
            before.append(message)
        self.assertEqual(message["params"]["user"], name)
        answer = client.read_json()
        self.assertEqual((answer["id"], answer["result"]["user"]), (ident, name))
        return before

    def number(self, server, name):
        return next(int(line.split()[1]) for line in server.get("/_mw/metrics").text().splitlines() if line.startswith(name))


class UsersOnWorkers(Users):
    def test_each_user_has_a_thread_and_all_that_is_theirs_is_there(self):
        with self.start() as server:
            for thread, name in self.users_of_all(server).items():
                token = self.user("token", name)
                clients = [self.v1(server, token=token) for _ in range(8)]
                for client in clients:
                    self.assertEqual(client.read_json()["params"]["user"], name)
                    self.assertEqual(self.value(client, "thread"), thread)
                self.set(clients[0], thread)
                request = {"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["mine", "here"]}
                for _ in range(8):
                    answer = server.rpc(request, Authorization="Bearer " + token).json()
                    self.assertEqual(answer["result"]["values"], {"mine": thread, "here": 8})
            for _ in range(8):  # all who are anonymous are one user
                self.assertEqual(server.rpc(request).json()["result"]["values"]["mine"], 0)

    def test_who_logs_in_goes_to_their_own_wherever_that_is(self):
        with self.start() as server:
            for thread, name in self.users_of_all(server).items():
                with self.guest(server) as client, self.guest(server) as other:
                    self.set(client, 1)
                    self.assertIn("mine", client.ask("watch", ["mine"])["result"]["values"])
                    self.assertEqual(self.log_in(client, name), [])
                    self.assertEqual(self.value(client, "thread"), thread)
                    self.assertEqual(self.value(other, "here"), 1)
                    self.set(other, 2)  # what was watched before is watched no more
                    self.set(client, 3)
                    self.assertEqual(self.value(client, "mine"), 3)
                    self.assertEqual(self.value(other, "mine"), 2)
                    self.assertIn("ticks", client.ask("watch", ["ticks"])["result"]["values"])
                    self.assertEqual(client.read_json()["method"], "changed")
            self.assertNotIn("failed", server.stderr())

    def test_a_user_who_becomes_another_goes_on_from_there(self):
        with self.start() as server:
            users = self.users_of_all(server)
            with self.guest(server) as client:
                for _ in range(3):
                    for thread, name in users.items():
                        self.log_in(client, name)
                        self.assertEqual((self.value(client, "thread"), self.value(client, "here")), (thread, 1))
                self.assertEqual(client.ask("login", {"user": "user0", "password": "wrong"}, 9)["error"]["code"], -32008)
                self.assertEqual(self.value(client, "thread"), thread)  # a wrong password moves nobody

    def test_what_is_asked_for_around_a_login_is_answered_once(self):
        with self.start() as server:
            for thread, name in self.users_of_all(server).items():
                with self.guest(server) as client:
                    ask = [{"jsonrpc": "2.0", "id": 100 + n, "method": "getAttr", "params": ["thread"]} for n in range(400)]
                    for request in ask[:200]:
                        client.send(request)
                    client.send({"jsonrpc": "2.0", "id": 5, "method": "login", "params": {"user": name, "password": PASSWORD}})
                    for request in ask[200:]:
                        client.send(request)
                    before = self.greeted(client, name)
                    after = [client.read_json() for _ in range(400 - len(before))]
                    self.assertEqual([answer["id"] for answer in before + after], [request["id"] for request in ask])
                    self.assertEqual({answer["result"]["values"]["thread"] for answer in after} - {thread}, set())

    def test_many_log_in_at_once_and_some_go_in_the_middle_of_it(self):
        with self.start() as server:
            users = self.users_of_all(server)

            def visit(turn):
                for number in range(6):
                    thread, name = list(users.items())[(turn + number) % 3]
                    client = self.guest(server)
                    client.send({"jsonrpc": "2.0", "id": 5, "method": "login", "params": {"user": name, "password": PASSWORD}})
                    if (turn + number) % 4 > 0:
                        self.greeted(client, name)
                        self.assertEqual(self.value(client, "thread"), thread)
                    client.socket.close()
                return True

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                self.assertTrue(all(pool.map(visit, range(8))))
            self.eventually(lambda: self.number(server, "meshwork_connections ") == 1, "all to be gone but this one")
            self.eventually(lambda: self.number(server, 'meshwork_app_clients{app="demo"') == 0, "all clients to end")
            self.assertEqual(self.number(server, "meshwork_websockets "), 0)

    def test_who_loses_the_right_to_be_there_goes_wherever_it_has_gone(self):
        with self.start() as server:
            clients = []
            for name in self.users_of_all(server).values():
                clients.append(self.guest(server))
                self.log_in(clients[-1], name)
                self.user("passwd", name, said="battery staple\n")
            for client in clients:
                self.assertEqual(client.read_close(), 4001)

    def test_where_a_login_is_required_nothing_is_heard_before(self):
        with self.start(ini="[app]\nrequire_login = yes\n" + INI) as server:
            for thread, name in self.users_of_all(server).items():
                with self.guest(server) as client:
                    self.assertEqual(client.ask("getAttr", ["mine"])["error"]["code"], -32008)
                    self.log_in(client, name)
                    self.assertEqual((self.value(client, "thread"), self.value(client, "here")), (thread, 1))
            request = {"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["mine"]}
            for _ in range(6):
                self.assertEqual(server.rpc(request).status, 401)

    def test_compressed_messages_go_on_as_they_were(self):
        with self.start("--deflate", "--limit", "deflate_from_bytes=16") as server:
            for thread, name in self.users_of_all(server).items():
                with self.guest(server, extensions="permessage-deflate") as client:
                    self.assertIn("permessage-deflate", client.extensions)
                    self.log_in(client, name)
                    self.assertEqual(self.value(client, "thread"), thread)
                    self.assertTrue(client.was_compressed)

    def test_all_of_it_ends_with_the_server(self):
        for number, code in ((signal.SIGTERM, 1012), (signal.SIGINT, 1001)):
            with self.start("--limit", "drain_notice_ms=100") as server:
                clients = []
                self.add(*["end%d" % (number * 100 + n) for n in range(6)])
                for n in range(6):
                    clients.append(self.guest(server))
                    self.log_in(clients[-1], "end%d" % (number * 100 + n))
                late = self.guest(server)
                late.send({"jsonrpc": "2.0", "id": 5, "method": "login", "params": {"user": "end%d" % (number * 100), "password": PASSWORD}})
                server.process.send_signal(number)
                for client in clients:
                    self.assertEqual(client.read_json()["method"], "bye")
                    self.assertEqual(client.read_close(), code)
                    client.socket.close()
                self.assertEqual(late.read_close(), code)
                late.socket.close()
                self.assertEqual(server.process.wait(10), 0)


class OverTls(Users):
    """What was agreed on in the handshake goes along."""

    def start(self, *flags, workers=3, ini=INI):
        crt, key = Tls.pair(self)
        return TlsServer(self.folder(ini), "--workers", workers, "--state", self.state, "--limit", "logins_per_user=10000", "--cert", crt,
                         "--key", key, *flags, trusted=crt)

    def test_who_logs_in_goes_on_with_the_same_keys(self):
        with self.start() as server:
            users = self.users_of_all(server)
            with self.guest(server) as client:
                for thread, name in users.items():
                    self.log_in(client, name)
                    self.set(client, thread)
                    self.assertEqual((self.value(client, "thread"), self.value(client, "mine")), (thread, thread))
