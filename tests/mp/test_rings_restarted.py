#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers are restarted and killed on memif rings instead of taps: a restart loses nothing, the first
packets of the new process included, whose driver maps the rings of a process on its own.

At a rate that any machine carries; `make chaos RINGS=1` looks for the highest.
"""

import paths  # noqa: F401

import checks
from checks import equal, eventually
from rings import CONFIG, Blast, Rings, bench, event, kill

RATE = 4000
ROUNDS = 8
BURST = 64  # packets: a receive burst and a transmit burst


def restarts(rings, blast):
    found = [event(rings, blast, lambda n=n: rings.api.call("WorkerService/RestartWorker",
                                                            {"id": n % 2})) for n in range(ROUNDS)]
    assert all(f["sent"] for f in found), "nothing was sent"
    equal([f["lost"] for f in found], [0] * ROUNDS, "packets lost by each")


def has_rings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        return "memif_region" in file.read()


def peer_comes_late(rings, blast):
    """A standby that waited before there was a peer maps the rings before it is needed: 0.1 s that
    it would take at its first burst, and lose that."""
    for n in (0, 1):
        before = eventually(20, "standbys", rings.with_standbys)[n]
        eventually(5, f"rings of standby {n}", lambda b=before: has_rings(b["standbyPid"]))
        found = event(rings, blast, lambda n=n: kill(rings, n))
        assert found["lost"] <= BURST, f"lost {found['lost']}, at most {BURST}"
        equal(rings.listed()[n]["pid"], before["standbyPid"], "who goes on")


def kills(rings, blast):
    for n in range(ROUNDS):
        found = event(rings, blast, lambda n=n: kill(rings, n % 2))
        assert found["lost"] <= BURST, f"lost {found['lost']}, at most {BURST}"


def tests(report):
    with bench.hugepages(), bench.directory() as path, Rings(f"{path}/rings") as rings:
        rings.apply(CONFIG)
        with Blast(rings, RATE) as blast:
            for name, run in (("standbys that waited before their peer", peer_comes_late),
                              ("restarts lose nothing", restarts),
                              ("kill -9 loses a burst at most", kills)):
                with report.case(name):
                    run(rings, blast)


checks.main(tests)
