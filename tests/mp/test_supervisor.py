#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The primary as supervisor: restart on request, back-off, one primary for an instance."""

import os
import re
import signal
import subprocess
import time

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import SLUICE, SLUICECTL, Instance
from traffic import CONFIG, Traffic

AGAIN = 12
BACK_SOON = 5  # seconds: a back-off of one that was ready, 1 s, and a start on a busy machine


def restart(instance, traffic, number):
    """On request: answered when it runs again, not a death, nothing lost."""
    before = eventually(5, "standbys", instance.with_standbys)
    traffic.mark()
    answer = instance.api.call("WorkerService/RestartWorker", {"id": number})["worker"]
    now = eventually(5, "standbys", instance.with_standbys)
    equal((answer["pid"], answer["state"]), (now[number]["pid"], "running"), "answer")
    old = before[number]["pid"], before[number]["standbyPid"]
    assert now[number]["pid"] not in old, "it is not a fresh process"
    # The fresh one, and the next standby.
    equal((now[number]["starts"], now[number].get("deaths", 0)),
          (before[number]["starts"] + 2, before[number].get("deaths", 0)), "starts and deaths")
    other = 1 - number
    equal(now[other]["pid"], before[other]["pid"], "the other worker")
    traffic.echoes()
    equal(sum(f.lost for f in traffic.flows), 0, "datagrams lost")


