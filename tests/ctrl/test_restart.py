#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The control daemon ends, is killed, comes back: forwarding goes on, nothing is half done."""

import os
import random
import signal
import subprocess
import threading
import time

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal, eventually
from instance import SLUICE, Instance
from traffic import CONFIG, Traffic

GET, APPLY = "ConfigService/GetConfig", "ConfigService/ApplyConfig"
ROUNDS = 8
PAUSE = 2.0  # the longest that a flow may wait for an echo on this machine


def weighted(weight):
    """A configuration with many resources, so that an apply takes some time."""
    backends = [{"name": f"echo-{n}", "address": f"198.51.100.{101 + n % 3}",
                 "port": 7 + 1000 * (n // 3), "weight": weight if n >= 3 else 1}
                for n in range(300)]
    spare = [{"name": f"spare-{n}", "backends": backends[3:60]} for n in range(20)]
    return {**CONFIG, "backend_pools": CONFIG["backend_pools"] + spare}


def weight_of(config):
    """The one weight of all spare backends, or the lot when they differ."""
    weights = {b["weight"] for p in config["backendPools"] if p["name"] != "echo"
               for b in p["backends"]}
    return weights.pop() if len(weights) == 1 else weights


def wait_gone(pid):
    eventually(10, f"the end of {pid}", lambda: not os.path.exists(f"/proc/{pid}"))


def undisturbed(traffic):
    traffic.echoes()
    worst = max(f.gap() for f in traffic.flows)
    assert worst < PAUSE, f"a flow waited {worst:.2f} s"
    lost = sum(f.lost for f in traffic.flows)
    equal(lost, 0, "datagrams lost")


def generations(instance):
    listed = instance.api.call("WorkerService/ListWorkers")
    return listed["generation"], [w["generation"] for w in listed["workers"]]


def clean_restart(instance, traffic, kill):
    """Same configuration, revision and generation; nobody notices."""
    before, generation = instance.api.call(GET), generations(instance)
    workers = {n: w["pid"] for n, w in instance.workers().items()}
    traffic.mark()
    pid = instance.pid("ctrl")
    os.kill(pid, kill)
    wait_gone(pid)
    time.sleep(1)
    undisturbed(traffic)
    instance.appliance("start-ctrl")
    equal(instance.api.call(GET), before, "configuration")
    equal(generations(instance), generation, "generations")
    equal({n: w["pid"] for n, w in instance.workers().items()}, workers, "workers")
    undisturbed(traffic)


def worker_starts_alone(instance, traffic):
    """Without ctrl a worker that died with its standby comes back: it needs nobody."""
    pid = instance.pid("ctrl")
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)
    old = slot(instance)
    for worker in old:
        os.kill(worker, signal.SIGKILL)
    eventually(15, "another worker 0 and its standby",
               lambda: len(slot(instance)) == 2 and not slot(instance) & old)
    traffic.echoes(15)
    instance.appliance("start-ctrl")
    eventually(10, "generations in step", lambda: len({generations(instance)[0],
                                                       *generations(instance)[1]}) == 1)


def slot(instance):
    """The processes of worker 0 and its standby; ctrl is not asked."""
    try:
        return {int(pid) for pid in instance.appliance("pid", "slot", "0").split()}
    except AssertionError:
        return set()


class Applier(threading.Thread):
    """Applies weights 1, 2, 3... as fast as it can, and knows what was acknowledged."""

    def __init__(self, instance, first):
        super().__init__(daemon=True)
        self.instance = instance
        self.weight = first
        self.acknowledged = first - 1
        self.started = threading.Event()

    def run(self):
        while True:
            try:
                self.instance.api.call(APPLY, {"config": weighted(self.weight)})
            except (OSError, ApiError, ValueError):
                return  # killed under our hands
            except Exception as error:  # http.client's own kinds of "it went away"
                if type(error).__module__ != "http.client":
                    raise
                return
            self.acknowledged = self.weight
            self.weight += 1
            self.started.set()


def integrity(instance):
    said = subprocess.run(["sqlite3", f"{instance.dir}/sluice.db", "PRAGMA integrity_check"],
                          capture_output=True, text=True, timeout=30, check=False)
    equal((said.stdout + said.stderr).strip(), "ok", "integrity check")


def killed_while_applying(instance, traffic, report):
    rng = random.Random(5)
    weight = 1
    instance.api.call(APPLY, {"config": weighted(weight)})
    traffic.mark()
    for n in range(ROUNDS):
        with report.case(f"kill -9 during an apply, round {n}"):
            revision = int(instance.api.call(GET)["revision"])
            applier = Applier(instance, weight + 1)
            applier.start()
            assert applier.started.wait(20), "nothing was applied"
            time.sleep(rng.random() * 0.15)
            os.kill(instance.pid("ctrl"), signal.SIGKILL)
            applier.join(20)
            assert not applier.is_alive(), "an apply is never answered"
            integrity(instance)
            instance.appliance("start-ctrl")
            found = instance.api.call(GET)
            weight = weight_of(found)
            assert weight in (applier.acknowledged, applier.acknowledged + 1), \
                f"weight {weight} when {applier.acknowledged} was acknowledged"
            assert int(found["revision"]) > revision, "revisions went back"
            eventually(5, "workers in step", lambda: len(set(
                [generations(instance)[0]] + generations(instance)[1])) == 1)
    with report.case("none of these kills disturbed the traffic"):
        undisturbed(traffic)


def second_daemon(instance):
    """There is one of a kind; the second says why it leaves, and the first is still there."""
    before = instance.pid("ctrl")
    second = subprocess.run(
        [SLUICE, "ctrl", "--instance", instance.name, "--runtime-dir", f"{instance.dir}/run",
         "--database", f"{instance.dir}/other.db", "--socket", f"{instance.dir}/run/other.sock"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=30, check=False)
    assert second.returncode > 0, f"exit code {second.returncode}"
    assert second.stdout.strip(), "left without a word"
    equal(instance.pid("ctrl"), before, "the first daemon")
    instance.api.call(GET)


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call(APPLY, {"config": CONFIG})
        with Traffic(instance) as traffic:
            traffic.echoes(10)
            for what, kill in (("SIGTERM", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
                with report.case(f"{what}: back as it was, and nobody notices"):
                    clean_restart(instance, traffic, kill)
            with report.case("a second daemon is refused"):
                second_daemon(instance)
            killed_while_applying(instance, traffic, report)
            with report.case("a worker comes back while ctrl is down"):
                worker_starts_alone(instance, traffic)


checks.main(tests)
