/* examples/hello in a real browser, on the real server.
 * Not the client alone; that is tests/client. Read next: old.test.mjs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";

import { keepPicture, openBrowser, openPage, shows } from "./page.mjs";
import { ROOT, serve } from "./server.mjs";

const HELLO = join(ROOT, "examples/hello");
const NUMBER = /^My magic number is (\d+)\.$/;

async function serveHello(t, ...flags) {
    const server = await serve(HELLO, ...flags);
    t.after(() => server.stop());
    return server;
}

async function setInPage(page, name, value) {
    await page.selectOption("#name", name);
    await page.fill("#value", String(value));
    await page.click("#set-button");
}

test("the page shows numbers out of the mesh, and they change", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url);
    const first = await shows(page, "#magic-number", NUMBER);
    const second = await shows(page, "#magic-number", new RegExp(`^(?!${first}$)My magic number is \\d+\\.$`));
    for (const text of [first, second]) {
        const number = Number(NUMBER.exec(text)[1]);
        assert.ok([3, 4, 8, 9, 12, 15, 16, 21, 27].includes(number), `${number} is doubled even or tripled odd`);
    }
    assert.deepEqual(page.complaints, []);
});

test("a is 1, b is null, c is 3, and the page says what one may do", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url);
    await shows(page, "#a", "1");
    await shows(page, "#b", "null");
    await shows(page, "#c", "3");
    await shows(page, "#rights-a", "readwrite");
    await shows(page, "#rights-b", "nothing");
    await shows(page, "#rights-c", "read");
    await shows(page, "#status", "connected");
    assert.deepEqual(page.complaints, []);
});

test("what one page sets appears in every other", async (t) => {
    const server = await serveHello(t);
    const browser = await openBrowser(t);
    const pages = await Promise.all([1, 2, 3].map(() => openPage(browser, server.url)));
    for (const page of pages)
        await shows(page, "#a", "1");
    await setInPage(pages[0], "a", 42);
    for (const page of pages)
        await shows(page, "#a", "42");
    await shows(pages[0], "#result", "a is now 42.");
    await setInPage(pages[2], "a", -7);
    for (const page of pages)
        await shows(page, "#a", "-7");
});

test("a denied set answers false and changes nothing", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url);
    await shows(page, "#c", "3");
    const answers = await page.evaluate(async () => {
        const { connect } = await import("/_mw/meshwork.js");
        const me = connect();
        const answers = [await me.setAttr("b", 10), await me.setAttr("c", 10), await me.setAttr("nothing", 10),
            await me.setAttr({ a: 5, b: 5 }), await me.setAttr("a", "five"), await me.getAttr(["a", "b", "c"]),
            await me.getAttr("b")];
        me.close();
        return answers;
    });
    assert.deepEqual(answers, [false, false, false, { a: true, b: false }, false, { a: 5, b: null, c: 3 }, null]);
    await shows(page, "#a", "5");
    for (const name of ["b", "c"]) {
        await setInPage(page, name, 10);
        await shows(page, "#result", `Refused: ${name} is not yours to set.`);
    }
    await shows(page, "#b", "null");
    await shows(page, "#c", "3");
});

test("rights and description are what the server decides", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url);
    const [rights, described] = await page.evaluate(async () => {
        const { connect } = await import("/_mw/meshwork.js");
        const me = await connect().ready;
        return [me.rights, await me.describe()];
    });
    assert.deepEqual(rights, { a: "get set", c: "get" });
    assert.deepEqual(Object.keys(described.attributes), ["a", "c"]);
});

test("a message in the app's own words is answered", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url);
    await page.click("#ask-button");
    await shows(page, "#lines", "Hello. World.");
    assert.deepEqual(page.complaints, []);
});

for (const signal of ["SIGTERM", "SIGKILL"])
    test(`the server goes (${signal}) and comes back: the page connects and watches again by itself`, async (t) => {
        const before = await serveHello(t);
        const browser = await openBrowser(t);
        const [page, other] = [await openPage(browser, before.url), await openPage(browser, before.url)];
        await setInPage(page, "a", 99);
        await shows(other, "#a", "99");
        assert.equal(await before.stop(signal), signal === "SIGKILL" ? signal : 0);
        await shows(page, "#status", /^reconnecting/);
        if (signal === "SIGTERM")
            await keepPicture(page, "hello-reconnecting.png");
        const after = await serveHello(t, "--port", String(before.port));
        assert.equal(after.port, before.port);
        for (const each of [page, other]) {
            await shows(each, "#status", "connected");
            await shows(each, "#a", "1"); // a new back end
        }
        await setInPage(other, "a", 7);
        await shows(page, "#a", "7");
        const number = await page.textContent("#magic-number");
        await shows(page, "#magic-number", new RegExp(`^(?!${number}$)My magic number is \\d+\\.$`));
    });

test("a set made while the server is away is done when it is back", async (t) => {
    const before = await serveHello(t);
    const page = await openPage(await openBrowser(t), before.url);
    await shows(page, "#a", "1");
    await before.stop();
    await shows(page, "#status", /^reconnecting/);
    await setInPage(page, "a", 5);
    await serveHello(t, "--port", String(before.port));
    await shows(page, "#result", "a is now 5.");
    await shows(page, "#a", "5");
});

test("a page in a world where it is one app of two finds its own back end", async (t) => {
    const server = await serve(HELLO, join(ROOT, "examples/echo"));
    t.after(() => server.stop());
    const browser = await openBrowser(t);
    const page = await openPage(browser, new URL("/hello/", server.url).href);
    await shows(page, "#a", "1");
    await shows(page, "#magic-number", NUMBER);
    const echo = await openPage(browser, new URL("/echo/", server.url).href);
    await shows(echo, "#status", "connected");
    await echo.click("#bytes");
    await shows(echo, "#log li", /^1000 bytes came back unchanged/);
    assert.deepEqual([page.complaints, echo.complaints], [[], []]);
});

test("every control has a name, and nothing is wider than a phone", async (t) => {
    const server = await serveHello(t);
    const page = await openPage(await openBrowser(t), server.url, { viewport: { width: 360, height: 740 } });
    await shows(page, "#magic-number", NUMBER);
    const nameless = await page.$$eval("input, select, button, [role=img]", (all) => all
        .filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim()))
        .map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await keepPicture(page, "hello-phone.png");
});

test("pictures of the page are kept", async (t) => {
    const server = await serveHello(t);
    const browser = await openBrowser(t);
    await Promise.all(["light", "dark"].map(async (colorScheme) => {
        const page = await openPage(browser, server.url, { colorScheme, viewport: { width: 1100, height: 900 } });
        await setInPage(page, "b", 10);
        await shows(page, "#result", /^Refused/);
        await page.click("#ask-button");
        await shows(page, "#lines", "Hello. World.");
        await page.waitForFunction(() => document.querySelectorAll("#history i[class]").length >= 8);
        await keepPicture(page, `hello-${colorScheme}.png`);
        assert.deepEqual(page.complaints, []);
    }));
});
