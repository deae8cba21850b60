"""The chat of examples/09-chat.c: everybody hears what anybody says, and who leaves is missed by nobody.
SPDX-License-Identifier: MIT"""
import os
import re
import socket
import subprocess

import scenario
from scenario import Case


class Chat(Case):
    def setUp(self):
        super().setUp()
        self.process = subprocess.Popen([os.path.join(scenario.BUILD, "examples", "09-chat"), "0"], stdout=subprocess.PIPE)
        self.addCleanup(self.end)
        self.port = int(re.search(rb"chat at port (\d+)", self.process.stdout.readline()).group(1))

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def join(self):
        guest = socket.create_connection(("127.0.0.1", self.port), scenario.PATIENCE_S)
        self.addCleanup(guest.close)
        return guest

    def hear(self, guest, count):
        heard = b""
        while len(heard) < count:
            heard += guest.recv(count - len(heard))
        return heard

    def test_everybody_hears_what_anybody_says(self):
        guests = [self.join() for _ in range(20)]
        for guest in guests:  # one who hears anything is in
            guest.sendall(b".")
            self.assertEqual(self.hear(guest, 1), b".")
        guests[3].sendall(b"hello\n")
        for guest in guests:
            heard = b""
            while b"hello\n" not in heard:
                heard += guest.recv(100)

    def test_who_does_not_listen_holds_up_nobody(self):
        deaf, speaks, hears = self.join(), self.join(), self.join()
        for guest in (deaf, speaks, hears):  # one who hears anything is in
            guest.sendall(b".\n")
            self.assertEqual(self.hear(guest, 2), b".\n")
        total = 0
        while total < 16 << 20:  # more than the sockets between can hold
            speaks.sendall(b"x" * 65536)
            total += len(self.hear(speaks, 65536))
        hears.setblocking(True)
        self.assertTrue(hears.recv(100))
        speaks.sendall(b"still here?\n")
        heard = b""
        while b"still here?\n" not in heard:
            heard = heard[-20:] + speaks.recv(4096)

    def test_who_leaves_is_missed_by_nobody(self):
        stays, leaves = self.join(), self.join()
        leaves.sendall(b"bye\n")
        self.assertEqual(self.hear(leaves, 4), b"bye\n")
        leaves.close()
        stays.sendall(b"gone?\n")
        heard = b""
        while b"gone?\n" not in heard:
            heard += stays.recv(100)
        comes = self.join()
        comes.sendall(b"hi\n")
        self.assertEqual(self.hear(comes, 3), b"hi\n")
