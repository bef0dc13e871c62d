#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections go on under another number of workers: each is where owner.py says, in every mode
and family, and what a backend sends to a local port that names another worker now still reaches it.
"""

from bed import GATEWAY
from bed6 import Bed6
import checks
from checks import equal, eventually
from test_owner import Expected, config, listed_owners, new_flows, owners_of

COUNTS = {"auto": (2, 3, 1, 2), "none": (2, 3)}  # by steering


def open_more(bed, flows, expected):
    """As many new ones as at first, of every mode."""
    first = len(flows)
    flows += new_flows(bed, expected, first)
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
              "connections=4096", config=config()) as bed:
        bed.host("lan", GATEWAY)
        flows, before = [], "new"
        for count in COUNTS[steering]:
            with report.case(f"steering {steering}, {before} -> {count} workers: {len(flows)} "
                             "connections go on"):
                bed.restart(count)
                go_on(bed, flows, Expected(bed, owners_of(bed, count), steering))
                if count > 1 and before != "new":
                    moved = {f.mode for f in flows if f.reply_owner != f.owner}
                    equal(moved, {"fullnat", "fullnat64", "snat"}, "modes that had to move")
            before = count


def tests(report):
    for steering in COUNTS:
        all_counts(report, steering)


checks.main(tests)
