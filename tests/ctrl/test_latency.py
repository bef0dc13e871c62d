#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What an operator waits for while the workers take all the CPU there is.

Goal: list, get and apply within 50 ms, 99 of 100. A machine that does other things as well is told by
a reference without our code that runs meanwhile, and does what an apply needs of the machine: to be
woken four times, and a file made durable. Where 99 of 100 of its rounds are late by less than 5 ms the
bound is the goal itself; where not, four times what the reference was late by comes on top. What is over
is measured again, up to three times: what we are slow at we are slow at each time. Figures are printed."""

import paths  # noqa: F401

import os
import threading
import time

import checks
from checks import equal
from instance import Instance
from sample import changed

GOAL, QUIET = 0.050, 0.005
ATTEMPTS = 3
WEIGHT = "backend_pools.0.backends.0.weight"


def p99(times):
    return sorted(times)[len(times) * 99 // 100 - 1]


class Reference(threading.Thread):
    """How late this machine makes anybody: some waits to be woken and a file that is made durable,
    as an apply has them between ctrl's threads, the workers and the disk."""

    WAITS = 4

    def __init__(self, file):
        super().__init__()
        self.file, self.over, self.late = file, threading.Event(), []

    def run(self):
        with open(self.file, "wb", buffering=0) as file:
            while not self.over.is_set():
                began = time.monotonic()
                for _ in range(self.WAITS):
                    time.sleep(0.001)
                file.write(bytes(4096))
                os.fsync(file.fileno())
                self.late.append(time.monotonic() - began - self.WAITS * 0.001)


def measure(api, method, messages):
    times = []
    for message in messages:
        began = time.monotonic()
        api.call(method, message)
        times.append(time.monotonic() - began)
    return p99(times)


def busy(instance, seconds=1.0):
    """CPUs that the workers take."""
    def ticks():
        spent = 0
        for w in instance.workers().values():
            with open(f"/proc/{w['pid']}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            spent += int(fields[11]) + int(fields[12])
        return spent

    before = ticks()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def calls():
    backends = [{"name": f"b{n}", "address": f"198.51.100.{101 + n}", "port": 80}
                for n in range(50)]
    config = changed(("backend_pools.0.backends", backends))
    yield "apply", "ConfigService/ApplyConfig", [
        {"config": changed((WEIGHT, n % 9 + 1), config=config)} for n in range(200)]
    yield "update of one weight", "BackendPoolService/UpdateBackend", [
        {"backend_pool": "web", "backend": {"name": "b7", "weight": n % 9 + 1},
         "updateMask": "weight"} for n in range(200)]
    yield "get", "ConfigService/GetConfig", [{}] * 400
    yield "list", "BackendPoolService/ListBackends", [{"backend_pool": "web"}] * 400
    yield "history", "ConfigService/ListConfigRevisions", [{}] * 200


def attempt(instance, what, method, messages):
    """p99 of the calls, and the bound on it, in seconds."""
    reference = Reference(f"{instance.dir}/reference")
    reference.start()
    try:
        found = measure(instance.api, method, messages)
    finally:
        reference.over.set()
        reference.join()
    late = p99(reference.late)
    bound = GOAL if late < QUIET else GOAL + 4 * late
    print(f"# {what}: p99 {found * 1e3:.1f} ms, bound {bound * 1e3:.0f} ms, the reference late by "
          f"{late * 1e3:.1f} ms", flush=True)
    return found, bound


def nice_of(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def tests(report):
    with Instance("--set", "idle=spin") as instance:
        print(f"# workers take {busy(instance):.2f} CPUs", flush=True)
        with report.case("ctrl goes before workers on a CPU that they share"):
            equal(nice_of(instance.pid("ctrl")), -10, "nice")
        for what, method, messages in calls():
            with report.case(f"{what}: 99 of 100 within the bound"):
                for _ in range(ATTEMPTS):
                    found, bound = attempt(instance, what, method, messages)
                    if found <= bound:
                        break
                assert found <= bound, f"{found * 1e3:.0f} ms"


checks.main(tests)
