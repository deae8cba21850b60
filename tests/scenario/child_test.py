"""A back end that runs other programs: inside the server's own loop they are started, heard, reaped, and ended with it.
SPDX-License-Identifier: MIT"""
import json
import os
import signal

from scenario import Case, Server

# Each message is a text for the shell; all who are there hear when it has begun, and what it said and how it ended.
RUNS = r"""
#include <meshwork/app.h>
#include <meshwork/runtime.h>
struct job { mw_instance *instance; mw_value script; };
static void job_free(void *data)
{
    struct job *job = data;
    mw_release(job->script);
    free(job);
}
static mw_value fact(mw_value about, const char *name, mw_value value)
{
    (void)mw_map_set(&about, name, value);
    return about;
}
static int job_run(mw_tasklet *self, void *scope)
{
    struct job *job = scope;
    const char *argv[] = {"sh", "-c", mw_get_text(&job->script, NULL), NULL};
    mw_process_options options = {.size = sizeof options, .argv = argv, .input = MW_STDIO_NULL, .output = MW_STDIO_PIPE};
    mw_process_status status;
    struct mw_error error;
    mw_process *child;
    char said[256];
    size_t count = 0;
    ssize_t n;
    mw_value about = mw_map_new();
    int64_t pid;

    if (mw_get_text(&job->script, NULL)[0] == '/') {
        argv[0] = argv[2];
        argv[1] = NULL;
    }
    if (mw_spawn(self, &options, &child, &error) < 0) {
        mw_broadcast(job->instance, NULL, fact(about, "error", mw_text(error.text)));
        return 0;
    }
    pid = mw_process_pid(child);
    mw_broadcast(job->instance, NULL, fact(about, "begun", mw_int(pid)));
    while (count < sizeof said && (n = mw_read(self, mw_process_stdout(child), said + count, sizeof said - count, MW_FOREVER)) > 0)
        count += (size_t)n;
    if (mw_process_wait(self, child, MW_FOREVER, &status) == 0) {
        about = fact(fact(mw_map_new(), "ended", mw_int(pid)), "said", mw_text_n(said, count));
        mw_broadcast(job->instance, NULL, fact(fact(about, "code", mw_int(status.code)), "signal", mw_int(status.signal)));
    }
    mw_process_close(child);
    return 0;
}
static int app_receive(mw_client *client, mw_value message)
{
    struct job *job = malloc(sizeof *job);
    *job = (struct job){mw_client_instance(client), mw_share(message)};
    return mw_tasklet_open(job_run, NULL, &(mw_tasklet_options){.size = sizeof(mw_tasklet_options), .scope = {job, job_free}}) ? 0 : -1;
}
MW_EXPORT const mw_app mw_app_descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "runs", .receive = app_receive%s};
"""
STUBBORN = "trap '' TERM INT HUP; exec sleep 60"


def is_there(pid):
    """Whether it runs, or has not been reaped."""
    return os.path.exists("/proc/%d" % pid)


def children_of(pid):
    """The numbers of a process's children, whichever of its threads has them."""
    children = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, task)) as file:
            children += map(int, file.read().split())
    return children


class Child(Case):
    def serve(self, *words, instance=""):
        return Server(self.app(app_html="page", app_c="#include <stdlib.h>\n" + RUNS % instance), *words)

    def run_one(self, client, script):
        """What is said of it in the end."""
        client.send(json.dumps(script))
        begun = client.read_json()
        ended = client.read_json()
        self.assertEqual(ended.pop("ended"), begun["begun"])
        return ended

    def test_what_it_said_and_how_it_ended_is_told(self):
        with self.serve() as server, server.websocket() as client:
            self.assertEqual(self.run_one(client, "echo one; echo two; exit 3"), {"said": "one\ntwo\n", "code": 3, "signal": 0})
            self.assertEqual(self.run_one(client, "kill -USR1 $$"), {"said": "", "code": -1, "signal": int(signal.SIGUSR1)})
            client.send(json.dumps("/nowhere/program"))
            self.assertIn("/nowhere/program", client.read_json()["error"])

    def test_nobody_waits_for_one_that_runs(self):
        with self.serve("--workers", 1) as server, server.websocket() as client:
            fifo = os.path.join(self.dir, "fifo")
            os.mkfifo(fifo)
            client.send(json.dumps("read line <%s; echo $line" % fifo))
            client.read_json()
            self.assertEqual(server.get("/").text(), "page")
            with server.websocket() as other:
                other.send(json.dumps("echo quick"))
                while "ended" not in (heard := other.read_json()):
                    pass
                self.assertEqual(heard["said"], "quick\n")
            with open(fifo, "w") as line:
                line.write("slow\n")
            while (heard := client.read_json()).get("said") != "slow\n":
                pass
            self.assertEqual(heard["code"], 0)

    def test_many_leave_neither_zombies_nor_descriptors(self):
        with self.serve() as server, server.websocket() as client:
            self.run_one(client, "exit 0")
            pid = server.process.pid
            before = len(os.listdir("/proc/%d/fd" % pid))
            for _ in range(50):
                client.send(json.dumps("exit 0"))
            heard = [client.read_json() for _ in range(100)]
            self.assertEqual(sorted(h["begun"] for h in heard if "begun" in h), sorted(h["ended"] for h in heard if "ended" in h))
            self.assertEqual(children_of(pid), [])
            self.eventually(lambda: len(os.listdir("/proc/%d/fd" % pid)) == before, "descriptors are left")

    def check_shutdown(self, number, *words, **how):
        with self.serve(*words, **how) as server:
            clients = [server.websocket() for _ in range(4)]
            for client in clients:
                client.send(json.dumps(STUBBORN))
            self.eventually(lambda: len(children_of(server.process.pid)) == 4, "not all of them run")
            children = children_of(server.process.pid)
            self.assertEqual(server.stop(number), 0)
            self.eventually(lambda: not any(map(is_there, children)), "a child is left")
            for client in clients:
                client.socket.close()

    def test_those_that_run_are_ended_with_the_server(self):
        self.check_shutdown(signal.SIGINT)

    def test_those_of_all_workers_are_ended_after_a_drain(self):
        self.check_shutdown(signal.SIGTERM, "--workers", 2, "--limit", "drain_notice_ms=1", "--limit", "drain_spread_ms=1",
                            "--limit", "drain_ms=500", instance=", .instance = MW_INSTANCE_PER_CLIENT")
