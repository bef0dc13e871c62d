#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A drained worker opens nothing and loses nothing: of flows that are its own (owner.py) the new
ones are another worker's and stay there, the old ones go on; in every mode, of either family, with
2 to 4 workers, whether the device steers or any worker may get a packet first."""

import itertools
import os
import signal

from bed import GATEWAY, ICMP, TCP, UDP
from bed6 import Bed6
import checks
from api import ApiError
from checks import equal, eventually
from test_icmp_related import error_about, ip_of
from snat import PLACES
from test_owner import MODES, config, owners_of, port_of

DRAINED = 0
LOST = ("no_connection", "no_service", "redirect_loop", "redirect_full", "icmp_unrelated")
ports = itertools.count(20000)


class Talks:
    """One flow and all that its hosts send."""

    def __init__(self, bed, owners, mode, protocol, mine):
        self.bed, self.tcp = bed, protocol is TCP
        self.mode, family, kind, self.both = mode
        for port in ports:  # until the flow is the worker's that is to be drained, or another's
            if self.mode == "snat":
                self.talk = kind.talk(bed, protocol, port, via=kind.gateway,
                                      outside=kind.far_host.format(1 + port % 60))
            else:
                self.talk = kind(bed, protocol, port)
                self.talk.virtual = (self.talk.virtual[0], port_of(self.mode, family))
            self.owner = owners.of(self.talk.client, self.talk.virtual)
            if (self.owner == DRAINED) == mine:
                break
        self.protocol = f"PROTOCOL_{protocol.__name__}"

    def flags(self, flags):
        return {"flags": flags} if self.tcp else {}

    def carry(self, flags="A"):
        up = self.talk.up(b"up", **self.flags(flags))
        if not self.both:
            return
        down = self.talk.down(b"down", **self.flags("A" if flags == "A" else "SA"))
        if flags == "A" and self.mode in ("fullnat", "nat"):
            self.complain(up, down)

    def complain(self, up, down):
        """Routers on the way, about a request and about a reply."""
        kit = self.talk.kit
        for side, other, frame in (("lan", "wan", up), ("wan", "lan", down)):
            sender = kit.endpoints(frame)[0][0]
            self.bed.send(side, error_about(self.bed, side, ip_of(frame, kit), sender, kit=kit))
            self.bed.expect(other)

    def key(self):
        return self.protocol, *self.talk.client, *self.talk.virtual


def kinds():
    yield from itertools.product(MODES, (TCP, UDP))
    yield from itertools.product([("snat", None, place, True) for place in PLACES.values()],
                                 (TCP, UDP, ICMP))


def patient():
    """Nothing ends while the test is slow."""
    return {**config(), "timeouts": {"icmp": 600, "udp": 600, "tcp_syn_sent": 600}}


def opened(bed, owners):
    """A flow of each kind that is the drained worker's, and one that is not."""
    flows = [Talks(bed, owners, mode, protocol, mine)
             for mode, protocol in kinds() for mine in (True, False)]
    for flow in flows:
        flow.carry("S")
    return flows


def workers_of(bed, flows):
    found = {(c["protocol"], c["clientAddress"], c.get("clientPort", 0), c["virtualAddress"],
              c.get("virtualPort", 0)): c.get("worker", 0) for c in bed.connections()}
    return [found[flow.key()] for flow in flows]


def go_on(flows):
    for flow in flows:
        flow.carry()


def new_process(flows):
    """It counts its packets from the beginning, so that an identification may come again."""
    for flow in flows:
        flow.talk.identification = None


def drain(bed, worker, **more):
    return bed.api.call("WorkerService/DrainWorker", {"id": worker, **more})["worker"]


def resume(bed, worker):
    return bed.api.call("WorkerService/ResumeWorker", {"id": worker})["worker"]


def look_up(bed, flow, worker):
    protocol, client, client_port, virtual, virtual_port = flow.key()
    found = bed.api.call("ConnectionService/LookupFlow", {
        "protocol": protocol, "client_address": client, "client_port": client_port,
        "virtual_address": virtual, "virtual_port": virtual_port})
    equal((found.get("worker", 0), found["connection"].get("worker", 0)), (flow.owner, worker),
          "owner and worker, looked up")
    equal(found.get("passedTo"), worker if worker != flow.owner else None, "passed to")


