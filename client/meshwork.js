/* The front end's half of Meshwork: one connection, the attributes behind it, and what is said to all.
 * Not a page's business; that is the app's own js/. Read next: docs/client.md, then docs/protocol.md.
 * Plain ES module; tools/make-classic makes the classic script of the same content from it.
 * SPDX-License-Identifier: MIT */

const PROTOCOL = "meshwork.v1";
const CONNECT_MS = 10_000; // from the first byte to hello
const REQUEST_MS = 30_000; // from asking to the answer, waiting for the connection included
const FIRST_RETRY_MS = 3_000; // the first try after a drop: at random within this
const RETRY_STEP_MS = 500; // then within this, doubled each time ...
const RETRY_MOST_MS = 30_000; // ... up to this
const OVERLOAD_LEAST_MS = 1_000; // after "try again later" (1013)
const STABLE_MS = 5_000; // a connection that held this long starts the doubling afresh
const MOST_REQUESTS = 4_096; // waiting or unanswered at once
const MOST_BYTES = 1_048_576; // of one message, until hello says

/* Close codes after which coming back by itself would only be refused again. */
const FINAL_CLOSE = new Set([1008, 4001]);
/* Close codes that blame what we sent: it is not sent again. */
const BLAMING_CLOSE = new Set([1002, 1003, 1007, 1009, 1010]);
/* Methods without an effect: asked again on the next connection when the answer was lost. */
const SAFE_METHODS = new Set(["getAttr", "describe", "rights", "explain"]);

/* What many watches in one request may get that each alone would not. */
const PARTING = new Set([-32602, -32010]);

const EVENTS = new Set(["open", "close", "reconnecting", "state", "broadcast", "message", "rights", "lag", "bye",
    "error"]);

const own = (object, key) => object != null && Object.prototype.hasOwnProperty.call(object, key);

/* Why a request failed. `code` is JSON-RPC's or one of those below, `data` what a person needs to act. */
class MeshworkError extends Error {
    constructor(code, message, data) {
        super(data == null ? message : `${message}: ${typeof data === "string" ? data : JSON.stringify(data)}`);
        this.name = "MeshworkError";
        this.code = code;
        this.data = data ?? null;
    }
    static DENIED = -32001;
    static TIMED_OUT = -32002; // of our own making: no answer in time, and no effect either
    static INVALID_VALUE = -32004;
    static OVERLOADED = -32006;
    static INTERNAL = -32603;
    static OUTCOME_UNKNOWN = -32007; // it was sent, the answer never came: it may have happened or not
    static NOT_AUTHENTICATED = -32008;
    static CLOSED = -32009;
    static TOO_LARGE = -32010;
    static INVALID_PARAMS = -32602;
}

/* ---- listeners ------------------------------------------------------------------------------------------- */

/* A callback that throws is the page's mistake: it is reported, and hurts no other callback. */
function report(error) {
    if (typeof globalThis.reportError === "function")
        globalThis.reportError(error);
    else
        console.error(error);
}

function run(fn, ...args) {
    try {
        fn(...args);
    } catch (error) {
        report(error);
    }
}

class Listeners {
    #byName = new Map();

