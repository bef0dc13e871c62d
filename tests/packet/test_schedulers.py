#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Schedulers and limits through the whole appliance: which backend gets whose connection."""

import collections

from bed import BACKENDS, CONFIG, LOCALS, UDP, Bed, Talk
import checks
from checks import equal, eventually

MORE = tuple(f"198.51.100.{n}" for n in range(111, 116))


def configured(*servers, backends=BACKENDS, weights=None, **backend):
    """The bed's configuration with servers (name, port, fields) over one pool `p`."""
    pool = {"name": "p", "backends": [
        {"name": f"b-{i}", "address": a, "port": 5353,
         "weight": weights[i] if weights else 1, **backend} for i, a in enumerate(backends)]}
    return {**CONFIG, "timeouts": {"udp": 600},
            "local_address_pools": [{"name": "local", "addresses": [LOCALS[0]]}],
            "backend_pools": [pool],
            "virtual_servers": [
                {"name": name, "address": "192.0.2.80", "port": port, "protocol": "udp",
                 "backend_pool": "p", "local_address_pool": "local", **fields}
                for name, port, fields in servers]}


def opened(bed, client_port, payload=b"x", virtual_port=53, client="192.0.2.2"):
    """The backend that a client's datagram reaches."""
    talk = Talk(bed, UDP, client_port, client=client, virtual=("192.0.2.80", virtual_port))
    talk.up(payload)
    return talk.backend[0]


def spread(bed, count, first_port, **where):
    return collections.Counter(opened(bed, first_port + n, **where) for n in range(count))


def least_connections(bed):
    """Both workers' connections count: no backend is one or more from its share."""
    bed.apply(configured(("lc", 53, {"scheduler": "lc"})))
    total = collections.Counter()
    for n in range(40):
        total[opened(bed, 20000 + n)] += 1
        shares = [total[b] for b in BACKENDS]
        assert max(shares) - min(shares) <= 1, f"after {n + 1}: {shares}"
    owners = {c.get("worker", 0) for c in bed.connections()}
    equal(len(owners), 2, "workers that own some")


def weighted_least_connections(bed):
    weights = (5, 2, 1)
    bed.apply(configured(("wlc", 54, {"scheduler": "wlc"}), weights=weights))
    before = collections.Counter({b["backendAddress"]: 0 for b in bed.connections()})
    before.update(c["backendAddress"] for c in bed.connections())
    total = sum(before.values())
    now = before.copy()
    for n in range(80):
        now[opened(bed, 21000 + n, virtual_port=54)] += 1
    total += 80
    for backend, weight in zip(BACKENDS, weights):
        away = now[backend] - total * weight / sum(weights)
        assert abs(away) < 1, f"{backend} of weight {weight}: {now[backend]} of {total}"


def hashed(bed, scheduler):
    """A client address is a backend's, whatever port and worker; addresses spread."""
    bed.apply(configured((scheduler, 55, {"scheduler": scheduler})))
    clients = [f"203.0.113.{n}" for n in range(1, 41)]
    backend = {}
    for n, client in enumerate(clients):
        found = set()
        for port in (22000 + n, 23000 + n, 24001 + 3 * n):
            talk = Talk(bed, UDP, port, client=client, via="192.0.2.254",
                        virtual=("192.0.2.80", 55))
            talk.up(b"x")
            found.add(talk.backend[0])
        equal(len(found), 1, f"backends of {client}")
        backend[client] = found.pop()
    equal(set(backend.values()), set(BACKENDS), "backends in use")
    return backend


def drained_moves_its_own(bed, scheduler):
    """With one backend drained, clients of the others stay (nearly all, with mh)."""
    before = hashed(bed, scheduler)
    bed.apply(configured((scheduler, 55, {"scheduler": scheduler}), weights=(1, 0, 1)))
    moved = 0
    for n, (client, backend) in enumerate(before.items()):
        talk = Talk(bed, UDP, 30000 + n, client=client, via="192.0.2.254",
                    virtual=("192.0.2.80", 55))
        talk.up(b"x")
        assert talk.backend[0] != BACKENDS[1], "a drained backend got a connection"
        moved += backend not in (BACKENDS[1], talk.backend[0])
    assert moved <= (2 if scheduler == "mh" else 0), f"{moved} clients moved needlessly"


def quic(bed):
    """A connection ID is a backend's, from any address and port, behind either header."""
    bed.apply(configured(("quic", 443, {"scheduler": "mh", "hash_key": "quic_connection_id"})))
    found = {}
    for n in range(24):
        ident = bytes([n, 200 - n, 7, 7, n, 1, 2, 3])
        first = b"\xc3\0\0\0\1\x08" + ident + b"\x08abcdefgh" + bytes(20)
        later = b"\x41" + ident + bytes(30)
        found[n] = opened(bed, 25000 + n, payload=first, virtual_port=443)
        again = opened(bed, 26000 + 5 * n, payload=later, virtual_port=443)
        equal(again, found[n], "backend of a later packet from another port")
    equal(set(found.values()), set(BACKENDS), "backends in use")


