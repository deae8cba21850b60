"""What every scenario needs: a real server on a free port, raw HTTP, and a WebSocket client that can misbehave.
Needs nothing but Python's standard library. Read next: start_test.py.
SPDX-License-Identifier: MIT"""
import base64
import contextlib
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

BUILD = os.environ.get("MESHWORK_SCENARIO_BUILD", "")
PATIENCE_S = 20  # how long something may take that takes milliseconds; never waited for when all is well
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

BACK_END = r"""
#include <meshwork/app.h>
struct state { int64_t a, b, c; };
static int app_open(mw_instance *instance, void *state, struct mw_error *ret_error)
{
    struct state *s = state;
    (void)instance, (void)ret_error;
    s->a = 1, s->b = 2, s->c = 3;
    return 0;
}
static int app_receive(mw_client *client, mw_value message)
{
    mw_value answer, lines;
    if (!mw_map_get(message, "msgId"))
        return 0;
    answer = mw_map_new(), lines = mw_list_new();
    (void)mw_list_append(&lines, mw_text("Hello."));
    (void)mw_list_append(&lines, mw_text("World."));
    (void)mw_map_set(&answer, "lines", lines);
    return mw_reply(client, message, answer);
}
static int app_tick(mw_instance *instance, void *state)
{
    mw_value message = mw_map_new();
    (void)state;
    (void)mw_map_set(&message, "number", mw_int(7));
    return mw_broadcast(instance, NULL, message) < 0 ? -1 : 0;
}
static const mw_attribute attributes[] = {
    {MW_FIELD(struct state, a), .kind = MW_INT, .marks = MW_EXPOSED},
    {MW_FIELD(struct state, b), .kind = MW_INT},
    {MW_FIELD(struct state, c), .kind = MW_INT, .marks = MW_GETTABLE},
};
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "scenario", .state_bytes = sizeof(struct state),
    .attributes = attributes, .attribute_count = MW_COUNT(attributes), .open = app_open, .receive = app_receive,
    .tick = app_tick, .tick_ns = INT64_C(50000000),
};
"""

ECHO = r"""
#include <meshwork/app.h>
static int echo(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count)
{
    return mw_client_send_raw(client, kind, bytes, byte_count);
}
MW_EXPORT const mw_app mw_app_descriptor = {
    .abi = MW_ABI, .size = sizeof(mw_app), .name = "echo", .receive_raw = echo,
};
"""

_home = None


def home():
    """A home directory for all servers of this process, which tests/scenario/run makes for each test."""
    global _home
    if _home is None:
        _home = tempfile.mkdtemp(prefix="meshwork-scenario-")
    return _home


def clean_up():
    if _home:
        shutil.rmtree(_home, ignore_errors=True)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MESHWORK_") and k not in
           ("CC", "CFLAGS", "LDLIBS", "STATE_DIRECTORY", "XDG_STATE_HOME")}
    env.update(HOME=home(), XDG_CACHE_HOME=os.path.join(home(), "cache"), LC_ALL="C")
    env.update(more)
    return env


def program():
    return os.path.join(BUILD, "meshwork")


def run(*words, cwd=None, user=None, said="", **env):
    """Run the program to its end: (exit code, stdout, stderr). user: a number, to which root can switch; said: on its stdin."""
    done = subprocess.run([program(), *map(str, words)], env=environment(**env), cwd=cwd, timeout=PATIENCE_S * 3,
                          input=said, capture_output=True, text=True, user=user)
    return done.returncode, done.stdout, done.stderr


