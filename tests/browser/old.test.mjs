/* Pages of other days on the real server: the behaviour of 2012 over a second port, and a page without modules.
 * Not the page of today; that is hello.test.mjs. Read next: fixtures/.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { openBrowser, openPage, shows } from "./page.mjs";
import { makeFolder, ROOT, serve } from "./server.mjs";

const NUMBER = /^My magic number is \d+\.$/;

/* One of the fixtures with hello's back end, served. */
async function serveFixture(t, name, ...flags) {
    const folder = makeFolder(t);
    cpSync(join(ROOT, "tests/browser/fixtures", name), folder, { recursive: true });
    cpSync(join(ROOT, "examples/hello/app.c"), join(folder, "app.c"));
    const server = await serve(folder, ...flags);
    t.after(() => server.stop());
    return { folder, server };
}

/* The page says where to connect, as it did; only host and port differ from test to test. */
function saysWhere(folder, address) {
    const file = join(folder, "app.html");
    writeFileSync(file, readFileSync(file, "utf8").replace("ws://HOST:6789", address));
}

for (const [note, host, flags, chromium] of [
    ["the same name", "localhost", [], []],
    ["the address of this machine", "127.0.0.1", ["--host", "127.0.0.1"], []],
    ["another name, which --host makes known", "mesh.test", ["--host", "mesh.test"],
        ["--host-resolver-rules=MAP mesh.test 127.0.0.1"]],
])
    test(`a page of 2012 gets its numbers over the second port, by ${note}`, async (t) => {
        const { folder, server } = await serveFixture(t, "2012", "--ws-port", "0", ...flags);
        assert.notEqual(server.wsPort, server.port);
        saysWhere(folder, `ws://${host}:${server.wsPort}`);
        const page = await openPage(await openBrowser(t, ...chromium), server.url);
        const first = await shows(page, "#magic-number", NUMBER);
        await shows(page, "#magic-number", new RegExp(`^(?!${first}$)My magic number is \\d+\\.$`));
        assert.match(await page.textContent("#log"), /^connecting to ws:\/\/.*\nconnected\n$/);
        assert.deepEqual(page.complaints, []);
    });

test("a page of 2012 gets its answer, and connects again when it sends after a disconnect", async (t) => {
    const { folder, server } = await serveFixture(t, "2012", "--ws-port", "0");
    saysWhere(folder, `ws://localhost:${server.wsPort}`);
    const page = await openPage(await openBrowser(t), server.url);
    await shows(page, "#magic-number", NUMBER);
    await page.evaluate("App.send({msgId: 12, commandText: 'hello'})");
    await shows(page, "#log", /received \{"msgId":12,"lines":\["Hello\.","World\."\]\}/);
    await page.evaluate("App.disconnect()");
    await shows(page, "#log", /disconnected$/);
    await page.evaluate("document.getElementById('magic-number').textContent = ''; App.send({})");
    await shows(page, "#magic-number", NUMBER);
});

test("a name that --host does not make known is refused at the second port", async (t) => {
    const { folder, server } = await serveFixture(t, "2012", "--ws-port", "0");
    saysWhere(folder, `ws://mesh.test:${server.wsPort}`);
    const browser = await openBrowser(t, "--host-resolver-rules=MAP mesh.test 127.0.0.1");
    const page = await openPage(browser, server.url);
    await shows(page, "#log", /an error\ndisconnected$/);
    assert.equal(await page.textContent("#magic-number"), "");
});

test("the second port speaks WebSocket and nothing else", async (t) => {
    const { server } = await serveFixture(t, "2012", "--ws-port", "0");
    const answer = await fetch(`http://localhost:${server.wsPort}/`);
    assert.equal(answer.status, 426);
});

test("a page without modules has the client as window.Meshwork", async (t) => {
    const { server } = await serveFixture(t, "classic");
    const browser = await openBrowser(t);
    const [page, other] = [await openPage(browser, server.url), await openPage(browser, server.url)];
    await shows(page, "#a", "1");
    await shows(page, "#magic-number", NUMBER);
    assert.equal(await other.evaluate("me.setAttr('a', 11)"), true);
    await shows(page, "#a", "11");
    assert.deepEqual(page.complaints, []);
});

test("a page of files alone, without a back end, is served and reaches nothing", async (t) => {
    const folder = makeFolder(t);
    cpSync(join(ROOT, "tests/browser/fixtures/classic/app.html"), join(folder, "app.html"));
    const server = await serve(folder);
    t.after(() => server.stop());
    const page = await openPage(await openBrowser(t), server.url);
    assert.equal(await page.evaluate("me.getAttr('a')"), null);
    assert.deepEqual(await page.evaluate("me.rights"), {});
    assert.deepEqual(page.complaints, []);
});
