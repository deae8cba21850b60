/* A scripted world for the client: a clock that moves when told, a chance that is chosen, a socket whose other end is
 * the test. Not a server; tests/browser has the real one. Read next: requests.test.mjs.
 * SPDX-License-Identifier: MIT */
import { connect } from "../../client/meshwork.js";

export class FakeClock {
    #now = 1_000;
    #timers = new Map();
    #next = 1;

    now() {
        return this.#now;
    }
    setTimeout(fn, ms) {
        this.#timers.set(this.#next, { fn, at: this.#now + ms });
        return this.#next++;
    }
    clearTimeout(id) {
        this.#timers.delete(id);
    }
    get count() {
        return this.#timers.size;
    }
    /* Let time pass; promises settle between one timer and the next. */
    async pass(ms) {
        const end = this.#now + ms;
        for (;;) {
            await settle();
            const due = [...this.#timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
            if (!due)
                break;
            this.#now = Math.max(this.#now, due[1].at);
            this.#timers.delete(due[0]);
            due[1].fn();
        }
        this.#now = end;
        await settle();
    }
}

/* Let every promise that can be settled be settled. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export const HELLO = {
    protocol: 1, app: "fake", session: "s1", epoch: "e1", user: null, roles: ["anonymous"],
    rights: { a: "get set", c: "get" }, limits: { message_bytes: 1_048_576, messages_per_s: 500 }, ping_s: 30,
};

/* One world: sockets are in `sockets`, the newest in `socket`. */
export function world({ random = 0.5 } = {}) {
    const clock = new FakeClock();
    const sockets = [];

    class FakeSocket {
        sent = [];
        closedWith = null;

        constructor(url, protocols) {
            this.url = url;
            this.protocols = protocols;
            sockets.push(this);
        }
        send(text) {
            this.sent.push(JSON.parse(text));
        }
        close(code) {
            this.closedWith = code;
        }

        /* ---- the other end ---- */
        accept() {
            this.onopen({});
        }
        greet(changes = {}) {
            this.accept();
            this.notify("hello", { ...HELLO, ...changes });
        }
        say(message) {
            this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
        }
        notify(method, params) {
            this.say({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) });
        }
        answer(request, result) {
            this.say({ jsonrpc: "2.0", id: request.id, result });
        }
        refuse(request, code, message, data) {
            this.say({ jsonrpc: "2.0", id: request.id, error: { code, message, data } });
        }
        drop(code = 1006, reason = "") {
            this.onclose({ code, reason });
        }
        /* What was asked and not looked at yet. */
        take() {
            return this.sent.splice(0);
        }
        /* The same once what is said at the end of a turn of the loop (watch, stop) has been said. */
        async asked() {
            await settle();
            return this.take();
        }
    }

    return {
        clock,
        sockets,
        chance: { value: random },
        get socket() {
            return sockets[sockets.length - 1];
        },
        connect(options = {}) {
            return connect({
                url: "ws://fake.test/", WebSocket: FakeSocket, clock, random: () => this.chance.value, ...options,
            });
        },
        /* Connected and greeted. */
        open(options) {
            const me = this.connect(options);
            this.socket.greet();
            return me;
        },
        log(me, ...names) {
            const seen = [];
            for (const name of names)
                me.on(name, (...args) => seen.push([name, ...args]));
            return seen;
        },
    };
}

/* The error of a promise that is to fail. */
export async function failure(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error("this was to fail, and did not");
}
