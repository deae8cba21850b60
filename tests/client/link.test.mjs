/* The connection itself: states, when it is tried again, when it is not, how a dead one is found.
 * Not what is asked over it; that is requests.test.mjs. Read next: client/meshwork.js, Link.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import test from "node:test";

import { connect, MeshworkError } from "../../client/meshwork.js";
import { failure, HELLO, settle, world } from "./fake.mjs";

test("connect is usable at once and becomes open with the server's hello", async () => {
    const w = world();
    const me = w.connect();
    const seen = w.log(me, "state", "open", "rights");
    assert.equal(me.state, "connecting");
    assert.deepEqual([w.socket.url, w.socket.protocols], ["ws://fake.test/", ["meshwork.v1"]]);
    assert.equal(me.rights, null);
    w.socket.greet();
    assert.equal(me.state, "open");
    assert.deepEqual(seen, [["state", "open"], ["open", HELLO], ["rights", HELLO.rights]]);
    assert.equal(await me.ready, me);
    assert.deepEqual([me.app, me.user, me.roles, me.rights], ["fake", null, ["anonymous"], HELLO.rights]);
    assert.deepEqual([me.can("set", "a"), me.can("set", "c"), me.can("get", "toString")], [true, false, false]);
});

test("without a WebSocket, or without an address, connect says what to give", () => {
    assert.throws(() => connect({ url: "ws://fake.test/", WebSocket: null, ...noGlobal() }), /WebSocket/);
    assert.throws(() => connect({ WebSocket: class {} }), /url/);
});
/* Node from 22 on has a WebSocket of its own: then there is nothing to miss. */
function noGlobal() {
    return globalThis.WebSocket ? { WebSocket: "none" } : {};
}

test("an http address is taken as the ws address beside it", () => {
    const w = world();
    w.connect({ url: "https://lab.example.org:8443/thermostat/#top" });
    assert.equal(w.socket.url, "wss://lab.example.org:8443/thermostat/");
});

test("the first try after a drop comes at random within three seconds", async () => {
    for (const [random, delayMs] of [[0, 0], [0.5, 1_500], [0.999, 2_997]]) {
        const w = world({ random });
        const me = w.open();
        const seen = w.log(me, "reconnecting", "close", "state");
        w.socket.drop(1006);
        assert.deepEqual(seen, [["state", "reconnecting"], ["close", { code: 1006, reason: "", final: false }],
            ["reconnecting", { attempt: 1, delayMs }]]);
        await w.clock.pass(Math.max(delayMs - 1, 0));
        assert.equal(w.sockets.length, delayMs === 0 ? 2 : 1);
        await w.clock.pass(1);
        assert.equal(w.sockets.length, 2);
    }
});

