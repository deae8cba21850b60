/* The server spoken to by a WebSocket client that nobody here wrote (npm ws): meshwork.v1, plain and raw.
 * Not framing down to the bit; that is tests/codec and tests/scenario. Read next: websockets_test.py.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import test, { after, before } from "node:test";

import { connect } from "../../client/meshwork.js";
import { ROOT, serve } from "../browser/server.mjs";

const WebSocket = createRequire(new URL("../browser/package.json", import.meta.url))("ws");
const V1 = "meshwork.v1";
const PATIENCE_MS = 20_000;

let hello;
let echo;
before(async () => {
    [hello, echo] = await Promise.all([serve(join(ROOT, "examples/hello")), serve(join(ROOT, "examples/echo"))]);
});
after(() => Promise.all([hello?.stop(), echo?.stop()]));

/* A connection with an inbox: next(fits) gives the next message that fits, whatever else comes. */
class Peer {
    #inbox = [];
    #wanted = null;

    static async open(t, server, protocols = [], { path = "/", ...options } = {}) {
        const peer = new Peer();
        peer.socket = new WebSocket(new URL(path, server.url.replace(/^http/, "ws")), protocols, options);
        t?.after(() => peer.socket.terminate());
        peer.socket.on("message", (data, isBinary) => peer.#take(isBinary ? data : data.toString()));
        peer.closed = new Promise((resolve) => {
            peer.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
        });
        await new Promise((resolve, reject) => {
            peer.socket.on("open", resolve);
            peer.socket.on("error", reject);
        });
        return peer;
    }
    #take(message) {
        this.#inbox.push(message);
        this.#wanted?.();
    }
    async nextRaw(fits = () => true) {
        const end = Date.now() + PATIENCE_MS;
        for (;;) {
            const at = this.#inbox.findIndex(fits);
            if (at >= 0)
                return this.#inbox.splice(at, 1)[0];
            if (Date.now() > end)
                assert.fail(`nothing that fits came; instead: ${JSON.stringify(this.#inbox.slice(0, 5))}`);
            await new Promise((resolve) => {
                const timer = setTimeout(resolve, 500);
                this.#wanted = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
        }
    }
    async next(fits = () => true) {
        return JSON.parse(await this.nextRaw((text) => fits(JSON.parse(text))));
    }
    notice(method) {
        return this.next((message) => message.method === method);
    }
    say(message) {
        this.socket.send(JSON.stringify(message));
    }
    async ask(method, params, id = `${method} ${Math.random()}`) {
        this.say({ jsonrpc: "2.0", id, method, params });
        return this.next((message) => message.id === id);
    }
}

/* How an upgrade was refused. */
function refusal(server, protocols, options) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(server.url.replace(/^http/, "ws"), protocols, options);
        socket.on("unexpected-response", (request, response) => resolve(response.statusCode));
        socket.on("open", () => reject(new Error("it was accepted")));
        socket.on("error", reject);
    });
}

/* ---- meshwork.v1 ---- */

test("v1: the server selects the sub-protocol and speaks first", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    assert.equal(peer.socket.protocol, V1);
    const { method, params } = await peer.next();
    assert.equal(method, "hello");
    assert.equal(params.protocol, 1);
    assert.equal(params.app, "hello");
    assert.deepEqual(params.roles, ["anonymous"]);
    assert.deepEqual(params.rights, { a: "get set", c: "get" });
    assert.equal(params.limits.message_bytes, 1_048_576);
    assert.equal(params.ping_s, 30);
});

test("v1: among other sub-protocols too", async (t) => {
    const peer = await Peer.open(t, hello, ["chat", V1, "soap"]);
    assert.equal(peer.socket.protocol, V1);
});

test("v1: getAttr has one entry per name, in values or in errors", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    const { result } = await peer.ask("getAttr", ["c", "b", "nothing", "c"]);
    assert.deepEqual(result.values, { c: 3 });
    assert.deepEqual(Object.keys(result.revs), ["c"]);
    assert.deepEqual(result.errors, { b: "denied", nothing: "denied" });
});

test("v1: an empty list is an empty result", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    assert.deepEqual((await peer.ask("getAttr", [])).result, { values: {}, revs: {}, errors: {} });
});

