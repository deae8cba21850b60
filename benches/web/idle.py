"""What a WebSocket that says nothing costs a server: memory of the process, before and after so many have come.
SPDX-License-Identifier: MIT
"""
import re
import resource
import socket
import time
import urllib.request

HANDSHAKE = ("GET / HTTP/1.1\r\nHost: localhost:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SETTLE_S = 2.5  # what a connection needs no longer is given back about a second after it went quiet


def anonymous_bytes(process):
    """Of its own, in memory: no files, nothing that the kernel holds for sockets."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) * 1024


def counted_bytes(port):
    """What Meshwork says that it has allocated; None: it is another server."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/_mw/metrics", timeout=1) as answer:
            return float(re.search(r"^meshwork_memory_bytes (\S+)", answer.read().decode(), re.M).group(1))
    except (OSError, AttributeError):
        return None


def open_websocket(port):
    s = socket.create_connection(("127.0.0.1", int(port)), 5)
    s.sendall((HANDSHAKE % port).encode())
    if not s.recv(4096).startswith(b"HTTP/1.1 101"):
        raise ConnectionError("no upgrade")
    return s


def measure(server, count=2000):
    """Bytes for each of count idle WebSockets: of the process, and as counted."""
    process, port = server
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = [open_websocket(port) for _ in range(100)]  # what only the first ones need
    try:
        time.sleep(SETTLE_S)
        before = anonymous_bytes(process), counted_bytes(port)
        sockets += [open_websocket(port) for _ in range(count)]
        time.sleep(SETTLE_S)
        after = anonymous_bytes(process), counted_bytes(port)
        return [None if a is None or b is None else (a - b) / count for a, b in zip(after, before)]
    finally:
        for s in sockets:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
