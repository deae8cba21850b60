/* Watching: the first values, every change, and the same again after a lost connection.
 * Not single requests; that is requests.test.mjs. Read next: client/meshwork.js, Watches.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import test from "node:test";

import { MeshworkError } from "../../client/meshwork.js";
import { failure, settle, world } from "./fake.mjs";

/* Watch, answer with the given values, give back what fn was called with. */
async function begin(w, me, names, answer, options) {
    const calls = [];
    const watch = me.watch(names, (...args) => calls.push(args), options);
    const [request] = await w.socket.asked();
    assert.equal(request.method, "watch");
    w.socket.answer(request, answer);
    await settle();
    return { calls, watch, request };
}

test("one name: fn gets the value, first and at each change", async () => {
    const w = world();
    const me = w.open();
    const { calls, watch, request } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    assert.deepEqual(request.params, { names: ["a"], known: {} });
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.deepEqual(calls, [[1, { name: "a", first: true }], [2, { name: "a", first: false }]]);
    assert.equal(await watch.ready, 1);
});

test("a list: fn gets all values first, then what is new", async () => {
    const w = world();
    const me = w.open();
    const { calls, watch } = await begin(w, me, ["a", "b", "c"],
        { values: { a: 1, c: 3 }, revs: { a: 7, c: 7 }, errors: { b: "denied" } });
    w.socket.notify("changed", { values: { c: 4 }, revs: { c: 8 } });
    assert.deepEqual(calls, [[{ a: 1, b: null, c: 3 }, { first: true }], [{ c: 4 }, { first: false }]]);
    assert.deepEqual(await watch.ready, { a: 1, b: null, c: 3 });
});

test("changes of others are not ours", async () => {
    const w = world();
    const me = w.open();
    const { calls } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 } });
    w.socket.notify("changed", { values: { c: 4 }, revs: { c: 8 } });
    assert.equal(calls.length, 1);
});

test("a watch made while connecting is said once connected", async () => {
    const w = world();
    const me = w.connect();
    const calls = [];
    me.watch("a", (value) => calls.push(value));
    w.socket.greet();
    const requests = await w.socket.asked();
    assert.equal(requests.length, 1);
    w.socket.answer(requests[0], { values: { a: 1 }, revs: { a: 7 } });
    await settle();
    assert.deepEqual(calls, [1]);
});

test("a second watch of the same name gets its first value from what is known", async () => {
    const w = world();
    const me = w.open();
    const first = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 } });
    const second = await begin(w, me, "a", { values: {}, revs: { a: 7 }, errors: {} });
    assert.deepEqual(second.request.params.known, { a: 7 });
    assert.deepEqual(second.calls, [[1, { name: "a", first: true }]]);
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.deepEqual([first.calls.length, second.calls.length], [2, 2]);
});

test("a change before the first answer is part of the first values", async () => {
    const w = world();
    const me = w.open();
    await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 } });
    const calls = [];
    me.watch("a", (value) => calls.push(value));
    const [request] = await w.socket.asked();
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.deepEqual(calls, []);
    w.socket.answer(request, { values: {}, revs: { a: 8 }, errors: {} });
    await settle();
    assert.deepEqual(calls, [2]);
});

