#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fragments of balanced traffic: every mode, both directions, in any order, by 1 to 4 workers; what
does not fit together, what never ends and what never comes."""

import itertools
import os
import random
import signal
import time

import bed as bed4
import bed6
from bed import CLIENT, CONFIG, TCP, UDP, Bed, Ether, IP, Raw, Talk, ip_length, mac_of, patched
from fragments import FOUR, SIX, cut, family_of, gather, sealed, together
from bed6 import Bed6, Talk6
from bed64 import Bed64, Talk64, to_ipv4, to_ipv6
import checks
from checks import equal
from modes import SHIM, DrTalk, DrTalk6, NatTalk, NatTalk6, config, tunnel_talk

IDS = itertools.count(1)  # of datagrams; none twice


def payload(length, seed=1):
    return random.Random(length * 31 + seed).randbytes(length)


def arrive(bed, side, n):
    return [bed.expect(side) for _ in range(n)]


class Cut:
    """A talk whose packets travel in fragments."""

    def __init__(self, talk):
        self.talk, self.bed = talk, talk.bed

    def frame(self, make, length, **l4):
        """A packet of the talk's, and its identification."""
        number = next(IDS)
        family = FOUR if make == self.talk.reply and self.crosses() else self.family()
        return make(payload(length, number), ip=family.number(number), **l4), number

    def family(self):
        return SIX if self.talk.kit is bed6 else FOUR

    def crosses(self):
        return isinstance(self.talk, Talk64)

    def pieces(self, make, length, size=1480, **l4):
        frame, number = self.frame(make, length, **l4)
        return frame, cut(frame, min(size, 1440) if family_of(frame) is SIX else size, number)

    def carry(self, up, length=4000, size=1480, order=lambda f: f, **l4):
        """All of a packet in an order; all of it arrives, and is judged as if it were whole."""
        frame, frames = self.pieces(self.talk.request if up else self.talk.reply, length, size,
                                    **l4)
        self.bed.send("wan" if up else "lan", *order(frames))
        self.judge(up, frame, gather(self.bed, "lan" if up else "wan"))

    def judge(self, up, frame, found):
        (self.talk.judge_up if up else self.talk.judge_down)(frame, together(found))


class Translated(Cut):
    """FullNAT64: fragments of one family leave as fragments of the other."""

    def judge(self, up, frame, found):
        talk, whole = self.talk, together(found)
        if up:
            if not talk.local:
                talk.local, talk.backend = bed4.endpoints(whole)
            wanted = to_ipv4(frame, (self.bed.mac["lan"], bed4.mac_of(talk.backend[0])),
                             (talk.local[0], talk.backend[0]), (talk.local[1], talk.backend[1]),
                             int.from_bytes(whole[18:20], "big"))
            bed4.same(whole, sealed(patched(wanted, 20, b"\0\0")), "to the backend")
        else:
            bed6.same(whole, to_ipv6(frame, (self.bed.mac["wan"], talk.client_mac),
                                     (talk.virtual[0], talk.client[0]),
                                     (talk.virtual[1], talk.client[1])), "to the client")


def backwards(frames):
    return frames[::-1]


def shuffled(frames):
    random.Random(len(frames)).shuffle(frames)
    return frames


def first_last(frames):
    return frames[1:] + frames[:1]


ORDERS = {"in order": lambda f: f, "backwards": backwards, "shuffled": shuffled,
          "the first last": first_last}


def exchange(bed, kind, protocol, port, both, cutter=Cut):
    talk = cutter(kind(bed, protocol, port))
    flags = {"flags": "S"} if protocol is TCP else {}
    talk.talk.up(b"", **flags)
    flags = {"flags": "PA"} if protocol is TCP else {}
    for order in ORDERS.values():
        for length, size in ((1481, 1480), (4000, 1480), (8000, 1480), (64, 24), (1000, 200)):
            talk.carry(True, length, size, order, **flags)
            if both:
                talk.carry(False, length, size, order, **flags)


def opens(bed, kind, port, cutter=Cut):
    """The first packet of a client is cut: it opens the connection whatever comes first."""
    for n, order in enumerate(ORDERS.values()):
        cutter(kind(bed, UDP, port + n)).carry(True, 8000, order=order)


