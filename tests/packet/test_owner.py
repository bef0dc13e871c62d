#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every packet of a flow, both directions and the errors about it, ends on the one worker that
an independent computation (owner.py) names: in every mode, of either family, with 1 to 4
workers, whether the device steers or any worker may get it first."""

import collections
import copy
import os
import random

import bed6
from bed import BACKENDS, GATEWAY, ICMP, LAN, LOCALS, TCP, UDP, VIRTUAL, WAN, Talk
from bed6 import BACKENDS6, CONFIG, LAN6, LOCALS6, VIRTUAL6, WAN6, Bed6, Talk6
from bed64 import VIRTUAL64, Talk64
import checks
from api import counters
from checks import equal
from fragments import FOUR, SIX, cut, together
from modes import SHIM, DrTalk, DrTalk6, NatTalk, NatTalk6, tunnel_talk
from owner import Owners
from snat import PLACES, POLICY, config as snat_config
from test_icmp_related import error_about, ip_of

EACH = 5  # flows of a mode and a protocol
OWN_WORK = ("arp_requests_sent", "arp_replies_sent", "icmp_sent", "ndp_solicitations_sent",
            "ndp_advertisements_sent")  # what a worker sends besides what it forwards


# Mode, family, the talk that judges its packets, whether the backend answers by way of us.
MODES = [("fullnat", 4, Talk, True), ("nat", 4, NatTalk, True), ("dr", 4, DrTalk, False),
         ("fullnat", 6, Talk6, True), ("nat", 6, NatTalk6, True), ("dr", 6, DrTalk6, False)]
MODES += [(tunnel, 4, tunnel_talk(tunnel), False) for tunnel in SHIM]
MODES += [(tunnel, 6, tunnel_talk(tunnel, inner=bed6, outer_=bed6), False) for tunnel in SHIM]
MODES.append(("fullnat64", 6, Talk64, True))


def port_of(mode, family):
    return 1000 * family + [m[0] for m in MODES].index(mode)


def address_of(mode, family):
    return VIRTUAL64 if mode == "fullnat64" else VIRTUAL if family == 4 else VIRTUAL6


def config():
    """A virtual server of each protocol for every mode and family, on ports of their own."""
    made = copy.deepcopy(CONFIG)
    for mode, family, _, _ in MODES:
        name, port = f"{mode}-{family}", port_of(mode, family)
        made["backend_pools"].append(
            {"name": name, "forwarding_mode": mode.removesuffix("64"), "backends": [
                {"name": f"b{i}", "address": address, "port": port}
                for i, address in enumerate(BACKENDS if family == 4 or mode == "fullnat64"
                                            else BACKENDS6)]})
        made["virtual_servers"] += [
            {"name": f"{name}-{protocol}", "address": address_of(mode, family),
             "port": port, "protocol": protocol, "scheduler": "rr", "backend_pool": name,
             **({"local_address_pool": "local"} if mode.startswith("fullnat") else {})}
            for protocol in ("tcp", "udp")]
    return snat_config(POLICY, base=made)


class Expected:
    """What each worker has to have forwarded, how many errors are among it, and what it has to
    have got from others when the device steers."""

    def __init__(self, bed, owners, steering="auto"):
        self.bed, self.owners, self.steering = bed, owners, steering
        self.forwarded, self.errors, self.redirected = (collections.Counter() for _ in range(3))
        self.before = self.counted()

    def travels(self, *workers):
        """A packet goes from one to the next, and the last one forwards it."""
        self.redirected.update(b for a, b in zip(workers, workers[1:]) if a != b)
        self.forwarded[workers[-1]] += 1

    def counted(self):
        found = {}
        for worker in self.bed.stats()["workers"]:
            of = counters(worker.get("counters"))
            sent = sum(int(p.get("txPackets", 0)) for p in worker.get("ports", ()))
            found[worker.get("worker", 0)] = collections.Counter(
                forwarded=sent - sum(of.get(name, 0) for name in OWN_WORK),
                errors=of.get("icmp_related", 0), redirected=of.get("redirect_in", 0))
        return found

    def since(self, what):
        now = self.counted()
        return {w: now[w][what] - self.before[w][what] for w in now}

    def check(self):
        """Exactly this, on every worker."""
        for what in ("forwarded", "errors") + ("redirected",) * (self.steering == "auto"):
            wanted = {w: getattr(self, what)[w] for w in range(self.owners.workers)}
            try:
                checks.eventually(2, what, lambda w=what, x=wanted: self.since(w) == x)
            except AssertionError:
                equal(self.since(what), wanted, f"{what} by worker")


class Flow:
    def __init__(self, bed, expected, mode, protocol, port):
        self.mode, family, kind, self.both = mode
        self.tcp = protocol is TCP
        self.talk = kind(bed, protocol, port)
        self.talk.virtual = (self.talk.virtual[0], port_of(self.mode, family))
        self.errors = self.mode in ("fullnat", "nat")
        self.expect(expected)

    def expect(self, expected):
        """Also after a change of the workers, from when on a local port may name another one."""
        self.expected = expected
        self.owner = self.reply_owner = expected.owners.of(self.talk.client, self.talk.virtual)
        if self.mode.startswith("fullnat") and self.talk.local:
            self.reply_owner = expected.owners.of(self.talk.backend, self.talk.local)

    def travels(self, *workers):
        self.expected.travels(*workers)

    def up(self, flags="S"):
        found = self.talk.up(b"", **({"flags": flags} if self.tcp else {}))
        self.travels(self.owner)
        return found

    def reply_ends(self):
        return self.talk.backend, self.talk.client if self.mode == "nat" else self.talk.local

    def down(self):
        equal(self.expected.owners.of(*self.reply_ends()), self.reply_owner, "reply's owner")
        found = self.talk.down(b"", **({"flags": "SA"} if self.tcp else {}))
        self.travels(self.reply_owner, self.owner)
        return found

    def complaints(self, up, down):
        """Where they come in and go out, about which packet with which ends, and whose they are."""
        ends = self.talk.kit.endpoints
        return (("lan", "wan", up, ends(up), self.reply_owner),
                ("wan", "lan", down, ends(down), self.owner))

    def error(self, bed, up, down):
        """Hosts on the way complain about a request and about a reply."""
        for side, other, frame, ends, owner in self.complaints(up, down):
            kit = self.talk.kit
            equal(self.expected.owners.of_error(*ends), owner, "owner of the error")
            bed.send(side, error_about(bed, side, ip_of(frame, kit), ends[0][0], kit=kit))
            bed.expect(other)
            self.expected.errors[self.owner] += 1
            # Steering gives errors to worker 0, and who has the connection asks nobody.
            self.expected.travels(*((0, owner) if self.owner else ()), self.owner)

    def run(self, bed):
        """The rest of it, after the first request."""
        down = self.down() if self.both else None
        up = self.up("A")
        if self.errors:
            self.error(bed, up, down)


class SnatFlow(Flow):
    """A host inside reaches out: to the owner of where it goes, and back by the local port's."""

    def __init__(self, bed, expected, kit, protocol, n):
        place = PLACES[kit]
        self.mode, self.both, self.errors, self.tcp = "snat", True, True, protocol is TCP
        self.talk = place.talk(bed, protocol, 20000 + n, via=place.gateway,
                               outside=place.far_host.format(1 + n % 60))
        self.expect(expected)

    def expect(self, expected):
        self.expected = expected
        self.owner = self.reply_owner = expected.owners.of(self.talk.client, self.talk.virtual)
        if self.talk.local:
            self.reply_owner = expected.owners.of(*self.reply_ends())

    def travels(self, *workers):
        """Steering gives ICMP to worker 0, and who has the connection asks nobody."""
        if self.talk.protocol is ICMP:
            workers = (0, *workers) if self.owner else (self.owner,)
        super().travels(*workers)

    def reply_ends(self):
        return self.talk.virtual, self.talk.local

    def complaints(self, up, down):
        """About the request from outside, about the reply from inside."""
        talk = self.talk
        return (("wan", "lan", up, (talk.local, talk.virtual), self.reply_owner),
                ("lan", "wan", down, (talk.virtual, talk.client), self.owner))


