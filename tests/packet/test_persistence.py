#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Persistence: a client's connections go to one backend, whichever worker owns them."""

import os
import signal

from bed import BACKENDS, TCP, UDP, VIRTUAL, Bed, Talk
from bed6 import BACKENDS6, CONFIG as CONFIG6, VIRTUAL6, Bed6, Talk6
import checks
from checks import equal, eventually
from test_endpoints import configured, server

FAR = "192.0.2.254"  # the gateway of 203.0.113.0/26


def sticky(weights=(1, 1, 1), base=None, **fields):
    """Three backends, each chosen in turn by a server with two endpoints."""
    made = configured(
        server("sticky", 53, pool="p", endpoints=[
            {"address": VIRTUAL, "port": 80, "protocol": "tcp"}], **fields),
        pools={"p": (BACKENDS[0], 5353)}, **({"base": base} if base else {}))
    made["backend_pools"][0]["backends"] = [
        {"name": f"b{i}", "address": a, "port": 5353, "weight": weights[i]}
        for i, a in enumerate(BACKENDS)]
    return made


def backends_of(bed, client, ports, protocol=UDP):
    found = set()
    for port in ports:
        talk = Talk(bed, protocol, port, client=client, via=FAR)
        talk.up(b"x") if protocol is UDP else talk.up(flags="S")
        found.add(talk.backend[0])
    return found


def across_workers(bed):
    """Ports lead to both workers, addresses to different backends; a group shares templates."""
    bed.apply(sticky(persistence={"timeout_seconds": 300}))
    chosen = {}
    for n in range(1, 13):
        client = f"203.0.113.{n}"
        found = backends_of(bed, client, range(40000 + n, 40008 + n))
        equal(len(found), 1, f"backends of {client}")
        chosen[client] = found.pop()
        equal(backends_of(bed, client, (41000,), TCP), {chosen[client]}, "at the other endpoint")
    equal(set(chosen.values()), set(BACKENDS), "backends in use")
    owners = {c.get("worker", 0) for c in bed.connections()}
    equal(len(owners), 2, "workers that own some")
    return chosen


def workers_killed(bed, chosen):
    """Templates are no worker's: all are killed, and the clients stay where they were."""
    before = eventually(5, "standbys", bed.with_standbys)
    for one in before.values():
        os.kill(one["pid"], signal.SIGKILL)
    def back():
        now = bed.workers()
        return all(now[n]["state"] == "running" and now[n]["pid"] != before[n]["pid"]
                   for n in before)
    eventually(12, "the workers", back)
    for client, backend in chosen.items():
        equal(backends_of(bed, client, (42000, 42001, 42002, 42003)), {backend}, client)


def drained(bed, chosen):
    """A drained backend keeps its clients, but not with expire_quiescent; a removed one can't."""
    mine = [c for c, b in chosen.items() if b == BACKENDS[1]]
    bed.apply(sticky(weights=(1, 0, 1), persistence={"timeout_seconds": 300}))
    for client in mine:
        equal(backends_of(bed, client, (43000, 43001)), {BACKENDS[1]}, client)
    bed.apply(sticky(weights=(1, 0, 1), persistence={"timeout_seconds": 300},
                     expire_quiescent=True))
    moved = {client: backends_of(bed, client, (43100, 43101, 43102)) for client in mine}
    for client, found in moved.items():
        equal(len(found), 1, f"backends of {client}")
        assert BACKENDS[1] not in found, f"{client} went to the drained one"
    for client in set(chosen) - set(mine):
        equal(backends_of(bed, client, (43200,)), {chosen[client]}, client)


def networks(bed):
    bed.apply(sticky(persistence={"timeout_seconds": 300, "ipv4_prefix_length": 29}))
    found = {}
    for n in range(1, 32):
        found.setdefault(n // 8, set()).update(backends_of(bed, f"203.0.113.{n}", (44000,)))
    equal([len(b) for b in found.values()], [1] * len(found), "backends of each network")


def expires(bed):
    """Not while a connection lasts; after that, when its time is over."""
    client = "203.0.113.50"
    made = sticky(persistence={"timeout_seconds": 2})
    bed.apply({**made, "timeouts": {"udp": 6}})
    first = backends_of(bed, client, (45000,))
    bed.settle(4)
    equal(backends_of(bed, client, (45001,)), first, "while a connection lasts")
    bed.apply({**made, "timeouts": {"udp": 1}})
    eventually(15, "the end of its connections", lambda: not bed.connections())
    bed.settle(4)
    others = set()
    for n in range(3):  # somebody else's turns move the schedulers on
        others |= backends_of(bed, f"203.0.113.{51 + n}", range(45010 + n, 45016 + n))
    again = set()
    for n in range(3):
        again |= backends_of(bed, client, (45100 + n,))
        eventually(15, "the end of its connections", lambda: not bed.connections())
        bed.settle(4)
        backends_of(bed, f"203.0.113.{55 + n}", range(45200 + n, 45203 + n))
    assert again != first, f"{client} is still {first}'s"


def at_its_limit(bed):
    """A full backend's client goes to another, and stays there."""
    made = sticky(persistence={"timeout_seconds": 300})
    for backend in made["backend_pools"][0]["backends"]:
        backend["max_connections"] = 3
    bed.apply({**made, "timeouts": {"udp": 1, "tcp_syn_sent": 1}})
    eventually(10, "an empty table", lambda: not bed.connections())
    bed.apply(made)
    client, count = "203.0.113.60", {}
    for n in range(6):
        for backend in backends_of(bed, client, (46000 + n,)):
            count[backend] = count.get(backend, 0) + 1
    equal(sorted(count.values()), [3, 3], "connections")


def ipv6(bed):
    made = configured(
        server("sticky6", 53, address=VIRTUAL6, pool="p", persistence={
            "timeout_seconds": 300, "ipv6_prefix_length": 64}),
        pools={"p": (BACKENDS6[0], 5353)}, base=CONFIG6)
    made["backend_pools"][0]["backends"] += [
        {"name": f"b{i}", "address": a, "port": 5353} for i, a in enumerate(BACKENDS6[1:])]
    bed.apply(made)
    chosen = {}
    for net in range(1, 9):
        found = set()
        for host in range(1, 7):
            talk = Talk6(bed, UDP, 47000 + host, client=f"2001:db8:f:{net}::{host}",
                         via="2001:db8:1::fe")
            talk.up(b"x")
            found.add(talk.backend[0])
        equal(len(found), 1, f"backends of network {net}")
        chosen[net] = found.pop()
    equal(set(chosen.values()), set(BACKENDS6), "backends in use")


def tests(report):
    for steering in ("auto", "none"):
        with Bed("--steering", steering) as bed:
            chosen = {}
            with report.case(f"one client, one backend ({steering})"):
                chosen = across_workers(bed)
            with report.case(f"after a kill of all workers ({steering})"):
                workers_killed(bed, chosen)
            with report.case(f"a drained backend ({steering})"):
                drained(bed, chosen)
            for case in (networks, at_its_limit):
                with report.case(f"{case.__name__.replace('_', ' ')} ({steering})"):
                    case(bed)
        with Bed6("--steering", steering) as bed, report.case(f"IPv6 ({steering})"):
            ipv6(bed)
    with Bed() as bed, report.case("a template's time"):
        expires(bed)


checks.main(tests)