test("v1: what one sets, fifty watchers hear", async (t) => {
    const peers = await Promise.all(Array.from({ length: 50 }, () => Peer.open(t, hello, [V1])));
    for (const peer of peers) {
        const { result } = await peer.ask("watch", ["a", "b"]);
        assert.deepEqual([Object.keys(result.values), result.errors], [["a"], { b: "denied" }]);
    }
    const a = 1000 + Math.floor(Math.random() * 1000);
    const { result } = await peers[0].ask("setAttr", { a, b: 1, c: 1 });
    assert.deepEqual(result.errors, { b: "denied", c: "denied" });
    for (const peer of peers) {
        const { params } = await peer.next((m) => m.method === "changed" && m.params.values.a === a);
        assert.deepEqual(params, { values: { a }, revs: { a: result.revs.a } });
    }
});

test("v1: after unwatch nothing is heard", async (t) => {
    const [watcher, setter] = [await Peer.open(t, hello, [V1]), await Peer.open(t, hello, [V1])];
    await watcher.ask("watch", ["a"]);
    assert.equal((await watcher.ask("unwatch", [])).result, true);
    await setter.ask("setAttr", { a: 3 });
    const heard = await watcher.next((m) => m.method === "changed" || m.method === "broadcast");
    assert.equal(heard.method, "broadcast");
});

test("v1: a known revision's value is left out", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    const { result } = await peer.ask("getAttr", ["c"]);
    const again = await peer.ask("watch", { names: ["c"], known: result.revs });
    assert.deepEqual(again.result, { values: {}, revs: result.revs, errors: {} });
});

test("v1: numbers are broadcast to all", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    const { params } = await peer.notice("broadcast");
    assert.equal(params.channel, null);
    assert.equal(typeof params.data.number, "number");
});

test("v1: a batch is answered in its order", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    peer.say([
        { jsonrpc: "2.0", id: 1, method: "getAttr", params: ["c"] },
        { jsonrpc: "2.0", method: "getAttr", params: ["c"] },
        { jsonrpc: "2.0", id: "two", method: "nonsense" },
    ]);
    const answers = await peer.next(Array.isArray);
    assert.deepEqual(answers.map((a) => [a.id, a.result?.values, a.error?.code]),
        [[1, { c: 3 }, undefined], ["two", undefined, -32601]]);
});

for (const [note, text, code] of [
    ["no JSON", "{", -32700],
    ["no request", "1", -32600],
    ["an empty batch", "[]", -32600],
    ["no method of ours", '{"jsonrpc":"2.0","id":1,"method":"eval","params":[]}', -32601],
    ["params that are no names", '{"jsonrpc":"2.0","id":1,"method":"getAttr","params":[1]}', -32602],
])
    test(`v1: what is wrong gets its error, and the connection stays: ${note}`, async (t) => {
        const peer = await Peer.open(t, hello, [V1]);
        peer.socket.send(text);
        const answer = await peer.next((message) => message.error);
        assert.equal(answer.error.code, code);
        assert.equal(typeof answer.error.message, "string");
        assert.deepEqual((await peer.ask("getAttr", ["c"])).result.values, { c: 3 });
    });

test("v1: a message in fragments is one message", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    const text = JSON.stringify({ jsonrpc: "2.0", id: "parts", method: "getAttr", params: ["c"] });
    for (let i = 0; i < text.length; i++)
        peer.socket.send(text[i], { fin: i === text.length - 1, binary: false });
    assert.deepEqual((await peer.next((m) => m.id === "parts")).result.values, { c: 3 });
});

test("v1: a thousand requests at once are all answered, in order", async (t) => {
    const peer = await Peer.open(t, hello, [V1]);
    for (let id = 0; id < 1000; id++)
        peer.say({ jsonrpc: "2.0", id, method: "getAttr", params: ["c"] });
    for (let id = 0; id < 1000; id++) {
        const { id: answered, result } = await peer.next((m) => m.id !== undefined);
        assert.deepEqual([answered, result.values.c], [id, 3]);
    }
});

/* ---- our client on their socket ---- */