def new_flows(bed, expected, first=0):
    """Some of every mode, family and protocol; `first` tells their ports from others'."""
    kinds = [(mode, protocol) for mode in MODES for protocol in (TCP, UDP)] * EACH
    flows = [Flow(bed, expected, *kind, 20000 + 37 * (first + n)) for n, kind in enumerate(kinds)]
    kinds = [(kit, protocol) for kit in PLACES for protocol in (TCP, UDP, ICMP)] * EACH
    return flows + [SnatFlow(bed, expected, *kind, first + n) for n, kind in enumerate(kinds)]


def listed_owners(bed, flows):
    found = {(c["mode"], c["protocol"], c["clientAddress"], c["clientPort"]): c.get("worker", 0)
             for c in bed.connections()}
    for flow in flows:
        protocol = f"PROTOCOL_{flow.talk.protocol.__name__}"
        equal(found[flow.mode, protocol, *flow.talk.client], flow.owner,
              f"worker of a connection in mode {flow.mode}")


def all_modes(bed, owners, steering):
    bed.host("lan", GATEWAY)
    expected = Expected(bed, owners, steering)
    flows = new_flows(bed, expected)
    shuffled = random.Random(owners.workers)
    shuffled.shuffle(flows)
    for flow in flows:
        flow.up()
    shuffled.shuffle(flows)
    for flow in flows:
        flow.run(bed)
    equal({f.owner for f in flows}, set(range(owners.workers)), "workers with flows")
    listed_owners(bed, flows)
    expected.check()
    if steering == "none" and owners.workers > 1:
        assert sum(expected.since("redirected").values()) > 0, "nothing was redirected"
    equal({n: c for n, c in bed.drops().items() if n.startswith("redirect")}, {}, "redirects lost")


