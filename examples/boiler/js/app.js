/* The front end of boiler. Not the back end; that is boiler.cpp. Read next: docs/client.md.
 * SPDX-License-Identifier: MIT */
import { connect } from "/_mw/meshwork.js";

const element = (id) => document.getElementById(id);
const say = (text) => { element("said").textContent = text; };
const me = connect();

me.watch(["site", "mode"], (values) => {
    for (const name in values)
        element(name).textContent = values[name];
});
me.watch("water_c", (value) => { element("water_c").textContent = value.toFixed(1); }, { maxHz: 5 });
me.watch("target_c", (value) => { element("target_c").value = value; });
me.on("broadcast", (text) => say(text));

element("target_c").addEventListener("change", async ({ target }) => {
    const { error, reason } = await me.setAttr("target_c", target.valueAsNumber, { detail: true });
    say(error ? reason ?? error : "");
});
element("off").addEventListener("click", () => me.setAttr("mode", "off"));
element("start").addEventListener("click", () =>
    me.call("start", { to_c: element("target_c").valueAsNumber }).then(say, (error) => say(error.data ?? error.message)));