def interleaved(bed, port):
    """Datagrams of several clients and one, mixed."""
    talks = [Talk(bed, UDP, port + n) for n in range(4)]
    for talk in talks:
        talk.up(b"")
    wanted, frames = {}, []
    for n in range(24):
        talk = talks[n % 4]
        frame = talk.request(payload(3000, n), ip={"id": 7000 + n, "flags": 0})
        wanted[frame[18:20]] = (talk, frame)
        frames += cut(frame, 600)
    random.Random(5).shuffle(frames)
    bed.send("wan", *frames)
    found = {}
    for frame in arrive(bed, "lan", len(frames)):
        found.setdefault(frame[18:20], []).append(frame)
    for number, (talk, frame) in wanted.items():
        talk.judge_up(frame, together(found[number]))


def known(bed, port):
    talk = Cut(Talk(bed, UDP, port))
    talk.talk.up(b"")
    return talk


def dropped(bed, wanted, passes, frames, seconds=5.0):
    """Of the frames so many pass; the others are dropped for these reasons."""
    before = bed.drops()
    bed.send("wan", *frames)
    arrive(bed, "lan", passes)
    equal(bed.drops_since(before, wanted, seconds), wanted, "drops")
    bed.expect_nothing()


def duplicates(bed, port):
    """What came is not passed on again."""
    talk = known(bed, port)
    frame, (one, two, three) = talk.pieces(talk.talk.request, 3000)
    dropped(bed, {"fragment_duplicate": 2}, 2, [one, one, two, two])
    dropped(bed, {"fragment_duplicate": 1}, 1, [two, three])


def overlaps(bed, port):
    """No byte passes twice, and nothing after a contradiction."""
    talk = known(bed, port)
    for first, end in ((992, 1992), (1000, 1992), (0, 1008), (1992, 2008), (8, 16)):
        frame, (one, two, three) = talk.pieces(talk.talk.request, 2500, 1000)
        dropped(bed, {"fragment_overlap": 2}, 2, [one, two, FOUR.piece(frame, first, end), three])
    frame, (one, two, three) = talk.pieces(talk.talk.request, 2500, 1000)  # one that waits goes, too
    dropped(bed, {"fragment_overlap": 3}, 0, [two, FOUR.piece(frame, 992, 1992), one])
    frame, (one, two, three) = talk.pieces(talk.talk.request, 2500, 1000)  # another end
    dropped(bed, {"fragment_overlap": 2}, 2, [one, three, FOUR.piece(frame, 1000, 2000, False), two])
    frame, _ = talk.frame(talk.talk.request, 2500)  # behind the end
    dropped(bed, {"fragment_overlap": 1}, 2, [
        FOUR.piece(frame, 0, 992), FOUR.piece(frame, 1000, 1992, False), FOUR.piece(frame, 1992, 2000, True)])


def malformed(bed, port):
    """Lengths and places that no datagram has."""
    talk = known(bed, port)
    frame, _ = talk.frame(talk.talk.request, 4000)
    for wrong in (FOUR.piece(frame, 0, 1479), FOUR.piece(frame, 1480, 1487), FOUR.piece(frame, 1480, 1480, True),
                  FOUR.piece(frame, 1480, 1480, False)):
        dropped(bed, {"fragment_malformed": 1}, 0, [wrong])
    last = FOUR.piece(frame, 0, 1000, False)  # the ping of death
    dropped(bed, {"fragment_malformed": 1}, 0, [sealed(patched(last, 20, b"\x1f\xff"))])


def tiny(bed, port):
    """The transport's header is not whole in the first, so that nothing of it can be trusted."""
    talk = Talk(bed, TCP, port)
    talk.up(b"", flags="S")
    frame = talk.request(payload(100), ip={"id": 9, "flags": 0}, flags="PA")
    for size in (8, 16):
        dropped(bed, {"fragment_tiny": 1}, 0, [FOUR.piece(frame, 0, size)])
    options = talk.request(payload(100), ip={"id": 10, "flags": 0}, flags="PA",
                           options=[("Timestamp", (1, 2))])
    dropped(bed, {"fragment_tiny": 1}, 0, [FOUR.piece(options, 0, 24)])


def endless(bed, port):
    """A datagram in more pieces than are followed."""
    talk = known(bed, port)
    frame, pieces = talk.pieces(talk.talk.request, 8 * 140, 8)
    dropped(bed, {"fragment_too_many": len(pieces) - 128}, 128, pieces)


def too_late(bed, port):
    """The first never comes; then it comes, too late for those that waited."""
    talk = known(bed, port)
    frame, (one, two, three) = talk.pieces(talk.talk.request, 4000)
    dropped(bed, {"fragment_timeout": 2}, 0, [two, three], seconds=8)
    dropped(bed, {}, 1, [one])


