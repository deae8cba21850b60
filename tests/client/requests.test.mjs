/* Asking for one thing: what goes out, what comes back, what happens when nothing does.
 * Not watching; that is watch.test.mjs. Read next: link.test.mjs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import test from "node:test";

import { MeshworkError } from "../../client/meshwork.js";
import { failure, settle, world } from "./fake.mjs";

test("one name gives one value", async () => {
    const w = world();
    const me = w.open();
    const value = me.getAttr("a");
    const [request] = w.socket.take();
    assert.deepEqual(request, { jsonrpc: "2.0", method: "getAttr", params: ["a"], id: request.id });
    w.socket.answer(request, { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    assert.equal(await value, 1);
});

test("a list gives an object with one entry per name, null where denied", async () => {
    const w = world();
    const me = w.open();
    const values = me.getAttr(["a", "b", "a"]);
    const [request] = w.socket.take();
    assert.deepEqual(request.params, ["a", "b"]);
    w.socket.answer(request, { values: { a: 1 }, revs: { a: 7 }, errors: { b: "denied" } });
    assert.deepEqual(await values, { a: 1, b: null });
});

test("a list of one gives an object too", async () => {
    const w = world();
    const me = w.open();
    const values = me.getAttr(["a"]);
    w.socket.answer(w.socket.take()[0], { values: { a: 1 } });
    assert.deepEqual(await values, { a: 1 });
});

test("a denied name is null, also one that every object has", async () => {
    const w = world();
    const me = w.open();
    const value = me.getAttr("toString");
    w.socket.answer(w.socket.take()[0], { values: {}, revs: {}, errors: { toString: "denied" } });
    assert.equal(await value, null);
    const values = me.getAttr(["__proto__"]);
    w.socket.say(`{"jsonrpc":"2.0","id":${w.socket.take()[0].id},"result":{"values":{"__proto__":5}}}`);
    assert.deepEqual(Object.entries(await values), [["__proto__", 5]]);
});

test("setAttr of one name gives true or false", async () => {
    const w = world();
    const me = w.open();
    const set = me.setAttr("a", 10);
    const refused = me.setAttr("c", 10);
    const [first, second] = w.socket.take();
    assert.deepEqual(first.params, { values: { a: 10 } });
    w.socket.answer(first, { revs: { a: 8 }, errors: {} });
    w.socket.answer(second, { revs: {}, errors: { c: "denied" } });
    assert.equal(await set, true);
    assert.equal(await refused, false);
});

test("setAttr of an object gives an object of booleans", async () => {
    const w = world();
    const me = w.open();
    const set = me.setAttr({ a: 10, b: 20 });
    w.socket.answer(w.socket.take()[0], { revs: { a: 8 }, errors: { b: "denied" } });
    assert.deepEqual(await set, { a: true, b: false });
});

test("an attribute called values is set like any other", async () => {
    const w = world();
    const me = w.open();
    void me.setAttr({ values: { x: 1 } }).catch(() => {});
    assert.deepEqual(w.socket.take()[0].params, { values: { values: { x: 1 } } });
    me.close();
});

test("integers beyond 2^53 go out as text and come in as they are", async () => {
    const w = world();
    const me = w.open();
    const set = me.setAttr("n", 9223372036854775807n);
    const [request] = w.socket.take();
    assert.equal(request.params.values.n, "9223372036854775807");
    w.socket.answer(request, { revs: { n: 1 }, errors: {} });
    assert.equal(await set, true);
    const value = me.getAttr("n");
    w.socket.answer(w.socket.take()[0], { values: { n: "9223372036854775807" } });
    assert.equal(await value, "9223372036854775807");
});

for (const [note, ask] of [
    ["getAttr without names", (me) => me.getAttr()],
    ["getAttr of a number", (me) => me.getAttr(["a", 1])],
    ["setAttr of a list", (me) => me.setAttr(["a"])],
    ["setAttr of null", (me) => me.setAttr(null)],
    ["setAttr without a value", (me) => me.setAttr("a")],
    ["setAttr of a function", (me) => me.setAttr("a", () => 1)],
    ["send of a message in the v1 manner", (me) => me.send({ content: "I am alive!" })],
    ["ask in the v1 manner", (me) => me.ask({ commandText: "x" })],
])
    test(`a mistake of the page is a TypeError, and nothing goes out: ${note}`, async () => {
        const w = world();
        const me = w.open();
        assert.ok((await failure(ask(me))) instanceof TypeError);
        assert.deepEqual(w.socket.take(), []);
    });

test("a request error rejects with code, message and data", async () => {
    const w = world();
    const me = w.open();
    const promise = me.request("nonsense");
    w.socket.refuse(w.socket.take()[0], -32601, "method not found", "there are getAttr, setAttr");
    const error = await failure(promise);
    assert.ok(error instanceof MeshworkError && error instanceof Error);
    assert.equal(error.code, -32601);
    assert.equal(error.data, "there are getAttr, setAttr");
    assert.match(error.message, /method not found: there are getAttr/);
});

test("answers find their requests in any order", async () => {
    const w = world();
    const me = w.open();
    const first = me.getAttr("a");
    const second = me.getAttr("c");
    const [one, two] = w.socket.take();
    w.socket.answer(two, { values: { c: 3 } });
    w.socket.answer(one, { values: { a: 1 } });
    assert.deepEqual([await first, await second], [1, 3]);
});

test("an answer twice, or to nobody, changes nothing", async () => {
    const w = world();
    const me = w.open();
    const value = me.getAttr("a");
    const [request] = w.socket.take();
    w.socket.answer(request, { values: { a: 1 } });
    w.socket.answer(request, { values: { a: 2 } });
    w.socket.answer({ id: 999 }, {});
    w.socket.say("no JSON");
    w.socket.say("null");
    assert.equal(await value, 1);
});

test("an error about no request is an event", () => {
    const w = world();
    const me = w.open();
    const seen = w.log(me, "error");
    w.socket.refuse({ id: null }, -32700, "parse error", "line 1");
    assert.equal(seen.length, 1);
    assert.equal(seen[0][1].code, -32700);
});

test("call and send say what the protocol says", async () => {
    const w = world();
    const me = w.open();
    const answered = me.call("reset", { hard: true });
    const queued = me.send("doubler", 21);
    const [call, send] = w.socket.take();
    assert.deepEqual([call.method, call.params], ["call", { name: "reset", args: { hard: true } }]);
    assert.deepEqual([send.method, send.params], ["send", { to: "doubler", item: 21 }]);
    w.socket.answer(call, "done");
    w.socket.refuse(send, -32006, "overloaded");
    assert.equal(await answered, "done");
    assert.equal((await failure(queued)).code, MeshworkError.OVERLOADED);
});

test("describe passes on what the server says", async () => {
    const w = world();
    const me = w.open();
    const described = me.describe();
    const [request] = w.socket.take();
    assert.equal(request.method, "describe");
    w.socket.answer(request, { attributes: { a: { kind: "int" } } });
    assert.deepEqual(await described, { attributes: { a: { kind: "int" } } });
});

/* ---- waiting ---- */

