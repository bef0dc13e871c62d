#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The whole appliance ends and starts again: open connections go on from the checkpoint.

TCP clients keep their connections while primary, workers and ctrl are gone and the taps with
them; what they sent meanwhile is sent again by their kernels.
"""

import glob
import os
import signal
import socket
import time

import paths  # noqa: F401

import checks
import instance as bed
from checks import equal, eventually
from instance import Instance, alive
from programs import Programs
from traffic import CONFIG, Traffic

SILENCE = 15  # seconds, the longest: TCP waits longer and longer before it sends again


def end(pids, how):
    for pid in pids:
        os.kill(pid, how)
    for pid in pids:
        eventually(15, f"the end of {pid}", lambda p=pid: not alive(p))


def tuples(instance):
    return {(c["protocol"], c.get("worker", 0), c["clientAddress"], c["clientPort"],
             c["localAddress"], c["localPort"], c["backendAddress"])
            for c in instance.connections()}


def goes_on(instance, traffic, before, stopped):
    """The same connections, on the same workers, with the same local ends; and new ones."""
    began = time.monotonic()
    instance.appliance("start-all")
    eventually(5, "the connections", lambda: tuples(instance) >= before)
    print(f"connections are back {time.monotonic() - began:.1f} s after the start", flush=True)
    traffic.echoes(SILENCE)
    equal([f.error for f in traffic.flows if f.error], [], "broken connections")
    for _ in range(4):
        traffic.open(socket.SOCK_STREAM)
    traffic.echoes()
    ends = [(c["localAddress"], c["localPort"], c["backendAddress"])
            for c in instance.connections()]
    equal(len(set(ends)), len(ends), "distinct local ends")
    equal(glob.glob(f"{instance.dir}/run/checkpoint/*"), [], "checkpoints left")
    print(f"silence of {time.monotonic() - stopped:.1f} s in all", flush=True)


def orderly(instance, traffic):
    before, stopped = tuples(instance), time.monotonic()
    ctrl = instance.pid("ctrl")
    end([instance.pid("primary")], signal.SIGTERM)
    eventually(5, "ctrl's end", lambda: not alive(ctrl))
    goes_on(instance, traffic, before, stopped)


def after_a_crash(instance, traffic):
    """The primary is killed; whoever is left ends in order, and nothing is lost either."""
    before, stopped = tuples(instance), time.monotonic()
    workers = eventually(5, "standbys", instance.with_standbys).values()
    ctrl = instance.pid("ctrl")
    end([instance.pid("primary")], signal.SIGKILL)
    end([w["standbyPid"] for w in workers] + [w["pid"] for w in workers], signal.SIGTERM)
    eventually(5, "ctrl's end", lambda: not alive(ctrl))
    goes_on(instance, traffic, before, stopped)


def templates(instance, traffic):
    """All clients of one network are one backend's, before and after."""
    def used():
        return {c["backendAddress"] for c in instance.connections()}
    before = used()
    equal(len(before), 1, "backends")
    orderly(instance, traffic)
    for _ in range(4):
        traffic.open(socket.SOCK_STREAM)
    traffic.echoes()
    equal(used(), before, "backends")
    with open(f"{instance.dir}/primary.log", encoding="utf-8") as log:
        assert "1 of 1 templates taken up" in log.read(), "not in the log"


def damaged(instance):
    """A checkpoint that is cut or altered is set aside with a reason, and the worker works."""
    ctrl = instance.pid("ctrl")
    end([instance.pid("primary")], signal.SIGTERM)
    eventually(5, "ctrl's end", lambda: not alive(ctrl))
    files = sorted(glob.glob(f"{instance.dir}/run/checkpoint/worker-?"))
    equal(len(files), 2, "checkpoints")
    os.truncate(files[0], os.path.getsize(files[0]) - 1)
    with open(files[1], "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    instance.appliance("start-all")
    with open(f"{instance.dir}/primary.log", encoding="utf-8") as log:
        said = log.read()
    for n, why in ((0, "it is cut"), (1, "its entries are damaged")):
        assert os.path.exists(f"{files[n]}.refused"), f"{files[n]} is not set aside"
        assert f"worker {n}: {files[n]} refused: {why}" in said, said[-1000:]
    equal(tuples(instance), set(), "connections")


def upgrade(traffic_of, programs):
    """Another build is installed; restarts pick it up, and one that is no program changes nothing."""
    new = programs.build("next", "VERSION=next")
    equal(programs.version(new), "sluice next", "version of the second build")
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        with traffic_of(instance) as traffic:
            traffic.echoes()
            programs.install(new)
            before = eventually(5, "standbys", instance.with_standbys)
            for n in (0, 1):
                instance.api.call("WorkerService/RestartWorker", {"id": n})
            now = eventually(5, "standbys", instance.with_standbys)
            for n in (0, 1):
                for which in ("pid", "standbyPid"):
                    equal(os.stat(f"/proc/{now[n][which]}/exe").st_ino,
                          os.stat(programs.installed).st_ino, f"program of worker {n}'s {which}")
            traffic.echoes()
            equal(sum(f.lost for f in traffic.flows), 0, "echoes lost")
            broken = f"{programs.dir}/broken"
            with open(broken, "wb") as file:
                file.write(b"not a program")
            os.chmod(broken, 0o755)
            programs.install(broken)
            refused = instance.ctl("worker", "restart", "0")
            assert refused.returncode == 1, f"a broken build was accepted: {refused}"
            last = eventually(5, "standbys", instance.with_standbys)
            equal(last[0]["pid"], now[0]["pid"], "the worker")
            traffic.echoes()
            equal([f.error for f in traffic.flows if f.error], [], "broken connections")
            assert before[0]["pid"] != now[0]["pid"], "the process is the same"


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        with Traffic(instance, tcp=24, udp=0) as traffic:
            traffic.echoes()
            with report.case("an orderly restart of all keeps the connections"):
                orderly(instance, traffic)
            with report.case("so does one after the primary was killed"):
                after_a_crash(instance, traffic)
            traffic.stop()
            with report.case("a damaged checkpoint is refused"):
                damaged(instance)
    with Instance("--no-config") as instance:
        sticky = [{**s, "scheduler": "rr", "persistence": {
            "timeout_seconds": 300, "ipv4_prefix_length": 16}} for s in CONFIG["virtual_servers"]]
        instance.api.call("ConfigService/ApplyConfig",
                          {"config": {**CONFIG, "virtual_servers": sticky}})
        with Traffic(instance, tcp=4, udp=0) as traffic:
            traffic.echoes()
            with report.case("templates of persistence are taken up"):
                templates(instance, traffic)
            traffic.stop()
    with report.case("upgrade to another build under traffic, not to a broken one"):
        with Programs() as programs:
            bed.PROGRAMS["SLUICE"] = programs.installed
            upgrade(Traffic, programs)


checks.main(tests)