test("an answer and a change that come together are taken in their order", async () => {
    const w = world();
    const me = w.open();
    const calls = [];
    me.watch("a", (value) => calls.push(value));
    w.socket.answer((await w.socket.asked())[0], { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    await settle();
    assert.deepEqual(calls, [1, 2]);
});

test("stop ends the calls and tells the server", async () => {
    const w = world();
    const me = w.open();
    const { calls, watch } = await begin(w, me, ["a", "c"], { values: { a: 1, c: 3 }, revs: { a: 7, c: 7 } });
    watch.stop();
    watch.stop();
    const requests = await w.socket.asked();
    assert.deepEqual(requests.map((r) => [r.method, r.params]), [["unwatch", ["a", "c"]]]);
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.equal(calls.length, 1);
});

test("stopping one of two watches leaves the other's names alone", async () => {
    const w = world();
    const me = w.open();
    const first = await begin(w, me, ["a", "c"], { values: { a: 1, c: 3 }, revs: { a: 7, c: 7 } });
    const second = await begin(w, me, "a", { values: {}, revs: { a: 7 } });
    first.watch.unwatch();
    assert.deepEqual((await w.socket.asked()).map((r) => r.params), [["c"]]);
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.equal(second.calls.length, 2);
});

test("a watch may stop itself in its callback", async () => {
    const w = world();
    const me = w.open();
    let calls = 0;
    const watch = me.watch("a", () => {
        calls++;
        watch.stop();
    });
    w.socket.answer((await w.socket.asked())[0], { values: { a: 1 }, revs: { a: 7 } });
    await settle();
    w.socket.notify("changed", { values: { a: 2 }, revs: { a: 8 } });
    assert.equal(calls, 1);
});

test("a callback that throws hurts no other", async (t) => {
    const w = world();
    const me = w.open();
    const reported = t.mock.method(console, "error", () => {});
    me.watch("a", () => {
        throw new Error("the page's mistake");
    });
    const calls = [];
    me.watch("a", (value) => calls.push(value));
    for (const request of (await w.socket.asked()))
        w.socket.answer(request, { values: { a: 1 }, revs: { a: 7 } });
    await settle();
    assert.deepEqual(calls, [1]);
    assert.equal(reported.mock.callCount?.() ?? reported.mock.calls.length, 1);
});

test("after a lost connection all is watched again, with the known revisions", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const { calls } = await begin(w, me, ["a", "c"], { values: { a: 1, c: 3 }, revs: { a: 7, c: "9007199254740993" } });
    w.socket.drop();
    await w.clock.pass(0);
    w.socket.greet();
    const requests = await w.socket.asked();
    assert.deepEqual(requests.map((r) => r.params),
        [{ names: ["a", "c"], known: { a: 7, c: "9007199254740993" } }]);
    w.socket.answer(requests[0], { values: { a: 5 }, revs: { a: 9, c: "9007199254740993" }, errors: {} });
    await settle();
    assert.deepEqual(calls.slice(1), [[{ a: 5 }, { first: false }]]);
    w.socket.notify("changed", { values: { c: 4 }, revs: { c: 10 } });
    assert.deepEqual(calls.slice(2), [[{ c: 4 }, { first: false }]]);
});

test("a server that started afresh with the same values is no news", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const { calls } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 } });
    w.socket.drop(1012);
    await w.clock.pass(0);
    w.socket.greet({ epoch: "e2" });
    w.socket.answer((await w.socket.asked())[0], { values: { a: 1 }, revs: { a: 100 }, errors: {} });
    await settle();
    assert.equal(calls.length, 1);
    w.socket.drop(1012);
    await w.clock.pass(0);
    w.socket.greet();
    assert.deepEqual((await w.socket.asked())[0].params.known, { a: 100 });
});

test("a watch whose first answer was lost begins on the next connection", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const calls = [];
    me.watch("a", (value) => calls.push(value));
    (await w.socket.asked());
    w.socket.drop();
    await w.clock.pass(0);
    w.socket.greet();
    const requests = await w.socket.asked();
    assert.equal(requests.length, 1);
    w.socket.answer(requests[0], { values: { a: 1 }, revs: { a: 7 } });
    await settle();
    assert.deepEqual(calls, [1]);
});

test("a watch stopped while away is not said again", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const { watch } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 } });
    w.socket.drop();
    watch.stop();
    await w.clock.pass(0);
    w.socket.greet();
    assert.deepEqual((await w.socket.asked()), []);
});

test("rights that change are asked about: a name lost reads null, a name gained its value", async () => {
    const w = world();
    const me = w.open();
    const { calls } = await begin(w, me, ["a", "b"], { values: { a: 1 }, revs: { a: 7 }, errors: { b: "denied" } });
    w.socket.notify("rights", { b: "get" });
    const [request] = await w.socket.asked();
    assert.deepEqual(request.params, { names: ["a", "b"], known: { a: 7 } });
    w.socket.answer(request, { values: { b: 2 }, revs: { b: 3 }, errors: { a: "denied" } });
    await settle();
    assert.deepEqual(calls.slice(1), [[{ a: null, b: 2 }, { first: false }]]);
    assert.deepEqual(me.rights, { b: "get" });
    assert.deepEqual([me.can("get", "b"), me.can("set", "b"), me.can("get", "a")], [true, false, false]);
});

test("a glob hears of every name that matches", async () => {
    const w = world();
    const me = w.open();
    const { calls } = await begin(w, me, ["motor.*", "led[12]"],
        { values: { "motor.speed": 1, led1: true }, revs: { "motor.speed": 1, led1: 1 } });
    w.socket.notify("changed", { values: { "motor.heat": 40, motor: 1, led3: true, led2: false }, revs: {} });
    assert.deepEqual(calls, [[{ "motor.speed": 1, led1: true }, { first: true }],
        [{ "motor.heat": 40, led2: false }, { first: false }]]);
});

test("options go along, and watches that differ in them are said apart", async () => {
    const w = world();
    const me = w.connect();
    me.watch("a", () => {}, { mode: "all" });
    me.watch("c", () => {}, { maxHz: 5 });
    w.socket.greet();
    assert.deepEqual((await w.socket.asked()).map((r) => r.params),
        [{ names: ["a"], known: {}, mode: "all" }, { names: ["c"], known: {}, max_hz: 5 }]);
});

test("a watch that the server refuses rejects its ready, and is an event", async () => {
    const w = world();
    const me = w.open();
    const seen = w.log(me, "error");
    const watch = me.watch("", () => {});
    w.socket.refuse((await w.socket.asked())[0], -32602, "invalid params", "a name has 1 to 256 bytes");
    assert.equal((await failure(watch.ready)).code, MeshworkError.INVALID_PARAMS);
    assert.equal(seen.length, 1);
});

