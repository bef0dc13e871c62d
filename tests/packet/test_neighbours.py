#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ARP: answered for what is ours, asked for what is not known, packets kept meanwhile."""

import os
import signal

from bed import ARP, BACKENDS, BROADCAST, LAN, LOCALS, UDP, VIRTUAL, WAN, Bed, Ether, \
    Talk, mac_of
import checks
from checks import equal

STRANGERS = {"wan": "192.0.2.9", "lan": "198.51.100.99"}
MOVER = "192.0.2.7"
WAITING = 40  # more packets than may wait for one neighbour


def request(side, target, source=None, dst=BROADCAST, **arp):
    source = source or STRANGERS[side]
    mac = mac_of(source)
    return Ether(dst=dst, src=mac) / ARP(**{"op": 1, "hwsrc": mac, "psrc": source,
                                           "hwdst": "00:00:00:00:00:00", "pdst": target, **arp})


def answered(bed, side, target, **how):
    """Exactly one answer, every field of it right."""
    bed.forget()
    asked = request(side, target, **how)
    before = bed.counters()
    bed.send(side, asked)
    found = Ether(bed.expect(side))
    mac = bed.mac[side]
    wanted = (asked.src, mac, 0x0806, 1, 0x0800, 6, 4, 2, mac, target, asked[ARP].hwsrc,
              asked[ARP].psrc)
    arp = found[ARP]
    equal((found.dst, found.src, found.type, arp.hwtype, arp.ptype, arp.hwlen, arp.plen, arp.op,
           arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst), wanted, "ARP reply")
    bed.expect_nothing()
    after = bed.counters()
    equal(after["arp_replies_sent"] - before["arp_replies_sent"], 1, "arp_replies_sent")
    equal(after["local_packets"] - before["local_packets"], 1, "local_packets")


def not_answered(bed, side, target):
    bed.dropped({"arp_not_ours": 1}, lambda: bed.send(side, request(side, target)))


def asks(bed):
    """How it asks: broadcast, from the interface's address on that link."""
    bed.forget()
    talk = Talk(bed, UDP, 50000)
    talk.up(b"who is there?")
    asked = [Ether(f) for side, f in bed.asked if side == "lan"]
    assert asked, "the backend was not asked for"
    mac = bed.mac["lan"]
    first = asked[0]
    equal((first.dst, first.src, first[ARP].op, first[ARP].hwsrc, first[ARP].psrc,
           first[ARP].pdst), (BROADCAST, mac, 1, mac, LAN, talk.backend[0]), "ARP request")
    for _ in range(20):
        talk.up(b"known now")
        talk.down(b"and here")
    equal(len([f for side, f in bed.asked if side == "lan"]), len(asked), "requests in all")


def silent_backend(bed, n):
    """A server of its own on a host that does not answer, so that nobody knows it yet."""
    address = f"198.51.100.{n}"
    common = {"name": f"silent-{n}"}
    bed.api.call("BackendPoolService/CreateBackendPool", {"backend_pool": {
        **common, "backends": [{"name": "only", "address": address, "port": 7}]}})
    bed.api.call("VirtualServerService/CreateVirtualServer", {"virtual_server": {
        **common, "address": VIRTUAL, "port": n, "protocol": "udp", "backend_pool": f"silent-{n}",
        "local_address_pool": "local"}})
    return address, (VIRTUAL, n)


def wait_in_order(bed):
    """Packets wait, so many and no more, and leave in order when the answer comes."""
    address, virtual = silent_backend(bed, 201)
    talk = Talk(bed, UDP, 50001, virtual=virtual)
    before = bed.drops()
    frames = [talk.request(b"%03d" % n) for n in range(WAITING)]
    bed.send("wan", *frames)
    bed.settle(0.3)
    assert not bed.inbox["lan"], "sent before the neighbour was known"
    lost = bed.drops().get("neighbour_queue_full", 0) - before.get("neighbour_queue_full", 0)
    assert 0 < lost < WAITING, f"{lost} of {WAITING} found the queue full"
    bed.host("lan", address)
    bed.send("lan", Ether(dst=bed.mac["lan"], src=mac_of(address)) /
             ARP(op=2, hwsrc=mac_of(address), psrc=address, hwdst=bed.mac["lan"], pdst=LAN))
    for n in range(WAITING - lost):
        found = bed.expect("lan")
        talk.judge_up(frames[n], found)
    bed.expect_nothing()
    equal(bed.drops_since(before, {"neighbour_queue_full": lost}),
          {"neighbour_queue_full": lost}, "drops")


def no_answer(bed):
    """Asked again a few times, then what waits is dropped and counted."""
    address, virtual = silent_backend(bed, 202)
    talk = Talk(bed, UDP, 50002, virtual=virtual)
    bed.forget()
    before = bed.drops()
    bed.send("wan", *[talk.request(b"%d" % n) for n in range(3)])
    equal(bed.drops_since(before, {"neighbour_failed": 3}, 10), {"neighbour_failed": 3}, "drops")
    asked = [f for side, f in bed.asked if side == "lan" and Ether(f)[ARP].pdst == address]
    assert 2 <= len(asked) <= 10, f"asked {len(asked)} times"
    bed.host("lan", address)
    until_reached(bed, talk)


