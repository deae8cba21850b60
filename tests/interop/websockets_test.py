"""The server spoken to by Debian's python3-websockets: meshwork.v1, plain and raw.
Not the same in JavaScript; that is ws.test.mjs. usage: websockets_test.py BUILD
SPDX-License-Identifier: MIT"""
import asyncio
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import websockets
import websockets.extensions.permessage_deflate

BUILD = pathlib.Path(os.environ.get("BUILD_UNDER_TEST", "build"))
ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 20
V1 = ["meshwork.v1"]


class Server:
    """`meshwork serve` on a free port; ended by its id."""

    def __init__(self, app, *flags):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MESHWORK_")}
        self.process = subprocess.Popen([BUILD / "meshwork", "serve", ROOT / "examples" / app, "--port", "0", *flags],
                                        stdout=subprocess.PIPE, text=True, env=environment)
        for line in self.process.stdout:
            found = re.match(r"meshwork: \S+ at http://(localhost:\d+)/", line)
            if found:
                self.host = found.group(1)
                return
        raise RuntimeError(f"serve {app} ended with {self.process.wait()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE_S)

    def connect(self, path="/", **options):
        return websockets.connect(f"ws://{self.host}{path}", max_size=None, **options)


async def until(socket, fits):
    """The next JSON message that fits."""
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
        if fits(message):
            return message


async def ask(socket, method, params, number=1):
    await socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
    return await until(socket, lambda m: m.get("id") == number)


class Websockets(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.hello = Server("hello")
        cls.addClassCleanup(cls.hello.stop)
        cls.echo = Server("echo")
        cls.addClassCleanup(cls.echo.stop)

    async def test_v1_says_hello_first(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            self.assertEqual(socket.subprotocol, "meshwork.v1")
            message = json.loads(await socket.recv())
            self.assertEqual(message["method"], "hello")
            self.assertEqual(message["params"]["rights"], {"a": "get set", "c": "get"})

    async def test_v1_reads_sets_and_refuses(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            got = (await ask(socket, "getAttr", ["b", "c"]))["result"]
            self.assertEqual((got["values"], got["errors"]), ({"c": 3}, {"b": "denied"}))
            put = (await ask(socket, "setAttr", {"a": 8, "c": 8}))["result"]
            self.assertEqual((list(put["revs"]), put["errors"]), (["a"], {"c": "denied"}))

    async def test_v1_watches_across_connections(self):
        async with self.hello.connect(subprotocols=V1) as one, self.hello.connect(subprotocols=V1) as other:
            await ask(one, "watch", ["a"])
            await ask(other, "setAttr", {"a": 123456789012})
            changed = await until(one, lambda m: m.get("method") == "changed")
            self.assertEqual(changed["params"]["values"], {"a": 123456789012})

    async def test_v1_carries_the_whole_of_int64(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            for number in (2**53 - 1, -(2**53 - 1)):
                await ask(socket, "setAttr", {"a": number})
                self.assertEqual((await ask(socket, "getAttr", ["a"], 2))["result"]["values"]["a"], number)
            for number in (2**63 - 1, -(2**63), 2**53 + 1):
                await ask(socket, "setAttr", {"a": str(number)})
                self.assertEqual((await ask(socket, "getAttr", ["a"], 2))["result"]["values"]["a"], str(number))
            for wrong in (str(2**63), "1.5", "ten", "", 1.5, True, None, [1]):
                answer = (await ask(socket, "setAttr", {"a": wrong}, 3))["result"]
                self.assertEqual(answer["errors"], {"a": "invalid"}, wrong)
            await ask(socket, "setAttr", {"a": 1})

    async def test_v1_numbers_are_broadcast(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            message = await until(socket, lambda m: m.get("method") == "broadcast")
            self.assertIsInstance(message["params"]["data"]["number"], int)

    async def test_v1_binary_is_no_request(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            await socket.send(b"\x00\x01")
            answer = await until(socket, lambda m: "error" in m)
            self.assertEqual(answer["error"]["code"], -32600)

    async def test_plain_is_the_app_s_own(self):
        async with self.hello.connect() as socket:
            self.assertIsNone(socket.subprotocol)
            await socket.send('{"content": "I am alive!"}')
            await socket.send("no JSON")
            await socket.send(b"binary")
            await socket.send('{"msgId": "m1", "commandText": "hello"}')
            answer = await until(socket, lambda m: "msgId" in m)
            self.assertEqual(answer, {"msgId": "m1", "lines": ["Hello.", "World."]})
            self.assertEqual(list(await until(socket, lambda m: "number" in m)), ["number"])

    async def test_raw_echoes_text_and_bytes(self):
        for path in ("/", "/echo"):
            async with self.echo.connect(path) as socket:
                for message in ("", "żółw 🐢", "x" * 70000, b"", bytes(range(256)) * 300):
                    await socket.send(message)
                    self.assertTrue(await asyncio.wait_for(socket.recv(), PATIENCE_S) == message)

    async def test_raw_takes_fragments(self):
        async with self.echo.connect() as socket:
            await socket.send(["a" * 1000] * 500)
            self.assertEqual(await socket.recv(), "a" * 500000)

    async def test_raw_keeps_the_order_of_many(self):
        async with self.echo.connect(max_queue=None) as socket:
            await asyncio.gather(*(socket.send(str(i)) for i in range(2000)))
            self.assertEqual([await socket.recv() for _ in range(2000)], [str(i) for i in range(2000)])

    async def test_compression_is_offered_and_declined(self):
        async with self.echo.connect(compression="deflate") as socket:
            self.assertEqual(socket.extensions, [])

    async def test_compression_is_agreed_on_and_spoken(self):
        for flags in (["--deflate"], ["--deflate", "--deflate-context"]):
            server = Server("echo", *flags)
            self.addCleanup(server.stop)
            async with server.connect(compression="deflate") as socket:
                self.assertEqual([e.name for e in socket.extensions], ["permessage-deflate"])
                words = "".join(f'{{"speed":{i}}}' for i in range(3000))
                for message in ("", "short", words, words, words.encode(), os.urandom(5000), "żółw 🐢" * 1000, "", words):
                    await socket.send(message)
                    self.assertTrue(await asyncio.wait_for(socket.recv(), PATIENCE_S) == message)
                await socket.send([words[:100], words[100:5000], words[5000:]])
                self.assertTrue(await asyncio.wait_for(socket.recv(), PATIENCE_S) == words)

    async def test_compression_is_agreed_on_with_every_window(self):
        server = Server("echo", "--deflate", "--deflate-context")
        self.addCleanup(server.stop)
        words = "".join(f'{{"speed":{i}}}' for i in range(3000))
        for bits in range(9, 16):
            offer = websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory(
                server_max_window_bits=bits, client_max_window_bits=bits)
            async with server.connect(extensions=[offer]) as socket:
                for _ in range(3):
                    await socket.send(words)
                    self.assertTrue(await asyncio.wait_for(socket.recv(), PATIENCE_S) == words, bits)

    async def test_pings_are_answered(self):
        async with self.hello.connect(subprotocols=V1) as socket:
            await asyncio.wait_for(await socket.ping(b"payload"), PATIENCE_S)

    async def test_a_close_is_answered(self):
        socket = await self.hello.connect(subprotocols=V1)
        await socket.close(4000, "enough")
        self.assertEqual(socket.close_code, 4000)

    async def test_bad_text_is_closed_with_1007(self):
        async with self.echo.connect() as socket:
            await socket.write_frame(True, 1, b"\xff\xfe")
            await asyncio.wait_for(socket.wait_closed(), PATIENCE_S)
            self.assertEqual(socket.close_code, 1007)

    async def test_an_unknown_path_is_404(self):
        with self.assertRaises(websockets.InvalidStatusCode) as caught:
            await self.hello.connect("/nowhere")
        self.assertEqual(caught.exception.status_code, 404)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: websockets_test.py BUILD")
    BUILD = pathlib.Path(sys.argv.pop()).resolve()
    result = unittest.main(exit=False, verbosity=0).result
    wrong = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - wrong} passed, {wrong} failed")
    sys.exit(wrong != 0)