def fragments(bed, owners, steering):
    """A datagram's fragments meet at who follows it, and go from there to the connection's owner."""
    expected = Expected(bed, owners, steering)
    for kind, family, port in ((Talk, FOUR, port_of("fullnat", 4)),
                               (Talk6, SIX, port_of("fullnat", 6))):
        talk = kind(bed, UDP, 30001)
        talk.virtual = (talk.virtual[0], port)
        owner = owners.of(talk.client, talk.virtual)
        expected.travels(owner)
        talk.up(b"")
        for number in range(1, 30):
            for side, other, make, judge in (("wan", "lan", talk.request, talk.judge_up),
                                             ("lan", "wan", talk.reply, talk.judge_down)):
                frame = make(bytes(3000), ip=family.number(number))
                pieces = cut(frame, 1440, number)
                bed.send(side, *pieces[1:], pieces[0])
                judge(frame, together([bed.expect(other) for _ in pieces]))
                ends = talk.kit.endpoints(frame)
                follows = owners.of_fragment(ends[0][0], ends[1][0],
                                             family.identification(pieces[0]))
                for _ in pieces:
                    expected.travels(follows, owner)
    expected.check()


def owners_of(bed, workers):
    with open(os.path.join(bed.dir, "run/seed"), "rb") as file:
        seed = int.from_bytes(file.read(8), "little")
    outside = (address for place in PLACES.values() for address in place.locals)
    return Owners(workers, seed, [*LOCALS, *LOCALS6, *outside],
                  (WAN, LAN, VIRTUAL, WAN6, LAN6, VIRTUAL6, VIRTUAL64))


def tests(report):
    for workers in (1, 2, 3, 4):
        for steering in ("auto", "none"):
            with Bed6("--workers", str(workers), "--steering", steering, "--set",
                      "connections=4096", config=config()) as bed:
                with report.case(f"{workers} workers, steering {steering}: flows stay together"):
                    all_modes(bed, owners_of(bed, workers), steering)
                with report.case(f"{workers} workers, steering {steering}: fragments"):
                    fragments(bed, owners_of(bed, workers), steering)


if __name__ == "__main__":
    checks.main(tests)
