#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A worker is taken out under load and comes back: drained, waited for, restarted, killed, resumed.
Clients on kernel sockets, old ones and new ones, lose nothing of it but what a killed process had
in its hands."""

import os
import signal
import socket

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import Instance
from traffic import CONFIG, Traffic

OUT = 1    # the worker
EACH = 24  # clients of TCP, and of UDP
BURST = 64

# What ended is forgotten soon.
TIMEOUTS = {"udp": 10, "tcp_time_wait": 1, "tcp_close": 1, "tcp_last_ack": 1}


def open_more(traffic):
    """Clients that were not there before."""
    flows = [traffic.open(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
             for _ in range(EACH)]
    traffic.echoes(20)
    return flows


def workers_of(traffic, flows):
    found = traffic.of_workers()
    return {w for w, theirs in found.items() if any(f in theirs for f in flows)}


def end(traffic, flows):
    """Their clients go."""
    for flow in flows:
        traffic.flows.remove(flow)
        flow.error = "ended"  # nothing is sent any more
        flow.sock.shutdown(socket.SHUT_RDWR)


def nothing_lost(traffic, most=0):
    traffic.echoes(20)
    equal([f.error for f in traffic.flows if f.error], [], "broken connections")
    lost = sum(f.lost for f in traffic.flows)
    assert lost <= most, f"{lost} datagrams lost, at most {most}"
    traffic.mark()


def drain(instance, **more):
    return instance.api.call("WorkerService/DrainWorker", {"id": OUT, **more})["worker"]


def emptied(instance, traffic):
    """What it has goes on until its clients end it; what is new is another's."""
    old = list(traffic.flows)
    equal(workers_of(traffic, old), {0, 1}, "workers")
    equal(drain(instance)["drain"], "draining")
    equal(workers_of(traffic, open_more(traffic)), {1 - OUT}, "workers of the new ones")
    nothing_lost(traffic)
    end(traffic, old)
    eventually(60, "the drained worker to have none",
               lambda: instance.workers()[OUT]["drain"] == "drained")
    nothing_lost(traffic)


def restarted(instance, traffic):
    eventually(30, "standbys", instance.with_standbys)
    instance.api.call("WorkerService/RestartWorker", {"id": OUT})
    nothing_lost(traffic)
    equal(instance.workers()[OUT]["drain"], "drained", "after the restart")


def killed(instance, traffic):
    """The one that passes on, then the one that has the connections."""
    for worker in (OUT, 1 - OUT):
        pid = eventually(30, "standbys", instance.with_standbys)[worker]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(10, "another", lambda w=worker, p=pid: instance.workers()[w]["pid"] != p)
        nothing_lost(traffic, BURST)
    equal(workers_of(traffic, open_more(traffic)), {1 - OUT}, "workers of the new ones")


def back(instance, traffic):
    before = list(traffic.flows)
    instance.api.call("WorkerService/ResumeWorker", {"id": OUT})
    equal(workers_of(traffic, open_more(traffic)), {0, 1}, "workers of the new ones")
    equal(workers_of(traffic, before), {1 - OUT}, "workers of those that were passed on")
    nothing_lost(traffic)


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": {**CONFIG, "timeouts": TIMEOUTS}})
        with Traffic(instance, tcp=EACH, udp=EACH) as traffic:
            traffic.echoes(20)
            for name, run in (("drained: nothing is lost, and it has none in the end", emptied),
                              ("restarted: nothing is lost", restarted),
                              ("killed: no connection is lost", killed),
                              ("resumed: it opens again, nothing is lost", back)):
                with report.case(name):
                    run(instance, traffic)


checks.main(tests)
