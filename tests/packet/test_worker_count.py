#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections go on under another number of workers: each is where owner.py says, in every mode
and family, and what a backend sends to a local port that names another worker now still reaches it.
"""

from bed import GATEWAY, ICMP, TCP, UDP
from bed6 import Bed6
import checks
from checks import equal, eventually
from test_owner import EACH, MODES, Expected, Flow, config, listed_owners, owners_of
from test_snat import OUTSIDE, POLICY, SnatTalk

COUNTS = {"auto": (2, 3, 1, 2), "none": (2, 3)}  # by steering


def with_snat():
    made = config()
    made["local_address_pools"].append({"name": "outside", "addresses": list(OUTSIDE)})
    return {**made, "snat_policies": [POLICY], "timeouts": {"icmp": 600}}


class SnatFlow(Flow):
    """A host inside reaches out: to the owner of where it goes, and back by the local port's."""

    def __init__(self, bed, expected, protocol, n):
        self.mode, self.tcp = "snat", protocol is TCP
        self.talk = SnatTalk(bed, protocol, 20000 + n, outside=f"203.0.113.{1 + n % 60}",
                             via=GATEWAY)
        self.expect(expected)

    def expect(self, expected):
        self.expected = expected
        self.owner = self.reply_owner = expected.owners.of(self.talk.client, self.talk.virtual)
        if self.talk.local:
            self.reply_owner = expected.owners.of(self.talk.virtual, self.talk.local)

    def travels(self, *workers):
        """Steering gives ICMP to worker 0, and who has the connection asks nobody."""
        if self.talk.protocol is ICMP:
            workers = (0, *workers) if self.owner else (self.owner,)
        self.expected.travels(*workers)

    def up(self, flags="S"):
        self.talk.up(b"", **({"flags": flags} if self.tcp else {}))
        self.travels(self.owner)

    def run(self, _):
        self.talk.down(b"", **({"flags": "SA"} if self.tcp else {}))
        self.travels(self.reply_owner, self.owner)
        self.up("A")


def open_more(bed, flows, expected):
    """As many new ones as at first, of every mode."""
    first = len(flows)
    kinds = [(mode, protocol) for mode in MODES for protocol in (TCP, UDP)] * EACH
    flows += [Flow(bed, expected, *kind, 20000 + 37 * (first + n)) for n, kind in enumerate(kinds)]
    flows += [SnatFlow(bed, expected, protocol, first + n)
              for n, protocol in enumerate((TCP, UDP, ICMP) * EACH)]
    for flow in flows[first:]:
        flow.up()


def ends_differ(bed):
    ends = [(c["localAddress"], c["localPort"], c["backendAddress"], c.get("backendPort"),
             c["protocol"]) for c in bed.connections() if c["mode"].startswith(("fullnat", "snat"))]
    equal(len(set(ends)), len(ends), "distinct local ends")


def go_on(bed, flows, expected):
    """All flows that there are, and as many new ones as at first."""
    eventually(10, "the connections", lambda: len(bed.connections()) >= len(flows))
    drops = bed.drops()
    for flow in flows:
        flow.expect(expected)
    listed_owners(bed, flows)
    open_more(bed, flows, expected)
    for flow in flows:
        flow.run(bed)
    listed_owners(bed, flows)
    ends_differ(bed)
    expected.check()
    equal(bed.drops_since(drops, {}), {}, "drops")


def all_counts(report, steering):
    with Bed6("--workers", str(max(COUNTS[steering])), "--steering", steering, "--set",
              "connections=4096", config=with_snat()) as bed:
        bed.host("lan", GATEWAY)
        flows, before = [], "new"
        for count in COUNTS[steering]:
            with report.case(f"steering {steering}, {before} -> {count} workers: {len(flows)} "
                             "connections go on"):
                bed.restart(count)
                go_on(bed, flows, Expected(bed, owners_of(bed, count, OUTSIDE), steering))
                if count > 1 and before != "new":
                    moved = {f.mode for f in flows if f.reply_owner != f.owner}
                    equal(moved, {"fullnat", "fullnat64", "snat"}, "modes that had to move")
            before = count


def tests(report):
    for steering in COUNTS:
        all_counts(report, steering)


checks.main(tests)
