#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Full tables and used-up ports: counted by name, the newest refused, the open ones go on."""

import struct

from bed import CONFIG, LOCALS, UDP, Bed, Talk, checksum
import checks
from checks import equal, eventually

TABLE = 1024  # connections a worker
NEIGHBOURS = 16
PORTS = 65536 - 1024  # of one local address to one backend
ONE_LOCAL = {**CONFIG, "local_address_pools": [{"name": "local", "addresses": [LOCALS[0]]}]}


def flood(bed, count, first_port=1):
    """One datagram from each of `count` client endpoints, no faster than they are taken."""
    frame = bytearray(Talk(bed, UDP, 1).request(b"flood", chksum=0))
    received, taken = 0, wan_received(bed)
    for n in range(count):
        address, port = divmod(first_port + n, 60000)
        struct.pack_into("!B", frame, 29, 2 + address)
        struct.pack_into("!H", frame, 34, 1 + port)
        struct.pack_into("!H", frame, 24, 0)
        struct.pack_into("!H", frame, 24, checksum(bytes(frame[14:34])))
        bed.sockets["wan"].send(frame)
        if n % 200 == 199:
            received += drain(bed)
            eventually(5, "the workers' taking what was sent",
                       lambda: wan_received(bed) - taken > n)
    return received + drain(bed, 0.3)


def wan_received(bed):
    return sum(int(p.get("rxPackets", 0)) for p in bed.stats()["ports"] if p["name"] == "wan")


def drain(bed, seconds=0):
    count = 0
    while bed.pump(seconds):
        count += len(bed.inbox["lan"])
        bed.inbox["lan"].clear()
    return count


def opened(bed):
    return bed.counters()["connections_opened"]


def since(bed, before):
    return {n: v - before.get(n, 0) for n, v in bed.drops().items() if v != before.get(n, 0)}


def full_table(bed):
    """Every entry of both workers is used, then the reason is counted; open ones go on."""
    talk = Talk(bed, UDP, 61000)
    talk.up(b"first")
    talk.down(b"first")
    count = 4 * TABLE
    before = bed.drops()
    arrived = flood(bed, count)
    drops = since(bed, before)
    full = drops.get("connection_table_full", 0) + drops.get("connection_index_full", 0)
    assert drops.get("connection_table_full", 0) > 0, f"drops {drops}"
    equal(arrived + full, count, "forwarded and dropped")
    gauge = [int(w.get("connections", 0)) for w in bed.stats()["workers"]]
    assert all(0.8 * TABLE <= g <= TABLE for g in gauge), f"connections {gauge}"
    talk.up(b"still")
    talk.down(b"here")


def table_empties(bed):
    """What was refused is taken again once the old ones have expired."""
    bed.apply({**CONFIG, "timeouts": {"udp": 1}})
    eventually(10, "an empty table",
               lambda: not any(int(w.get("connections", 0)) for w in bed.stats()["workers"]))
    talk = Talk(bed, UDP, 61001)
    talk.up(b"again")
    talk.down(b"again")


def full_ports(bed):
    """One local address has so many ports to a backend, over both workers."""
    Talk(bed, UDP, 61003).up(b"the backend is known from here on")
    count = PORTS + 3000
    before, drops_before = opened(bed), bed.drops()
    arrived = flood(bed, count)
    drops = since(bed, drops_before)
    equal(arrived + sum(drops.values()), count, "forwarded and dropped")
    equal(set(drops), {"no_local_port"}, "reasons")
    equal((opened(bed) - before, arrived), (PORTS - 1, PORTS - 1), "opened, forwarded")
    assert bed.counters()["local_ports_exhausted"] > 0
    listed = bed.connections()
    tuples = {(c["localAddress"], c["localPort"], c["backendAddress"], c["backendPort"])
              for c in listed}
    equal((len(listed), len(tuples)), (PORTS, PORTS), "connections listed, different ones")


def second_address(bed):
    """Another local address, and there is room at once."""
    bed.apply(CONFIG)
    talk = Talk(bed, UDP, 61002)
    talk.up(b"more room")
    equal(talk.local[0], LOCALS[1], "local address")
    talk.down(b"indeed")


def full_neighbours(bed):
    """More hosts on a link than entries: counted, and those that are known go on."""
    clients = [f"192.0.2.{n}" for n in range(100, 160)]
    bed.host("wan", *clients)
    answered, before = 0, bed.drops()
    for n, client in enumerate(clients):
        talk = Talk(bed, UDP, 62000 + n, client=client)
        talk.up(b"who am I?")
        frame = talk.reply(b"you are")
        bed.send("lan", frame)
        bed.settle(0.03)
        if bed.inbox["wan"]:
            talk.judge_down(frame, bed.expect("wan"))
            answered += 1
    equal(since(bed, before), {"neighbour_table_full": len(clients) - answered},
          "drops")
    assert 0 < answered <= 2 * NEIGHBOURS, f"{answered} were answered"


def tests(report):
    with Bed("--set", f"connections={TABLE}") as bed:
        with report.case("connection_table_full"):
            full_table(bed)
        with report.case("a full table empties"):
            table_empties(bed)
    with Bed("--set", f"neighbours={NEIGHBOURS}") as bed:
        with report.case("neighbour_table_full"):
            full_neighbours(bed)
    with Bed(config={**ONE_LOCAL, "timeouts": {"udp": 600}}) as bed:
        with report.case("no_local_port"):
            full_ports(bed)
        with report.case("another local address"):
            second_address(bed)


checks.main(tests)
