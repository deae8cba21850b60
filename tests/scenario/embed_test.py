"""The server inside a user's own program, which keeps its own loop: compiled here against the built library.
SPDX-License-Identifier: MIT"""
import os
import signal
import subprocess

import scenario
from scenario import Case, environment

HOST = r"""
#include <meshwork/meshwork.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

struct machine { double speed; };
static struct machine *the_machine;
static const mw_attribute attributes[] = {{MW_FIELD(struct machine, speed), .kind = MW_REAL, .marks = MW_EXPOSED}};

static int start(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    (void)instance, (void)ret_error;
    the_machine = state;
    return 0;
}

int main(int argc, char **argv)
{
    const mw_app app = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "machine", .state_bytes = sizeof(struct machine),
                        .attributes = attributes, .attribute_count = MW_COUNT(attributes), .open = start};
    mw_server *server = mw_server_new();
    struct mw_error error;
    char line[16];

    if (mw_server_set(server, "port", "0", &error) < 0 ||
        mw_server_mount(server, "machine", argc > 1 ? argv[1] : NULL, &app, &error) < 0 ||
        mw_server_start(server, &error) < 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    printf("machine at %s\n", mw_server_url(server, 0));
    fflush(stdout);
    for (;;) { /* the program's own loop: its own input, and the server's descriptor */
        struct pollfd fds[] = {{0, POLLIN, 0}, {mw_server_fd(server), POLLIN, 0}};
        int64_t timeout_ns = mw_server_timeout_ns(server);

        poll(fds, 2, timeout_ns == MW_FOREVER ? -1 : (int)((timeout_ns + 999999) / 1000000));
        if (fds[0].revents) {
            if (!fgets(line, sizeof line, stdin))
                mw_server_stop(server);
            else
                the_machine->speed += 1;
        }
        if (mw_server_turn(server, 0) != 1)
            break;
    }
    mw_server_free(server);
    puts("the program goes on");
    return 0;
}
"""


class Embedded(scenario.Server):
    """What Server is, for a program that is not ours."""

    def __init__(self, *command):
        self.errors = open(os.devnull, "w+b")
        self.process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, bufsize=0)
        self.lines = [self._line()]
        self.port = int(self.lines[0].rsplit(":", 1)[1].rstrip("/"))


class Embed(Case):
    def test_a_program_with_its_own_loop_hosts_an_app(self):
        folder = self.app("machine", app_html="<h1>machine</h1>", app_c="#error not looked at\n", host_c=HOST)
        program = os.path.join(self.dir, "host")
        done = subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(scenario.BUILD, "include"), "-o", program,
                               os.path.join(folder, "host.c"), "-L", scenario.BUILD, "-lmeshwork", "-lmeshwork-core",
                               "-Wl,-rpath," + scenario.BUILD], capture_output=True, text=True)
        if "san_" in done.stderr:
            self.skipTest("this build needs a sanitizer's runtime in the program")
        self.assertEqual(done.returncode, 0, done.stderr)
        server = Embedded(program, folder)
        self.addCleanup(server.errors.close)
        self.assertEqual(server.get("/").text(), "<h1>machine</h1>")
        with server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["params"]["app"], "machine")
            self.assertEqual(client.ask("watch", ["speed"])["result"]["values"], {"speed": 0})
            server.process.stdin.write(b"faster\n")
            self.assertEqual(client.read_json()["params"]["values"], {"speed": 1})
            server.process.stdin.close()
            self.assertEqual(client.read_json()["method"], "bye")
            self.assertEqual(client.read_close(), 1001)
        self.assertEqual(server.process.stdout.read(), b"the program goes on\n")
        self.assertEqual(server.process.wait(scenario.PATIENCE_S), 0)
        server.process.stdout.close()

    def test_an_object_of_a_program_in_cpp_gets_a_front_end(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "boiler")
        program = os.path.join(self.dir, "boiler")
        done = subprocess.run(["c++", "-std=c++17", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wold-style-cast",
                               "-Wzero-as-null-pointer-constant", "-Werror", "-I", os.path.join(scenario.BUILD, "include"), "-o", program,
                               os.path.join(folder, "boiler.cpp"), "-L", scenario.BUILD, "-lmeshwork", "-lmeshwork-core",
                               "-Wl,-rpath," + scenario.BUILD], capture_output=True, text=True)
        if "san_" in done.stderr:
            self.skipTest("this build needs a sanitizer's runtime in the program")
        self.assertEqual(done.returncode, 0, done.stderr)
        server = Embedded(program, folder, "0")
        self.addCleanup(server.errors.close)
        self.assertIn("<title>Boiler", server.get("/").text())
        with server.websocket(protocols=["meshwork.v1"]) as client:
            self.assertEqual(client.read_json()["params"]["app"], "boiler")
            self.assertEqual(client.ask("setAttr", {"target_c": 91, "site": "", "mode": "cold", "starts": 3})["result"]["errors"],
                             {"target_c": "invalid", "site": "invalid", "mode": "invalid", "starts": "denied"})
            self.assertEqual(client.ask("getAttr", ["mode", "site", "starts"])["result"]["values"],
                             {"mode": "off", "site": "Cellar", "starts": 0})
            self.assertEqual(client.ask("watch", ["starts"])["result"]["values"], {"starts": 0})
            client.send({"jsonrpc": "2.0", "id": 9, "method": "call", "params": {"name": "start", "args": {"to_c": 80}}})
            said = [client.read_json() for _ in range(3)]
            self.assertIn({"channel": "news", "data": "The boiler has been started."}, [m.get("params") for m in said])
            self.assertIn("start 1 of Cellar", [m.get("result") for m in said])
            self.assertIn({"starts": 1}, [m["params"].get("values") for m in said if "params" in m])
            client.ask("watch", ["water_c"])
            self.assertGreater(client.read_json()["params"]["values"]["water_c"], 18) # its own loop heats
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.stdout.read(), b"the program goes on\n")
        self.assertEqual(server.process.wait(scenario.PATIENCE_S), 0)
        server.process.stdout.close()
        server.process.stdin.close()