def restarts_at_once(instance, traffic):
    """Two requests for both workers, together: each is answered and true."""
    children = [subprocess.Popen([SLUICECTL, "--socket",
                                  instance.socket_path, "worker", "restart", str(n)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for n in (0, 1)]
    said = [c.communicate(timeout=40)[1] for c in children]
    equal([c.returncode for c in children], [0, 0], f"exit codes ({said})")
    traffic.echoes()


def starts_are_free(instance):
    """Processes come and go without end: none leaves anything in the memory that all share."""
    for n in range(4):
        eventually(5, "standbys", instance.with_standbys)
        instance.api.call("WorkerService/RestartWorker", {"id": n % 2})
    with open(f"{instance.dir}/primary.log", encoding="utf-8") as log:
        free = [int(kib) for kib in re.findall(r"heap of the library: (\d+) KiB free", log.read())]
    assert len(free) > 8, f"{len(free)} starts told"
    each = (free[0] - free[-1]) / (len(free) - 1)
    assert each <= 4, f"each start takes {each:.0f} KiB of the library's heap for good"


def back_off(instance):
    """A worker that dies at once is not started in a tight loop, and its end is told."""
    began, before = time.monotonic(), instance.workers()[0]
    killed, seen = 0, {before["pid"]}
    os.kill(before["pid"], signal.SIGKILL)
    while time.monotonic() - began < 6:
        pid = instance.workers()[0].get("pid", 0)
        if pid and pid not in seen:
            seen.add(pid)
            killed += 1
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    assert 2 <= killed <= 12, f"{killed} were started in 6 s"
    worker = eventually(20, "a running worker 0", lambda: running(instance, 0))
    assert worker["deaths"] >= before.get("deaths", 0) + killed, worker
    equal(instance.workers()[1]["state"], "running", "the other worker")


def killed_again(instance, which):
    """As soon as it is ready, a dozen times: the next one is ready within the back-off of those that
    were, and the start."""
    waits = []
    for _ in range(AGAIN):
        before = eventually(10, "standbys", instance.with_standbys)[0]
        pid, began = before[which], time.monotonic()
        os.kill(pid, signal.SIGKILL)
        eventually(BACK_SOON, f"another {which} after {len(waits)} deaths", lambda p=pid: not_used(
            instance.with_standbys(), p))
        waits.append(round(time.monotonic() - began, 2))
    print(f"{which} killed {AGAIN} times, ready again after {waits} s", flush=True)


def not_used(workers, pid):
    return workers and pid not in (workers[0]["pid"], workers[0]["standbyPid"])


def running(instance, number):
    worker = instance.workers()[number]
    return worker if worker["state"] == "running" else None


def hung(instance, traffic):
    """A worker that stands still is replaced, and harms the other's connections not at all."""
    before = eventually(5, "standbys", instance.with_standbys)
    owned = traffic.of_workers()
    traffic.mark()
    os.kill(before[0]["pid"], signal.SIGSTOP)
    now = eventually(3, "worker 0 replaced", lambda: replaced(instance, before[0]["pid"]))
    equal(now["pid"], before[0]["standbyPid"], "who goes on")
    # The successor works before the other's end is noticed.
    eventually(1, "why it ended", lambda: instance.workers()[0]["lastEnd"].startswith("hung for"))
    traffic.echoes()
    equal(sum(f.lost for f in owned[1]), 0, "datagrams of worker 1 lost")
    # So is a standby, before anybody needs it.
    standby = eventually(5, "standbys", instance.with_standbys)[0]["standbyPid"]
    os.kill(standby, signal.SIGSTOP)
    eventually(3, "another standby", lambda: instance.workers()[0].get("standbyPid", standby)
               != standby)
    traffic.echoes()


def replaced(instance, pid):
    worker = running(instance, 0)
    return worker if worker and worker["pid"] != pid else None


def primary(instance):
    return subprocess.run([SLUICE, "primary", "-c", f"{instance.dir}/boot.yaml"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                          check=False)


def second_primary(instance, traffic):
    """It leaves, says who is there, and disturbs nothing."""
    before = instance.workers()
    traffic.mark()
    for _ in range(2):
        done = primary(instance)
        assert done.returncode not in (0, -9), f"exit code {done.returncode}"
        assert str(instance.pid("primary")) in done.stderr + done.stdout, done
    equal({n: w["pid"] for n, w in instance.workers().items()},
          {n: w["pid"] for n, w in before.items()}, "workers")
    instance.api.call("WorkerService/RestartWorker", {"id": 1})  # its shared memory is whole
    traffic.echoes()
    equal(sum(f.lost for f in traffic.of_workers()[0]), 0, "datagrams of worker 0 lost")


def primary_killed(instance, traffic):
    """The workers go on, open connections and new ones; a new primary refuses meanwhile."""
    traffic.mark()
    workers = [instance.pid("worker", n) for n in (0, 1)]
    pid = instance.pid("primary")
    os.kill(pid, signal.SIGKILL)
    eventually(5, "its end", lambda: not os.path.exists(f"/proc/{pid}"))
    assert instance.api.call("WorkerService/ListWorkers")["primaryGone"]
    time.sleep(2)
    traffic.echoes()
    equal(sum(f.lost for f in traffic.flows), 0, "datagrams lost")
    for kind in traffic.counts:
        traffic.open(kind)
    traffic.echoes()
    done = primary(instance)
    assert done.returncode not in (0, -9), f"exit code {done.returncode}"
    said = done.stderr + done.stdout
    assert all(str(w) in said for w in workers), f"said {said!r}"
    equal([instance.pid("worker", n) for n in (0, 1)], workers, "workers")
    traffic.echoes(2)


def tests(report):
    with Instance("--no-config", "--log-level", "sluice.primary.eal:debug") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        with Traffic(instance) as traffic:
            traffic.echoes(10)
            for number in (0, 1):
                with report.case(f"restart of worker {number} on request"):
                    restart(instance, traffic, number)
            for name, run in (("both restarted at once", restarts_at_once),
                              ("a worker that stands still", hung),
                              ("a second primary is refused", second_primary)):
                with report.case(name):
                    run(instance, traffic)
            with report.case("starts cost no shared memory"):
                starts_are_free(instance)
            for which in ("standbyPid", "pid"):
                with report.case(f"killed again and again, soon back: {which}"):
                    killed_again(instance, which)
                    traffic.echoes()
            with report.case("back-off"):
                back_off(instance)
            traffic.echoes(10)
            with report.case("the primary killed: workers go on, a new one refuses"):
                primary_killed(instance, traffic)


checks.main(tests)
