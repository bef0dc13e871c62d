#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers die under traffic: the others do not notice, connections outlive their worker.

TCP and UDP clients of a namespace talk to echo servers of another through two workers,
each of which owns some of the connections.
"""

import os
import signal

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import Instance
from traffic import CONFIG, Traffic

BACK = 12     # seconds in which a killed worker has to be back
PAUSE = 2.0   # the longest wait of a flow whose worker lives, on this machine


def gauges(instance):
    stats = instance.api.call("StatsService/GetStats")
    return {w.get("worker", 0): int(w["buffersFree"]) for w in stats["workers"]}


def kill(instance, numbers, how):
    """The workers' processes end so; returns what was known of them before."""
    before = instance.workers()
    for number in numbers:
        os.kill(before[number]["pid"], how)
    return before


def back(instance, before, numbers):
    """They run again, as other processes, with a standby each, and the supervisor knows why."""
    def running():
        now = instance.workers()
        return all(now[n]["state"] == "running" and now[n]["pid"] != before[n]["pid"] and
                   "standbyPid" in now[n] and
                   now[n]["generation"] == before[n]["generation"] for n in numbers) and now

    now = eventually(BACK, f"workers {numbers} back", running)
    for n in numbers:
        equal((now[n]["deaths"], now[n]["starts"]),
              (before[n].get("deaths", 0) + 1, before[n]["starts"] + 1), "deaths and starts")
        equal(now[n]["pid"], before[n]["standbyPid"], "who goes on")
        equal(now[n]["takeovers"], before[n].get("takeovers", 0) + 1, "take-overs")
        assert now[n].get("repairs", 0) > before[n].get("repairs", 0), "the slot was not repaired"
    for n in set(now) - set(numbers):
        equal(now[n], {**now[n], **{k: before[n].get(k) for k in ("pid", "starts")}},
              "the worker that lives")
    return now


def survives(instance, traffic, numbers, how):
    """All connections go on; those of the other workers without a pause."""
    owned = traffic.of_workers()
    equal(set(owned), {0, 1}, "workers that own some of the flows")
    processes = instance.pid("primary"), instance.pid("ctrl")
    traffic.mark()
    before = kill(instance, numbers, how)
    now = back(instance, before, numbers)
    for n in numbers:
        assert str(int(how)) in now[n]["lastEnd"], f"last end: {now[n]['lastEnd']!r}"
    traffic.echoes(BACK)
    for worker, flows in owned.items():
        if worker not in numbers:
            worst = max(f.gap() for f in flows)
            assert worst < PAUSE, f"a flow of worker {worker} waited {worst:.2f} s"
            equal(sum(f.lost for f in flows), 0, f"datagrams of worker {worker} lost")
    after = traffic.of_workers()
    equal({w: {f.port for f in fs} for w, fs in after.items()},
          {w: {f.port for f in fs} for w, fs in owned.items()}, "who owns what")
    equal((instance.pid("primary"), instance.pid("ctrl")), processes, "primary and ctrl")


def new_connections(traffic):
    """A worker that came back opens new ones, next to the old ones it found."""
    for kind in traffic.counts:
        for _ in range(6):
            traffic.open(kind)
    traffic.echoes()
    equal(set(traffic.of_workers()), {0, 1}, "workers that own flows")


def tidy(instance, traffic, free):
    """Nothing was lost on the way: buffers, connections, ports."""
    listed = instance.connections()
    equal(len(listed), len(traffic.flows), "connections")
    tuples = {(c["protocol"], c["localAddress"], c["localPort"], c["backendAddress"])
              for c in listed}
    equal(len(tuples), len(listed), "distinct local ends")
    stats = instance.api.call("StatsService/GetStats")
    for kind in ("virtualServers", "backends"):
        equal(sum(int(v.get("activeConnections", 0)) for v in stats[kind]), len(listed),
              f"active connections of {kind}")
    traffic.stop()
    for n, wanted in free.items():
        eventually(5, f"free buffers of worker {n} near {wanted}",
                   lambda n=n, wanted=wanted: abs(gauges(instance)[n] - wanted) <= 16)


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        free = gauges(instance)
        with Traffic(instance, tcp=24, udp=24) as traffic:
            traffic.echoes(10)
            for name, numbers, how in (("kill -9 of worker 0", [0], signal.SIGKILL),
                                       ("kill -9 of worker 1", [1], signal.SIGKILL),
                                       ("kill -9 of both", [0, 1], signal.SIGKILL),
                                       ("a segmentation fault of worker 0", [0], signal.SIGSEGV),
                                       ("an abort of worker 1", [1], signal.SIGABRT)):
                with report.case(name):
                    survives(instance, traffic, numbers, how)
            with report.case("new connections afterwards"):
                new_connections(traffic)
            with report.case("counters and gauges afterwards"):
                tidy(instance, traffic, free)


checks.main(tests)
