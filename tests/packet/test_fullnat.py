#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""FullNAT: every rewritten field of every packet, both directions, with and without steering."""

import random

from bed import BACKENDS, GATEWAY, GATEWAY2, LOCALS, TCP, UDP, Bed, Talk, checksum, patched
import checks
from checks import equal

UDP_LENGTHS = (0, 1, 2, 3, 17, 18, 19, 63, 512, 1471, 1472)
TCP_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (123456789, 0)), ("NOP", None),
               ("WScale", 7)]
SACK = [("NOP", None), ("NOP", None), ("SAck", (1000, 2000, 3000, 4000))]
MINIMUM = 60  # bytes of the shortest frame on a wire, without FCS


def payload(length, seed=0):
    return random.Random(length * 7 + seed).randbytes(length)


def open_tcp(bed, port, **where):
    talk = Talk(bed, TCP, port, **where)
    talk.up(flags="S", seq=1000, options=TCP_OPTIONS)
    talk.down(flags="SA", seq=9000, ack=1001, options=TCP_OPTIONS)
    talk.up(flags="A", seq=1001, ack=9001)
    return talk


def udp_lengths(bed):
    talk = Talk(bed, UDP, 40001)
    for length in UDP_LENGTHS:
        talk.up(payload(length), ip={"id": length, "tos": length & 0xfc})
        talk.down(payload(length, 1), ip={"id": 65535 - length})


def udp_no_checksum(bed):
    talk = Talk(bed, UDP, 40002)
    found = talk.up(payload(33), chksum=0)
    equal(found[40:42], b"\0\0", "UDP checksum to the backend")
    found = talk.down(payload(34), chksum=0)
    equal(found[40:42], b"\0\0", "UDP checksum to the client")


def with_sum(frame, at, wanted):
    """The frame with its last two bytes such that the checksum over it comes to `wanted`."""
    bare = patched(patched(frame, len(frame) - 2, b"\0\0"), at, b"\0\0")
    pseudo = bare[26:34] + b"\0" + bare[23:24] + (len(bare) - 34).to_bytes(2, "big")
    filler = (checksum(pseudo + bare[34:]) - wanted) % 0xffff
    return bare[:-2] + filler.to_bytes(2, "big")


def checksum_edges(bed, protocol, port, at):
    """Checksums that come to 0 or ffff, before or after the rewrite."""
    talk = open_tcp(bed, port) if protocol is TCP else Talk(bed, UDP, port)
    l4 = {"flags": "PA", "seq": 1001, "ack": 9001} if protocol is TCP else {}
    talk.up(b"first", **l4)
    talk.down(b"first", **l4)
    zero = b"\xff\xff" if protocol is UDP else b"\0\0"  # RFC 768: 0 is sent as ffff
    for make, carry in ((talk.request, talk.carry_up), (talk.reply, talk.carry_down)):
        into = with_sum(make(b"ab", **l4), at, 0)
        carry(patched(into, at, zero))
        # and so that the sum is 0 on the other side: move what the rewrite will add to it
        plain = make(b"\0\0", **l4)
        after = int.from_bytes(carry(plain)[at:at + 2], "big")
        made = make((after % 0xffff).to_bytes(2, "big"), **l4)
        equal(carry(made)[at:at + 2], zero, "checksum after the rewrite")
        for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63, b"\0\xff" * 32):
            carry(make(pattern, **l4))


def tcp_fields(bed):
    talk = open_tcp(bed, 41001)
    for flags in ("PA", "PAU", "AEC", "FA"):
        for carry in (talk.up, talk.down):
            carry(payload(100), flags=flags, seq=0xfffffff0, ack=0x80000001, window=17,
                  urgptr=5, options=SACK, ip={"id": 4711, "flags": "DF", "tos": 0xb8})
    talk.up(b"x", flags="A", reserved=5, ip={"ttl": 2, "tos": 3, "id": 0})
    talk.down(payload(1447), flags="PA", ip={"ttl": 255})


def tcp_full_size(bed):
    talk = open_tcp(bed, 41002)
    for length in (1, 2, 1459, 1460):
        talk.up(payload(length), flags="PA", seq=1001, ack=9001)
        talk.down(payload(length, 2), flags="A", seq=9001, ack=1001)


def padding(bed):
    for protocol, port, l4 in ((UDP, 40003, {}), (TCP, 41003, {"flags": "S"})):
        talk = Talk(bed, protocol, port)
        frame = talk.request(b"" if protocol is TCP else b"p", **l4)
        talk.carry_up(frame.ljust(MINIMUM, b"\xaa"))
        frame = talk.reply(b"" if protocol is TCP else b"q",
                           **({"flags": "SA"} if protocol is TCP else {}))
        talk.carry_down(frame.ljust(MINIMUM, b"\x55"))


