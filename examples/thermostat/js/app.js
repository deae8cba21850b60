/* The front end of the thermostat: it shows what one may see, and greys out what one may not do.
 * That is for looks: what counts is decided by the server, each time. Read next: docs/client.md, docs/users.md.
 * SPDX-License-Identifier: MIT */
import { connect, MeshworkError } from "/_mw/meshwork.js";

const element = (id) => document.getElementById(id);
const me = connect();

/* ---- what is shown: watched, so it follows ---- */

const show = {
    reading_c: (value) => { element("reading_c").textContent = value?.toFixed(1) ?? "…"; },
    target_c: (value) => {
        element("target_c").textContent = value ?? "…";
        if (document.activeElement !== element("target"))
            element("target").value = value;
    },
    is_heating: (value) => { element("heating").textContent = value ? "heating" : "not heating"; },
    operators_may: (value) => { element("operators_may").checked = value === true; }, // null: not ours to know
};
me.watch(Object.keys(show), (values) => Object.entries(values).forEach(([name, value]) => show[name](value)));

me.on("broadcast", ({ hot }, channel) => {
    if (channel === "alarm")
        element("alarm").hidden = !hot;
});

/* ---- what one may do: told at the start and whenever it changes ---- */

me.on("rights", showRights);
function showRights() {
    element("target").disabled = !me.can("set", "target_c");
    element("rule").hidden = !me.can("call", "let_operators");
    element("user").textContent = me.user ?? "a visitor";
    element("rights").textContent = me.can("set", "target_c") ? "You may set the target." : "You may look.";
    element("login").hidden = me.user !== null;
    element("logout").hidden = me.user === null;
}
me.on("state", (state) => {
    element("status").textContent = state === "open" ? "connected" : state;
    document.body.dataset.state = state;
});

element("target").addEventListener("change", async () => {
    const isSet = await me.setAttr("target_c", element("target").valueAsNumber);
    element("result").textContent = isSet ? "" : "Refused: the target is not yours to set.";
});

/* ---- who one is ---- */

element("login").addEventListener("submit", (event) => {
    event.preventDefault();
    tell(me.login(element("name").value, element("password").value), "Welcome.");
});
element("logout").addEventListener("submit", (event) => {
    event.preventDefault();
    tell(me.logout(), "");
});

async function tell(promise, done) {
    try {
        await promise;
        element("said").textContent = done;
        element("login").reset();
        element("alarm").hidden = true;
        showRights();
    } catch (error) {
        element("said").textContent = error instanceof MeshworkError ? (error.data ?? error.message) : String(error);
    }
}

/* ---- the admin's part ---- */

element("operators_may").addEventListener("change", async (event) => {
    await me.call("let_operators", event.target.checked);
});
element("explain").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
        const { outcome, trail } = await me.request("explain", { user: element("whom").value, name: "target_c", op: "set" });
        element("trail").textContent = `${outcome}: ${trail.why}`;
    } catch (error) {
        element("trail").textContent = error.data ?? error.message;
    }
});
