"""What a connection that says nothing costs a server: memory of the process, before and after so many have come. Three kinds: HTTP that has had
an answer and is kept open, a WebSocket without a message, and both over TLS.
SPDX-License-Identifier: MIT
"""
import os
import re
import resource
import socket
import ssl
import subprocess
import time
import urllib.request

GET = "GET %s HTTP/1.1\r\nHost: localhost:%s\r\n\r\n"
HANDSHAKE = ("GET %s HTTP/1.1\r\nHost: localhost:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SETTLE_S = 2.5  # what a connection needs no longer is given back about a second after it went quiet
FIRST = 200  # what only the first ones need is there by then
PER_ADDRESS = 5000  # of the load's own: so many ports each


def anonymous_bytes(process):
    """Of its own, in memory: no files, nothing that the kernel holds for sockets."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) * 1024


def counted_bytes(port, context):
    """What Meshwork says that it has allocated; None: it is another server."""
    try:
        url = f"http{'s' if context else ''}://localhost:{port}/_mw/metrics"
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return float(re.search(r"^meshwork_memory_bytes (\S+)", answer.read().decode(), re.M).group(1))
    except (OSError, AttributeError):
        return None


def trusting():
    """TLS as a client speaks it that believes whatever certificate there is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def certificate(folder):
    """A certificate for localhost and its key: words of `meshwork serve`."""
    crt, key = os.path.join(folder, "idle.crt"), os.path.join(folder, "idle.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", crt], check=True, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return ["--cert", crt, "--key", key]


def open_one(port, number, request, context):
    """A connection that has had its answer. Not left to Python's own objects: a socket's descriptor is all that is kept of it in the clear."""
    s = socket.create_connection(("127.0.0.1", int(port)), 5, (f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    s.settimeout(5)
    if context:
        s = context.wrap_socket(s)
    s.sendall(request.encode())
    answer = s.recv(65536)
    if not answer.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")):
        raise ConnectionError(f"no answer to be had: {answer[:40]!r}")
    return s


def are_open(sockets):
    """How many the server has not closed meanwhile."""
    count = 0
    for s in sockets:
        s.setblocking(False)
        try:
            count += s.recv(65536) != b""
        except (BlockingIOError, ssl.SSLWantReadError):
            count += 1
        except OSError:
            pass
    return count


def measure(server, is_websocket, path="/", is_tls=False, count=10000):
    """Bytes for each of count idle connections: of the process, and as counted."""
    process, port = server
    context = trusting() if is_tls else None
    request = (HANDSHAKE if is_websocket else GET) % (path, port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = [open_one(port, i, request, context) for i in range(FIRST)]
    try:
        time.sleep(SETTLE_S)
        before = anonymous_bytes(process), counted_bytes(port, context)
        sockets += [open_one(port, i, request, context) for i in range(FIRST, FIRST + count)]
        time.sleep(SETTLE_S)
        after = anonymous_bytes(process), counted_bytes(port, context)
        missing = len(sockets) - are_open(sockets)
        if missing:
            raise ConnectionError(f"{missing} of the connections did not last")
        return [None if a is None or b is None else (a - b) / count for a, b in zip(after, before)]
    finally:
        for s in sockets:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
