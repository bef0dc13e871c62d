# SPDX-License-Identifier: BSD-3-Clause
"""tests/lib/pace.c from Python: datagrams at a fixed rate, and what was lost since the last look."""

import json
import os
import subprocess

from instance import BUILD

PROGRAM = os.path.join(BUILD, "tests/pace")


class Pace:
    def __init__(self, instance, client, virtual, port, rate=10000, flows=4):
        self.argv = [PROGRAM, instance.namespace("client"), instance.namespace("server"), client,
                     virtual, str(port), str(rate), str(flows)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def since(self):
        """sent, lost, doubled, wrong, pause_us: since the last call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())
