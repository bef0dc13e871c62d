#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers are restarted, killed and stopped beside a standby: what is lost, and for how long.

Two generators watch: datagrams with numbers at a fixed rate one way (pace.c), which
measures every loss and pause; and echo clients over TCP and UDP (traffic.py), whose connections have
to live through all of it.
"""

import os
import shutil
import signal
import subprocess
import time

import paths  # noqa: F401

import checks
from api import counters
from checks import equal, eventually
from instance import ROOT, SLUICE, SLUICECTL, Instance
from pace import Pace
from traffic import BACKENDS, CLIENTS, CONFIG, VIRTUAL, Traffic

SINK = 9
RATE, FLOWS = 10000, 8
BURST = 64        # packets: a receive burst and a transmit burst
ROUNDS = 8
WATCHDOG = 500    # ms, the default
SLACK_US = 1000   # a turn may end long after it has sent
SETTLE = 0.3      # seconds after an event in which what is on its way arrives

SINKS = {**CONFIG, "backend_pools": CONFIG["backend_pools"] + [{"name": "sink", "backends": [
    {"name": f"sink-{i}", "address": a, "port": SINK} for i, a in enumerate(BACKENDS)]}],
    "virtual_servers": CONFIG["virtual_servers"] + [
        {"name": "sink", "address": VIRTUAL, "port": SINK, "protocol": "udp",
         "backend_pool": "sink", "local_address_pool": "local"}]}


def ready(instance):
    return eventually(10, "standbys", instance.with_standbys)


def event(instance, pace, traffic, happen):
    """Let it happen between two looks; what the generator says of it, and nothing broken."""
    before = ready(instance)
    time.sleep(SETTLE)
    pace.since()
    traffic.mark()
    happen()
    time.sleep(SETTLE)
    ready(instance)
    traffic.echoes()
    equal([f.error for f in traffic.flows if f.error], [], "broken connections")
    said = pace.since()
    equal((said["wrong"], said["doubled"]), (0, 0), "wrong and doubled datagrams")
    return {**said, "takeovers": instance.takeovers(before)}


def told(name, found, limit):
    """The losses and pauses of an event that was repeated, in words, and that they are bounded."""
    pauses = sorted(f["pause_us"] for f in found)
    lost = [f["lost"] for f in found]
    print(f"{name}: {len(found)} times, {sum(f['sent'] for f in found)} sent, lost {sum(lost)}"
          f" (worst {max(lost)}), pause median {pauses[len(pauses) // 2]} us, max {pauses[-1]} us",
          flush=True)
    assert max(lost) <= limit, f"{name}: lost {lost}, at most {limit} each"
    return pauses


def shares(found, pauses):
    """What the worker's own word has of the pauses: one each, and not more than was seen outside."""
    own = sorted(us for f in found for us in f["takeovers"])
    print(f"    of these nobody worked: median {own[len(own) // 2]} us, max {own[-1]} us", flush=True)
    equal(len(own), len(found), "take-overs")
    assert 0 < own[len(own) // 2] <= pauses[len(pauses) // 2] + SLACK_US, f"{own}, {pauses}"


def undisturbed(instance, pace, traffic):
    """What this machine does to the generator itself."""
    told("nothing", [event(instance, pace, traffic, lambda: None) for _ in range(ROUNDS)], 0)


def restarts(instance, pace, traffic):
    found = []
    for n in range(ROUNDS):
        found.append(event(instance, pace, traffic, lambda n=n: instance.api.call(
            "WorkerService/RestartWorker", {"id": n % 2})))
        equal(sum(f.lost for f in traffic.flows), 0, "echoes lost")
    pauses = told("graceful restart", found, 0)
    shares(found, pauses)


def all_at_a_signal(instance, pace, traffic):
    """SIGHUP: each in turn."""
    before = instance.workers()

    def hang_up():
        os.kill(instance.pid("primary"), signal.SIGHUP)
        eventually(10, "both replaced", lambda: all(
            w["pid"] != before[n]["pid"] for n, w in (instance.with_standbys() or before).items()))

    told("restart of all", [event(instance, pace, traffic, hang_up)], 0)


def kills(instance, pace, traffic):
    def kill(n):
        before = instance.workers()[n]
        os.kill(before["pid"], signal.SIGKILL)
        now = eventually(2, "the standby goes on", lambda: running_other(instance, n, before))
        equal(now["pid"], before["standbyPid"], "who goes on")

    found = [event(instance, pace, traffic, lambda n=n: kill(n % 2)) for n in range(ROUNDS)]
    shares(found, told("kill -9 with a standby", found, BURST))


def running_other(instance, n, before):
    now = instance.workers()[n]
    return now if now["state"] == "running" and now["pid"] != before["pid"] else None


def standby_first(instance, pace, traffic):
    """Nobody waits when the worker is killed: a cold start."""
    def kill():
        before = instance.workers()[0]
        os.kill(before["standbyPid"], signal.SIGKILL)
        os.kill(before["pid"], signal.SIGKILL)
        eventually(10, "another", lambda: running_other(instance, 0, before))

    said = event(instance, pace, traffic, kill)
    told("kill -9 of standby and worker", [said], RATE * 2)


def twice(instance, pace, traffic):
    """The one that took over is killed at once, before there is another standby."""
    def kill():
        for _ in range(2):
            before = instance.workers()[1]
            os.kill(before["pid"], signal.SIGKILL)
            eventually(10, "another", lambda b=before: running_other(instance, 1, b))

    told("kill -9 twice in a row", [event(instance, pace, traffic, kill)], RATE * 2)


def both(instance, pace, traffic):
    def kill():
        before = instance.workers()
        for worker in before.values():
            os.kill(worker["pid"], signal.SIGKILL)
        for n in (0, 1):
            eventually(2, "another", lambda n=n: running_other(instance, n, before[n]))

    found = [event(instance, pace, traffic, kill) for _ in range(4)]
    told("kill -9 of both workers", found, 2 * BURST)


def hang(instance, pace, traffic):
    """SIGSTOP: what comes meanwhile waits in the device, and what is too much is lost there."""
    found = []
    for n in (0, 1):
        pid = instance.workers()[n]["pid"]
        found.append(event(instance, pace, traffic, lambda p=pid: os.kill(p, signal.SIGSTOP) or
                           time.sleep(WATCHDOG / 1000)))
        last = instance.workers()[n]
        assert last["lastEnd"].startswith("hung for"), last["lastEnd"]
    pauses = told("hang", found, RATE)
    assert pauses[-1] < (WATCHDOG + 150) * 1000, f"pauses {pauses} us"


def buffers(instance, free):
    """Free and quarantined, and the one that each port's queue holds: no buffer is missing."""
    stats = instance.api.call("StatsService/GetStats")["workers"]
    found = [int(w["buffersFree"]) for w in stats]
    if found != free:
        return None
    reclaimed = sum(counters(w["counters"])["buffers_reclaimed"] for w in stats)
    print(f"buffers: all {free} are back, {reclaimed} taken back from the dead", flush=True)
    return stats


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": SINKS})
        ready(instance)
        free = [int(w["buffersFree"])
                for w in instance.api.call("StatsService/GetStats")["workers"]]
        with Traffic(instance, tcp=32, udp=16) as traffic:
            traffic.echoes()
            with Pace(instance, CLIENTS[1], VIRTUAL, SINK, RATE, FLOWS) as pace:
                for name, run in (("nothing happens", undisturbed),
                                  ("graceful restarts lose nothing", restarts),
                                  ("SIGHUP restarts all, in turn", all_at_a_signal),
                                  ("kill -9: the standby goes on", kills),
                                  ("kill -9, the standby first", standby_first),
                                  ("kill -9, twice in a row", twice),
                                  ("kill -9 of both at once", both),
                                  ("a worker that hangs is replaced", hang)):
                    with report.case(name):
                        run(instance, pace, traffic)
            with report.case("no buffer is missing"):
                time.sleep(SETTLE)
                traffic.echoes()
                traffic.stop()
                eventually(5, f"buffers {free}", lambda: buffers(instance, free))


checks.main(tests)
