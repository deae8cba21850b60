/* POST _mw/rpc by curl: what scripts use.
 * Not HTTP's own rules; those are in tests/scenario. Read next: ws.test.mjs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";

import { ROOT, serve } from "../browser/server.mjs";

const run = promisify(execFile);
let server;
before(async () => {
    server = await serve(join(ROOT, "examples/hello"));
});
after(() => server?.stop());

/* {status, body} of a curl command line; path is _mw/rpc unless the arguments begin with another. */
async function curl(...args) {
    const path = args[0]?.startsWith("/") ? args.shift() : "/_mw/rpc";
    const { stdout } = await run("curl", ["-sS", "--max-time", "20", "-w", "\n%{http_code} %{content_type}", ...args,
        new URL(path, server.url).href]);
    const [, body, status, type] = /^([^]*)\n(\d+) (.*)$/.exec(stdout);
    return { body, status: Number(status), type };
}
const post = (text, type = "application/json") => curl("-H", `Content-Type: ${type}`, "--data-binary", text);
const request = (method, params, id = 1) => JSON.stringify({ jsonrpc: "2.0", id, method, params });

test("a single request gets a single answer", async () => {
    const { status, type, body } = await post(request("getAttr", ["a", "b", "c"]));
    assert.equal(status, 200);
    assert.match(type, /^application\/json/);
    const answer = JSON.parse(body);
    assert.deepEqual([answer.jsonrpc, answer.id], ["2.0", 1]);
    assert.deepEqual(answer.result.values, { a: 1, c: 3 });
    assert.deepEqual(answer.result.errors, { b: "denied" });
});

test("a set by one command is there for the next", async () => {
    const set = JSON.parse((await post(request("setAttr", { a: 12, b: 1, c: 1 }))).body);
    assert.deepEqual(set.result.errors, { b: "denied", c: "denied" });
    const got = JSON.parse((await post(request("getAttr", ["a", "c"]))).body);
    assert.deepEqual(got.result.values, { a: 12, c: 3 });
    await post(request("setAttr", { a: 1 }));
});

test("a batch is answered in its order", async () => {
    const { body } = await post(`[${request("getAttr", ["c"], 1)},${request("nonsense", [], "x")}]`);
    assert.deepEqual(JSON.parse(body).map((a) => [a.id, a.error?.code]), [[1, undefined], ["x", -32601]]);
});

test("notifications alone get no body", async () => {
    const { status, body } = await post('{"jsonrpc":"2.0","method":"getAttr","params":["c"]}');
    assert.deepEqual([status, body], [204, ""]);
});

for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"])
    test(`anything but application/json is 415: ${type}`, async () => {
        assert.equal((await post(request("getAttr", ["c"]), type)).status, 415);
    });

test("no content type at all is 415", async () => {
    assert.equal((await curl("-H", "Content-Type:", "--data-binary", request("getAttr", ["c"]))).status, 415);
});

test("a content type with a character set is taken", async () => {
    assert.equal((await post(request("getAttr", ["c"]), "application/json; charset=utf-8")).status, 200);
});

for (const [note, text, code] of [
    ["malformed JSON", "{\"jsonrpc\":", -32700],
    ["nothing", "", -32700],
    ["an empty batch", "[]", -32600],
    ["no request", "7", -32600],
    ["an unknown method", request("eval", []), -32601],
    ["wrong params", request("getAttr", { a: 1 }), -32602],
    ["what needs a connection", request("watch", ["a"]), -32601],
])
    test(`an error is JSON-RPC's own: ${note}`, async () => {
        const { status, body } = await post(text);
        assert.equal(status, 200);
        assert.equal(JSON.parse(body).error.code, code);
    });

test("sixty-four calls make a batch, sixty-five none", async () => {
    const calls = (n) => `[${Array.from({ length: n }, (_, i) => request("getAttr", ["c"], i)).join()}]`;
    assert.equal(JSON.parse((await post(calls(64))).body).length, 64);
    assert.equal(JSON.parse((await post(calls(65))).body).error.code, -32010);
});

test("GET is 405, and says what is allowed", async () => {
    const { status, body } = await curl("-i");
    assert.equal(status, 405);
    assert.match(body, /^allow: *POST, OPTIONS\r$/im);
});

test("another site's page may not post, another name's request is misdirected", async () => {
    const json = ["-H", "Content-Type: application/json", "--data-binary", request("setAttr", { a: 666 })];
    assert.equal((await curl("-H", "Origin: http://evil.test", ...json)).status, 403);
    assert.equal((await curl("-H", "Origin: null", ...json)).status, 403);
    assert.equal((await curl("-H", "Host: evil.test", ...json)).status, 421);
    assert.equal((await curl("-H", `Origin: ${new URL(server.url).origin}`, ...json)).status, 200);
    await post(request("setAttr", { a: 1 }));
});

test("a body in chunks is one body", async () => {
    const { body } = await curl("-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked",
        "--data-binary", request("getAttr", ["c"]));
    assert.deepEqual(JSON.parse(body).result.values, { c: 3 });
});

test("a body that is too long is 413", async () => {
    assert.equal((await post(`"${"x".repeat(100_000)}"`)).status, 200);
    const huge = run("sh", ["-c", "head -c 2000000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' -H Expect: "
        + "-H 'Content-Type: application/json' --data-binary @- \"$1\" || true", "sh",
    new URL("/_mw/rpc", server.url).href]);
    assert.match((await huge).stdout, /^413/);
});

test("an app beside another has its own address", async (t) => {
    const two = await serve(join(ROOT, "examples/hello"), join(ROOT, "examples/echo"));
    t.after(() => two.stop());
    const { stdout } = await run("curl", ["-sS", "-H", "Content-Type: application/json", "--data-binary",
        request("getAttr", ["c"]), new URL("/hello/_mw/rpc", two.url).href]);
    assert.deepEqual(JSON.parse(stdout).result.values, { c: 3 });
});
