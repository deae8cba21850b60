"""The systemd unit: sound, tight, and such that the server can run as it says.
SPDX-License-Identifier: MIT"""
import os
import re
import shutil
import subprocess

import scenario
from scenario import Case


class Unit(Case):
    def setUp(self):
        super().setUp()
        with open(os.path.join(scenario.BUILD, "meshwork.service")) as file:
            self.text = file.read()

    def analyze(self, *words):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        path = os.path.join(self.dir, "meshwork.service")
        with open(path, "w") as file:
            # The server need not be installed for its unit to be judged.
            file.write(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + scenario.program(), self.text))
        return subprocess.run(["systemd-analyze", *words, path], capture_output=True, text=True,
                              timeout=3 * scenario.PATIENCE_S, env=scenario.environment(SYSTEMD_LOG_LEVEL="warning"))

    def test_systemd_finds_nothing_wrong_with_it(self):
        done = self.analyze("verify", "--man=no")
        about_us = [line for line in (done.stdout + done.stderr).splitlines() if "meshwork" in line]
        self.assertEqual(about_us, [])

    def test_its_exposure_is_at_most_1_5(self):
        done = self.analyze("security", "--offline=yes", "--threshold=15", "--no-pager")
        if "nrecognized option" in done.stderr:
            self.skipTest("this systemd-analyze cannot judge a file")
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)

    def test_it_has_what_it_promises(self):
        for line in ("Type=notify", "Restart=on-failure", "WatchdogSec=10s", "TimeoutStopSec=30s", "NoNewPrivileges=yes",
                     "MemoryDenyWriteExecute=yes", "User=meshwork", "LimitNOFILE=65536", "NoExecPaths=/"):
            self.assertIn("\n%s\n" % line, self.text)
        self.assertNotIn("@CMAKE", self.text)
