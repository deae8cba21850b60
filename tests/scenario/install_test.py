"""What is installed is enough: programs built against a prefix, shared and static, a back end in C++, the server itself.
SPDX-License-Identifier: MIT"""
import os
import subprocess

import scenario
from scenario import Case, Server, environment

MESH = r"""
#include <meshwork/scheduler.h>
#include <stdio.h>
static int sum(mw_tasklet *self, void *scope)
{
    mw_value item;
    int64_t number;
    while (mw_receive(self, &item)) {
        if (mw_get_int(item, &number) == 0)
            *(int64_t *)scope += number;
        mw_release(item);
    }
    return 0;
}
int main(void)
{
    int64_t total = 0;
    mw_tasklet *t = mw_tasklet_new(sum, &total);
    int i;
    for (i = 1; i <= 10; i++)
        if (mw_send(t, mw_int(i)) < 0)
            return 1;
    mw_run();
    mw_tasklet_free(t);
    return printf("%d\n", (int)total) < 0;
}
"""

HOST = r"""
#include <meshwork/server.h>
#include <stdio.h>
int main(void)
{
    static const mw_app app = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "hosted"};
    mw_server *server = mw_server_new();
    struct mw_error error;
    int err = mw_server_set(server, "port", "0", &error);
    if (err == 0)
        err = mw_server_mount(server, "hosted", NULL, &app, &error);
    if (err == 0)
        err = mw_server_start(server, &error);
    puts(err == 0 ? mw_server_url(server, 0) : error.text);
    mw_server_free(server);
    return err != 0;
}
"""

BACK_END = r"""
extern "C" { /* as some write it for headers of C */
#include <meshwork/app.h>
}
#include <atomic>
#include <new>
struct state { int32_t a = 7; uint8_t level = 200; std::atomic<double> pressure{1.5}; std::atomic<bool> on{true}; uint16_t samples[2] = {1, 65535}; };
static_assert(mw_field_class_of<std::atomic<double> &>() == (MW_FIELD_REAL | MW_FIELD_ATOMIC), "told apart: one that is not declared is_shared is refused");
static_assert(mw_field_class_of<const volatile std::atomic<unsigned> &>() == (MW_FIELD_UNSIGNED | MW_FIELD_ATOMIC), "the same");
static const mw_attribute attributes[] = {
    {MW_FIELD(state, a), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(state, level), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(state, pressure), .kind = MW_REAL, .marks = MW_EXPOSED, .is_shared = true},
    {MW_FIELD(state, on), .kind = MW_BOOL, .marks = MW_EXPOSED, .is_shared = true},
    {MW_ARRAY(state, samples), .kind = MW_INT, .marks = MW_EXPOSED},
};
static int start(mw_instance *, void *object, mw_error *) { new (object) state; return 0; }
const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "cpp", .state_bytes = sizeof(state),
    .attributes = attributes, .attribute_count = MW_COUNT(attributes), .open = start,
};
"""


THROWS = r"""
#include <meshwork/scheduler.h>
#include <cstdio>
#include <stdexcept>
#include <string>
struct leaves { const char *name; ~leaves() { std::printf("%s leaves\n", name); } };
static int body(mw_tasklet *self, void *scope)
{
    const leaves l{static_cast<const char *>(scope)};
    for (int i = 0; i < 2; i++) {
        std::string said;
        try {
            mw_sleep_until(self, 0);
            throw std::runtime_error(std::string("of ") + l.name);
        } catch (const std::exception &e) {
            said = e.what();
        }
        mw_sleep_until(self, 0);
        std::printf("%s caught what was %s\n", l.name, said.c_str());
    }
    return 0;
}
int main()
{
    char a[] = "a", b[] = "b";
    if (!mw_tasklet_new(body, a) || !mw_tasklet_new(body, b) || mw_run() < 0)
        return 1;
    mw_thread_end();
}
"""


