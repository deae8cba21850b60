/* The classic script is the module: same names, same behaviour, nothing else left behind in the page.
 * Not a browser; that is tests/browser. Read next: tools/make-classic.
 * SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

import * as module from "../../client/meshwork.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tool = join(root, "tools/make-classic");

function inFolder(t) {
    const folder = mkdtempSync(join(tmpdir(), "classic-"));
    t.after(() => rmSync(folder, { recursive: true }));
    return folder;
}

test("the classic script defines Meshwork with the module's names, and nothing else", (t) => {
    const out = join(inFolder(t), "classic.js");
    execFileSync(tool, [join(root, "client/meshwork.js"), out]);
    const page = vm.createContext({});
    vm.runInContext(readFileSync(out, "utf8"), page);
    assert.deepEqual(Object.keys(page), ["Meshwork"]);
    assert.deepEqual(Object.keys(page.Meshwork).sort(), Object.keys(module).sort());
    assert.equal(typeof page.Meshwork.connect, "function");
});

for (const [note, text] of [
    ["an import", 'import { x } from "./x.js";\nexport { x };\n'],
    ["two exports", "export const a = 1;\nexport { a };\n"],
    ["no export", "const a = 1;\n"],
    ["another form of export", "export default 1;\n"],
])
    test(`what could not be a classic script is refused: ${note}`, (t) => {
        const folder = inFolder(t);
        writeFileSync(join(folder, "module.js"), text);
        const result = spawnSync(tool, [join(folder, "module.js"), join(folder, "out.js")], { encoding: "utf8" });
        assert.equal(result.status, 1);
        assert.match(result.stderr, /make-classic: .*module\.js/);
    });