test("later tries double up to thirty seconds, at random within", async () => {
    const w = world({ random: 1 });
    const me = w.open();
    const delays = [];
    me.on("reconnecting", ({ delayMs }) => delays.push(delayMs));
    for (let i = 0; i < 9; i++) {
        w.socket.drop(1006);
        await w.clock.pass(delays[i]);
    }
    assert.deepEqual(delays, [3_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("a first connection that fails is tried again from half a second on", async () => {
    const w = world({ random: 1 });
    const me = w.connect();
    const seen = w.log(me, "reconnecting", "close");
    w.socket.drop(1006);
    await w.clock.pass(500);
    w.socket.drop(1006);
    assert.deepEqual(seen.map(([, info]) => info.delayMs), [500, 1_000]);
    assert.equal(me.state, "connecting");
    me.close();
});

test("only a connection that held starts the doubling afresh", async () => {
    const w = world({ random: 1 });
    const me = w.open();
    const delays = [];
    me.on("reconnecting", ({ delayMs }) => delays.push(delayMs));
    w.socket.drop(1006);
    await w.clock.pass(3_000);
    w.socket.greet();
    await w.clock.pass(4_999);
    w.socket.drop(1006); // too short
    await w.clock.pass(1_000);
    w.socket.greet();
    await w.clock.pass(5_000);
    w.socket.drop(1006);
    assert.deepEqual(delays, [3_000, 1_000, 3_000]);
});

test("a server that restarts says within what time to come back", async () => {
    const w = world({ random: 0.5 });
    const me = w.open();
    const seen = w.log(me, "bye", "reconnecting");
    w.socket.notify("bye", { reason: "restarting", retry_ms: [4_000, 6_000] });
    w.socket.drop(1012, "restarting");
    assert.deepEqual(seen.map(([name]) => name), ["bye", "reconnecting"]);
    assert.equal(seen[1][1].delayMs, 5_000);
});

for (const range of [undefined, null, 5, [], [5, 1], ["a", "b"], [-1, 5], [0, 1e12]])
    test(`a bye without a usable range changes nothing: ${JSON.stringify(range)}`, () => {
        const w = world({ random: 0.5 });
        const me = w.open();
        const seen = w.log(me, "reconnecting");
        w.socket.notify("bye", { reason: "restarting", retry_ms: range });
        w.socket.drop(1012);
        assert.equal(seen[0][1].delayMs, 1_500);
    });

test("an overloaded server is left alone for longer", () => {
    for (const [random, delayMs] of [[0, 1_000], [1, 9_000]]) {
        const w = world({ random });
        const me = w.open();
        const seen = w.log(me, "reconnecting");
        w.socket.drop(1013, "try again later");
        assert.equal(seen[0][1].delayMs, delayMs);
    }
});

for (const code of [1008, 4001])
    test(`close code ${code} ends it`, async () => {
        const w = world({ random: 0 });
        const me = w.open();
        const seen = w.log(me, "close", "reconnecting", "state");
        w.socket.drop(code, "no");
        await w.clock.pass(100_000);
        assert.equal(w.sockets.length, 1);
        assert.deepEqual(seen, [["state", "closed"], ["close", { code, reason: "no", final: true }]]);
        assert.equal(w.clock.count, 0, "no timer is left");
        assert.equal((await failure(me.getAttr("a"))).code, MeshworkError.CLOSED);
    });

test("close ends it for good, and leaves no timer", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const seen = w.log(me, "close");
    me.close();
    me.close();
    assert.equal(w.socket.closedWith, 1000);
    assert.equal(me.state, "closed");
    assert.deepEqual(seen, [["close", { code: 1000, reason: "", final: true }]]);
    await w.clock.pass(100_000);
    assert.equal(w.sockets.length, 1);
    assert.equal(w.clock.count, 0);
});

test("close while waiting for the next try ends that too", async () => {
    const w = world();
    const me = w.open();
    w.socket.drop();
    me.close();
    await w.clock.pass(100_000);
    assert.equal(w.sockets.length, 1);
});

test("close from inside a listener is heeded", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    me.on("close", () => me.close());
    w.socket.drop();
    await w.clock.pass(100_000);
    assert.equal(w.sockets.length, 1);
    assert.equal(me.state, "closed");
});

test("ready rejects when it ends before it began", async () => {
    const w = world();
    const me = w.connect();
    w.socket.drop(1008, "refused");
    assert.match((await failure(me.ready)).message, /refused/);
});

test("reconnect tries at once, also after the end", async () => {
    const w = world({ random: 1 });
    const me = w.open();
    w.socket.drop();
    me.reconnect();
    await w.clock.pass(0);
    assert.equal(w.sockets.length, 2);
    me.reconnect();
    await w.clock.pass(0);
    assert.equal(w.sockets.length, 2, "one is under way");
    w.socket.drop(4001, "expired");
    assert.equal(me.state, "closed");
    me.reconnect();
    await w.clock.pass(0);
    w.socket.greet();
    assert.equal(me.state, "open");
});

test("a server that accepts and says nothing is given up", async () => {
    const w = world({ random: 0 });
    w.connect();
    w.socket.accept();
    await w.clock.pass(9_999);
    assert.equal(w.sockets.length, 1);
    await w.clock.pass(1);
    assert.equal(w.sockets[0].closedWith, 1000);
    assert.equal(w.sockets.length, 2);
});

test("a connection that died without a word is found and replaced", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    await w.clock.pass(20_000);
    me.setAttr("a", 1).catch(() => {});
    w.socket.take();
    w.socket.notify("lag", { conflated: 1 });
    await w.clock.pass(29_999);
    assert.deepEqual(w.socket.take(), [], "it was heard of within the last thirty seconds");
    await w.clock.pass(1);
    const [question] = w.socket.take();
    assert.deepEqual([question.method, question.params], ["getAttr", []]);
    await w.clock.pass(10_000);
    assert.equal(w.sockets.length, 2);
    w.socket.greet();
    assert.equal(me.state, "open");
});

test("a connection that answers after a silence is kept", async () => {
    const w = world();
    const me = w.open();
    for (let i = 0; i < 3; i++) {
        await w.clock.pass(30_000);
        w.socket.answer(w.socket.take()[0], { values: {}, revs: {}, errors: {} });
    }
    await w.clock.pass(10_000);
    assert.equal(w.sockets.length, 1);
    assert.equal(me.state, "open");
});

test("a page that only listens says something now and then, and is not dropped for it", async () => {
    const w = world();
    w.open();
    for (let i = 0; i < 14; i++) {
        await w.clock.pass(5_000);
        w.socket.notify("changed", { values: { a: i }, revs: { a: i } });
    }
    assert.deepEqual(w.socket.take().map(({ method, params }) => [method, params]), [["getAttr", []], ["getAttr", []]]);
    assert.equal(w.sockets.length, 1);
});

test("what a socket says after it was given up is not heard", async () => {
    const w = world({ random: 0 });
    const me = w.open();
    const seen = w.log(me, "broadcast");
    me.close();
    assert.equal(w.socket.onmessage, null);
    assert.equal(w.socket.onclose, null);
    w.socket.onerror({});
    await settle();
    assert.deepEqual(seen, []);
});

test("a broadcast comes with its channel, null where it has none", () => {
    const w = world();
    const me = w.open();
    const seen = w.log(me, "broadcast", "lag");
    w.socket.notify("broadcast", { channel: "news", data: { number: 7 } });
    w.socket.notify("broadcast", { data: 8 });
    w.socket.notify("lag", { conflated: 3 });
    w.socket.notify("of a later version", {});
    assert.deepEqual(seen, [["broadcast", { number: 7 }, "news"], ["broadcast", 8, null], ["lag", { conflated: 3 }]]);
});

test("rights that are too many to say are null", () => {
    const w = world();
    const me = w.open();
    w.socket.notify("rights");
    assert.equal(me.rights, null);
    assert.equal(me.can("get", "a"), false);
});

test("off, and what on returned, end a listener", () => {
    const w = world();
    const me = w.open();
    const seen = [];
    const listener = (data) => seen.push(data);
    const stop = me.on("broadcast", listener);
    w.socket.notify("broadcast", { data: 1 });
    stop();
    w.socket.notify("broadcast", { data: 2 });
    me.on("broadcast", listener);
    me.off("broadcast", listener);
    w.socket.notify("broadcast", { data: 3 });
    assert.deepEqual(seen, [1]);
});

test("an event that does not exist is a mistake that is told", () => {
    const w = world();
    assert.throws(() => w.connect().on("conect", () => {}), /there is no event "conect"; there are open,/);
    assert.throws(() => w.connect().on("open"), TypeError);
    assert.throws(() => w.connect({ timeout: 5 }), /there is no option "timeout"; there are url, plain, timeoutMs, WebSocket/);
});