def wrong_sum_stays_wrong(bed):
    """A damaged segment is either dropped or leaves as damaged as it came, never mended."""
    talk = open_tcp(bed, 41004)
    frame = talk.request(b"damaged", flags="PA", seq=1001, ack=9001)
    before = bed.drops()
    bed.send("wan", patched(frame, len(frame) - 1, b"X"))
    if bed.drops_since(before, {"l4_checksum": 1}, 0.3) == {"l4_checksum": 1}:
        bed.expect_nothing()
        return
    found = bed.expect("lan")
    mended = patched(found, len(found) - 1, frame[-1:])
    talk.judge_up(frame, mended)


def gateways(bed):
    """A client that is not on the link is answered through the longest prefix's gateway."""
    for n, (client, gateway) in enumerate((("203.0.113.7", GATEWAY), ("203.0.113.200", GATEWAY),
                                           ("203.0.113.130", GATEWAY2))):
        talk = Talk(bed, UDP, 42000 + n, client=client, via=gateway)
        talk.up(b"from afar")
        talk.down(b"to afar")


def retransmission(bed):
    """The same SYN again: the same backend, the same local port."""
    talk = Talk(bed, TCP, 41005)
    for _ in range(3):
        talk.up(flags="S", seq=77)


def many_flows(bed, steering):
    """Over both workers, each reply to the client whose it is, by the port's owner."""
    before = bed.counters()
    talks = [Talk(bed, protocol, 20000 + n) for n in range(150) for protocol in (TCP, UDP)]
    for talk in talks:
        talk.up(b"" if talk.protocol is TCP else b"q%d" % talk.client[1],
                **({"flags": "S"} if talk.protocol is TCP else {}))
    random.Random(1).shuffle(talks)
    for talk in talks:
        talk.down(b"a%d" % talk.client[1], **({"flags": "SA"} if talk.protocol is TCP else {}))
    owners = {(c["clientPort"], c["protocol"]): c for c in bed.connections()}
    seen = set()
    for talk in talks:
        protocol = "PROTOCOL_TCP" if talk.protocol is TCP else "PROTOCOL_UDP"
        listed = owners[talk.client[1], protocol]
        worker = listed.get("worker", 0)
        equal(talk.local[1] % 2, worker, "low bit of the local port and its worker")
        equal((listed["localAddress"], listed["localPort"]), talk.local, "local end")
        equal((listed["backendAddress"], listed["backendPort"]), talk.backend, "backend")
        assert talk.local[0] in LOCALS and talk.local[1] >= 1024, f"local end {talk.local}"
        seen.add(worker)
    equal(seen, {0, 1}, "workers with connections")
    equal(len({(t.protocol, t.local, t.backend) for t in talks}), len(talks), "distinct tuples")
    if steering == "none":
        moved = bed.counters()["redirect_out"] - before["redirect_out"]
        assert moved > 0, "without steering nothing was redirected"


def every_backend(bed):
    """Round robin gives each backend the same share."""
    taken = []
    for n in range(30):
        talk = Talk(bed, TCP, 30000 + n)
        talk.up(flags="S")
        taken.append(talk.backend[0])
    share = {a: taken.count(a) for a in BACKENDS}
    assert min(share.values()) >= 9 and sum(share.values()) == 30, f"shares {share}"


def tests_with(report, steering):
    with Bed("--steering", steering) as bed:
        for name, run in (
                ("UDP of every length", udp_lengths),
                ("UDP without a checksum stays without", udp_no_checksum),
                ("UDP checksums 0 and ffff", lambda b: checksum_edges(b, UDP, 40010, 40)),
                ("TCP checksums 0 and ffff", lambda b: checksum_edges(b, TCP, 41010, 50)),
                ("TCP flags, options and the IP fields pass untouched", tcp_fields),
                ("TCP segments of full size", tcp_full_size),
                ("Ethernet padding", padding),
                ("a wrong TCP checksum is not mended", wrong_sum_stays_wrong),
                ("clients behind gateways", gateways),
                ("a SYN again keeps backend and local port", retransmission),
                ("many flows over both workers", lambda b: many_flows(b, steering)),
                ("each backend gets its share", every_backend)):
            with report.case(f"{name} (steering {steering})"):
                run(bed)
            bed.settle()
            bed.forget()


def tests(report):
    for steering in ("auto", "none"):
        tests_with(report, steering)


checks.main(tests)
