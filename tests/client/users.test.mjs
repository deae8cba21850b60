/* Who one is: logging in and out, where there is a page and where there is none; and reasons on request.
 * Not sessions; tests/browser has real ones. Read next: watch.test.mjs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import test from "node:test";

import { MeshworkError } from "../../client/meshwork.js";
import { failure, settle, world } from "./fake.mjs";

test("without a page a login is this connection's", async () => {
    const w = world();
    const me = w.open();
    const login = me.login("bob", "secret word");
    const [request] = w.socket.take();
    assert.deepEqual([request.method, request.params], ["login", { user: "bob", password: "secret word" }]);
    w.socket.notify("rights", { a: "get set" });
    w.socket.answer(request, { user: "bob", roles: ["operator"], rights: { a: "get set" } });
    assert.deepEqual(await login, { user: "bob", roles: ["operator"] });
    assert.deepEqual([me.user, me.roles, me.can("set", "a")], ["bob", ["operator"], true]);
});

test("a wrong password is an error that says so", async () => {
    const w = world();
    const me = w.open();
    const login = me.login("bob", "wrong word");
    w.socket.refuse(w.socket.take()[0], -32008, "not authenticated", "wrong name or password");
    const error = await failure(login);
    assert.deepEqual([error.code, error.data], [MeshworkError.NOT_AUTHENTICATED, "wrong name or password"]);
    assert.equal(me.user, null);
});

test("a logout goes on over a new connection", async () => {
    const w = world();
    const me = w.open();
    const first = w.socket;
    const logout = me.logout();
    await w.clock.pass(0);
    assert.equal(first.closedWith, 1000);
    assert.notEqual(w.socket, first);
    w.socket.greet();
    await logout;
    assert.equal(me.state, "open");
});

test("a second hello is another back end: rights and watches follow", async () => {
    const w = world();
    const me = w.open();
    const values = [];
    me.watch("a", (value) => values.push(value));
    w.socket.answer((await w.socket.asked())[0], { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    w.socket.notify("hello", { user: "bob", roles: ["operator"], rights: { a: "get" }, epoch: "e2" });
    const [again] = w.socket.take();
    assert.deepEqual(again.params, { names: ["a"], known: { a: 7 } });
    w.socket.answer(again, { values: { a: 2 }, revs: { a: 9 }, errors: {} });
    await settle();
    assert.deepEqual([me.user, me.can("set", "a"), values], ["bob", false, [1, 2]]);
});

/* What the pages of a site hear of each other by, as a browser has it: all but the one that says it. */
class FakeChannel {
    static all = new Set();

    constructor(name) {
        this.name = name;
        FakeChannel.all.add(this);
    }
    postMessage(data) {
        for (const other of FakeChannel.all)
            if (other !== this && other.name === this.name)
                other.onmessage({ data });
    }
    close() {
        FakeChannel.all.delete(this);
    }
}

/* A page, as far as the client looks at it, and what it asks for by fetch. */
function page(t, answer) {
    const asked = [];
    const before = { document: globalThis.document, fetch: globalThis.fetch, BroadcastChannel: globalThis.BroadcastChannel };
    globalThis.document = { baseURI: "http://fake.test/" };
    globalThis.BroadcastChannel = FakeChannel;
    globalThis.fetch = async (url, options) => {
        asked.push([String(url), options.method, JSON.parse(options.body)]);
        return answer;
    };
    t.after(() => Object.assign(globalThis, before));
    return asked;
}

test("in a page a login is the site's: by POST, then over a connection of its own", async (t) => {
    const w = world();
    const me = w.open();
    const asked = page(t, { ok: true, status: 200, json: async () => ({ user: "bob", roles: ["operator"] }) });
    const login = me.login("bob", "secret word");
    await w.clock.pass(0);
    assert.deepEqual(asked, [["http://fake.test/_mw/login", "POST", { user: "bob", password: "secret word" }]]);
    w.socket.greet({ user: "bob", roles: ["operator"] });
    assert.deepEqual(await login, { user: "bob", roles: ["operator"] });
    assert.equal(me.user, "bob");
});

test("a login that the server refuses leaves the connection as it is", async (t) => {
    const w = world();
    const me = w.open();
    const first = w.socket;
    for (const [status, code] of [[400, MeshworkError.INVALID_PARAMS], [401, MeshworkError.NOT_AUTHENTICATED], [403, MeshworkError.DENIED],
        [429, MeshworkError.OVERLOADED], [500, MeshworkError.INTERNAL], [503, MeshworkError.OVERLOADED]]) {
        page(t, { ok: false, status, json: async () => ({ error: "no" }) });
        const error = await failure(me.login("bob", "wrong word"));
        assert.deepEqual([error.code, error.data], [code, "no"]);
    }
    assert.equal(w.socket, first);
    assert.equal(me.state, "open");
});

