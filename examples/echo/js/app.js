/* The page of the echo app: a bare WebSocket, as there is nothing here but messages.
 * Not an example of the client; that is examples/hello/js/app.js. SPDX-License-Identifier: MIT */
"use strict";
const address = new URL(".", document.baseURI);
address.protocol = address.protocol.replace(/^http/, "ws");
const socket = new WebSocket(address);
socket.binaryType = "arraybuffer";
const element = (id) => document.getElementById(id);
const sent = []; // what is on its way, the oldest first

function log(text) {
    const line = document.createElement("li");
    line.textContent = text;
    element("log").prepend(line);
}
function send(message) {
    if (socket.readyState !== WebSocket.OPEN)
        return log("not connected: load the page again");
    sent.push({ message, at: performance.now() });
    socket.send(message);
}
function isSame(a, b) {
    if (typeof a === "string" || typeof b === "string")
        return a === b;
    const [left, right] = [new Uint8Array(a), new Uint8Array(b)];
    return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

socket.onopen = () => { element("status").textContent = "connected"; };
socket.onclose = ({ code }) => { element("status").textContent = `closed (${code})`; };
socket.onmessage = ({ data }) => {
    const { message, at } = sent.shift();
    const what = typeof data === "string" ? `“${data}”` : `${data.byteLength} bytes`;
    const ms = (performance.now() - at).toFixed(1);
    log(`${what} came back ${isSame(message, data) ? "unchanged" : "CHANGED"} after ${ms} ms`);
};
element("say").addEventListener("submit", (event) => {
    event.preventDefault();
    send(element("text").value);
});
element("bytes").addEventListener("click", () => send(crypto.getRandomValues(new Uint8Array(1000))));