test("watch wants names and a function", () => {
    const w = world();
    const me = w.open();
    assert.throws(() => me.watch("a"), TypeError);
    assert.throws(() => me.watch(7, () => {}), TypeError);
});

test("what is begun within a turn is one request, and comes before what is asked after it", async () => {
    const w = world();
    const me = w.open();
    const seen = [];
    for (const name of ["a", "b", "c"])
        me.watch(name, (value) => seen.push([name, value]));
    me.setAttr("a", 5);
    const [watched, set] = w.socket.take();
    assert.deepEqual([watched.params.names, set.method], [["a", "b", "c"], "setAttr"]);
    assert.deepEqual(await w.socket.asked(), []);
    w.socket.answer(watched, { values: { a: 1, b: 2, c: 3 }, revs: { a: 7, b: 7, c: 7 }, errors: {} });
    assert.deepEqual(seen, [["a", 1], ["b", 2], ["c", 3]]);
});

test("what is stopped within a turn is one request, and what has begun with it is none", async () => {
    const w = world();
    const me = w.open();
    const watches = ["a", "b"].map((name) => me.watch(name, () => {}));
    w.socket.answer((await w.socket.asked())[0], { values: { a: 1, b: 2 }, revs: { a: 7, b: 7 }, errors: {} });
    await settle();
    watches.forEach((watch) => watch.stop());
    me.watch("c", () => {}).stop();
    const [request, ...others] = await w.socket.asked();
    assert.deepEqual([request.method, request.params, others], ["unwatch", ["a", "b"], []]);
});

test("a name that is stopped and watched again within a turn stays watched", async () => {
    const w = world();
    const me = w.open();
    const { watch } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    watch.stop();
    const { calls } = await begin(w, me, "a", { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    assert.deepEqual(calls, [[1, { name: "a", first: true }]]);
});

test("watches that are too much together are asked for in parts", async () => {
    const w = world();
    const me = w.open();
    const seen = [];
    for (const name of ["a", "b", "wrong"])
        me.watch(name, (value) => seen.push([name, value]));
    const said = w.log(me, "error");
    const refuse = (request) => w.socket.refuse(request, MeshworkError.TOO_LARGE, "too large");
    refuse((await w.socket.asked())[0]);
    const [a, rest] = await w.socket.asked();
    assert.deepEqual([a.params.names, rest.params.names], [["a"], ["b", "wrong"]]);
    refuse(rest);
    const [b, wrong] = await w.socket.asked();
    w.socket.answer(a, { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    w.socket.answer(b, { values: { b: 2 }, revs: { b: 7 }, errors: {} });
    refuse(wrong);
    assert.deepEqual([seen, said.length], [[["a", 1], ["b", 2]], 1]);
});

test("a watch made before a login that is required begins with it, and is no error", async () => {
    const w = world();
    const me = w.open();
    const said = w.log(me, "error");
    const values = [];
    const watch = me.watch("a", (value) => values.push(value));
    w.socket.refuse((await w.socket.asked())[0], MeshworkError.NOT_AUTHENTICATED, "not authenticated");
    const login = me.login("bob", "secret word");
    const [request] = w.socket.take();
    w.socket.notify("rights", { a: "get" });
    w.socket.answer(request, { user: "bob", roles: [], rights: { a: "get" } });
    await login;
    w.socket.answer(w.socket.take()[0], { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    assert.deepEqual([await watch.ready, values, said], [1, [1], []]);
});

test("a refused watch that nobody asks about is in the console", async (t) => {
    const w = world();
    const me = w.open();
    const printed = t.mock.method(console, "error", () => {});
    me.watch("a", () => {}, { mode: "al" });
    w.socket.refuse((await w.socket.asked())[0], MeshworkError.INVALID_PARAMS, "invalid params", "\"mode\" is to be");
    assert.match(String(printed.mock.calls[0].arguments[0]), /invalid params: "mode" is to be/);
});

test("sets in globs are read as the server reads them", async () => {
    const names = ["x", "a", "^", "]", "-", "b"];
    for (const [glob, want] of [["[a-b]", ["a", "b"]], ["[b-a]", []], ["[!b-a]", names], ["[!a-b]", ["x", "^", "]", "-"]], ["[^x]", ["x", "^"]],
        ["[]-]", ["]", "-"]], ["[x-]", ["x", "-"]]]) {
        const w = world();
        const me = w.open();
        const { calls } = await begin(w, me, glob, { values: {}, revs: {}, errors: {} });
        for (const name of names)
            w.socket.notify("changed", { values: { [name]: 1 }, revs: { [name]: 8 } });
        assert.deepEqual(calls.slice(1).flatMap(([values]) => Object.keys(values)), want, glob);
    }
});
