/* A real browser, and what a test asks of a page. Not a test.
 * Read next: hello.test.mjs.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { chromium } from "playwright-core";

import { ROOT } from "./server.mjs";

const PATIENCE_MS = 30_000;
const ARTEFACTS = join(ROOT, "tests/artefacts");

const browsers = new Map(); // arguments → a browser with a profile of its own
after(() => Promise.all([...browsers.values()].map(async (browser) => (await browser).close())));

/* A browser for one test: what is opened in it is closed with the test, the program itself serves the next one. */
export async function openBrowser(t, ...args) {
    const key = args.join(" ");
    if (!browsers.has(key))
        browsers.set(key, chromium.launch({
            executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
            args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", ...args],
        }));
    const browser = await browsers.get(key);
    const contexts = [];
    t.after(() => Promise.all(contexts.map((context) => context.close())));
    return {
        async newContext(options) {
            const context = await browser.newContext(options);
            contexts.push(context);
            return context;
        },
    };
}

/* A page that keeps what went wrong in it, and what it asked for elsewhere: page.complaints. */
export async function openPage(browser, url, options = {}) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("console", (message) => {
        if (message.type() === "error")
            page.complaints.push(message.text());
    });
    page.on("request", (request) => {
        if (/^https?:/.test(request.url()) && new URL(request.url()).origin !== new URL(url).origin)
            page.complaints.push(`asked elsewhere: ${request.url()}`);
    });
    await page.goto(url);
    return page;
}

/* Wait until an element shows a text (or what matches a pattern), and give it. */
export async function shows(page, selector, want) {
    const isMatch = (text) => (want instanceof RegExp ? want.test(text) : text === want);
    const end = Date.now() + PATIENCE_MS;
    let text;
    do {
        text = (await page.textContent(selector)).trim();
        if (isMatch(text))
            return text;
        await page.waitForTimeout(20);
    } while (Date.now() < end);
    assert.fail(`${selector} shows ${JSON.stringify(text)}, wanted ${want}`);
}

/* Keep a picture of the page in tests/artefacts/. */
export async function keepPicture(page, name) {
    mkdirSync(ARTEFACTS, { recursive: true });
    await page.screenshot({ path: join(ARTEFACTS, name), fullPage: true, animations: "disabled" });
}