class Install(Case):
    def setUp(self):
        super().setUp()
        self.prefix = os.path.join(self.dir, "elsewhere")
        done = subprocess.run(["cmake", "--install", scenario.BUILD, "--prefix", self.prefix], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = [folder for folder, _, files in os.walk(self.prefix) if "meshwork.pc" in files]
        self.assertEqual(len(found), 1)
        self.env = environment(PKG_CONFIG_PATH=found[0])
        self.lib = os.path.dirname(found[0])

    def words(self, *query):
        return subprocess.run(["pkg-config", *query], env=self.env, check=True, capture_output=True, text=True).stdout.split()

    def build(self, compiler, source, output, *words):
        """The path of what a compiler makes of a text."""
        path = os.path.join(self.dir, output)
        done = subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", path, "-", *words], input=source,
                              env=self.env, capture_output=True, text=True)
        if "san_" in done.stderr:
            self.skipTest("this build needs a sanitizer's runtime in the program")
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def output(self, path):
        return subprocess.run([path], env=environment(), check=True, capture_output=True, text=True).stdout

    def test_tasklets_need_the_core_alone(self):
        shared = self.build(["cc", "-x", "c"], MESH, "shared", "-Wl,-rpath," + self.lib, "-x", "none",
                            *self.words("--cflags", "--libs", "meshwork-core"))
        static = self.build(["cc", "-static", "-x", "c"], MESH, "static", "-x", "none",
                            *self.words("--static", "--cflags", "--libs", "meshwork-core"))
        self.assertEqual((self.output(shared), self.output(static)), ("55\n", "55\n"))

    def test_bodies_in_cpp_catch_their_own_exceptions(self):
        program = self.build(["c++", "-std=c++17", "-x", "c++"], THROWS, "throws", "-Wl,-rpath," + self.lib, "-x", "none",
                             *self.words("--cflags", "--libs", "meshwork-core"))
        self.assertEqual(sorted(self.output(program).splitlines()),
                         ["a caught what was of a"] * 2 + ["a leaves"] + ["b caught what was of b"] * 2 + ["b leaves"])

    def test_a_program_carries_the_server_in_itself(self):
        words = [{"-lmeshwork": "-l:libmeshwork.a", "-lmeshwork-core": "-l:libmeshwork-core.a"}.get(word, word)
                 for word in self.words("--static", "--cflags", "--libs", "meshwork")]
        self.assertIn("http://localhost:", self.output(self.build(["cc", "-x", "c"], HOST, "host", "-x", "none", *words)))

    def test_cmake_finds_both_libraries_shared_and_static(self):
        here = os.path.join(self.dir, "project")
        os.mkdir(here)
        for name, text in (("mesh.c", MESH), ("host.c", HOST), ("CMakeLists.txt", """
cmake_minimum_required(VERSION 3.13)
project(user C)
find_package(meshwork 0.1 REQUIRED COMPONENTS core)
foreach(kind "" -static)
  add_executable(mesh${kind} mesh.c)
  target_link_libraries(mesh${kind} PRIVATE meshwork::meshwork-core${kind})
  add_executable(host${kind} host.c)
  target_link_libraries(host${kind} PRIVATE meshwork::meshwork${kind})
endforeach()
""")):
            with open(os.path.join(here, name), "w") as f:
                f.write(text)
        build = os.path.join(here, "build")
        for words in (["-S", here, "-B", build, "-DCMAKE_PREFIX_PATH=" + self.prefix], ["--build", build]):
            done = subprocess.run(["cmake", *words], env=self.env, capture_output=True, text=True)
            if "san_" in done.stderr + done.stdout:
                self.skipTest("this build needs a sanitizer's runtime in the program")
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        for kind in ("", "-static"):
            self.assertEqual(self.output(os.path.join(build, "mesh" + kind)), "55\n")
            self.assertIn("http://localhost:", self.output(os.path.join(build, "host" + kind)))

    def test_what_one_starts_from_is_installed_too(self):
        share = os.path.join(self.prefix, "share")
        for path in ("doc/meshwork/apps.md", "doc/meshwork/README.md", "meshwork/client/package.json", "meshwork/examples/boiler/boiler.cpp"):
            self.assertTrue(os.path.exists(os.path.join(share, path)), path)
        program = scenario.program
        scenario.program = lambda: os.path.join(self.prefix, "bin", "meshwork")
        self.addCleanup(setattr, scenario, "program", program)
        with Server(os.path.join(share, "meshwork", "examples", "hello")) as server:
            answer = server.rpc({"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a", "c"]}, "/_mw/rpc")
            self.assertEqual(answer.json()["result"]["values"], {"a": 1, "c": 3})

    def test_the_installed_server_serves_back_ends_in_c_and_cpp(self):
        folder = self.app("one", app_c=scenario.BACK_END)
        other = self.app("two")
        self.build(["c++", "-std=c++17", "-Wshadow", "-Wold-style-cast", "-shared", "-fPIC", "-fvisibility=hidden", "-x", "c++"],
                   BACK_END, os.path.join(other, "app.so"), "-x", "none", *self.words("--cflags", "meshwork"))
        program = scenario.program
        scenario.program = lambda: os.path.join(self.prefix, "bin", "meshwork")
        self.addCleanup(setattr, scenario, "program", program)
        request = {"jsonrpc": "2.0", "id": 1, "method": "getAttr", "params": ["a"]}
        with Server(folder, other) as server:
            self.assertEqual(server.rpc(request, "/one/_mw/rpc").json()["result"]["values"], {"a": 1})
            request["params"] = ["a", "level", "pressure", "on", "samples"]
            self.assertEqual(server.rpc(request, "/two/_mw/rpc").json()["result"]["values"],
                             {"a": 7, "level": 200, "pressure": 1.5, "on": True, "samples": [1, 65535]})
