#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers die while they pass packets to each other: rings and buffer pools are repaired.

Without steering half of the flows that nobody answers arrive at the wrong worker (answers would
teach the kernel's tap the right queue) and cross a redirect ring, in buffers that belong
to their first receiver. Whoever dies, nothing may be lost for good.
"""

import os
import random
import signal
import socket
import threading
import time

import paths  # noqa: F401

import checks
from api import counters
from checks import eventually
from instance import Instance
from traffic import BACKENDS, CLIENTS, CONFIG, VIRTUAL, Traffic

SINK = 9      # port of servers that never answer
SENDERS = 64
KILLS = 6     # the back-off between them grows
SLACK = 16    # buffers that a worker may keep in hand


SINKS = {**CONFIG, "backend_pools": CONFIG["backend_pools"] + [{"name": "sink", "backends": [
    {"name": f"sink-{i}", "address": a, "port": SINK} for i, a in enumerate(BACKENDS)]}],
    "virtual_servers": CONFIG["virtual_servers"] + [
        {"name": "sink", "address": VIRTUAL, "port": SINK, "protocol": "udp",
         "backend_pool": "sink", "local_address_pool": "local"}]}


class Rain:
    """Datagrams of many flows, to servers that only count them."""

    def __init__(self, instance):
        self.senders = [instance.socket("client", socket.SOCK_DGRAM, (CLIENTS[n % 2], 0))
                        for n in range(SENDERS)]
        self.sinks = [instance.socket("server", socket.SOCK_DGRAM, (a, SINK)) for a in BACKENDS]
        self.arrived = 0
        self.stopped = False
        self.thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self):
        for sink in self.sinks:
            sink.setblocking(False)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        for opened in self.senders + self.sinks:
            opened.close()

    def stop(self):
        self.stopped = True
        self.thread.join(5)

    def _loop(self):
        while not self.stopped:
            for sender in self.senders:
                sender.sendto(b"drop", (VIRTUAL, SINK))
            time.sleep(0.02)
            self._count()

    def _count(self):
        for sink in self.sinks:
            try:
                while sink.recv(100):
                    self.arrived += 1
            except BlockingIOError:
                pass


def stats(instance):
    return {w.get("worker", 0): w for w in instance.api.call("StatsService/GetStats")["workers"]}


def crossing(instance):
    """Packets that came from the other worker, by worker."""
    return {n: counters(w["counters"])["redirect_in"] for n, w in stats(instance).items()}


def kill(instance, number):
    """The end of that worker, under traffic, and its return."""
    before = instance.workers()[number]
    os.kill(before["pid"], signal.SIGKILL)

    def back():
        now = instance.workers()[number]
        return now["state"] == "running" and now["pid"] != before["pid"]

    eventually(20, f"worker {number} back", back)


def killed(instance, traffic, rain, rng):
    kill(instance, rng.randrange(2))
    traffic.echoes(10)
    before, arrived = crossing(instance), rain.arrived
    time.sleep(0.5)
    now = crossing(instance)
    assert all(now[n] > before[n] + 50 for n in now), f"redirected {before}, then {now}"
    assert rain.arrived > arrived + 200, f"arrived {arrived}, then {rain.arrived}"


def all_back(instance, free):
    """When nobody sends, every ring is empty and every buffer is where it was."""
    def idle():
        now = stats(instance)
        return all(abs(int(now[n]["buffersFree"]) - free[n]) <= SLACK and
                   int(now[n].get("redirectQueued", 0)) == 0 for n in now)

    try:
        eventually(5, "buffers", idle)
    except AssertionError:
        found = {n: (w["buffersFree"], w.get("redirectQueued", 0))
                 for n, w in stats(instance).items()}
        raise AssertionError(f"free buffers {found}, at first {free}") from None


def tests(report):
    rng = random.Random(6)
    with Instance("--no-config", "--steering", "none") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": SINKS})
        free = {n: int(w["buffersFree"]) for n, w in stats(instance).items()}
        with Traffic(instance, tcp=24, udp=24) as traffic, Rain(instance) as rain:
            traffic.echoes(10)
            for n in range(KILLS):
                with report.case(f"kill -9 while packets are redirected, number {n}"):
                    killed(instance, traffic, rain, rng)
            traffic.stop()
            rain.stop()
            with report.case("every buffer is back"):
                all_back(instance, free)


checks.main(tests)
