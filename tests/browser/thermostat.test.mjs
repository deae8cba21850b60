/* examples/thermostat with three people at once, and the page on which one logs in without a script.
 * Read next: ../../examples/thermostat/README.md.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";

import { keepPicture, openBrowser, openPage, shows } from "./page.mjs";
import { makeFolder, ROOT, serve } from "./server.mjs";

const THERMOSTAT = join(ROOT, "examples/thermostat");
const PASSWORD = "correct horse";

function user(state, ...words) {
    const done = spawnSync(join(process.env.BUILD_UNDER_TEST, "meshwork"), ["user", ...words, "--state", state],
        { input: `${PASSWORD}\n`, encoding: "utf8" });
    assert.equal(done.status, 0, done.stderr);
}

async function serveThermostat(t) {
    const state = join(makeFolder(t), "state");
    user(state, "add", "bob", "--role", "operator");
    user(state, "add", "alice", "--role", "admin");
    const server = await serve(THERMOSTAT, "--state", state);
    t.after(() => server.stop());
    return { server, state };
}

async function logIn(page, name, password = PASSWORD) {
    await page.fill("#name", name);
    await page.fill("#password", password);
    await page.click("#login button");
}

async function setTarget(page, value) {
    await page.evaluate((to) => {
        const target = document.getElementById("target");
        target.value = to;
        target.dispatchEvent(new Event("change"));
    }, value);
}

const isGrey = (page, want) => page.waitForFunction(
    (grey) => document.getElementById("target").disabled === grey, want);

test("a visitor looks, an operator sets, an admin says who may, and all pages follow", async (t) => {
    const { server, state } = await serveThermostat(t);
    const browser = await openBrowser(t);
    const [visitor, bob, alice] = await Promise.all([1, 2, 3].map(() => openPage(browser, server.url)));
    await logIn(bob, "bob");
    await shows(bob, "#user", "bob");
    await logIn(alice, "alice");
    await shows(alice, "#user", "alice");
    await shows(visitor, "#user", "a visitor");
    await shows(visitor, "#rights", "You may look.");
    await Promise.all([isGrey(visitor, true), isGrey(bob, false), isGrey(alice, false)]);
    assert.equal(await bob.isVisible("#rule"), false);
    assert.equal(await alice.isVisible("#rule"), true);

    await setTarget(bob, 25);
    for (const page of [visitor, bob, alice])
        await shows(page, "#target_c", "25");

    await alice.uncheck("#operators_may");
    await isGrey(bob, true);
    await shows(bob, "#rights", "You may look.");
    await alice.click("#explain button");
    await shows(alice, "#trail", "denied: no rule allows it, and nothing said is denied");
    await setTarget(bob, 6); // the page is not what decides
    await shows(bob, "#result", "Refused: the target is not yours to set.");
    await shows(visitor, "#target_c", "25");
    await keepPicture(bob, "thermostat-bob.png");
    await keepPicture(alice, "thermostat-alice.png");
    await alice.check("#operators_may");
    await isGrey(bob, false);

    user(state, "role", "bob", "admin"); // on the command line, while he is connected
    await bob.waitForSelector("#rule", { state: "visible" });
    user(state, "role", "bob", "operator");
    await bob.waitForSelector("#rule", { state: "hidden" });
    for (const page of [visitor, bob, alice])
        assert.deepEqual(page.complaints, []);
});

test("a login holds for the site until the logout, a wrong password for nothing", async (t) => {
    const { server, state } = await serveThermostat(t);
    const page = await openPage(await openBrowser(t), server.url);
    await logIn(page, "bob", "wrong horse");
    await shows(page, "#said", "wrong name or password");
    await shows(page, "#user", "a visitor");
    await logIn(page, "bob");
    await shows(page, "#user", "bob");
    await page.reload();
    await shows(page, "#user", "bob");
    const other = await page.context().newPage();
    await other.goto(server.url);
    await shows(other, "#user", "bob");
    await page.click("#logout button");
    await shows(page, "#user", "a visitor");
    await shows(other, "#user", "a visitor"); // it follows
    await shows(other, "#status", "connected");
    await logIn(page, "bob");
    await shows(page, "#user", "bob");
    await shows(other, "#user", "bob");
    user(state, "remove", "bob");
    await shows(page, "#status", "closed");
    await shows(other, "#status", "closed");
});

test("the server's own page logs in without a script", async (t) => {
    const { server } = await serveThermostat(t);
    const page = await openPage(await openBrowser(t), `${server.url}_mw/login`, { javaScriptEnabled: false });
    await page.fill("input[name=user]", "bob");
    await page.fill("input[name=password]", PASSWORD);
    await page.click("button");
    await page.waitForURL(server.url);
    await page.goto(`${server.url}_mw/login`);
    assert.match(await page.textContent("body"), /You are bob, in the role of operator\./);
    await page.click("button");
    await page.waitForURL(`${server.url}_mw/login`);
    assert.match(await page.textContent("body"), /Log in/);
    assert.deepEqual(page.complaints, []);
});