def passed_on(bed, owners, old):
    """What is new while the worker is drained."""
    equal(drain(bed, DRAINED)["drain"], "draining")
    flows = opened(bed, owners)
    go_on(flows + old)
    equal(workers_of(bed, old), [f.owner for f in old], "workers of the old flows")
    now = workers_of(bed, flows)
    assert DRAINED not in now, f"the drained worker opened some: {now}"
    for flow, worker in zip(flows, now):
        if flow.owner != DRAINED:
            equal(worker, flow.owner, "worker of a flow that is not the drained one's")
        look_up(bed, flow, worker)
    others = set(range(owners.workers)) - {DRAINED}
    equal({w for f, w in zip(flows, now) if f.owner == DRAINED}, others, "who got them")
    return flows


def stay(bed, owners, flows):
    """Resumed, the worker opens what is new, and passes on what was."""
    before = workers_of(bed, flows)
    equal(resume(bed, DRAINED).get("drain", ""), "")
    new = opened(bed, owners)
    go_on(flows + new)
    equal(workers_of(bed, flows), before, "workers of the flows that were passed on")
    equal(workers_of(bed, new), [f.owner for f in new], "workers of the new ones")
    return new


def outlive_deaths(bed, flows):
    """Of the owner, and of whom it passed them to."""
    before = workers_of(bed, flows)
    for worker in (DRAINED, DRAINED + 1):
        pid = eventually(30, "standbys", bed.with_standbys)[worker]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(10, "another process", lambda w=worker, p=pid: bed.workers()[w]["pid"] != p)
        eventually(30, "standbys", bed.with_standbys)
        new_process(flows)
        go_on(flows)
    equal(workers_of(bed, flows), before, "workers")


def refused(bed, owners, flows):
    """Whom they were passed to is drained itself; what ended there is opened elsewhere."""
    worker = DRAINED + 1
    theirs = [f for f, w in zip(flows, workers_of(bed, flows)) if w == worker]
    drain(bed, worker)
    go_on(theirs)
    equal(set(workers_of(bed, theirs)), {worker}, "worker of what goes on")
    bed.api.call("ConnectionService/DeleteConnections", {"all": True})
    for flow in theirs:
        flow.talk.local = flow.talk.backend = None
        flow.carry("S")
        flow.carry()
    now = workers_of(bed, theirs)
    equal(now, [f.owner if f.owner != worker else n for f, n in zip(theirs, now)], "workers")
    assert worker not in now, "the drained worker opened some"
    left = bed.workers()[worker]
    equal((left["drain"], left.get("connections", "0")), ("drained", "0"), "the worker")
    resume(bed, worker)
    return theirs


def last_is_kept(bed, workers):
    for worker in range(1, workers):
        drain(bed, worker)
    try:
        drain(bed, 0)
    except ApiError as error:
        equal(error.code, "failed_precondition", "code")
    else:
        raise AssertionError("all workers are drained")
    for worker in range(1, workers):
        resume(bed, worker)


def tests(report):
    for workers, steering in ((2, "auto"), (2, "none"), (3, "none"), (4, "auto")):
        with Bed6("--workers", str(workers), "--steering", steering, "--set",
                  "connections=4096", config=patient()) as bed:
            bed.host("lan", GATEWAY)
            owners = owners_of(bed, workers)
            name = f"{workers} workers, steering {steering}: "
            with report.case(name + "what is new is passed on, what was goes on"):
                flows = passed_on(bed, owners, opened(bed, owners))
            with report.case(name + "what was passed on stays"):
                new = stay(bed, owners, flows)
            with report.case(name + "kills"):
                outlive_deaths(bed, flows)
            with report.case(name + "a full restart"):
                bed.restart(workers)
                equal(resume(bed, DRAINED).get("drain", ""), "", "drained after a restart")
                before = workers_of(bed, flows)
                new_process(flows + new)
                go_on(flows + new)
                equal(workers_of(bed, flows), before, "workers")
            with report.case(name + "whom they were passed to is drained, too"):
                refused(bed, owners, flows)
            with report.case(name + "the last one is not drained"):
                last_is_kept(bed, workers)
            with report.case(name + "nothing found no connection"):
                equal({n: c for n, c in bed.drops().items() if c and n in LOST}, {}, "drops")


if __name__ == "__main__":
    checks.main(tests)
