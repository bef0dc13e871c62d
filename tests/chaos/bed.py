# SPDX-License-Identifier: BSD-3-Clause
"""An appliance under load, and the account of what an event does to it.

    namespace client                      the appliance                     namespace server
    load.c: datagrams, TCP  --- tap [port wan]  2 workers, standbys  [port lan] tap ---  echo

A look is taken while nothing is sent, so that what was sent and has not come back is lost,
and every buffer is where it belongs.
"""

import os
import random
import signal
import subprocess
import time

from checks import equal, eventually
from config import edition
from instance import Instance
from load import Load

BACK = 30         # seconds in which the appliance has to be whole again
BEFORE = 0.2      # seconds under load before and after an event
RATES = (2000, 5000, 10000, 20000, 40000, 70000, 100000, 130000)


def kill(pid, how=signal.SIGKILL):
    """Whoever ended already is none of our business."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


class Bed:
    def __init__(self, account, seed, connections=500, rate=0, options=()):
        self.instance = Instance("--no-config", *options)
        self.account = account
        self.random = random.Random(seed)
        self.connections = connections
        self.rate = rate
        self.load = None
        self.held = None  # buffers that the devices' queues hold, by worker
        self.edition = 1

    def __enter__(self):
        self.instance.__enter__()
        try:
            self.apply()
            self.way_back()
            self.whole()
            self.held = [b["total"] - b["free"] for b in self.buffers()]
            self.rate = self.rate or self.calibrate()
            self.load = Load(self.instance, self.rate, self.connections).__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, kind=None, *_):
        if kind:
            print(self.instance.appliance("ps"), self.instance.appliance("logs"), sep="\n", flush=True)
        if self.load:
            self.load.__exit__()
        self.instance.__exit__()

    def calibrate(self):
        """The highest rate but one at which, with nothing happening, this machine loses nothing:
        it has to start processes as well."""
        good = [RATES[0]]
        for rate in RATES:
            if not self.carries(rate):
                break
            good.append(rate)
        return good[-2] if len(good) > 1 else good[0]

    def carries(self, rate):
        try:
            with Load(self.instance, rate, self.connections) as load:
                return not any(look(load)["lost"] for _ in range(2))
        except AssertionError:  # not even the connections come about
            return False

    def apply(self):
        self.instance.api.call("ConfigService/ApplyConfig", {"config": edition(self.edition)})

    def way_back(self):
        """Of what the NAT backend answers; it goes with the tap."""
        subprocess.run(["ip", "-n", self.instance.namespace("server"), "route", "replace",
                        "192.0.2.0/24", "via", "198.51.100.1"], check=True)

    # ---- workers ----------------------------------------------------------------------

    def whole(self):
        """Every worker runs and has a standby."""
        return eventually(BACK, "workers and standbys", self.instance.with_standbys)

    def slot(self, n):
        """All processes of the slot, whatever they are at."""
        wanted = [b"--id", str(n).encode()]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[1:2] == [b"worker"] and f"{self.instance.dir}/run".encode() in words and \
                    words[words.index(b"--id"):][:2] == wanted:
                yield int(pid)

    def replaced(self, n, before):
        """Worker n runs as another process than those."""
        def other():
            now = self.instance.workers()[n]
            return now if now["state"] == "running" and now["pid"] not in before else None
        return eventually(BACK, f"another worker {n}", other)

    # ---- the account ------------------------------------------------------------------

    def event(self, name, kind, happen, events=1, rest=BEFORE):
        """Let it happen under load, and account for it. `name` None: it is only told."""
        before = self.whole()
        self.load.look_at_rest()
        self.load.go()
        time.sleep(BEFORE)
        happen()
        time.sleep(rest)
        found = self.load.look_at_rest()
        self.load.go()
        tcp = found.pop("tcp")
        equal((found["wrong"], tcp["wrong"]), (0, 0), "datagrams and messages of other content")
        equal(found["doubled"], 0, "datagrams doubled")
        found["connections"] = self.connections
        found["connections_lost"] = tcp["broken"] + found["moved"]
        found["events"] = events
        found["takeover_us"] = self.instance.takeovers(before)
        self.account.add(name, kind, found)
        return found

    def everybody_talks(self):
        """No connection hangs: each is open and answered."""
        def talk():
            tcp = self.load.look()["tcp"]
            return tcp["open"] == self.connections and tcp["late"] == 0
        eventually(BACK, "all TCP connections open and answered", talk)

    def buffers(self):
        stats = self.instance.api.call("StatsService/GetStats")["workers"]
        return [{"total": int(w["buffersMax"]), "free": int(w["buffersFree"]),
                 "lost_counted": int(w.get("buffersQuarantined", 0))} for w in stats]

    def account_for_buffers(self):
        """At rest each worker's are free, in its devices' queues, or counted as lost; until the
        sum fits: what is quarantined goes home with the next packets."""
        def fits():
            found = self.buffers()
            for b, held in zip(found, self.held):
                if b["free"] + held + b["lost_counted"] != b["total"]:
                    return None
            return found

        self.load.hold()
        try:
            found = eventually(BACK, f"buffers: free + {self.held} + counted lost = total", fits)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.buffers()}") from None
        finally:
            self.load.go()
        total = {k: sum(b[k] for b in found) for k in ("total", "free", "lost_counted")}
        total["in_use"] = sum(self.held)
        self.account.buffers = {k: total[k] for k in ("total", "free", "in_use", "lost_counted")}


def look(load):
    """A second of undisturbed load."""
    load.look_at_rest()
    load.go()
    time.sleep(1)
    return load.look_at_rest()