test("the JS client works in node, on this WebSocket", async (t) => {
    const me = connect({ url: hello.url, WebSocket });
    t.after(() => me.close());
    assert.deepEqual(await me.getAttr(["b", "c"]), { b: null, c: 3 });
    assert.equal(await me.setAttr("b", 1), false);
    const watched = [];
    const seen = new Promise((resolve) => {
        me.watch("a", (value) => {
            watched.push(value);
            if (value === 77)
                resolve();
        });
    });
    assert.equal(await me.setAttr("a", 77), true);
    await seen;
    assert.equal(watched.at(-1), 77);
    await assert.rejects(me.request("nonsense"), { name: "MeshworkError", code: -32601 });
    const number = await new Promise((resolve) => me.on("broadcast", (data) => resolve(data.number)));
    assert.equal(typeof number, "number");
});

test("the JS client in the plain manner asks the app itself", async (t) => {
    const me = connect({ url: hello.url, WebSocket, plain: true });
    t.after(() => me.close());
    assert.deepEqual((await me.ask({ commandText: "x" })).lines, ["Hello.", "World."]);
    assert.equal(await me.getAttr("c"), 3);
    const message = await new Promise((resolve) => me.on("message", resolve));
    assert.equal(typeof message.number, "number");
});

/* ---- plain ---- */

test("plain: no sub-protocol, no hello, the app's own JSON", async (t) => {
    const peer = await Peer.open(t, hello);
    assert.equal(peer.socket.protocol, "");
    peer.say({ content: "I am alive!" });
    peer.say({ msgId: 7, commandText: "ls" });
    assert.deepEqual(await peer.next((m) => m.msgId), { msgId: 7, lines: ["Hello.", "World."] });
    const message = await peer.next((m) => m.number !== undefined);
    assert.deepEqual(Object.keys(message), ["number"]);
});

test("plain: what is no JSON, and what is binary, is ignored; the connection stays", async (t) => {
    const peer = await Peer.open(t, hello);
    for (const nonsense of ["{", "", "hello", Buffer.from('{"msgId":1,"commandText":"x"}'), Buffer.alloc(0)])
        peer.socket.send(nonsense);
    for (const other of [1, null, [1], "text", { msgId: 1 }, { commandText: "x" }])
        peer.say(other);
    peer.say({ msgId: "last", commandText: "x" });
    const answer = await peer.next((m) => m.msgId !== undefined);
    assert.equal(answer.msgId, "last");
});

test("plain: a JSON-RPC message is answered as in v1", async (t) => {
    const peer = await Peer.open(t, hello);
    assert.deepEqual((await peer.ask("getAttr", ["c", "b"])).result.errors, { b: "denied" });
});

/* ---- raw ---- */

for (const path of ["/", "/echo"])
    test(`raw: text and binary come back as they went, at ${path}`, async (t) => {
        const peer = await Peer.open(t, echo, [], { path });
        for (const text of ["", "a", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\"}", "żółw 🐢 \u0000",
            "x".repeat(125), "x".repeat(126), "x".repeat(65_535), "x".repeat(65_536), "ä".repeat(1 << 20)]) {
            peer.socket.send(text);
            assert.ok((await peer.nextRaw()) === text, `a text of ${text.length}`);
        }
        for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20]) {
            const bytes = Buffer.alloc(size, (i) => i);
            for (let i = 0; i < size; i++)
                bytes[i] = (i * 31) & 255;
            peer.socket.send(bytes);
            const answer = await peer.nextRaw();
            assert.ok(Buffer.isBuffer(answer) && answer.equals(bytes), `${size} bytes`);
        }
    });

test("raw: sixteen mebibytes fit, one byte more is too big", async (t) => {
    const peer = await Peer.open(t, echo, [], { maxPayload: 1 << 25 });
    const bytes = Buffer.alloc(1 << 24, 7);
    peer.socket.send(bytes);
    assert.ok((await peer.nextRaw()).equals(bytes));
    peer.socket.on("error", () => {});
    peer.socket.send(Buffer.alloc((1 << 24) + 1));
    assert.equal((await peer.closed).code, 1009);
});

test("raw: many fragments make one message, control frames between them are answered", async (t) => {
    const peer = await Peer.open(t, echo);
    const pongs = [];
    peer.socket.on("pong", (data) => pongs.push(data.toString()));
    for (let i = 0; i < 4096; i++) {
        peer.socket.send("ab", { fin: i === 4095, binary: false });
        if (i % 1024 === 0)
            peer.socket.ping(String(i));
    }
    assert.equal(await peer.nextRaw(), "ab".repeat(4096));
    assert.deepEqual(pongs, ["0", "1024", "2048", "3072"]);
});