test("a login that does not reach the server is an error of ours", async (t) => {
    const w = world();
    const me = w.open();
    page(t);
    globalThis.fetch = async () => { throw new TypeError("Failed to fetch"); };
    const error = await failure(me.login("bob", "secret word"));
    assert.deepEqual([error.code, error.data], [MeshworkError.OUTCOME_UNKNOWN, "Failed to fetch"]);
});

test("a login without a password is a mistake, and asks nobody", async () => {
    const w = world();
    const me = w.open();
    assert.equal((await failure(me.login("bob"))).name, "TypeError");
    assert.deepEqual(w.socket.take(), []);
});

test("when one page of a site logs in, the others become that user, too", async (t) => {
    page(t, { ok: true, status: 200, json: async () => ({ user: "bob", roles: ["operator"] }) });
    const one = world(), other = world(), elsewhere = world();
    const [me, they] = [one.open(), other.open()];
    elsewhere.open({ url: "ws://else.test/" });
    const login = me.login("bob", "secret word");
    await one.clock.pass(0);
    await other.clock.pass(0);
    one.socket.greet({ user: "bob", roles: ["operator"] });
    other.socket.greet({ user: "bob", roles: ["operator"] });
    await login;
    assert.deepEqual([they.user, other.sockets.length, elsewhere.sockets.length], ["bob", 2, 1]);
});

test("a page whose login has run out comes back when another logs in, one that was closed does not", async (t) => {
    page(t, { ok: true, status: 200, json: async () => ({ user: "bob", roles: [] }) });
    const one = world(), out = world(), closed = world();
    const [me, away, shut] = [one.open(), out.open(), closed.open()];
    out.socket.drop(4001, "the login has run out");
    shut.close();
    const login = me.login("bob", "secret word");
    for (const w of [one, out, closed])
        await w.clock.pass(0);
    one.socket.greet({ user: "bob" });
    out.socket.greet({ user: "bob" });
    await login;
    assert.deepEqual([away.state, away.user, shut.state, closed.sockets.length], ["open", "bob", "closed", 1]);
});

test("other roles are told", async () => {
    const w = world();
    const me = w.open();
    const seen = w.log(me, "rights");
    w.socket.notify("roles", { user: "bob", roles: ["operator"] });
    w.socket.notify("rights", { a: "get" });
    assert.deepEqual([me.user, me.roles, seen], ["bob", ["operator"], [["rights", { a: "get" }]]]);
});

test("rights of too many names to be sent unasked are asked for", async () => {
    const w = world();
    const me = w.connect();
    const seen = w.log(me, "rights");
    w.socket.greet({ rights: null });
    const [request] = w.socket.take();
    assert.equal(request.method, "describe");
    assert.deepEqual(seen, []);
    w.socket.answer(request, { attributes: { a: { kind: "int", rights: "get set" } }, commands: { reset: { rights: "call" } }, tasklets: {} });
    assert.deepEqual([me.rights, me.can("set", "a"), me.can("call", "reset")], [{ a: "get set", reset: "call" }, true, true]);
    w.socket.notify("rights");
    w.socket.refuse(w.socket.take()[0], MeshworkError.TOO_LARGE, "too large");
    assert.deepEqual(seen, [["rights", { a: "get set", reset: "call" }], ["rights", null]]);
});

test("a set with detail says why it was refused", async () => {
    const w = world();
    const me = w.open();
    const one = me.setAttr("a", 31, { detail: true });
    const many = me.setAttr({ a: 31, b: 2, c: 3 }, { detail: true });
    const [first, second] = w.socket.take();
    assert.deepEqual([first.params, second.params], [{ values: { a: 31 } }, { values: { a: 31, b: 2, c: 3 } }]);
    const answer = { revs: { c: 9 }, errors: { a: "invalid", b: "denied" }, details: { a: "not within 5 to 30 °C" }, decisions: { b: "k3f9" } };
    w.socket.answer(first, answer);
    w.socket.answer(second, answer);
    assert.deepEqual(await one, { error: "invalid", reason: "not within 5 to 30 °C", decision: null });
    assert.deepEqual(await many, { a: await one, b: { error: "denied", reason: null, decision: "k3f9" }, c: { rev: 9 } });
});

test("with detail a refusal comes with its reason", async () => {
    const w = world();
    const me = w.open();
    const one = me.getAttr("a", { detail: true });
    const many = me.getAttr(["a", "b", "c"], { detail: true });
    const [first, second] = w.socket.take();
    const answer = { values: { a: 1 }, revs: { a: 7 }, errors: { b: "denied", c: "failed" }, details: { c: "no sensor" },
        decisions: { b: "k3f9" } };
    w.socket.answer(first, answer);
    w.socket.answer(second, answer);
    assert.deepEqual(await one, { value: 1, rev: 7 });
    assert.deepEqual(await many, { a: { value: 1, rev: 7 }, b: { error: "denied", reason: null, decision: "k3f9" },
        c: { error: "failed", reason: "no sensor", decision: null } });
});