    add(name, fn) {
        if (!EVENTS.has(name))
            throw new TypeError(`there is no event "${name}"; there are ${[...EVENTS].join(", ")}`);
        if (typeof fn !== "function")
            throw new TypeError(`on("${name}", fn): fn is a function`);
        if (!this.#byName.has(name))
            this.#byName.set(name, new Set());
        this.#byName.get(name).add(fn);
    }
    remove(name, fn) {
        this.#byName.get(name)?.delete(fn);
    }
    /* returns  whether anybody listens */
    emit(name, ...args) {
        const all = [...(this.#byName.get(name) ?? [])];
        for (const fn of all)
            run(fn, ...args);
        return all.length > 0;
    }
}

/* ---- the link: one socket after the other ---------------------------------------------------------------- */

/* Keeps a socket open until told otherwise. Knows no protocol: whoever owns it says when a socket is of use
 * (ready), and hears of messages and of its end. */
class Link {
    #options;
    #owner; // {opened(), message(text), dropped({code, reason, final}), waits({attempt, delayMs})}
    #socket = null;
    #timer = null; // of the attempt under way, or of the wait before the next
    #attempt = 0;
    #readySince = 0;
    #retryRange = null; // what the server asked for, for the next wait
    isReady = false;
    isEnded = false;
    saidAt = 0;

    constructor(options, owner) {
        this.#options = options;
        this.#owner = owner;
    }

    open() {
        const { WebSocket: Socket, url, protocols } = this.#options;
        // A wrong address throws here, at whoever called connect().
        const socket = protocols ? new Socket(url, protocols) : new Socket(url);
        this.#socket = socket;
        this.#wait(CONNECT_MS, () => this.drop(1006, "no answer"));
        socket.onopen = () => this.#owner.opened();
        socket.onmessage = (event) => this.#owner.message(event.data);
        socket.onerror = () => {}; // its close event says what there is to say
        socket.onclose = (event) => this.#ended(event.code, event.reason);
    }
    ready() {
        this.#calm();
        this.isReady = true;
        this.#readySince = this.#options.clock.now();
    }
    send(text) {
        this.saidAt = this.#options.clock.now();
        this.#socket.send(text);
    }
    retryWithin(range) {
        const [least, most] = Array.isArray(range) ? range : [];
        if (least >= 0 && most >= least && most <= 600_000)
            this.#retryRange = [least, most];
    }
    /* Give this socket up without waiting for the other side, which may be long gone. */
    drop(code, reason) {
        if (this.#socket)
            this.#ended(code, reason);
    }
    /* Another socket in place of this one, at once. */
    renew() {
        if (this.#socket)
            this.#ended(1000, "for another user", 0);
        else
            this.hurry(0);
    }
    close(code, reason) {
        this.isEnded = true;
        this.#calm();
        this.#letGo();
        this.#owner.dropped({ code, reason, final: true });
    }
    /* Try soon instead of later; also after the end. */
    hurry(withinMs) {
        if (this.#socket)
            return;
        this.isEnded = false;
        this.#wait(this.#options.random() * withinMs, () => this.open());
    }

    #wait(ms, fn) {
        this.#calm();
        this.#timer = this.#options.clock.setTimeout(fn, ms);
    }
    #calm() {
        this.#options.clock.clearTimeout(this.#timer);
        this.#timer = null;
    }
    #letGo() {
        const socket = this.#socket;
        this.#socket = null;
        this.isReady = false;
        if (!socket)
            return;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => {};
        try {
            socket.close(1000);
        } catch {
            // It was not open yet, or is already gone: what we wanted.
        }
    }
    #ended(code, reason, afterMs) {
        const wasReady = this.isReady;
        this.#calm();
        this.#letGo();
        if (FINAL_CLOSE.has(code))
            this.isEnded = true;
        this.#owner.dropped({ code, reason: reason || "", final: this.isEnded });
        if (this.isEnded || this.#socket || this.#timer !== null)
            return; // a listener has closed, or hurried
        const delayMs = afterMs ?? this.#delay(code, wasReady);
        this.#wait(delayMs, () => this.open());
        this.#owner.waits({ attempt: this.#attempt, delayMs });
    }
    /* Full jitter: everybody who was dropped together comes back apart. */
    #delay(code, wasReady) {
        const { random, clock } = this.#options;
        const asked = this.#retryRange;
        this.#retryRange = null;
        if (wasReady && clock.now() - this.#readySince >= STABLE_MS)
            this.#attempt = 0;
        const attempt = this.#attempt++;
        if (asked)
            return asked[0] + random() * (asked[1] - asked[0]);
        const within = (n) => random() * Math.min(RETRY_MOST_MS, RETRY_STEP_MS * 2 ** Math.min(n, 10));
        if (code === 1013)
            return OVERLOAD_LEAST_MS + within(Math.max(attempt, 4));
        return wasReady && attempt === 0 ? random() * FIRST_RETRY_MS : within(attempt);
    }
}

/* ---- requests -------------------------------------------------------------------------------------------- */

/* Requests under way, by id. One that was not sent yet waits for the connection; one whose answer was lost is asked
 * again where that cannot do harm, else its outcome is unknown. */
class Requests {
    #link;
    #clock;
    #timeoutMs;
    #next = 1;
    #all = new Map(); // id → request, in the order of asking
    mostBytes = MOST_BYTES;

    constructor(link, clock, timeoutMs) {
        this.#link = link;
        this.#clock = clock;
        this.#timeoutMs = timeoutMs;
    }

    /* body  {method, params} for JSON-RPC, or an app's own message
     * key   the member that carries the id: "id" or "msgId" */
    promise(body, options) {
        return new Promise((resolve, reject) => this.post(body, options, resolve, reject));
    }
    /* As promise, but told at once, before anything that came behind the answer is looked at.
     * isBound  belongs to this connection and ends with it */
    post(body, { key = "id", isSafe = false, isBound = false, timeoutMs = this.#timeoutMs }, resolve, reject) {
        if (this.#link.isEnded) {
            reject(closedError());
            return;
        }
        if (this.#all.size >= MOST_REQUESTS) {
            reject(new MeshworkError(MeshworkError.OVERLOADED, `more than ${MOST_REQUESTS} requests at once`));
            return;
        }
        const id = this.#next++;
        const text = toText({ ...body, [key]: id });
        const request = { id, what: body.method ?? "message", text, isSafe, isBound, isSent: false, resolve, reject };
        this.#all.set(id, request);
        request.timer = this.#clock.setTimeout(() => this.#late(request), timeoutMs);
        if (this.#link.isReady)
            this.#send(request);
    }
    /* The connection is ready: send what waits. */
    flush() {
        for (const request of [...this.#all.values()])
            if (this.#link.isReady && !request.isSent && this.#all.has(request.id))
                this.#send(request);
    }
    answer(id, take) {
        const request = this.#all.get(id);
        if (!request?.isSent)
            return false;
        this.#end(request);
        take(request);
        return true;
    }
    dropped(info) {
        const isOver = info.final || BLAMING_CLOSE.has(info.code);
        for (const request of [...this.#all.values()]) {
            if (request.isSent && request.isSafe && !request.isBound && !isOver)
                request.isSent = false;
            else if (request.isSent || request.isBound || info.final)
                this.#fail(request, ...lost(request, info));
        }
    }

    #send(request) {
        if (isLonger(request.text, this.mostBytes)) {
            this.#fail(request, MeshworkError.TOO_LARGE, "too large",
                `${request.what} is longer than the ${this.mostBytes} bytes that the server takes`);
            return;
        }
        request.isSent = true;
        this.#link.send(request.text);
    }
    #late(request) {
        if (request.isSent && !request.isSafe && !request.isBound)
            this.#fail(request, MeshworkError.OUTCOME_UNKNOWN, "outcome unknown", `${request.what}: no answer in time`);
        else
            this.#fail(request, MeshworkError.TIMED_OUT, "timed out",
                request.isSent ? `${request.what}: no answer` : `${request.what}: no connection`);
    }
    #fail(request, ...why) {
        this.#end(request);
        request.reject(new MeshworkError(...why));
    }
    #end(request) {
        this.#clock.clearTimeout(request.timer);
        this.#all.delete(request.id);
    }
}

function closedError() {
    return new MeshworkError(MeshworkError.CLOSED, "the connection is closed");
}

function lost(request, info) {
    const close = `connection closed (${info.code}${info.reason ? `, ${info.reason}` : ""})`;
    if (request.isSent && !request.isSafe && !request.isBound)
        return [MeshworkError.OUTCOME_UNKNOWN, "outcome unknown", `${request.what}: ${close} before the answer`];
    return [MeshworkError.CLOSED, "closed", `${request.what}: ${close}`];
}

/* Integers beyond 2^53 travel as text (the server takes both), bytes as base64, arrays of numbers as lists. */
function toText(message) {
    return JSON.stringify(message, (key, value) => {
        if (typeof value === "bigint")
            return value.toString();
        if (value instanceof ArrayBuffer)
            return toBase64(new Uint8Array(value));
        if (!ArrayBuffer.isView(value))
            return value;
        const isBytes = value instanceof Uint8Array || value instanceof Uint8ClampedArray || value instanceof DataView;
        return isBytes ? toBase64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) : [...value];
    });
}

function toBase64(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i += 8_192) // as many arguments as any engine takes
        text += String.fromCharCode(...bytes.subarray(i, i + 8_192));
    return btoa(text);
}

function isLonger(text, mostBytes) {
    if (text.length * 3 <= mostBytes)
        return false;
    return new TextEncoder().encode(text).length > mostBytes;
}

/* ---- watches --------------------------------------------------------------------------------------------- */

const isGlob = (name) => /[*[]/.test(name);

/* As the server reads it: [z-a] has nothing in it, [!z-a] everything. */
function setToRegExp(set) {
    const isNegated = set.startsWith("!");
    const escaped = (c) => c.replace(/[\\^\]\-[]/, "\\$&");
    let source = "";
    for (let i = isNegated ? 1 : 0; i < set.length; i++) {
        const isRange = i + 2 < set.length && set[i + 1] === "-";
        if (!isRange)
            source += escaped(set[i]);
        else if (set[i] <= set[i + 2])
            source += `${escaped(set[i])}-${escaped(set[i + 2])}`;
        if (isRange)
            i += 2;
    }
    return `[${isNegated ? "^" : ""}${source}]`;
}

/* A glob of the protocol: * for any run of characters, [a-z] for one of a set. */
function globToRegExp(glob) {
    let source = "";
    for (let i = 0; i < glob.length; i++) {
        const close = glob[i] === "[" ? glob.indexOf("]", i + 2) : -1;
        if (close > 0) {
            source += setToRegExp(glob.slice(i + 1, close));
            i = close;
        } else {
            source += glob[i] === "*" ? "[^]*" : glob[i].replace(/[\\^$.|?+()[\]{}/]/, "\\$&");
        }
    }
    return new RegExp(`^${source}$`);
}

/* One call of watch(). */
class Watch {
    #stop;
    #fn;
    #globs;
    #isSingle;
    #begin;
    isBegun = false;
    isStopped = false;

    constructor(names, fn, options, stop) {
        this.#isSingle = typeof names === "string" && !isGlob(names);
        this.names = [...new Set(typeof names === "string" ? [names] : names)];
        this.#globs = this.names.filter(isGlob).map(globToRegExp);
        this.hasGlobs = this.#globs.length > 0;
        this.#fn = fn;
        this.#stop = stop;
        const { mode, maxHz: max_hz } = options;
        this.params = { mode, max_hz }; // what was not given is not said
        /* Fulfilled with the first value or values. */
        this.ready = new Promise((resolve, reject) => {
            this.#begin = { resolve, reject };
        });
        this.ready.catch(() => {}); // whoever looks at it handles it; nobody has to
    }
    /* No further call of fn. */
    stop() {
        if (this.isStopped)
            return;
        this.isStopped = true;
        this.#stop(this);
    }
    unwatch() {
        this.stop();
    }

    matches(name) {
        return this.names.includes(name) || this.#globs.some((glob) => glob.test(name));
    }
    begin(values) {
        this.isBegun = true;
        this.#tell(values, true);
        this.#begin.resolve(this.#isSingle ? values[this.names[0]] : values);
    }
    refuse(error) {
        this.#begin.reject(error);
    }
    change(values) {
        if (this.isBegun && !this.isStopped)
            this.#tell(values, false);
    }
    #tell(values, first) {
        if (this.#isSingle)
            run(this.#fn, values[this.names[0]], { name: this.names[0], first });
        else
            run(this.#fn, values, { first });
    }
}

/* All watches of a client, and what is known of the attributes they name. What is begun and stopped within one turn of the page's
 * loop goes out as one request, before anything else that is asked: a page of a thousand widgets says one word. */
class Watches {
    #ask; // (method, params, done(result), failed(error)), bound to the connection
    #isReady;
    #fail;
    #all = new Set();
    #byName = new Map(); // name or glob → the watches that say it
    #globbing = new Set(); // the watches with a glob
    #known = new Map(); // name → {value, rev}; rev undefined: the server has no value for us
    #fresh = new Set(); // watches not asked for yet
    #gone = new Set(); // names that nobody watches any more, not said yet
    #isDue = false;

    constructor({ ask, isReady, fail }) {
        this.#ask = ask;
        this.#isReady = isReady;
        this.#fail = fail;
    }

    add(names, fn, options) {
        const watch = new Watch(names, fn, options, (stopped) => this.#remove(stopped));
        this.#all.add(watch);
        for (const name of watch.names) {
            if (!this.#byName.has(name))
                this.#byName.set(name, new Set());
            this.#byName.get(name).add(watch);
        }
        if (watch.hasGlobs)
            this.#globbing.add(watch);
        this.#fresh.add(watch);
        this.#soon();
        return watch;
    }
    /* Say what has begun and stopped since. */
    flush() {
        if (!this.#isReady())
            return; // renew() says it
        const gone = [...this.#gone].filter((name) => !this.#byName.has(name));
        const fresh = [...this.#fresh];
        this.#gone.clear();
        this.#fresh.clear();
        if (gone.length > 0)
            this.#ask("unwatch", gone, () => {}, () => {}); // lost with its connection: nothing to undo
        this.#requestAll(fresh);
    }
    /* Say everything again: on a new connection, and when rights have changed. */
    renew() {
        this.#gone.clear();
        this.#fresh.clear();
        this.#requestAll(this.#all);
    }
    changed(values, revs) {
        this.#tell(this.#take(values, revs, {}, false));
    }
    /* The connection has ended for good: nothing that is awaited will come. */
    end() {
        for (const watch of this.#all)
            watch.refuse(closedError());
    }

    #soon() {
        if (this.#isDue || !this.#isReady())
            return;
        this.#isDue = true;
        queueMicrotask(() => {
            this.#isDue = false;
            this.flush();
        });
    }
    #requestAll(watches) {
        const groups = new Map();
        for (const watch of watches) {
            const key = JSON.stringify(watch.params);
            if (!groups.has(key))
                groups.set(key, []);
            groups.get(key).push(watch);
        }
        for (const group of groups.values())
            this.#request(group);
    }
    #request(group) {
        const names = [...new Set(group.flatMap((watch) => watch.names))];
        this.#ask("watch", { names, known: this.#knownOf(names, group), ...group[0].params }, ({ values, revs, errors }) => {
            this.#tell(this.#take(values, revs, errors, true));
            for (const watch of group)
                if (!watch.isBegun && !watch.isStopped)
                    watch.begin(this.#picture(watch));
        }, (error) => {
            if (error.code === MeshworkError.CLOSED || error.code === MeshworkError.NOT_AUTHENTICATED)
                return; // lost with its connection, or nobody has logged in: the next one renews it
            const half = group.length >> 1;
            if (half > 0 && PARTING.has(error.code)) { // each may well be right, and only all together too much
                this.#request(group.slice(0, half));
                this.#request(group.slice(half));
                return;
            }
            for (const watch of group)
                watch.refuse(error);
            this.#fail(error);
        });
    }
    /* The revisions that we have of what these names and globs are about. */
    #knownOf(names, group) {
        const isMeant = group.some((watch) => watch.hasGlobs) ? (name) => group.some((watch) => watch.matches(name)) : null;
        const candidates = isMeant ? [...this.#known.keys()].filter(isMeant) : names;
        return Object.fromEntries(candidates.map((name) => [name, this.#known.get(name)?.rev]).filter(([, rev]) => rev !== undefined));
    }
    /* Take values in; returns what is news.
     * isAnswer  the same value under another revision is then none: the server has started afresh */
    #take(values, revs, errors, isAnswer) {
        const news = new Map();
        for (const [name, value] of Object.entries(values ?? {})) {
            const before = this.#known.get(name);
            this.#known.set(name, { value, rev: own(revs, name) ? revs[name] : undefined });
            if (!(isAnswer && before && Object.is(before.value, value)))
                news.set(name, value);
        }
        for (const name of Object.keys(errors ?? {})) {
            const before = this.#known.get(name);
            this.#known.set(name, { value: null, rev: undefined });
            if (before && before.value !== null)
                news.set(name, null);
        }
        return news;
    }
    #tell(news) {
        const changes = new Map(); // watch → {name: value}
        for (const [name, value] of news)
            for (const watch of this.#watchersOf(name)) {
                if (!changes.has(watch))
                    changes.set(watch, {});
                changes.get(watch)[name] = value;
            }
        for (const [watch, values] of changes)
            watch.change(values);
    }
    #watchersOf(name) {
        const named = this.#byName.get(name) ?? [];
        return this.#globbing.size === 0 ? named : new Set([...named, ...[...this.#globbing].filter((watch) => watch.matches(name))]);
    }
    #picture(watch) {
        const names = new Set(watch.names.filter((name) => !isGlob(name)));
        if (watch.hasGlobs)
            for (const name of this.#known.keys())
                if (watch.matches(name))
                    names.add(name);
        return Object.fromEntries([...names].map((name) => [name, this.#known.get(name)?.value ?? null]));
    }
    #remove(watch) {
        this.#all.delete(watch);
        this.#globbing.delete(watch);
        const wasSaid = !this.#fresh.delete(watch);
        watch.refuse(new MeshworkError(MeshworkError.CLOSED, "the watch was stopped"));
        for (const name of watch.names) {
            const others = this.#byName.get(name);
            others.delete(watch);
            if (others.size === 0) {
                this.#byName.delete(name);
                if (wasSaid)
                    this.#gone.add(name);
            }
        }
        for (const name of watch.hasGlobs ? [...this.#known.keys()] : watch.names)
            if (!this.#byName.has(name) && ![...this.#globbing].some((other) => other.matches(name)))
                this.#known.delete(name);
        this.#soon();
    }
}

/* ---- the client ------------------------------------------------------------------------------------------ */

/* What connect() returns. Usable at once: requests wait for the connection. */
class Client {
    #link;
    #requests;
    #watches;
    #listeners = new Listeners();
    #options;
    #state = "connecting";
    #hello = null;
    #rights = null;
    #ready = {}; // {promise, resolve, reject}
    #heardAt = 0;
    #pulse = null;
    #pages = null; // where the pages of a site tell each other that somebody has logged in or out
    #online = () => this.#link.hurry(1_000);

    constructor(options) {
        this.#options = options;
        this.#link = new Link({ ...options, protocols: options.plain ? null : [PROTOCOL] }, {
            opened: () => options.plain && this.#begin(null),
            message: (data) => this.#message(data),
            dropped: (info) => this.#dropped(info),
            waits: (info) => this.#listeners.emit("reconnecting", info),
        });
        this.#requests = new Requests(this.#link, options.clock, options.timeoutMs);
        this.#watches = new Watches({
            ask: (method, params, done, failed) =>
                this.#requests.post({ jsonrpc: "2.0", method, params }, { isBound: true }, done, failed),
            isReady: () => this.#link.isReady,
            fail: (error) => this.#failed(error),
        });
        this.#ready.promise = new Promise((resolve, reject) => Object.assign(this.#ready, { resolve, reject }));
        this.#ready.promise.catch(() => {}); // whoever looks at it handles it; nobody has to
        this.#link.open();
        globalThis.addEventListener?.("online", this.#online);
        this.#listenToPages();
    }

    /* ---- how it stands ---- */

    /* "connecting", "open", "reconnecting" or "closed" */
    get state() {
        return this.#state;
    }
    /* Fulfilled with this client once the server has greeted it; rejected when it closes before that. */
    get ready() {
        return this.#ready.promise;
    }
    /* What the server said at the start of this connection (docs/protocol.md, Hello); null in the plain manner. */
    get hello() {
        return this.#hello;
    }
    get app() {
        return this.#hello?.app ?? null;
    }
    get user() {
        return this.#hello?.user ?? null;
    }
    get roles() {
        return this.#hello?.roles ?? [];
    }
    /* {name: "get set"}: what this user may do now; null when not known. */
    get rights() {
        return this.#rights;
    }
    /* May this user "get", "set" or "call" that name, as far as the server has said? */
    can(right, name) {
        return own(this.#rights, name) && this.#rights[name].split(" ").includes(right);
    }

    /* ---- attributes ---- */

    /* One name gives its value, a list an object with one entry per name; what is not accessible is null.
     *
     * options  {detail: true}: instead of each value {value, rev}, or {error, reason, decision} where it is refused; decision is
     *          the id of a denial, for who may ask why (explain) */
    async getAttr(names, options) {
        const { detail = false } = known("getAttr", options, ["detail"]);
        const list = nameList(names, "getAttr");
        const answer = await this.request("getAttr", list);
        const { values } = answer;
        if (detail) {
            const told = (name) => detailOf(answer, name);
            return typeof names === "string" ? told(names) : Object.fromEntries(list.map((name) => [name, told(name)]));
        }
        const read = (name) => (own(values, name) ? values[name] : null);
        return typeof names === "string" ? read(names) : Object.fromEntries(list.map((name) => [name, read(name)]));
    }
    /* setAttr("a", 10) gives true or false, setAttr({a: 10, b: 20}) an object of them.
     *
     * options  behind the rest, {detail: true}: instead of each true {rev}, of each false {error, reason, decision}, as getAttr has it */
    async setAttr(names, ...rest) {
        const isSingle = typeof names === "string";
        const [value, options] = isSingle ? rest : [undefined, ...rest];
        const { detail = false } = known("setAttr", options, ["detail"]);
        const values = isSingle ? Object.fromEntries([[names, value]]) : names;
        if (values === null || typeof values !== "object" || Array.isArray(values))
            throw new TypeError("setAttr takes a name and a value, or an object of values by name");
        for (const [name, given] of Object.entries(values))
            if (given === undefined || typeof given === "function" || typeof given === "symbol")
                throw new TypeError(`setAttr: the value of "${name}" has no form in JSON`);
        // In this form an attribute may also be called "values".
        const answer = await this.request("setAttr", { values });
        const isSet = (name) => own(answer.revs, name) && !own(answer.errors, name);
        const told = (name) => (!detail ? isSet(name) : isSet(name) ? { rev: answer.revs[name] } : refusalOf(answer, name));
        return isSingle ? told(names) : Object.fromEntries(Object.keys(values).map((name) => [name, told(name)]));
    }
    /* Call fn with the first values and with each change after them, until the result's stop().
     *
     * names    one name: fn(value, {name, first}); a list: fn(values, {first}), where values holds what is new
     * options  {mode: "latest" | "all", maxHz}, as far as the server knows them
     */
    watch(names, fn, options) {
        nameList(names);
        if (typeof fn !== "function")
            throw new TypeError("watch(names, fn): fn is a function");
        const how = known("watch", options, ["mode", "maxHz"]);
        if (this.#link.isEnded)
            throw closedError();
        return this.#watches.add(names, fn, how);
    }

    /* ---- the rest of the back end ---- */

    /* Run a command of the back end; gives what it answers. */
    call(name, args = null) {
        return this.request("call", { name, args });
    }
    /* send(tasklet, item): queue an item for an exposed tasklet; true once it is queued.
     * send(message), in the plain manner: the app's own message; true once it has left. */
    send(...args) {
        if (this.#options.plain && args.length === 1)
            return this.#sendPlain(args[0]);
        if (args.length === 2 && typeof args[0] === "string")
            return this.request("send", { to: args[0], item: args[1] });
        return Promise.reject(new TypeError(
            "send(tasklet, item); an app's own messages go over connect({ plain: true }).send(message)"));
    }
    /* In the plain manner: send a message with a fresh msgId, get the answer that carries the same. */
    ask(message) {
        if (!this.#options.plain || message === null || typeof message !== "object")
            return Promise.reject(new TypeError("ask(object) belongs to connect({ plain: true })"));
        return this.#requests.promise(message, { key: "msgId" });
    }
    /* The attributes, commands and tasklets that this user can see. */
    describe() {
        return this.request("describe", []);
    }
    /* Any request of the protocol, its result as it comes: for what has no word of its own here, and for reasons:
     * (await me.request("setAttr", {values: {a: 1}})).errors */
    request(method, params = []) {
        this.#watches.flush(); // what was asked before comes before
        return this.#requests.promise({ jsonrpc: "2.0", method, params }, { isSafe: SAFE_METHODS.has(method) });
    }

    /* ---- users ---- */

    /* Log in; gives {user, roles}. From a page: for all of its site, until the session ends, over a connection of its own. Elsewhere:
     * for this connection. */
    async login(user, password) {
        if (typeof user !== "string" || typeof password !== "string")
            throw new TypeError("login(user, password): two texts");
        if (this.#options.plain || !globalThis.document) {
            const who = await this.#requests.promise({ jsonrpc: "2.0", method: "login", params: { user, password } },
                { isBound: true });
            this.#hello = { ...this.#hello, user: who.user, roles: who.roles };
            return { user: who.user, roles: who.roles };
        }
        const who = await this.#post("login", { user, password });
        await this.#renewAll();
        return who;
    }
    /* Log out, with the other pages of the site: from now on over a connection without a user. */
    async logout() {
        if (globalThis.document)
            await this.#post("logout", {});
        await this.#renewAll();
    }

    /* ---- life ---- */

    /* Call fn whenever that happens; returns a function that ends it. Events: docs/client.md. */
    on(name, fn) {
        this.#listeners.add(name, fn);
        return () => this.#listeners.remove(name, fn);
    }
    off(name, fn) {
        this.#listeners.remove(name, fn);
    }
    /* Try again at once instead of later; also after a close that ended it. */
    reconnect() {
        if (this.#state === "closed") {
            this.#listenToPages();
            globalThis.addEventListener?.("online", this.#online);
            this.#setState("reconnecting");
        }
        this.#link.hurry(0);
    }
    /* The end: nothing is tried again, what was asked and not answered is rejected. */
    close() {
        this.#pages?.close();
        this.#pages = null;
        if (this.#state !== "closed")
            this.#link.close(1000, "");
    }

    /* ---- inside ---- */

    async #post(path, body) {
        const url = new URL(`_mw/${path}`, this.#options.url.replace(/^ws/, "http"));
        const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body) }).catch((error) => {
            throw new MeshworkError(MeshworkError.OUTCOME_UNKNOWN, `${path}: no answer`, error.message);
        });
        const said = answer.status === 204 ? null : await answer.json().catch(() => null);
        if (answer.ok)
            return said;
        const code = { 400: MeshworkError.INVALID_PARAMS, 401: MeshworkError.NOT_AUTHENTICATED, 403: MeshworkError.DENIED,
            429: MeshworkError.OVERLOADED, 503: MeshworkError.OVERLOADED }[answer.status];
        throw new MeshworkError(code ?? MeshworkError.INTERNAL, `${path} failed`, said?.error ?? `HTTP status ${answer.status}`);
    }
    /* This client, and those of the other pages of this site: they have the same cookie. */
    #renewAll() {
        this.#pages?.postMessage(new URL(this.#options.url).host);
        return this.#renew();
    }
    #listenToPages() {
        if (this.#pages || !globalThis.document || typeof globalThis.BroadcastChannel !== "function")
            return;
        this.#pages = new globalThis.BroadcastChannel("meshwork");
        this.#pages.onmessage = ({ data }) => {
            if (data === new URL(this.#options.url).host)
                this.#renew().catch(() => {}); // who is refused now has heard `close`
        };
    }
    /* Fulfilled once the next connection has been greeted. */
    #renew() {
        const opened = new Promise((resolve, reject) => {
            const stops = [this.on("open", () => end(resolve)), this.on("close", ({ final, reason }) => {
                if (final)
                    end(() => reject(new MeshworkError(MeshworkError.CLOSED, "closed", reason)));
            })];
            const end = (fn) => {
                stops.forEach((stop) => stop());
                fn();
            };
        });
        if (this.#state === "closed")
            this.reconnect();
        else
            this.#link.renew();
        return opened;
    }
    async #sendPlain(message) {
        const text = toText(message);
        while (!this.#link.isReady) {
            if (this.#link.isEnded)
                throw closedError();
            await new Promise((resolve) => {
                const stop = this.on("state", () => {
                    stop();
                    resolve();
                });
            });
        }
        this.#link.send(text);
        return true;
    }
    #setState(state) {
        if (this.#state === state)
            return;
        this.#state = state;
        this.#listeners.emit("state", state);
    }
    #begin(hello) {
        const { clock } = this.#options;
        this.#hello = hello;
        this.#rights = hello?.rights ?? null;
        this.#requests.mostBytes = hello?.limits?.message_bytes ?? MOST_BYTES;
        this.#link.ready();
        this.#heardAt = this.#link.saidAt = clock.now();
        this.#listenFor((hello?.ping_s ?? 0) * 1_000);
        this.#watches.renew();
        this.#requests.flush();
        this.#setState("open");
        this.#ready.resolve(this);
        this.#listeners.emit("open", hello);
        if (hello)
            this.#setRights(hello.rights);
    }
    /* null: they are too many to be sent unasked, so ask. */
    #setRights(rights) {
        this.#rights = rights ?? null;
        if (rights) {
            this.#listeners.emit("rights", rights);
            return;
        }
        const told = (description) => {
            this.#rights = description && rightsOf(description);
            this.#listeners.emit("rights", this.#rights);
        };
        this.#requests.post({ jsonrpc: "2.0", method: "describe", params: [] }, { isBound: true }, told,
            (error) => error.code !== MeshworkError.CLOSED && told(null)); // longer than a message may be: they stay unknown
    }
    /* A connection can die without a word, and a page cannot see pings: ask after each silence of either side. Of ours, too: who only
     * listens would not be in the session any more that the server keeps for who says something. */
    #listenFor(silenceMs) {
        const { clock } = this.#options;
        clock.clearTimeout(this.#pulse);
        if (!(silenceMs > 0))
            return;
        const check = () => {
            const restMs = Math.min(this.#heardAt, this.#link.saidAt) + silenceMs - clock.now();
            this.#pulse = clock.setTimeout(check, restMs > 0 ? restMs : silenceMs);
            if (restMs <= 0)
                this.#requests.post({ jsonrpc: "2.0", method: "getAttr", params: [] },
                    { isBound: true, timeoutMs: CONNECT_MS }, () => {}, (error) => {
                        if (error.code === MeshworkError.TIMED_OUT && clock.now() - this.#heardAt >= CONNECT_MS)
                            this.#link.drop(1006, "silence");
                    });
        };
        this.#pulse = clock.setTimeout(check, silenceMs);
    }
    #dropped(info) {
        const was = this.#state;
        this.#options.clock.clearTimeout(this.#pulse);
        this.#requests.dropped(info);
        if (info.final) {
            globalThis.removeEventListener?.("online", this.#online);
            this.#watches.end();
            this.#ready.reject(new MeshworkError(MeshworkError.CLOSED, "closed", info.reason || `code ${info.code}`));
        }
        this.#setState(info.final ? "closed" : was === "connecting" ? was : "reconnecting");
        if (was === "open" || info.final)
            this.#listeners.emit("close", info);
    }

    #message(data) {
        this.#heardAt = this.#options.clock.now();
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            return; // binary, or no JSON: nothing that this client could have asked for
        }
        for (const one of Array.isArray(message) && !this.#options.plain ? message : [message])
            this.#take(one);
    }
    #take(message) {
        if (message?.jsonrpc === "2.0") {
            if (message.method !== undefined)
                this.#notice(message.method, message.params);
            else
                this.#answer(message);
        } else if (this.#options.plain) {
            const isAnswer = own(message, "msgId") && this.#requests.answer(message.msgId, (r) => r.resolve(message));
            if (!isAnswer)
                this.#listeners.emit("message", message);
        }
    }
    #answer({ id, result, error }) {
        const why = error && new MeshworkError(error.code, error.message, error.data);
        const isOurs = this.#requests.answer(id, (request) => (why ? request.reject(why) : request.resolve(result)));
        if (!isOurs && why)
            this.#failed(why); // about a message, not a request: nobody else would hear of it
    }
    /* What no promise stands for, or one at which nobody may look: where nobody listens, it is in the console at least. */
    #failed(error) {
        if (!this.#listeners.emit("error", error))
            report(error);
    }
    #notice(method, params) {
        switch (method) {
        case "hello": // a second one: its user has a back end of their own
            this.#begin(params);
            break;
        case "changed":
            this.#watches.changed(params?.values, params?.revs);
            break;
        case "broadcast":
            this.#listeners.emit("broadcast", params?.data, params?.channel ?? null);
            break;
        case "rights":
            this.#setRights(params);
            this.#watches.renew();
            break;
        case "roles": // said before the rights that follow from them
            this.#hello = { ...this.#hello, user: params?.user ?? null, roles: params?.roles ?? [] };
            break;
        case "bye":
            this.#link.retryWithin(params?.retry_ms);
            this.#listeners.emit("bye", params ?? {});
            break;
        case "lag":
            this.#listeners.emit("lag", params ?? {});
            break;
        default:
            break; // of a later version of the protocol
        }
    }
}

/* The rights in what describe answers: {name: "get set"}. */
function rightsOf({ attributes, commands, tasklets }) {
    const all = { ...attributes, ...commands, ...tasklets };
    return Object.fromEntries(Object.entries(all).map(([name, { rights }]) => [name, rights]));
}

/* What an answer with an entry per name says of one. */
function detailOf(answer, name) {
    return own(answer.values, name) ? { value: answer.values[name], rev: answer.revs[name] } : refusalOf(answer, name);
}

function refusalOf({ errors, details, decisions }, name) {
    return {
        error: own(errors, name) ? errors[name] : "denied",
        reason: own(details, name) ? details[name] : null,
        decision: own(decisions, name) ? decisions[name] : null,
    };
}

/* method  which takes no globs; undefined: it does */
function nameList(names, method) {
    const list = typeof names === "string" ? [names] : names;
    if (!Array.isArray(list) || !list.every((name) => typeof name === "string"))
        throw new TypeError("names: a name, or a list of names");
    const glob = method && list.find(isGlob);
    if (glob !== undefined)
        throw new TypeError(`${method}: no name is like "${glob}"; shapes of names are for watch(), and describe() lists them`);
    return [...new Set(list)];
}

/* Options, in which nothing may be mistyped. */
function known(method, options = {}, names) {
    const stray = Object.keys(options).find((name) => !names.includes(name));
    if (stray !== undefined)
        throw new TypeError(`${method}: there is no option "${stray}"; there ${names.length > 1 ? "are" : "is"} ${names.join(", ")}`);
    return options;
}

/* Where this page's app takes its connection: the folder of the page, unless told otherwise. */
function socketAddress(url) {
    const base = globalThis.document?.baseURI;
    if (!base && url === undefined)
        throw new TypeError("connect({ url }): there is no page here to tell the address from");
    const address = new URL(url ?? ".", base);
    address.protocol = address.protocol.replace(/^http/, "ws");
    address.hash = "";
    return address.href;
}

/* Connect to the page's app.
 *
 * options  an address, or an object of
 *          url        "ws://host:6789/", "/thermostat/"; default: the folder the page came from
 *          plain      true: the app's own JSON instead of meshwork.v1 (send, ask, on("message"))
 *          timeoutMs  of a request, 30 s
 *          WebSocket  a constructor, where there is no global one (Node 18: that of the package ws)
 *          clock, random  for tests: {now, setTimeout, clearTimeout}, () => 0..1
 */
function connect(options = {}) {
    if (typeof options === "string" || options instanceof URL)
        return connect({ url: options });
    known("connect", options, ["url", "plain", "timeoutMs", "WebSocket", "clock", "random"]);
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof Socket !== "function")
        throw new TypeError("there is no WebSocket here: give one, connect({ url, WebSocket })");
    return new Client({
        url: socketAddress(options.url),
        plain: options.plain === true,
        timeoutMs: options.timeoutMs ?? REQUEST_MS,
        WebSocket: Socket,
        random: options.random ?? Math.random,
        clock: options.clock ?? {
            now: () => Date.now(),
            setTimeout: (fn, ms) => setTimeout(fn, ms),
            clearTimeout: (timer) => clearTimeout(timer),
        },
    });
}

export { connect, Client, MeshworkError };