test("raw: a ping is answered with its bytes", async (t) => {
    const peer = await Peer.open(t, echo);
    const pong = new Promise((resolve) => peer.socket.on("pong", resolve));
    peer.socket.ping(Buffer.alloc(125, 1));
    assert.ok((await pong).equals(Buffer.alloc(125, 1)));
});

/* ---- compressed ---- */

for (const flags of [["--deflate"], ["--deflate", "--deflate-context"]])
    test(`compressed: agreed on and spoken both ways: ${flags.join(" ")}`, async (t) => {
        const server = await serve(join(ROOT, "examples/echo"), ...flags);
        t.after(() => server.stop());
        const words = Array.from({ length: 3000 }, (_, i) => `{"speed":${i}}`).join("");
        for (const offer of [{}, { serverMaxWindowBits: 9, clientMaxWindowBits: 10 }, { serverNoContextTakeover: true },
            { clientNoContextTakeover: true, threshold: 0 }]) {
            const peer = await Peer.open(t, server, [], { perMessageDeflate: offer });
            assert.match(peer.socket.extensions, /^permessage-deflate/);
            for (const text of ["", "short", words, words, "żółw 🐢".repeat(1000), "x".repeat(3000), "*".repeat(1 << 20), words]) {
                peer.socket.send(text);
                assert.ok((await peer.nextRaw()) === text, `a text of ${text.length}`);
            }
            peer.socket.send(Buffer.from(words));
            assert.ok((await peer.nextRaw()).equals(Buffer.from(words)));
        }
    });

test("compressed: meshwork.v1 and our client over it", async (t) => {
    const server = await serve(join(ROOT, "examples/hello"), "--deflate", "--limit", "deflate_from_bytes=1");
    t.after(() => server.stop());
    const peer = await Peer.open(t, server, [V1]);
    assert.match(peer.socket.extensions, /^permessage-deflate/);
    const { result } = await peer.ask("getAttr", ["c", "b"]);
    assert.deepEqual([result.values, result.errors], [{ c: 3 }, { b: "denied" }]);
    assert.equal((await peer.notice("broadcast")).params.channel, null);
    const me = connect({ url: server.url, WebSocket });
    t.after(() => me.close());
    assert.deepEqual(await me.getAttr(["b", "c"]), { b: null, c: 3 });
});

/* ---- coming and going ---- */

for (const [sent, answered] of [[1000, 1000], [3000, 3000], [4999, 4999], [undefined, 1005]])
    test(`a close is answered: ${sent ?? "without a code"}`, async (t) => {
        const peer = await Peer.open(t, hello, [V1]);
        peer.socket.close(sent, sent && "bye");
        assert.equal((await peer.closed).code, answered);
    });

test("a server that is stopped says bye, then 1012 or 1001", async (t) => {
    const server = await serve(join(ROOT, "examples/hello"));
    t.after(() => server.stop());
    const peer = await Peer.open(t, server, [V1]);
    await peer.notice("hello");
    const status = server.stop();
    const { params } = await peer.notice("bye");
    assert.ok(Array.isArray(params.retry_ms));
    assert.ok([1001, 1012].includes((await peer.closed).code));
    assert.equal(await status, 0);
});

test("a foreign Origin with a cookie is 403, an unknown Host 421", async () => {
    assert.equal(await refusal(hello, [V1], { origin: "http://evil.test", headers: { Cookie: "mw-1=x" } }), 403);
    assert.equal(await refusal(hello, [V1], { origin: "http://evil.test" }), 403);
    assert.equal(await refusal(hello, [V1], { headers: { Host: "evil.test" } }), 421);
});

test("a client that vanishes is not missed", async (t) => {
    const peers = await Promise.all(Array.from({ length: 20 }, () => Peer.open(t, hello, [V1])));
    await Promise.all(peers.map((peer) => peer.ask("watch", ["a"])));
    peers.slice(1).forEach((peer) => peer.socket.terminate());
    const { result } = await peers[0].ask("setAttr", { a: 5 });
    assert.deepEqual(result.errors, {});
    await peers[0].next((m) => m.method === "changed");
});
