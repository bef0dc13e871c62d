#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""DrainWorker and ResumeWorker: what they answer, who may, what is seen of it, and what it outlives.
Where packets go then is for tests/packet/test_drain.py to say."""

import json
import os
import select
import signal
import subprocess
import time
from contextlib import contextmanager

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal, eventually
from instance import SLUICECTL, Instance
from sample import changed

VIRTUAL = ("192.0.2.80", 80)
BACKEND = ("198.51.100.101", 80)
CONFIG = changed(("virtual_servers.0.protocol", "udp"),
                 ("backend_pools.0.backends", [{"name": "b", "address": BACKEND[0], "port": 80}]))


def drain(instance, worker, **more):
    return instance.api.call("WorkerService/DrainWorker", {"id": worker, **more})


def resume(instance, worker):
    return instance.api.call("WorkerService/ResumeWorker", {"id": worker})["worker"]


@contextmanager
def clients(instance, count=32):
    """UDP clients, each with a connection."""
    try:
        with instance.udp_clients(VIRTUAL, [BACKEND], count):
            yield [c.get("worker", 0) for c in instance.connections()]
    finally:
        instance.api.call("ConnectionService/DeleteConnections", {"all": True})


def refused(instance):
    for method, request, code in (("Drain", {}, "invalid_argument"), ("Resume", {}, "invalid_argument"),
                                  ("Drain", {"id": 2}, "not_found"), ("Resume", {"id": 2}, "not_found"),
                                  ("Drain", {"id": 0, "wait_seconds": 51}, "invalid_argument"),
                                  ("Drain", {"id": 0, "wait_seconds": 4294968}, "invalid_argument"),
                                  ("Drain", {"id": 0, "wait_seconds": 10}, "invalid_argument")):
        try:
            instance.api.call(f"WorkerService/{method}Worker", request)
        except ApiError as error:
            equal(error.code, code, f"code for {method} {request}")
        else:
            raise AssertionError(f"{method} {request} is taken")
    equal(instance.workers()[0].get("drain", ""), "", "drained by a refused request")


def waits(instance):
    """Answered at once when there is nothing left, else after the time; then they may be ended."""
    equal(drain(instance, 1, wait_seconds=5)["worker"]["drain"], "drained")
    equal(resume(instance, 1).get("drain", ""), "")
    with clients(instance) as workers:
        theirs = workers.count(1)
        assert 0 < theirs < len(workers), workers
        left = drain(instance, 1, wait_seconds=1)
        equal((left["worker"]["drain"], int(left["worker"]["connections"]), left.get("ended", "0")),
              ("draining", theirs, "0"), "left")
        ended = drain(instance, 1, end_remaining=True)
        equal((int(ended["ended"]), ended["worker"]["drain"]), (theirs, "drained"), "ended")
        equal(len(instance.connections()), len(workers) - theirs, "connections of the other")
    try:
        drain(instance, 0)
    except ApiError as error:
        equal(error.code, "failed_precondition", "code for the last one")
    else:
        raise AssertionError("the last worker is drained")
    resume(instance, 1)


def by_command(instance):
    said = instance.ctl("worker", "drain", "1", "--wait", "5")
    equal((said.returncode, said.stdout), (0, "worker 1 opens no connections; it has 0\n"), said.stderr)
    table = instance.ctl("worker", "list").stdout
    assert "DRAIN" in table and "drained" in table, table
    said = instance.ctl("worker", "resume", "1")
    equal((said.returncode, said.stdout), (0, "worker 1 opens connections\n"), said.stderr)
    with clients(instance) as workers:
        said = instance.ctl("worker", "drain", "1", "--wait", "1")
        equal((said.returncode, said.stdout),
              (4, f"worker 1 opens no connections; it has {workers.count(1)}\n"), said.stderr)
        said = instance.ctl("-o", "json", "worker", "drain", "1", "--end")
        equal((said.returncode, json.loads(said.stdout)["worker"]["drain"]), (0, "drained"),
              said.stderr)
    equal(instance.ctl("worker", "resume", "1").returncode, 0)
    for wrong, code in ((["drain"], 2), (["drain", "x"], 2), (["drain", "1", "--wait", "0"], 2),
                        (["resume"], 2), (["resume", "7"], 1)):
        equal(instance.ctl("worker", *wrong).returncode, code, f"exit code: {wrong}")


def seen(instance):
    """By events, metrics and the audit log."""
    entries = instance.api.call("AuditService/ListAuditEntries")["entries"]
    assert "workers/1" in [e.get("resource") for e in entries
                         if e["method"].endswith("DrainWorker")]
    with subprocess.Popen([SLUICECTL, "--socket", instance.socket_path, "-o", "json", "watch",
                           "events"], stdout=subprocess.PIPE, text=True) as watching:
        try:
            until = time.monotonic() + 20
            state = ""
            while state != "drained":  # it may not watch yet when it is drained first
                assert time.monotonic() < until, "no event says so"
                drain(instance, 1)
                if select.select([watching.stdout], [], [], 0.5)[0]:
                    event = json.loads(watching.stdout.readline())["event"]
                    state = event.get("worker", {}).get("drain", "")
                resume(instance, 1)
        finally:
            watching.kill()
    drain(instance, 1)
    metrics = instance.api.get("/metrics", timeout=10).body.decode()
    for sample in ('sluice_worker_drained{worker="1"} 1', 'sluice_worker_drained{worker="0"} 0',
                   'sluice_worker_stubs{worker="1"} 0'):
        assert sample in metrics, f"no {sample}"
    resume(instance, 1)


def outlives(instance):
    """The worker's process, and the daemon's."""
    drain(instance, 1)
    instance.api.call("WorkerService/RestartWorker", {"id": 1})
    equal(drain(instance, 1)["worker"]["drain"], "drained", "after a restart")
    pid = eventually(30, "standbys", instance.with_standbys)[1]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(10, "another process", lambda: instance.workers()[1]["pid"] != pid)
    equal(instance.workers()[1]["drain"], "drained", "after a kill")
    os.kill(instance.pid("ctrl"), signal.SIGKILL)
    instance.appliance("start-ctrl")
    eventually(10, "the daemon", lambda: instance.workers()[1]["drain"] == "drained")
    with clients(instance) as workers:
        equal(set(workers), {0}, "who opens connections")
        passed = int(instance.workers()[1]["stubs"])
        assert 0 < passed < len(workers), f"{passed} passed on"
    resume(instance, 1)


def hangs(instance):
    """A worker that is stopped is drained when it goes on."""
    pid = instance.workers()[1]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        instance.api.call("WorkerService/DrainWorker", {"id": 1}, **{"Connect-Timeout-Ms": "300"})
    except ApiError as error:
        equal(error.code, "unavailable", "code")
    else:
        raise AssertionError("it answered for a stopped worker")
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(10, "drained", lambda: instance.workers()[1].get("drain") == "drained")
    resume(instance, 1)


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        for name, run in (("what is refused", refused), ("waiting, and ending what is left", waits),
                          ("by command", by_command), ("events, metrics, audit log", seen),
                          ("a worker hangs", hangs), ("it outlives processes", outlives)):
            with report.case(name):
                run(instance)


checks.main(tests)