def asked_and_waiting(bed, n, port):
    """Four packets that wait for a new neighbour; its address, the talk and the worker."""
    address, virtual = silent_backend(bed, n)
    talk = Talk(bed, UDP, port, virtual=virtual)
    frames = [talk.request(b"%d" % i) for i in range(4)]
    bed.send("wan", *frames)
    bed.settle(0.2)
    owner = next(c for c in bed.connections() if c["clientPort"] == port).get("worker", 0)
    return address, talk, frames, owner


def worker_restarts(bed):
    """Packets that wait when their worker is restarted are sent by its successor, in order."""
    before = bed.drops()
    address, talk, frames, owner = asked_and_waiting(bed, 203, 50003)
    bed.api.call("WorkerService/RestartWorker", {"id": owner})
    assert not bed.inbox["lan"], "sent before the neighbour was known"
    bed.host("lan", address)
    bed.send("lan", Ether(dst=bed.mac["lan"], src=mac_of(address)) /
             ARP(op=2, hwsrc=mac_of(address), psrc=address, hwdst=bed.mac["lan"], pdst=LAN))
    for frame in frames:
        talk.judge_up(frame, bed.expect("lan"))
    bed.expect_nothing()
    equal(bed.drops_since(before, {}), {}, "drops")


def worker_ends(bed):
    """Packets that wait when their worker ends for good are counted; the next one asks again."""
    before = bed.drops()
    address, talk, _, owner = asked_and_waiting(bed, 204, 50004)
    os.kill(bed.workers()[owner]["pid"], signal.SIGTERM)
    equal(bed.drops_since(before, {"worker_stop": 4}), {"worker_stop": 4}, "drops")
    bed.host("lan", address)
    until_reached(bed, talk)


def worker_is_killed(bed):
    """Those of one that was killed are lost, and so is no buffer."""
    address, talk, _, owner = asked_and_waiting(bed, 205, 50005)
    os.kill(bed.workers()[owner]["pid"], signal.SIGKILL)
    bed.host("lan", address)
    until_reached(bed, talk)
    bed.settle(0.2)
    assert all(b"back?" in f for f in bed.inbox["lan"]), "a packet of the dead worker's came"


def until_reached(bed, talk):
    """The host came up after all: within a few seconds it is asked for anew."""
    frame = talk.request(b"are you back?")
    for _ in range(50):
        bed.forget()
        bed.send("wan", frame)
        bed.settle(0.1)
        if bed.inbox["lan"]:
            talk.judge_up(frame, bed.expect("lan"))
            return
    raise AssertionError("never reached within 5 s after it came up")


def moved(bed):
    """A host that announces another MAC is reached there at once, by both workers' connections."""
    bed.host("wan", MOVER)
    talks, workers = [], set()
    while workers != {0, 1} and len(talks) < 64:  # which ports are whose changes from run to run
        talks.append(Talk(bed, UDP, 50100 + len(talks), client=MOVER))
        talks[-1].up(b"before")
        talks[-1].down(b"before")
        workers = {c.get("worker", 0) for c in bed.connections(client_address=MOVER)}
    equal(workers, {0, 1}, "workers that have some of the connections")
    new = "02:99:00:00:00:01"
    bed.send("wan", Ether(dst=BROADCAST, src=new) /
             ARP(op=1, hwsrc=new, psrc=MOVER, hwdst="00:00:00:00:00:00", pdst=MOVER))
    bed.settle(0.2)
    for talk in talks:
        talk.client_mac = new
        talk.down(b"after")


def foreign_claims(bed):
    """Nobody takes an address of ours, or teaches a neighbour that is not on the link."""
    talk = Talk(bed, UDP, 50200)
    talk.up(b"x")
    for claimed in (VIRTUAL, WAN, LOCALS[0], BACKENDS[0]):
        bed.send("wan", Ether(dst=bed.mac["wan"], src="02:66:00:00:00:01") /
                 ARP(op=2, hwsrc="02:66:00:00:00:01", psrc=claimed, hwdst=bed.mac["wan"],
                     pdst=WAN))
    bed.settle(0.2)
    bed.forget()
    talk.down(b"y")
    talk.up(b"z")
    answered(bed, "wan", VIRTUAL)


def tests(report):
    with Bed() as bed:
        for name, side, target in (("interface's", "wan", WAN), ("interface's", "lan", LAN),
                                   ("virtual server's", "wan", VIRTUAL),
                                   ("local", "lan", LOCALS[0]), ("local", "lan", LOCALS[1])):
            with report.case(f"ARP for an {name} address is answered on {side}: {target}"):
                answered(bed, side, target)
        with report.case("ARP by unicast is answered"):
            answered(bed, "wan", WAN, dst=bed.mac["wan"])
        with report.case("an ARP probe (sender 0.0.0.0) for ours is answered"):
            answered(bed, "wan", VIRTUAL, psrc="0.0.0.0")
        for side, target in (("wan", "192.0.2.77"), ("wan", LOCALS[0]), ("lan", VIRTUAL),
                             ("lan", BACKENDS[1])):
            with report.case(f"ARP for {target} on {side} is not answered"):
                not_answered(bed, side, target)
        for name, run in (("a neighbour is asked for once", asks),
                          ("packets wait for a neighbour and leave in order", wait_in_order),
                          ("a neighbour that does not answer", no_answer),
                          ("a worker restarted while packets wait", worker_restarts),
                          ("a worker that ends while packets wait", worker_ends),
                          ("a worker killed while packets wait", worker_is_killed),
                          ("a neighbour that moves", moved),
                          ("claims that are not theirs to make", foreign_claims)):
            with report.case(name):
                run(bed)
            bed.settle()
            bed.forget()


checks.main(tests)
