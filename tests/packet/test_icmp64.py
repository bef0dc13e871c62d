#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ICMP errors about FullNAT64's packets, both directions: they change their family as the packets
do, outside and inside (RFC 7915 sections 4.2, 4.3, 5.2, 5.3)."""

import socket
import struct

from scapy.layers.inet6 import IPv6ExtHdrDestOpt, PadN

import bed
import bed6
import checks
from bed import TCP, UDP, Talk, checksum, mac_bytes, patched
from bed6 import CLIENT6
from bed64 import MAY_FRAGMENT, VIRTUAL64, Bed64, Talk64
from checks import equal
from test_icmp_related import error_about, ip_of

SIZES = (8, 20, 64, 548, 1400)  # bytes quoted behind the IP header
MOST = {bed: 576 - 48, bed6: 1280 - 88}  # of them in a translated error

# (type, code, rest) of an error over IPv4 and over IPv6; None: there is no such.
NO_ROUTE, PROHIBITED = (1, 0, 0), (1, 1, 0)
TO_IPV6 = [((3, code, 0), NO_ROUTE) for code in (0, 1, 5, 6, 7, 8, 11, 12)] + \
    [((3, code, 0), PROHIBITED) for code in (9, 10, 13, 15)] + \
    [((3, 2, 0), (4, 1, 6)), ((3, 3, 0), (1, 4, 0)), ((3, 14, 0), None), ((3, 16, 0), None),
     ((3, 4, 1400), (2, 0, 1420)),
     ((3, 4, 1000), (2, 0, 1280)),   # no link over IPv6 has less
     ((3, 4, 1490), (2, 0, 1500)),   # the client's link has not more
     ((3, 4, 9000), (2, 0, 1500)),
     ((3, 4, 0), (2, 0, 1280)),      # a router that tells none: 1006
     ((11, 0, 0), (3, 0, 0)), ((11, 1, 0), (3, 1, 0)),
     ((12, 1, 0), None), ((12, 3, 0), None), ((12, 0, 20 << 24), None)] + \
    [((12, code, pointer << 24), (4, 0, to) if to is not None else None)
     for code in (0, 2) for pointer, to in enumerate(
         (0, 1, 4, 4, None, None, None, None, 7, 6, None, None, 8, 8, 8, 8, 24, 24, 24, 24))]
TO_IPV4 = [((1, code, 0), to) for code, to in
           enumerate(((3, 1, 0), (3, 10, 0), (3, 1, 0), (3, 1, 0), (3, 3, 0), None, None))] + \
    [((2, 0, 1400), (3, 4, 1380)), ((2, 0, 1280), (3, 4, 1260)), ((2, 0, 1000), (3, 4, 1260)),
     ((2, 0, 0xffffffff), (3, 4, 1480)),
     ((3, 0, 0), (11, 0, 0)), ((3, 1, 0), (11, 1, 0)),
     ((4, 1, 6), (3, 2, 0)), ((4, 2, 40), None), ((4, 0, 40), None), ((4, 0, 1 << 24), None)] + \
    [((4, 0, pointer), (12, 0, to << 24) if to is not None else None)
     for pointer, to in enumerate((0, 1, None, None, 2, 2, 9, 8, *[12] * 16, *[16] * 16))]


def header6(tos, payload, kind, hops, ends):
    return struct.pack("!IHBB", 0x60000000 | tos << 20, payload, kind, hops) + \
        b"".join(map(bed6.packed, ends))


def header4(tos, payload, kind, ttl, ends, identification=0):
    total = 20 + payload
    header = struct.pack("!BBHHHBBH", 0x45, tos, total, identification,
                         0x4000 if total > MAY_FRAGMENT else 0, ttl, kind, 0) + \
        b"".join(map(socket.inet_aton, ends))
    return patched(header, 10, struct.pack("!H", checksum(header)))


def start(here, protocol, port, sizes=(1300, 1300)):
    """A connection, and for each way (what its sender sent, what left us)."""
    talk = Talk64(here, protocol, port)
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    if protocol is TCP:
        talk.up(flags="S", seq=1)
        talk.down(flags="SA", seq=1, ack=2)
        talk.up(flags="A", seq=2, ack=2)
    sent = talk.request(b"q" * sizes[0], ip={"tc": 0x28, "fl": 0x12345, "hlim": 33}, **l4)
    up = (sent, talk.carry_up(sent))
    sent = talk.reply(b"a" * sizes[1], ip={"tos": 0x48, "id": 77, "ttl": 44}, **l4)
    return talk, up, (sent, talk.carry_down(sent))


def about_request(here, talk, up, what, says, size=548, cut=None, tos=0):
    """A router on the backend's side, over IPv4; the client hears of it over IPv6."""
    sent, left = up
    frame = error_about(here, "lan", ip_of(left), talk.local[0], what, size)
    frame = bed.seal(patched(frame, 15, bytes([tos])))
    if not says:
        here.dropped({"icmp_type": 1}, lambda: here.send("lan", frame))
        return
    here.send("lan", frame)
    kind, at = bed6.l4_at(sent)
    l4 = sent[at:bed6.ip_length(sent)]
    quoted = header6(left[15], len(l4), kind, left[22], (CLIENT6, VIRTUAL64)) + \
        l4[:min(size, cut or size, MOST[bed6])]
    wanted = mac_bytes(talk.client_mac) + mac_bytes(here.mac["wan"]) + b"\x86\xdd" + \
        header6(tos, 8 + len(quoted), 58, frame[22] - 1, (VIRTUAL64, CLIENT6)) + \
        struct.pack("!BBHI", *says[:2], 0, says[2]) + quoted
    bed6.same(here.expect("wan"), bed6.seal(wanted), f"{what} over IPv6")


