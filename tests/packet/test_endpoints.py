#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Virtual servers with ranges of ports, all ports, several endpoints: who serves a packet."""

import copy

from bed import BACKENDS, CONFIG, TCP, UDP, VIRTUAL, Bed, Talk
from api import ApiError
from bed6 import CONFIG as CONFIG6, Bed6, Talk6, VIRTUAL6
import checks
import modes
from checks import equal

SECOND = "192.0.2.81"


def server(name, port, protocol="udp", address=VIRTUAL, pool=None, **fields):
    return {"name": name, "address": address, "port": port, "protocol": protocol,
            "scheduler": "rr", "backend_pool": pool or name, "local_address_pool": "local",
            **fields}


def configured(*servers, pools, base=CONFIG):
    """Each pool (name: backend's address, port) has one backend, which so says who served."""
    made = copy.deepcopy(base)
    made["virtual_servers"] = list(servers)
    made["backend_pools"] = [{"name": name, "backends": [
        {"name": "b", "address": address, "port": port}]}
        for name, (address, port) in pools.items()]
    return made


def reached(bed, port, client_port, protocol=UDP, address=VIRTUAL, talk=Talk):
    """The backend's endpoint that a client's first packet reaches; the answer comes back."""
    one = talk(bed, protocol, client_port, virtual=(address, port))
    flags = {"flags": "S"} if protocol is TCP else {}
    one.up(b"" if protocol is TCP else b"x", **flags)
    one.down(b"" if protocol is TCP else b"y", **({"flags": "SA"} if protocol is TCP else {}))
    return one.backend


def precedence(bed):
    """One port before a range, a range before all ports; a port of 0 is the client's."""
    one, some, every = BACKENDS
    bed.apply(configured(
        server("every", 0, port_end=65535), server("some", 5000, port_end=5099),
        server("one", 5050),
        pools={"one": (one, 1), "some": (some, 0), "every": (every, 9)}))
    for n, (port, wanted) in enumerate({
            5050: (one, 1), 5000: (some, 5000), 5049: (some, 5049), 5051: (some, 5051),
            5099: (some, 5099), 4999: (every, 9), 5100: (every, 9), 1: (every, 9),
            65535: (every, 9)}.items()):
        equal(reached(bed, port, 42000 + n), wanted, f"who serves port {port}")
    names = {c["virtualPort"]: c["virtualServer"] for c in bed.connections()}
    equal([names[p] for p in (5050, 5099, 65535)], ["one", "some", "every"], "listed")
    bed.dropped({"no_service": 2}, lambda: bed.send(
        "wan", Talk(bed, UDP, 42100, virtual=(VIRTUAL, 0)).request(b"x"),
        Talk(bed, TCP, 42100, virtual=(VIRTUAL, 5050)).request(flags="S")))


def looked_up(bed):
    def who(port):
        return bed.api.call("ConnectionService/LookupFlow", {
            "protocol": "udp", "client_address": "192.0.2.2", "client_port": 1,
            "virtual_address": VIRTUAL, "virtual_port": port}).get("virtualServer")
    equal([who(p) for p in (5050, 5051, 6000)], ["one", "some", "every"], "LookupFlow")


def changed(bed):
    """A range that goes away gives its ports to all ports' server; its connections go on."""
    open_one = Talk(bed, UDP, 42200, virtual=(VIRTUAL, 5001))
    open_one.up(b"x")
    bed.apply(configured(server("every", 0, port_end=65535), server("some", 6000, port_end=6001),
                         pools={"some": (BACKENDS[1], 0), "every": (BACKENDS[2], 9)}))
    open_one.up(b"goes on")
    open_one.down(b"goes on")
    equal(reached(bed, 5002, 42201), (BACKENDS[2], 9), "who serves a port of the former range")


def group(bed):
    """Endpoints of a group share the scheduler's turn, the limit and the counters."""
    made = configured(
        server("all", 53, pool="p", max_connections=6, endpoints=[
            {"address": VIRTUAL, "port": 7000, "port_end": 7009, "protocol": "tcp"},
            {"address": SECOND, "port_end": 65535, "protocol": "udp"}]),
        pools={"p": (BACKENDS[0], 0)})
    made["backend_pools"][0]["backends"] += [
        {"name": f"b{i}", "address": a} for i, a in enumerate(BACKENDS[1:])]
    bed.apply(made)
    for n in range(2):
        for where in ((53, 43000 + n), (7003 + n, 43010 + n, TCP), (999, 43020 + n, UDP, SECOND)):
            equal(reached(bed, *where)[1], where[0], "port")
    more = [Talk(bed, UDP, 43030, virtual=(SECOND, 1)).request(b"x"),
            Talk(bed, UDP, 43031, virtual=(VIRTUAL, 53)).request(b"x"),
            Talk(bed, TCP, 43032, virtual=(VIRTUAL, 7009)).request(flags="S")]
    bed.dropped({"server_limit": 3}, lambda: bed.send("wan", *more))
    mine = [c for c in bed.connections() if c.get("virtualServer") == "all"]
    equal(len(mine), 6, "connections of the group")
    rows = [s for s in bed.stats()["virtualServers"] if s["name"] == "all"]
    equal([(r["activeConnections"], r["connections"]) for r in rows],
          [("6", "6")], "the group's one row of counters")


def group_of_one_family(bed):
    """An endpoint of the family that no backend has is refused."""
    made = configured(
        server("six", 53, address=VIRTUAL6, pool="p", endpoints=[
            {"address": VIRTUAL6, "port": 6000, "port_end": 6009, "protocol": "udp"}]),
        pools={"p": ("2001:db8:2::101", 0)}, base=CONFIG6)
    bed.apply(made)
    for port in (53, 6000, 6009):
        equal(reached(bed, port, 44000 + port, address=VIRTUAL6, talk=Talk6),
              ("2001:db8:2::101", port), "backend")
    made["virtual_servers"][0]["endpoints"].append(
        {"address": VIRTUAL, "port": 53, "protocol": "udp"})
    try:
        bed.apply(made)
    except ApiError as error:
        equal(error.code, "failed_precondition", "code")
        assert "mode fullnat does not lead there" in error.message, error.message
    else:
        raise AssertionError("both families are taken")


def ports_kept(bed, mode, talk, first_port):
    """Where the backend sees the virtual address, it gets the port that was asked for."""
    made = configured(server("any", 0, port_end=65535), pools={"any": (BACKENDS[0], 0)})
    made.pop("local_address_pools")
    made["virtual_servers"][0].pop("local_address_pool")
    made["backend_pools"][0]["forwarding_mode"] = mode
    bed.apply(made)
    for n, port in enumerate((1, 8080, 65535)):
        one = talk(bed, UDP, first_port + n, virtual=(VIRTUAL, port))
        one.up(b"x")
        equal(one.backend, (BACKENDS[0], port), "backend")
    if mode == "nat":
        one.down(b"y")


def tests(report):
    for steering in ("auto", "none"):
        with Bed("--steering", steering) as bed:
            for case in (precedence, looked_up, changed, group):
                with report.case(f"{case.__name__.replace('_', ' ')} ({steering})"):
                    case(bed)
            for mode, talk, port in (("nat", modes.NatTalk, 45000),
                                     ("dr", modes.DrTalk, 45100)):
                with report.case(f"every port in mode {mode} ({steering})"):
                    ports_kept(bed, mode, talk, port)
        with Bed6("--steering", steering) as bed:
            with report.case(f"a group of IPv6 endpoints ({steering})"):
                group_of_one_family(bed)


if __name__ == "__main__":
    checks.main(tests)