test("requests made while connecting wait, and go out in the order of asking", async () => {
    const w = world();
    const me = w.connect();
    const value = me.getAttr("a");
    const set = me.setAttr("a", 2);
    assert.deepEqual(w.socket.take(), []);
    w.socket.accept();
    assert.deepEqual(w.socket.take(), [], "the server has not greeted us yet");
    w.socket.greet();
    const [get, put] = w.socket.take();
    assert.deepEqual([get.method, put.method], ["getAttr", "setAttr"]);
    w.socket.answer(get, { values: { a: 1 } });
    w.socket.answer(put, { revs: { a: 8 } });
    assert.deepEqual([await value, await set], [1, true]);
});

test("a request without an answer is timed out", async () => {
    const w = world();
    const me = w.open();
    const get = failure(me.getAttr("a"));
    const set = failure(me.setAttr("a", 1));
    await w.clock.pass(29_999);
    const requests = w.socket.take().filter((r) => r.params.length !== 0); // without the questions after a silence
    assert.equal(requests.length, 2);
    w.socket.say({ jsonrpc: "2.0", method: "lag", params: { conflated: 1 } });
    await w.clock.pass(1);
    assert.equal((await get).code, MeshworkError.TIMED_OUT);
    assert.equal((await set).code, MeshworkError.OUTCOME_UNKNOWN, "it may have been set");
    w.socket.answer(requests[0], { values: { a: 1 } });
});

test("a request that never found a connection is timed out, and was not sent", async () => {
    const w = world();
    const me = w.connect({ timeoutMs: 500 });
    const set = failure(me.setAttr("a", 1));
    await w.clock.pass(500);
    assert.equal((await set).code, MeshworkError.TIMED_OUT);
    w.socket.greet();
    assert.deepEqual(w.socket.take(), []);
});

test("a read whose answer was lost is asked again on the next connection", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const value = me.getAttr("a");
    w.socket.take();
    w.socket.drop();
    await w.clock.pass(0);
    w.socket.greet();
    w.socket.answer(w.socket.take()[0], { values: { a: 5 } });
    assert.equal(await value, 5);
});

test("a set whose answer was lost rejects: its outcome is unknown", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const set = failure(me.setAttr("a", 1));
    const call = failure(me.call("reset"));
    w.socket.drop(1012, "restarting");
    assert.equal((await set).code, MeshworkError.OUTCOME_UNKNOWN);
    assert.match((await set).message, /1012, restarting/);
    assert.equal((await call).code, MeshworkError.OUTCOME_UNKNOWN);
    await w.clock.pass(0);
    w.socket.greet();
    assert.deepEqual(w.socket.take(), []);
});

test("a set made between two connections waits for the next", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    w.socket.drop();
    const set = me.setAttr("a", 1);
    await w.clock.pass(0);
    w.socket.greet();
    w.socket.answer(w.socket.take()[0], { revs: { a: 9 } });
    assert.equal(await set, true);
});