def about_reply(here, talk, down, what, says, size=548, cut=None, tc=0):
    """A router on the client's side, over IPv6; the backend hears of it over IPv4."""
    sent, left = down
    frame = error_about(here, "wan", ip_of(left, bed6), VIRTUAL64, what, size, kit=bed6)
    frame = patched(frame, 14, struct.pack("!H", 0x6000 | tc << 4))
    if not says:
        here.dropped({"icmp_type": 1}, lambda: here.send("wan", frame))
        return
    here.send("wan", frame)
    found = here.expect("lan")
    l4 = sent[34:bed.ip_length(sent)]
    quoted = header4(left[14] << 4 & 0xf0 | left[15] >> 4, len(l4), left[20], left[21],
                     (talk.backend[0], talk.local[0])) + l4[:min(size, cut or size, MOST[bed])]
    wanted = mac_bytes(bed.mac_of(talk.backend[0])) + mac_bytes(here.mac["lan"]) + b"\x08\0" + \
        header4(tc, 8 + len(quoted), 1, frame[21] - 1, (talk.local[0], talk.backend[0]),
                int.from_bytes(found[18:20], "big")) + \
        struct.pack("!BBHI", *says[:2], 0, says[2]) + quoted
    bed.same(found, bed.seal(wanted), f"{what} over IPv4")


def each_kind(here):
    """Every type, code and pointer, and the MTU of packets that are too big."""
    talk, up, down = start(here, UDP, 50000)
    counted = here.counters()["icmp_related"]
    for what, says in TO_IPV6:
        about_request(here, talk, up, what, says)
    for what, says in TO_IPV4:
        about_reply(here, talk, down, what, says)
    equal(here.counters()["icmp_related"] - counted,
          sum(says is not None for _, says in TO_IPV6 + TO_IPV4), "icmp_related")


def each_size(here, protocol, port):
    """As much as is quoted, ports and checksum as their sender had them."""
    for n, sizes in enumerate(((1300, 1300), (700, 900))):  # with DF over IPv4, and without
        talk, up, down = start(here, protocol, port + n, sizes)
        for size in SIZES:
            about_request(here, talk, up, (3, 4, 1400), (2, 0, 1420), size, tos=size & 0xff)
            about_reply(here, talk, down, (2, 0, 1400), (3, 4, 1380), size, tc=size & 0xff)


def no_checksum(here):
    """A backend's datagram without a checksum got one, which the quoted one has, too."""
    talk = Talk64(here, UDP, 50020)
    talk.up(b"x")
    sent = talk.reply(b"a" * 100, chksum=0)
    about_reply(here, talk, (bed.seal(patched(sent, 40, b"\1\1")), talk.carry_down(sent)),
                (3, 0, 0), (11, 0, 0), 60)


