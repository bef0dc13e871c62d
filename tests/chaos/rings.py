# SPDX-License-Identifier: BSD-3-Clause
"""Workers restarted and killed at a million packets a second, on rings instead of taps.

The appliance's ports are memif servers; blast.c is clients and backends at their other ends.
"""

import importlib.util
import json
import os
import signal
import subprocess
import time

from checks import equal, eventually
from instance import BUILD, ROOT, SLUICE, takeover_times
from load import Load
from traffic import CONFIG


def bench_bed():
    """tests/bench/bed.py; a module of this directory has the same name."""
    spec = importlib.util.spec_from_file_location("bench_bed",
                                                  os.path.join(ROOT, "tests/bench/bed.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.PROGRAM = SLUICE
    return module


bench = bench_bed()

LIMITS = {"connections": 65536, "buffers": 32768}
DESCRIPTORS = 4096
RATES = (20000, 50000, 100000, 200000, 300000, 500000, 700000, 1000000)


class Rings(bench.Appliance):
    """The bench's appliance, of the program itself and with memif ports."""

    def __init__(self, path):
        super().__init__(path, {}, workers=2, limits=LIMITS)

    def sockets(self):
        return [f"{self.run}/{port}.sock" for port in ("wan", "lan")]

    def write_boot(self):
        instance = super().write_boot()
        with open(f"{self.path}/boot.yaml", encoding="ascii") as file:
            boot = json.load(file)
        boot["limits"] = LIMITS
        boot["ports"] = [
            {"name": name, "device": f"net_memif{i},role=server,id=0,socket={socket},"
             f"socket-abstract=no,rsize={DESCRIPTORS.bit_length() - 1}",
             "queue-descriptors": DESCRIPTORS, "steering": "none"}
            for i, (name, socket) in enumerate(zip(("wan", "lan"), self.sockets()))]
        with open(f"{self.path}/boot.yaml", "w", encoding="ascii") as file:
            json.dump(boot, file)
        return instance

    def listed(self):
        return {w.get("id", 0): w for w in self.api.call("WorkerService/ListWorkers")["workers"]}

    def with_standbys(self):
        listed = self.listed()
        ready = all(w["state"] == "running" and "standbyPid" in w for w in listed.values())
        return listed if ready else None


class Blast(Load):
    """blast.c, with the same commands as load.c."""

    def __init__(self, rings, rate):
        self.argv = [os.path.join(BUILD, "tests/blast"), rings.path, *rings.sockets(), str(rate)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.go()
        try:
            eventually(10, "packets through the rings", self.flows)
        except BaseException:
            self.__exit__()
            raise
        return self

    def steer(self):
        """Each flow enters by its owner's queue."""
        self.ask("steer")

    def set_rate(self, rate):
        self.ask(f"rate {rate}")

    def flows(self):
        found = self.look()
        return found["sent"] and found["lost"] < found["sent"] / 2


def event(rings, blast, happen):
    before = eventually(20, "standbys", rings.with_standbys)
    blast.look_at_rest()
    blast.go()
    time.sleep(0.1)
    happen()
    time.sleep(0.2)
    found = blast.look_at_rest()
    blast.go()
    equal((found["wrong"], found["doubled"]), (0, 0), "wrong and doubled datagrams")
    found["takeover_us"] = takeover_times(before, rings.listed())
    return found


def restart(rings, n):
    rings.api.call("WorkerService/RestartWorker", {"id": n})


def kill(rings, n):
    os.kill(rings.listed()[n]["pid"], signal.SIGKILL)


def kill_cold(rings, n):
    before = rings.listed()[n]
    for pid in before["standbyPid"], before["pid"]:
        os.kill(pid, signal.SIGKILL)
    replaced(rings, n, before)


def hang(rings, n):
    before = rings.listed()[n]
    os.kill(before["pid"], signal.SIGSTOP)
    replaced(rings, n, before)


def replaced(rings, n, before):
    def other():
        now = rings.listed()[n]
        return now["state"] == "running" and now["pid"] != before["pid"]
    eventually(20, f"another worker {n}", other)


# Name in the account, what a person reads, what happens, how often of all rounds.
EVENTS = ((None, "nothing", lambda *_: time.sleep(0.05), 1), ("graceful", "graceful restart", restart, 1),
          ("kill", "kill -9, standby", kill, 1), ("kill_cold", "kill -9, standby first", kill_cold, 2),
          ("hang", "hang", hang, 4))


def carried(rings, blast):
    """The highest rate at which, with nothing happening, nothing is lost."""
    good = RATES[0]
    for rate in RATES:
        blast.set_rate(rate)
        looks = [event(rings, blast, lambda: time.sleep(0.3)) for _ in range(2)]
        if any(found["lost"] for found in looks):
            break
        good = rate
    return good


def rounds(account, rate, times, say):
    """Events into the account; the rate."""
    with bench.hugepages(), bench.directory() as path, Rings(f"{path}/rings") as rings:
        rings.apply(CONFIG)
        with Blast(rings, rate or RATES[0]) as blast:
            blast.steer()
            rate = rate or carried(rings, blast)
            say(f"on rings, {rate} datagrams a second, each by its owner's queue")
            blast.set_rate(rate)
            for name, kind, happen, part in EVENTS:
                for n in range(times // part):
                    found = event(rings, blast, lambda h=happen, n=n: h(rings, n % 2))
                    found.update(events=1, connections=0, connections_lost=found["moved"])
                    account.add(name, kind, found)
                say(list(account.table())[-1])
    return rate