def failover(bed):
    bed.apply(configured(("fo", 56, {"scheduler": "fo"}), weights=(1, 9, 5)))
    equal(set(spread(bed, 6, 27000, virtual_port=56)), {BACKENDS[1]}, "backends")
    bed.apply(configured(("fo", 56, {"scheduler": "fo"}), weights=(1, 0, 5)))
    equal(set(spread(bed, 6, 27100, virtual_port=56)), {BACKENDS[2]}, "backends")


def backend_row(bed, name):
    return next(b for b in bed.stats()["backends"] if b["name"] == name)


def backend_limits(bed):
    """No backend over its limit, whoever owns the connection; then named drops, and the mark."""
    limited = configured(("limited", 57, {"scheduler": "rr"}), max_connections=4,
                         resume_percent=50)
    bed.apply({**limited, "timeouts": {"udp": 2}})
    eventually(10, "an empty table", lambda: not bed.connections())
    bed.apply(limited)
    equal(spread(bed, 12, 28000, virtual_port=57), {b: 4 for b in BACKENDS}, "connections")
    more = [Talk(bed, UDP, 28100 + n, virtual=("192.0.2.80", 57)).request(b"x") for n in range(8)]
    bed.dropped({"backend_limit": 8}, lambda: bed.send("wan", *more))
    assert backend_row(bed, "p/b-0").get("overloaded"), "not marked"
    bed.apply({**limited, "timeouts": {"udp": 1}})
    eventually(10, "an empty table", lambda: not bed.connections())
    bed.apply(limited)
    assert backend_row(bed, "p/b-0").get("overloaded"), "the mark stays until one is wanted"
    equal(sum(spread(bed, 6, 28200, virtual_port=57).values()), 6, "connections")
    assert not backend_row(bed, "p/b-0").get("overloaded"), "still marked"


def server_limit(bed):
    limited = configured(("counted", 58, {"scheduler": "rr", "max_connections": 5}))
    bed.apply(limited)
    spread(bed, 5, 29000, virtual_port=58)
    more = [Talk(bed, UDP, 29100 + n, virtual=("192.0.2.80", 58)).request(b"x") for n in range(6)]
    bed.dropped({"server_limit": 6}, lambda: bed.send("wan", *more))
    talk = Talk(bed, UDP, 29000, virtual=("192.0.2.80", 58))
    talk.up(b"those that are open go on")


def expire_quiescent(bed):
    """Connections of a drained backend go on, or end at once, as the server says."""
    def of_the_drained():
        return [c for c in bed.connections() if c["backendAddress"] == BACKENDS[1]
                and c.get("virtualServer") == "quiet"]
    for ends in (False, True):
        servers = (("quiet", 59, {"scheduler": "rr", "expire_quiescent": ends}),)
        bed.apply(configured(*servers))
        spread(bed, 12, 33000 + 20 * ends, virtual_port=59)
        before = len(of_the_drained())
        assert before > 0, f"{before} connections of the one to be drained"
        bed.apply(configured(*servers, weights=(1, 0, 1)))
        if not ends:
            bed.settle(1.5)
        eventually(5, "the connections that should be there",
                   lambda: len(of_the_drained()) == (0 if ends else before))


def slow_start(bed):
    """A backend that comes back does not get all new connections, as lc would have it."""
    def config(weights):
        made = configured(("slow", 60, {"scheduler": "lc"}), weights=weights)
        made["backend_pools"][0]["slow_start_seconds"] = 3600
        return made
    bed.apply(config((1, 0, 1)))
    spread(bed, 60, 34000, virtual_port=60)
    bed.apply(config((1, 1, 1)))
    got = spread(bed, 20, 34100, virtual_port=60)[BACKENDS[1]]
    assert got <= 5, f"{got} of 20 connections"


def tests(report):
    for steering in ("auto", "none"):
        with Bed("--steering", steering) as bed:
            with report.case(f"lc ({steering})"):
                least_connections(bed)
            with report.case(f"wlc ({steering})"):
                weighted_least_connections(bed)
            for scheduler in ("mh", "conhash"):
                with report.case(f"{scheduler} by source address ({steering})"):
                    drained_moves_its_own(bed, scheduler)
            with report.case(f"sh by source address ({steering})"):
                hashed(bed, "sh")
            with report.case(f"QUIC connection ID ({steering})"):
                quic(bed)
            with report.case(f"fo ({steering})"):
                failover(bed)
            with report.case(f"limits of backends ({steering})"):
                backend_limits(bed)
            with report.case(f"limit of a virtual server ({steering})"):
                server_limit(bed)
            with report.case(f"connections of a drained backend ({steering})"):
                expire_quiescent(bed)
            with report.case(f"slow start ({steering})"):
                slow_start(bed)


checks.main(tests)
