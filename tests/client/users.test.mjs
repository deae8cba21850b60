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
    w.socket.answer(w.socket.take()[0], { values: { a: 1 }, revs: { a: 7 }, errors: {} });
    w.socket.notify("hello", { user: "bob", roles: ["operator"], rights: { a: "get" }, epoch: "e2" });
    const [again] = w.socket.take();
    assert.deepEqual(again.params, { names: ["a"], known: { a: 7 } });
    w.socket.answer(again, { values: { a: 2 }, revs: { a: 9 }, errors: {} });
    await settle();
    assert.deepEqual([me.user, me.can("set", "a"), values], ["bob", false, [1, 2]]);
});

/* A page, as far as the client looks at it, and what it asks for by fetch. */
function page(t, answer) {
    const asked = [];
    const before = { document: globalThis.document, fetch: globalThis.fetch };
    globalThis.document = { baseURI: "http://fake.test/" };
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
    for (const [status, code] of [[401, MeshworkError.NOT_AUTHENTICATED], [429, MeshworkError.OVERLOADED], [503, MeshworkError.INTERNAL]]) {
        page(t, { ok: false, status, json: async () => ({ error: "no" }) });
        const error = await failure(me.login("bob", "wrong word"));
        assert.deepEqual([error.code, error.data], [code, "no"]);
    }
    assert.equal(w.socket, first);
    assert.equal(me.state, "open");
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
