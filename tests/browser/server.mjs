/* The real server for tests in JavaScript: started on a free port, ended by its id. Not a test.
 * Read next: hello.test.mjs.
 * SPDX-License-Identifier: MIT */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BUILD = process.env.BUILD_UNDER_TEST;
const PATIENCE_MS = 60_000; // a first start compiles; never waited for when all is well

/* Serve a folder.
 *
 * returns  {url, port, wsPort, stderr(), stop(signal)} once it accepts; rejects with what it said instead
 */
export async function serve(folder, ...flags) {
    if (!BUILD)
        throw new Error("BUILD_UNDER_TEST is not set: start the tests by `tests/browser/run BUILD`");
    const wanted = flags.includes("--port") ? [] : ["--port", "0"];
    const child = spawn(join(BUILD, "meshwork"), ["serve", folder, ...wanted, ...flags], {
        stdio: ["ignore", "pipe", "pipe"],
        env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MESHWORK_"))),
    });
    let stdout = "";
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text) => { stderr += text; });
    const exited = once(child, "exit");
    await new Promise((resolve, reject) => {
        const timer = setTimeout(() => fail("said nothing in time"), PATIENCE_MS);
        const fail = (what) => {
            clearTimeout(timer);
            child.kill("SIGKILL");
            reject(new Error(`meshwork serve ${folder} ${what}:\n${stdout}${stderr}`));
        };
        child.on("error", (error) => fail(error.message));
        const ended = (code) => fail(`ended with ${code}`);
        child.once("exit", ended);
        child.stdout.setEncoding("utf8").on("data", (text) => {
            stdout += text;
            const hasAll = !flags.includes("--ws-port") || /WebSockets also at port \d+\n/.test(stdout);
            if (hasAll && /^meshwork: .* at http:\/\/.*\n/m.test(stdout)) {
                clearTimeout(timer);
                child.off("exit", ended);
                resolve();
            }
        });
    });
    const url = /^meshwork: .* at (http:\S+)$/m.exec(stdout)[1];
    return {
        url,
        port: Number(new URL(url).port),
        wsPort: Number(/WebSockets also at port (\d+)/.exec(stdout)?.[1] ?? 0),
        stderr: () => stderr,
        /* returns the exit status, or the signal that ended it */
        async stop(signal = "SIGTERM") {
            if (child.exitCode === null && child.signalCode === null) {
                child.kill(signal);
                await exited;
            }
            return child.exitCode ?? child.signalCode;
        },
    };
}

/* A folder of its own for a test, gone with it. */
export function makeFolder(t) {
    const folder = mkdtempSync(join(tmpdir(), "meshwork-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    return folder;
}
