# SPDX-License-Identifier: BSD-3-Clause
"""load.c from Python: an appliance under datagrams at a fixed rate and long-lived connections."""

import json
import os
import subprocess
import time

from checks import eventually
from instance import BUILD
from traffic import BACKENDS, CLIENTS, VIRTUAL

SETTLE = 0.05  # seconds in which what is on its way arrives, as a rule
QUIET = 6      # such, in which nothing comes: the rest is lost
PROGRAM = os.path.join(BUILD, "tests/load")
PORT = 7
FLOWS = 16


def merged(one, other):
    """Of two looks in a row."""
    if not one:
        return other
    tcp = {k: v + one["tcp"][k] if k in ("broken", "wrong", "exchanges") else v
           for k, v in other["tcp"].items()}
    return {**{k: max(v, one[k]) if k.endswith("_us") else v + one[k]
               for k, v in other.items() if k != "tcp"}, "tcp": tcp}


class Load:
    def __init__(self, instance, rate, connections):
        self.instance = instance
        self.rate = rate
        self.connections = connections
        self.argv = [PROGRAM, instance.namespace("client"), instance.namespace("server"),
                     f"{instance.name}-lan", CLIENTS[0], VIRTUAL, ",".join(BACKENDS), str(PORT), str(rate), str(FLOWS),
                     str(connections)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        try:
            self.go()
            eventually(30, f"{self.connections} connections",
                       lambda: self.look()["tcp"]["open"] == self.connections)
            self._tell_owners()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the generator ended with {self.process.wait(5)}"
        return json.loads(answer)

    def go(self):
        self.ask("go")

    def hold(self):
        self.ask("hold")

    def look(self):
        """What happened since the last look; see load.h."""
        return self.ask("look")

    def look_at_rest(self):
        """Send nothing new until all that still comes has come; then what happened."""
        self.hold()
        found, quiet = {}, 0
        for _ in range(100):
            time.sleep(SETTLE)
            now = self.look()
            found = merged(found, now)
            quiet = 0 if now["sent"] or now["lost"] else quiet + 1
            if not found["lost"] or quiet == QUIET:
                break
        return found

    def echo(self):
        """The servers' device is another one."""
        self.ask("echo")

    def fill(self, connections):
        """So many more connections of the appliance's, which nobody answers."""
        return self.ask(f"fill {connections}")["sent"]

    def _tell_owners(self):
        """Pauses are those of one worker's datagrams, whatever the other does."""
        ports = self.ask("ports")["ports"]
        owner = {c["clientPort"]: c.get("worker", 0)
                 for c in self.instance.connections(protocol="PROTOCOL_UDP")
                 if c["clientAddress"] == CLIENTS[0]}
        assert set(ports) <= set(owner), "a flow has no connection"
        self.ask("owners " + " ".join(str(owner[p]) for p in ports))