class Server:
    """`meshwork serve` on a free port, as a context. run_by: a command that becomes the one that follows."""

    def __init__(self, *words, cwd=None, port=0, stdin=subprocess.DEVNULL, run_by=(), **env):
        # Never seek in it: the server writes to the same open file, and a position is the file's, not a process's.
        self.errors = tempfile.TemporaryFile()
        command = [*run_by, program(), "serve", *map(str, words)]
        if port is not None:
            command += ["--port", str(port)]
        # The tests may run under nohup: an ignored SIGHUP is inherited, and the server leaves it so.
        self.process = subprocess.Popen(command, env=environment(**env), cwd=cwd, stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True,
                                        bufsize=0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        try:
            self.lines = [self._line()]
            found = re.search(r" at (https?://.*?:(\d+)/.*)$", self.lines[0])
            self.url, self.port = found.group(1), int(found.group(2))
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def _line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline().decode().rstrip("\n") if ready else ""
        if not line:
            raise AssertionError("the server did not start: " + self.stderr())
        return line

    def ws_port(self):
        """The port of --ws-port, which is said after the URLs."""
        while True:
            found = re.search(r"WebSockets also at port (\d+)", self.lines[-1])
            if found:
                return int(found.group(1))
            self.lines.append(self._line())

    def stderr(self):
        return os.pread(self.errors.fileno(), 1 << 24, 0).decode(errors="replace")

    def stop(self, number=signal.SIGINT):
        """End it; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.process.poll()
        if code is None:
            code = self.stop()
        said = self.stderr()
        self.errors.close()
        if kind is None and code != 0:
            raise AssertionError("the server ended with %d: %s" % (code, said))

    # ---- HTTP ------------------------------------------------------------------------------------------------
    def connect(self, port=None):
        s = socket.create_connection(("127.0.0.1", port or self.port), PATIENCE_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def raw(self, request, port=None):
        """Send bytes as they are, read to the end of the connection: all that came."""
        with self.connect(port) as s:
            with contextlib.suppress(OSError):
                s.sendall(request)
            return read_all(s)

    def get(self, path, method="GET", host=None, body=None, port=None, **fields):
        """One well-formed request: an Answer. Fields are given with _ for -."""
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + (host or "localhost:%d" % self.port),
                 "Connection: close"]
        lines += ["%s: %s" % (k.replace("_", "-"), v) for k, v in fields.items()]
        if body is not None:
            body = body if isinstance(body, bytes) else body.encode()
            lines.append("Content-Length: %d" % len(body))
        return Answer(self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""), port))

    def rpc(self, request, path="/_mw/rpc", **fields):
        fields.setdefault("Content_Type", "application/json")
        body = request if isinstance(request, (str, bytes)) else json.dumps(request)
        return self.get(path, method="POST", body=body, **fields)

    def websocket(self, path="/", **options):
        return WebSocket(self, path, **options)


def read_all(s):
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            pieces.append(piece)
    return b"".join(pieces)


def ask(s, path="/", fields=""):
    """A request on a connection that stays open: an Answer, its status 0 where the server hung up."""
    data = b""
    with contextlib.suppress(OSError):
        s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (path, fields)).encode())
        while b"\r\n\r\n" not in data or len(Answer(data).body) < int(Answer(data).fields.get("content-length", 0)):
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    return Answer(data if b"\r\n\r\n" in data else b"\r\n\r\n")


class Answer:
    """A response, taken apart."""

    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.data = data
        self.status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.fields[name.lower()] = value.strip()

    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


# ---- WebSocket ---------------------------------------------------------------------------------------------------
class Refused(Exception):
    def __init__(self, answer):
        super().__init__("refused: %d %s" % (answer.status, answer.body[:100]))
        self.answer = answer


def deflate(message):
    """The payload of a frame with RSV1 (RFC 7692)."""
    squeezer = zlib.compressobj(wbits=-12)
    data = squeezer.compress(message if isinstance(message, bytes) else message.encode())
    return (data + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflate(payload):
    return zlib.decompressobj(-12).decompress(payload + b"\0\0\xff\xff")


class WebSocket:
    """A client that sends what it is told to, well-formed or not."""

    def __init__(self, server, path="/", port=None, host=None, origin=None, protocols=None, cookie=None,
                 token=None, extensions=None, further=()):
        port = port or server.port
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ["GET %s HTTP/1.1" % path, "Host: " + (host or "localhost:%d" % port), "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
        lines += further
        if origin is not None:
            lines.append("Origin: " + origin)
        if protocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        if cookie:
            lines.append("Cookie: " + cookie)
        if token:
            lines.append("Authorization: Bearer " + token)
        if extensions:
            lines.append("Sec-WebSocket-Extensions: " + extensions)
        self.socket = server.connect(port)
        self.received = b""
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.socket.recv(65536)
            if not piece:
                break
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        self.answer = Answer(head + b"\r\n\r\n" + rest)
        if self.answer.status != 101:
            self.answer.body += read_all(self.socket) if "close" in self.answer.fields.get("connection", "") else b""
            self.socket.close()
            raise Refused(self.answer)
        want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert self.answer.fields["sec-websocket-accept"] == want.decode()
        self.subprotocol = self.answer.fields.get("sec-websocket-protocol")
        self.extensions = self.answer.fields.get("sec-websocket-extensions")
        self.was_compressed = False  # the last frame that was read
        self.received = rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def frame(self, opcode, payload=b"", fin=True, rsv=0, mask=True, length=None):
        """The bytes of a frame; length: a lie about it."""
        if isinstance(payload, str):
            payload = payload.encode()
        count = len(payload) if length is None else length
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        bit = 0x80 if mask else 0
        if count < 126:
            head += bytes([bit | count])
        elif count < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", count)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", count)
        if mask:
            key = os.urandom(4)
            mask_text = (key * (len(payload) // 4 + 1))[:len(payload)]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(mask_text, "big")).to_bytes(len(payload), "big")
            head += key
        return head + payload

    def send(self, payload, opcode=TEXT, **how):
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        self.send_bytes(self.frame(opcode, payload, **how))

    def _take(self, count):
        while len(self.received) < count:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise EOFError
            self.received += piece
        data, self.received = self.received[:count], self.received[count:]
        return data

    def read_frame(self):
        """(opcode, payload) of the next frame, which a server sends unmasked and whole; inflated where it has to be."""
        first, second = self._take(2)
        assert first & (0x30 if self.extensions else 0x70) == 0 and not second & 0x80
        count = second
        if second == 126:
            count, = struct.unpack(">H", self._take(2))
        elif second == 127:
            count, = struct.unpack(">Q", self._take(8))
        payload = self._take(count)
        self.was_compressed = first & 0x40 != 0
        return first & 15, inflate(payload) if self.was_compressed else payload

    def read(self):
        """The next message: text as str, binary as bytes."""
        while True:
            opcode, payload = self.read_frame()
            if opcode == TEXT:
                return payload.decode()
            if opcode == BINARY:
                return payload
            if opcode == CLOSE:
                raise AssertionError("closed: %r" % payload)

    def read_json(self):
        return json.loads(self.read())

    def ask(self, method, params, ident=1):
        """A request in meshwork.v1: its answer, whatever comes in between."""
        self.send({"jsonrpc": "2.0", "id": ident, "method": method, "params": params})
        while True:
            message = self.read_json()
            if message.get("id") == ident and "method" not in message:
                return message

    def read_close(self):
        """The close code: 1005 for a close frame without, 1006 for none. Messages before it are passed over."""
        try:
            while True:
                opcode, payload = self.read_frame()
                if opcode == CLOSE:
                    with contextlib.suppress(OSError):
                        self.send(payload[:2], CLOSE)
                    return struct.unpack(">H", payload[:2])[0] if payload else 1005
        except (EOFError, ConnectionResetError):
            return 1006


# ---- cases ---------------------------------------------------------------------------------------------------------
class Case(unittest.TestCase):
    """A test with a directory of its own for app folders."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="meshwork-app-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def app(self, name="demo", **files):
        """Make an app folder. Files are given with __ for / and _ for the dot before the extension."""
        folder = os.path.join(self.dir, name)
        os.makedirs(folder, exist_ok=True)
        for key, content in files.items():
            path = os.path.join(folder, re.sub(r"_(?=[a-z0-9]+$)", ".", key.replace("__", "/")))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
            # A file of this very moment may be changed once more while it is compiled: its build would not be kept.
            os.utime(path, (time.time() - 10,) * 2)
        return folder

    def eventually(self, condition, what):
        """Wait for something that comes by itself, without a fixed time."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)

    def one_line(self, text):
        """What the server said, without the line about root: it must be one line. The line."""
        lines = [line for line in text.splitlines() if "running as root" not in line]
        self.assertEqual(len(lines), 1, text)
        self.assertTrue(lines[0].startswith("meshwork: "), lines[0])
        return lines[0]


class ManagedCase(Case):
    """Under a service manager: what it hears."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.dir, "notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(self.path)
        self.manager.settimeout(PATIENCE_S)

    def hear(self, wanted):
        """Messages until one has a line; that one."""
        while True:
            lines = self.manager.recv(4096).decode().split("\n")
            if wanted in lines:
                return lines