def extensions(here):
    """RFC 4884: what is behind the quoted packet is left out, and the length that says where."""
    talk, up, down = start(here, UDP, 50030)
    about_request(here, talk, up, (3, 1, 32 << 16), NO_ROUTE, 400, cut=128 - 20)
    about_request(here, talk, up, (11, 0, 32 << 16), (3, 0, 0), 400, cut=128 - 20)
    about_request(here, talk, up, (3, 1, 1 << 16), NO_ROUTE, 400)  # says less than a header
    about_reply(here, talk, down, (3, 0, 16 << 24), (11, 0, 0), 400, cut=128 - 40)
    about_reply(here, talk, down, (1, 4, 1 << 24), (3, 3, 0), 400)


def extension_headers(here):
    """The request's own were left out on its way: what is quoted has none."""
    talk = Talk64(here, UDP, 50040)
    sent = talk.request(b"q" * 100, ext=[IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])])
    left = talk.carry_up(sent)
    about_request(here, talk, (sent, left), (11, 0, 0), (3, 0, 0), 60)


def none(here):
    """What is no error about such a connection, by name."""
    talk, up, down = start(here, UDP, 50050)

    def lan(packet, to=talk.local[0], **how):
        return error_about(here, "lan", bytes(packet), to, **how)

    def wan(packet, to=VIRTUAL64, **how):
        return error_about(here, "wan", bytes(packet), to, kit=bed6, **how)

    left4, left6 = ip_of(up[1]), ip_of(down[1], bed6)
    mapped = header6(0, len(left4) - 20, 17, 9, (f"::ffff:{talk.local[0]}",
                                                 f"::ffff:{talk.backend[0]}")) + left4[20:]
    for side, frame, reason in (
            ("lan", lan(patched(left4, 20, b"\xff\xf0")), "icmp_unrelated"),
            ("lan", lan(left4, size=7), "icmp_quote_short"),
            ("lan", lan(left4, ttl=1), "ttl_exceeded"),
            ("wan", wan(patched(left6, 42, b"\xff\xf0")), "icmp_unrelated"),
            ("wan", wan(left6, size=7), "icmp_quote_short"),
            ("wan", wan(left6, ttl=1), "ttl_exceeded"),
            ("wan", wan(mapped, to=f"::ffff:{talk.local[0]}"), "icmp_unrelated")):
        here.dropped({reason: 1}, lambda side=side, frame=frame: here.send(side, frame))
    talk.up(b"and it goes on")
    talk.down(b"both ways")


def beside_ipv4(here):
    """Errors about IPv4's own connections to the same local addresses stay IPv4's."""
    start(here, UDP, 50060)
    talk = Talk(here, UDP, 50060)
    sent = talk.request(b"question")
    left = talk.carry_up(sent)
    here.send("lan", error_about(here, "lan", ip_of(left), talk.local[0]))
    found = here.expect("wan")
    equal((found[12:14], found[34:36]), (b"\x08\0", b"\3\4"), "over IPv4")


def owners(here):
    """Whoever gets the error passes it to the connection's worker."""
    before = here.counters()["redirect_out"]
    for n in range(24):
        talk, up, down = start(here, UDP, 51000 + n, (100, 100))
        about_request(here, talk, up, (3, 3, 0), (1, 4, 0), 28)
        about_reply(here, talk, down, (1, 1, 0), (3, 10, 0), 28)
    assert here.counters()["redirect_out"] > before, "nothing redirected"


def tests(report):
    with Bed64() as here:
        for name, case in (
                ("each kind of error", each_kind),
                ("as much as is quoted, UDP", lambda here: each_size(here, UDP, 50010)),
                ("as much as is quoted, TCP", lambda here: each_size(here, TCP, 50012)),
                ("a datagram without checksum", no_checksum),
                ("extensions of ICMP", extensions),
                ("extension headers", extension_headers),
                ("what is none, by name", none),
                ("beside IPv4's", beside_ipv4),
                ("owners", owners)):
            with report.case(name):
                case(here)
            here.settle()
            here.forget()


if __name__ == "__main__":
    checks.main(tests)