def flood(bed, port):
    """Many datagrams that never get their first: room is bounded, others are served meanwhile."""
    talk = known(bed, port)
    other = known(bed, port + 1)
    before = bed.drops()
    frame = talk.talk.request(payload(3000), ip={"id": 1, "flags": 0})
    last = cut(frame, 1480)[1]
    n = 3000
    for i in range(n):
        bed.send("wan", sealed(patched(last, 18, (10000 + i).to_bytes(2, "big"))))
        if i % 1000 == 500:
            other.carry(True, 4000)
            other.carry(False, 4000, order=backwards)
    names = ("fragment_timeout", "fragment_table_full", "fragment_queue_full", "tx_full")

    def all_gone():
        now = bed.drops()
        return sum(now.get(x, 0) - before.get(x, 0) for x in names) == n
    checks.eventually(10, "the end of what waited", all_gone)
    now = bed.drops()
    assert now.get("fragment_table_full", 0) > before.get("fragment_table_full", 0), now


def unserved(bed, port):
    """What the first opens nothing for, the others get nothing of."""
    frame = bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) /
                  IP(src=CLIENT, dst="192.0.2.80", id=3) / UDP(sport=port, dport=99) /
                  Raw(payload(3000)))
    dropped(bed, {"no_service": 1, "no_connection": 2}, 0, cut(frame, 1480))
    ping = IP(src=CLIENT, dst="192.0.2.1", id=4) / Raw(b"\x08\0" + bytes(3000))
    ping.proto = 1
    frame = bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) / ping)
    dropped(bed, {"ip_fragment": 3}, 0, cut(frame, 1480))


class Tunnelled(Cut):
    """The backend gets each fragment inside a packet of its own."""

    def carry(self, up, length=4000, size=1400, order=lambda f: f, **l4):
        frame, frames = self.pieces(self.talk.request, length, min(size, 1360), **l4)
        self.bed.send("wan", *order(frames))
        self.judge(frame, self.inside(frames))

    def inside(self, frames):
        """What is inside the packets that come out, when such came in."""
        outer = self.talk.outer.IP_BYTES + 14 + SHIM[self.talk.mode]
        sent = {family_of(f).place(f): f for f in frames}
        inside = []
        for found in arrive(self.bed, "lan", len(frames)):
            found = found[:self.talk.outer.ip_length(found)]
            inner = found[:12] + frames[0][12:14] + found[outer:]
            self.talk.judge_outer(sent[family_of(inner).place(inner)], found)
            inside.append(inner)
        return inside

    def judge(self, frame, found):
        DrTalk.judge_up(self.talk, frame, together(found))


def by_workers(bed, report, name):
    with report.case(f"{name}: datagrams, both ways, in any order"):
        for n in range(4):
            exchange(bed, Talk, UDP, 41000 + n, True)
    with report.case(f"{name}: segments"):
        exchange(bed, Talk, TCP, 42000, True)
    with report.case(f"{name}: the first opens a connection"):
        for n in range(6):
            opens(bed, Talk, 43000 + 10 * n)
    with report.case(f"{name}: datagrams mixed"):
        interleaved(bed, 44000)
    with report.case(f"{name}: a flood of what never begins"):
        flood(bed, 45000)


def received(bed):
    return sum(int(port.get("rxPackets", 0)) for worker in bed.stats()["workers"]
               for port in worker.get("ports", ()))


def wait_there(bed, *frames):
    """They are with the worker. Returns when they were sent."""
    before, since = received(bed), time.monotonic()
    bed.send("wan", *frames)
    checks.eventually(5, "the fragments", lambda: received(bed) >= before + len(frames))
    return since


def hand_over(bed, port):
    """Who goes on for a worker goes on with what waits."""
    talk = known(bed, port)
    for _ in range(20):  # until a restart takes less than what waits has time
        frame, (one, two, three) = talk.pieces(talk.talk.request, 4000)
        since = wait_there(bed, two, three)
        bed.api.call("WorkerService/RestartWorker", {"id": 0})
        if time.monotonic() - since < 1:
            break
    bed.send("wan", one)
    talk.judge(True, frame, gather(bed, "lan"))


def death(bed, port):
    """What waited is lost with a worker, the rest of its datagram is not followed, and all is well."""
    talk = known(bed, port)
    _, (one, two, three) = talk.pieces(talk.talk.request, 4000)
    wait_there(bed, two, three)
    before = bed.workers()[0]["pid"]
    os.kill(before, signal.SIGKILL)
    checks.eventually(20, "another worker", lambda: bed.workers()[0].get("pid", before) != before)
    bed.send("wan", one)
    equal(FOUR.place(bed.expect("lan")), (0, True), "the first fragment")
    for order in ORDERS.values():
        talk.carry(True, 8000, order=order)
    bed.expect_nothing()