test("what made the server close is not said twice", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const get = failure(me.getAttr("a"));
    w.socket.drop(1009, "too big");
    assert.equal((await get).code, MeshworkError.CLOSED);
    await w.clock.pass(0);
    w.socket.greet();
    assert.deepEqual(w.socket.take(), []);
});

test("close rejects what is under way and what is asked later", async () => {
    const w = world();
    const me = w.open();
    const get = failure(me.getAttr("a"));
    const set = failure(me.setAttr("a", 1));
    me.close();
    assert.equal((await get).code, MeshworkError.CLOSED);
    assert.equal((await set).code, MeshworkError.OUTCOME_UNKNOWN);
    assert.equal((await failure(me.getAttr("a"))).code, MeshworkError.CLOSED);
    assert.throws(() => me.watch("a", () => {}), { code: MeshworkError.CLOSED });
});

test("a message longer than the server takes is refused here", async () => {
    const w = world();
    const me = w.connect();
    w.socket.greet({ limits: { message_bytes: 200 } });
    assert.equal((await failure(me.setAttr("a", "ä".repeat(90)))).code, MeshworkError.TOO_LARGE);
    assert.deepEqual(w.socket.take(), []);
    void me.setAttr("a", "x".repeat(100)).catch(() => {});
    assert.equal(w.socket.take().length, 1);
    me.close();
});

test("requests at once have a bound", async () => {
    const w = world();
    const me = w.connect();
    const all = Array.from({ length: 4_097 }, () => me.getAttr("a").catch((error) => error.code));
    assert.equal(await all[4_096], MeshworkError.OVERLOADED);
    me.close();
    assert.equal(await all[0], MeshworkError.CLOSED);
});

/* ---- the plain manner ---- */

test("the plain manner offers no sub-protocol, and says the app's own messages", async () => {
    const w = world();
    const me = w.connect({ plain: true });
    const seen = w.log(me, "message", "open");
    const sent = me.send({ content: "I am alive!" });
    assert.equal(w.socket.protocols, undefined);
    w.socket.accept();
    assert.equal(await sent, true);
    assert.deepEqual(w.socket.take(), [{ content: "I am alive!" }]);
    w.socket.say({ number: 7 });
    w.socket.say([1, 2]);
    assert.deepEqual(seen, [["open", null], ["message", { number: 7 }], ["message", [1, 2]]]);
});

test("ask in the plain manner gets the answer with its msgId", async () => {
    const w = world();
    const me = w.connect({ plain: true });
    w.socket.accept();
    const seen = w.log(me, "message");
    const answer = me.ask({ commandText: "hello" });
    const [question] = w.socket.take();
    assert.equal(question.commandText, "hello");
    w.socket.say({ msgId: "another's", lines: [] });
    w.socket.say({ msgId: question.msgId, lines: ["Hello.", "World."] });
    assert.deepEqual((await answer).lines, ["Hello.", "World."]);
    assert.deepEqual(seen, [["message", { msgId: "another's", lines: [] }]]);
});

test("attributes work in the plain manner too", async () => {
    const w = world();
    const me = w.connect({ plain: true });
    w.socket.accept();
    const value = me.getAttr("a");
    w.socket.answer(w.socket.take()[0], { values: { a: 1 } });
    assert.equal(await value, 1);
});

test("a plain message that waits for the connection is rejected when there will be none", async () => {
    const w = world();
    const me = w.connect({ plain: true });
    const sent = failure(me.send({}));
    me.close();
    assert.equal((await sent).code, MeshworkError.CLOSED);
    assert.equal((await failure(me.send({}))).code, MeshworkError.CLOSED);
    await settle();
});

test("bytes travel as base64, arrays of numbers as lists", async () => {
    const w = world();
    const me = w.open();
    const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i);
    me.setAttr({ a: bytes.subarray(0, 3), b: bytes.buffer.slice(0, 1), c: new DataView(bytes.buffer, 1, 2), d: new Float64Array([1.5, 2]),
        e: new BigInt64Array([9007199254740993n]), f: bytes, g: [new Uint8Array([255])] });
    const { f, ...others } = w.socket.take()[0].params.values;
    assert.deepEqual(others, { a: "AAEC", b: "AA==", c: "AQI=", d: [1.5, 2], e: ["9007199254740993"], g: ["/w=="] });
    assert.deepEqual(Uint8Array.from(Buffer.from(f, "base64")), bytes);
});

test("an option that does not exist is a mistake that is named", async () => {
    const w = world();
    const me = w.open();
    assert.match((await failure(me.getAttr("a", { details: true }))).message, /no option "details"; there is detail/);
    assert.match((await failure(me.setAttr("a", 1, { force: true }))).message, /no option "force"/);
    assert.throws(() => me.watch("a", () => {}, { maxHZ: 5 }), /no option "maxHZ"; there are mode, maxHz/);
    assert.match((await failure(me.getAttr("motor.*"))).message, /"motor\.\*".*watch/);
});
