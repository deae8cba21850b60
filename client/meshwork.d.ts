/* Types of the JS client, for editors and TypeScript: import type { Client } from "/_mw/meshwork.js".
 * Not the attributes of an app. Read next: meshwork.js, docs/client.md.
 * SPDX-License-Identifier: MIT */

/** Anything that JSON can say; a bigint goes out as text, a Uint8Array, ArrayBuffer or DataView as base64, another typed array as a list. */
export type Value = null | boolean | number | bigint | string | ArrayBuffer | ArrayBufferView | Value[] | { [key: string]: Value };
export type State = "connecting" | "open" | "reconnecting" | "closed";
export type Right = "get" | "set" | "call";
export type Rights = Record<string, string>;

export interface Hello {
    protocol: number;
    app: string;
    session: string;
    epoch: string;
    user: string | null;
    roles: string[];
    rights: Rights | null;
    limits: { message_bytes: number; messages_per_s: number };
    ping_s: number;
}

export interface Options {
    /** `"ws://host:6789/"`, `"/thermostat/"`; default: the folder the page came from. */
    url?: string | URL;
    /** The app's own JSON instead of meshwork.v1. */
    plain?: boolean;
    /** Of a request; 30,000. */
    timeoutMs?: number;
    /** A constructor, where there is no global one. */
    WebSocket?: new (url: string, protocols?: string[]) => unknown;
    random?: () => number;
    clock?: { now(): number; setTimeout(fn: () => void, ms: number): unknown; clearTimeout(timer: unknown): void };
}

export interface Close {
    code: number;
    reason: string;
    /** Nothing is tried again. */
    final: boolean;
}

export interface Events {
    open: (hello: Hello | null) => void;
    close: (close: Close) => void;
    reconnecting: (wait: { attempt: number; delayMs: number }) => void;
    state: (state: State) => void;
    broadcast: (data: any, channel: string | null) => void;
    message: (message: any) => void;
    rights: (rights: Rights | null) => void;
    lag: (lag: { conflated?: number }) => void;
    bye: (bye: { reason?: string; retry_ms?: [number, number] }) => void;
    error: (error: MeshworkError) => void;
}

export interface Watch<T> {
    readonly names: string[];
    /** Fulfilled with the first value or values. */
    readonly ready: Promise<T>;
    stop(): void;
    unwatch(): void;
}

export type Refusal = { error: string; reason: string | null; decision: string | null };
export type Detail = { value: any; rev: number } | Refusal;
export type SetDetail = { rev: number } | Refusal;

export interface WatchOptions {
    mode?: "latest" | "all";
    maxHz?: number;
}

export class MeshworkError extends Error {
    readonly code: number;
    readonly data: any;
    constructor(code: number, message: string, data?: unknown);
    static readonly DENIED: -32001;
    static readonly TIMED_OUT: -32002;
    static readonly INVALID_VALUE: -32004;
    static readonly OVERLOADED: -32006;
    static readonly OUTCOME_UNKNOWN: -32007;
    static readonly NOT_AUTHENTICATED: -32008;
    static readonly CLOSED: -32009;
    static readonly TOO_LARGE: -32010;
    static readonly INTERNAL: -32603;
    static readonly INVALID_PARAMS: -32602;
}

export class Client {
    private constructor();
    readonly state: State;
    /** Fulfilled once the server has greeted this client; rejected when it closes before that. */
    readonly ready: Promise<this>;
    /** What the server said at the start of this connection; null in the plain manner. */
    readonly hello: Hello | null;
    readonly app: string | null;
    /** Who is logged in; null: nobody. */
    readonly user: string | null;
    readonly roles: string[];
    /** `{a: "get set"}`: what this user may do now; null: not known. */
    readonly rights: Rights | null;
    /** For looks: what counts is decided by the server, each time. */
    can(right: Right, name: string): boolean;

    /** The value; null where one may not read it, or there is no such thing. A list gives an object with one entry per name. */
    getAttr(name: string): Promise<any>;
    getAttr(names: string[]): Promise<Record<string, any>>;
    getAttr(name: string, options: { detail: true }): Promise<Detail>;
    getAttr(names: string[], options: { detail: true }): Promise<Record<string, Detail>>;
    /** True, or false where the back end or its policy refused; then nothing has changed. An object gives an object of these. */
    setAttr(name: string, value: Value): Promise<boolean>;
    setAttr(values: Record<string, Value>): Promise<Record<string, boolean>>;
    setAttr(name: string, value: Value, options: { detail: true }): Promise<SetDetail>;
    setAttr(values: Record<string, Value>, options: { detail: true }): Promise<Record<string, SetDetail>>;
    /** Calls fn with the first value and with each change, until the result's `stop()`; a list: with all values, then with those that are new. Globs
     * (`"motor.*"`) are lists. */
    watch(name: string, fn: (value: any, about: { name: string; first: boolean }) => void,
        options?: WatchOptions): Watch<any>;
    watch(names: string[], fn: (values: Record<string, any>, about: { first: boolean }) => void,
        options?: WatchOptions): Watch<Record<string, any>>;

    /** Runs a command of the back end; gives what it answers. */
    call(name: string, args?: Value): Promise<any>;
    /** Puts an item into the queue of an exposed tasklet; true once it is there. */
    send(tasklet: string, item: Value): Promise<true>;
    /** In the plain manner: the app's own message. */
    send(message: Value): Promise<true>;
    /** In the plain manner: sends with a fresh `msgId`, gives the answer that carries the same. */
    ask(message: Record<string, Value>): Promise<any>;
    /** The attributes, commands and tasklets that this user can see. */
    describe(): Promise<any>;
    /** Any request of the protocol, its result as it comes. */
    request(method: string, params?: Value): Promise<any>;

    /** From a page: for all pages of its site. Elsewhere: for this connection. */
    login(user: string, password: string): Promise<{ user: string; roles: string[] }>;
    /** Goes on without a user, as do the other pages of the site. */
    logout(): Promise<void>;

    /** Returns a function that ends it. */
    on<Name extends keyof Events>(name: Name, fn: Events[Name]): () => void;
    off<Name extends keyof Events>(name: Name, fn: Events[Name]): void;
    /** Try again at once instead of later; also after a close that ended it. */
    reconnect(): void;
    /** The end: nothing is tried again, what was asked and not answered is rejected. */
    close(): void;
}

export function connect(options?: Options | string | URL): Client;
