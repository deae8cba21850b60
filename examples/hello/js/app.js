/* The front end of hello: connect, read, watch, set, listen.
 * Not the back end; that is app.c. Read next: docs/client.md.
 * SPDX-License-Identifier: MIT */
import { connect } from "/_mw/meshwork.js";

const element = (id) => document.getElementById(id);
const me = connect(); // usable at once: what is asked below waits for the connection

/* ---- the number: a broadcast of the back end ---- */

const BARS = 30;
const MOST = 27; // the largest number that the mesh makes

me.on("broadcast", ({ number }) => {
    if (number === undefined)
        return;
    element("magic-number").querySelector("strong").textContent = number;
    showWay(number % 2 === 0 ? "doubler" : "tripler"); // even numbers are doubled to even, odd ones tripled to odd
    showBar(number);
});

function showWay(name) {
    for (const part of element("mesh").querySelectorAll("[data-by]"))
        part.classList.toggle("lit", part.dataset.by === name);
}

element("history").append(...Array.from({ length: BARS }, () => document.createElement("i")));

function showBar(number) {
    const bar = element("history").firstChild; // the oldest goes, the newest comes
    bar.style.height = `${(100 * number) / MOST}%`;
    bar.className = number % 2 === 0 ? "doubler" : "tripler";
    element("history").append(bar);
}

/* ---- attributes: read once, watched from then on ---- */

const show = (name, value) => {
    const output = element(name);
    const isNews = output.textContent !== "…" && output.textContent !== String(value);
    output.textContent = String(value); // null: it is not ours to read
    output.classList.toggle("null", value === null);
    if (isNews) {
        output.classList.remove("news");
        void output.offsetWidth; // so that the animation starts again
        output.classList.add("news");
    }
};

const showAll = (values) => Object.keys(values).forEach((name) => show(name, values[name]));

me.getAttr(["a", "b", "c"]).then(showAll, (error) => say("refused", error.message)); // {a: 1, b: null, c: 3}
me.watch(["a", "b", "c"], showAll); // all of them first, then those that change

/* ---- setting one: true, or false where policy (or its kind) says no ---- */

element("set").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = element("name").value;
    const value = element("value").valueAsNumber;
    try {
        const isSet = await me.setAttr(name, value);
        say(isSet ? "done" : "refused", isSet ? `${name} is now ${value}.` : `Refused: ${name} is not yours to set.`);
    } catch (error) {
        say("refused", `It is not certain that ${name} was set: ${error.message}.`);
    }
});

function say(kind, text) {
    element("result").dataset.kind = kind;
    element("result").textContent = text;
}

/* ---- rights: told at the start, and whenever they change ---- */

const WORDS = { get: "read", set: "write", call: "call" };

me.on("rights", showRights);
function showRights() {
    for (const name of ["a", "b", "c"]) {
        const words = Object.keys(WORDS).filter((right) => me.can(right, name)).map((right) => WORDS[right]);
        element(`rights-${name}`).replaceChildren(...(words.length > 0 ? words : ["nothing"]).map((word) => {
            const chip = document.createElement("span");
            chip.textContent = word;
            chip.className = `chip ${word}`;
            return chip;
        }));
    }
    element("app-name").textContent = me.app ?? "…";
    element("role").textContent = me.user ?? (me.roles.join(", ") || "…");
}
showRights();

/* ---- the connection: it comes back by itself, and so does what is watched ---- */

me.on("state", showState);
function showState(state) {
    document.body.dataset.state = state; // what is shown may be old: app.css dims it
    element("status").dataset.state = state;
    element("status").textContent = state === "open" ? "connected" : state;
}
showState(me.state);

/* ---- the manner of 2012: a message of the app's own, an answer with the same msgId ---- */

let plain = null;

element("ask").addEventListener("submit", async (event) => {
    event.preventDefault();
    plain ??= connect({ plain: true });
    try {
        const { lines } = await plain.ask({ commandText: "hello" });
        element("lines").textContent = lines.join(" ");
    } catch (error) {
        element("lines").textContent = error.message;
    }
});