def over_mtu(bed, kind, port, longest=1472):
    """A packet over the MTU of its way out leaves in fragments; with DF its sender is told."""
    talk = Cut(kind(bed, UDP, port))
    talk.talk.up(b"")
    for length in (longest, longest + 1, longest + 8, 1900):
        frame, _ = talk.frame(talk.talk.request, length)
        before = bed.counters()["fragments_sent"]
        bed.send("wan", frame)
        talk.judge(True, frame, gather(bed, "lan"))
        equal(bed.counters()["fragments_sent"] - before, 2 * (length > longest), "fragments made")
    frame = talk.talk.request(payload(longest + 1), ip={"flags": "DF"})
    before = bed.drops()
    bed.send("wan", frame)
    equal(bed.drops_since(before, {"too_big": 1}), {"too_big": 1}, "drops")
    bed.settle()
    assert not bed.inbox["lan"], "forwarded all the same"
    bed.forget()
    frame, frames = talk.pieces(talk.talk.request, 5000, 1880)  # fragments that are too long
    bed.send("wan", *frames[::-1])
    talk.judge(True, frame, gather(bed, "lan"))


def widen(bed):
    bed.appliance("exec", "client", "ip", "link", "set", f"{bed.name}-wan", "mtu", "2000")


def in_modes(report):
    for mode, kind, kind6, both in (("nat", NatTalk, NatTalk6, True), ("dr", DrTalk, DrTalk6, False)):
        with Bed6(config=config(mode, bed6.CONFIG)) as bed:
            for name, one in (("IPv4", kind), ("IPv6", kind6)):
                with report.case(f"{mode} over {name}: fragments"):
                    exchange(bed, one, UDP, 47000, both)
                    exchange(bed, one, TCP, 47001, both)
                    opens(bed, one, 47010)
            with report.case(f"{mode}: packets over the MTU"):
                widen(bed)
                over_mtu(bed, kind, 47020)
    for mode in SHIM:
        with Bed6(config=config(mode, bed6.CONFIG)) as bed:
            for name, kit in (("IPv4", bed4), ("IPv6", bed6)):
                with report.case(f"{mode}, {name} in {name}: fragments"):
                    kind = tunnel_talk(mode, inner=kit, outer_=kit)
                    exchange(bed, kind, UDP, 47000, False, Tunnelled)
                    opens(bed, kind, 47010, Tunnelled)


def dual_stack(report):
    with Bed64() as bed:
        with report.case("IPv6: datagrams and segments, both ways, in any order"):
            exchange(bed, Talk6, UDP, 48000, True)
            exchange(bed, Talk6, TCP, 48001, True)
            opens(bed, Talk6, 48010)
        with report.case("FullNAT64: fragments from one family to the other"):
            exchange(bed, Talk64, UDP, 48020, True, Translated)
            exchange(bed, Talk64, TCP, 48021, True, Translated)
            opens(bed, Talk64, 48030, Translated)
        with report.case("FullNAT64: what does not fit over IPv6 leaves in fragments"):
            talk = Translated(Talk64(bed, UDP, 48040))
            talk.talk.up(b"")
            for length in (1452, 1453, 1472):
                frame, _ = talk.frame(talk.talk.reply, length)
                bed.send("lan", frame)
                talk.judge(False, frame, gather(bed, "wan"))
        with report.case("packets over the MTU leave in fragments"):
            widen(bed)
            over_mtu(bed, Talk, 48050)


def tests(report):
    for workers, steering in ((1, "auto"), (2, "auto"), (3, "none"), (4, "auto"), (4, "none")):
        with Bed("--workers", str(workers), "--steering", steering) as bed:
            by_workers(bed, report, f"{workers} workers, steering {steering}")
    ports = itertools.count(46000, 10)
    with Bed() as bed:
        for what in (duplicates, overlaps, malformed, tiny, endless, too_late, unserved):
            with report.case(f"{what.__name__}: {what.__doc__.splitlines()[0]}"):
                what(bed, next(ports))
    with Bed("--workers", "1") as bed:
        for what in (hand_over, death):
            with report.case(f"{what.__name__}: {what.__doc__.splitlines()[0]}"):
                what(bed, next(ports))
    dual_stack(report)
    in_modes(report)


if __name__ == "__main__":
    checks.main(tests)
