#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ICMP errors about balanced packets, both directions, every mode: outer and quoted headers."""

import struct

from bed import CLIENT, CONFIG, GATEWAY, LAN, TCP, UDP, WAN, Bed, Ether, IP, Raw, Talk, \
    checksum, ip_length, mac_bytes, mac_of, patched, same, seal
import checks
from checks import equal
from modes import DrTalk, NatTalk, config
from test_tunnels import OVERHEAD, talk_of

ROUTER = "203.0.113.9"  # somewhere on the way
ERRORS = ((3, 4, 1400), (3, 1, 0), (3, 3, 0), (11, 0, 0), (12, 0, 0))
SIZES = (8, 20, 28, 128, 548)  # bytes quoted behind the IP header


def error_about(bed, side, packet, to, what=(3, 4, 1400), size=28, source=ROUTER, ttl=60, mac=None):
    """An ICMP error as a router sends it that got `packet` (bytes from the IP header on)."""
    kind, code, mtu = what
    rest = 0x0a000000 if kind == 12 else mtu
    return seal(bytes(Ether(dst=bed.mac[side], src=mac or mac_of(GATEWAY)) /
                      IP(src=source, dst=to, ttl=ttl, id=4242, proto=1) /
                      Raw(struct.pack("!BBHI", kind, code, 0, rest) + packet[:20 + size])))


def ip_of(frame):
    return frame[14:ip_length(frame)]


def as_sent(sent, size, hops):
    """The beginning of what its sender sent, its TTL less the hops to where it was quoted."""
    at = bytearray(ip_of(sent)[:20 + size])
    at[8] -= hops
    at[10:12] = b"\0\0"
    at[10:12] = struct.pack("!H", checksum(bytes(at[:20])))
    return bytes(at)


def judge(bed, side, frame, found, macs, addresses, inner):
    """The error as it has to leave; `inner` is what it has to quote."""
    found = found[:ip_length(found)]
    wanted = bytearray(frame[:42]) + inner
    wanted[0:12] = mac_bytes(macs[1]) + mac_bytes(macs[0])
    wanted[22] -= 1
    wanted[26:34] = IP(src=addresses[0], dst=addresses[1]).build()[12:20]
    same(found, seal(bytes(wanted)), f"the error on {side}")


def start(bed, kind, protocol, port, both):
    """A connection, and for each way (what its sender sent, what left us)."""
    talk = kind(bed, protocol, port)
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    if protocol is TCP:
        talk.up(flags="S", seq=1)
        if both:
            talk.down(flags="SA", seq=1, ack=2)
        talk.up(flags="A", seq=2, ack=2)
    sent = talk.request(b"question" * 80, **l4)
    up = (sent, talk.carry_up(sent))
    down = None
    if both:
        sent = talk.reply(b"answer" * 100, **l4)
        down = (sent, talk.carry_down(sent))
    return talk, up, down


def about_request(bed, talk, up, outer):
    """From behind the backend's side: to the client, from the virtual server."""
    sent, left = up
    bed.host("lan", GATEWAY)
    for what in ERRORS:
        for size in SIZES:
            frame = error_about(bed, "lan", ip_of(left), outer, what, size)
            bed.send("lan", frame)
            judge(bed, "wan", frame, bed.expect("wan"), (bed.mac["wan"], mac_of(CLIENT)),
                  (talk.virtual[0], CLIENT), as_sent(sent, size, 1))


def about_reply(bed, talk, down, source):
    """From the client's side: to the backend."""
    sent, left = down
    for what in ERRORS:
        for size in SIZES:
            frame = error_about(bed, "wan", ip_of(left), talk.virtual[0], what, size)
            bed.send("wan", frame)
            to = talk.backend[0]
            judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], mac_of(to)),
                  (source, to), as_sent(sent, size, 1))


def translated_modes(bed, mode, kind, protocol, port):
    talk, up, down = start(bed, kind, protocol, port, True)
    counted = bed.counters()["icmp_related"]
    about_request(bed, talk, up, talk.local[0] if mode == "fullnat" else CLIENT)
    about_reply(bed, talk, down, talk.local[0] if mode == "fullnat" else ROUTER)
    equal(bed.counters()["icmp_related"] - counted, 2 * len(ERRORS) * len(SIZES), "icmp_related")


def no_checksum(bed, mode, kind):
    """A quoted UDP packet without a checksum stays without."""
    talk = kind(bed, UDP, 50500)
    sent = talk.request(b"q" * 30, chksum=0)
    left = talk.carry_up(sent)
    frame = error_about(bed, "lan", ip_of(left), talk.local[0] if mode == "fullnat" else CLIENT)
    bed.send("lan", frame)
    judge(bed, "wan", frame, bed.expect("wan"), (bed.mac["wan"], mac_of(CLIENT)),
          (talk.virtual[0], CLIENT), as_sent(sent, 28, 1))


def direct_modes(bed, kind, protocol, port):
    """The client's side tells the virtual server; the backend that sent the packet hears of it."""
    talk, _, _ = start(bed, kind, protocol, port, False)
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    reply = bytes(IP(src=talk.virtual[0], dst=CLIENT, ttl=61) /
                  protocol(sport=talk.virtual[1], dport=port, **l4) / Raw(b"answer" * 100))
    for what in ERRORS:
        for size in SIZES:
            frame = error_about(bed, "wan", reply, talk.virtual[0], what, size)
            bed.send("wan", frame)
            found = bed.expect("lan")
            if issubclass(kind, DrTalk) and kind is not DrTalk:
                inner = talk.judge_outer(frame, found[14:ip_length(found)])
                equal(bytes(found[30:34]), IP(dst=talk.backend[0]).build()[16:20], "backend")
                found = found[:14] + inner
            judge(bed, "lan", frame, found, (bed.mac["lan"], mac_of(talk.backend[0])),
                  (ROUTER, talk.virtual[0]), reply[:20 + size])


def about_tunnel(bed, kind):
    """A router within the tunnel: the client hears what fits inside."""
    talk = kind(bed, UDP, 52000)
    sent = talk.request(b"m" * 1400, ip={"flags": "DF"})
    bed.send("wan", sent)
    outer = ip_of(bed.expect("lan"))
    more = OVERHEAD[kind.mode]
    for size in (more + 8, more + 28, more + 400):
        frame = error_about(bed, "lan", outer, LAN, (3, 4, 1300), size)
        bed.send("lan", frame)
        found = bed.expect("wan")
        found = found[:ip_length(found)]
        equal((Ether(found)[IP].src, Ether(found)[IP].dst, Ether(found)[IP].proto),
              (WAN, CLIENT, 1), "IP")
        equal(found[34:36] + found[38:42], b"\x03\x04" + struct.pack("!HH", 0, 1300 - more),
              "ICMP header")
        equal(found[42:], as_sent(sent, size - more, 1), "what it quotes")
        equal(found, seal(found), "with right checksums")
    short = error_about(bed, "lan", outer, LAN, (3, 4, 1300), more + 7)
    bed.dropped({"icmp_quote_short": 1}, lambda: bed.send("lan", short))
    other = error_about(bed, "lan", outer, LAN, (3, 1, 0), more + 28)
    bed.dropped({"icmp_unrelated": 1}, lambda: bed.send("lan", other))


def drops(bed):
    """What is no error about a connection, by name."""
    talk, up, _ = start(bed, Talk, UDP, 53000, True)
    left, local = ip_of(up[1]), talk.local[0]
    other = bytearray(left)
    other[20:22] = b"\xff\xf0"

    def error(packet=left, to=local, **how):
        return error_about(bed, "lan", bytes(packet), to, **how)

    def cut(size):
        frame = error_about(bed, "lan", left[:size], local, size=size)
        return seal(patched(frame, 16, struct.pack("!H", 28 + size))[:42 + size])

    fragment = patched(left, 6, b"\x00\x10")
    version = patched(left, 0, b"\x65")
    header = patched(left, 0, b"\x44")
    long_header = patched(left, 0, b"\x4f")
    for name, frame, reason in (
            ("7 bytes quoted behind the header", error(size=7), "icmp_quote_short"),
            ("no whole header quoted", cut(19), "icmp_quote_short"),
            ("nothing quoted", cut(0), "icmp_quote_short"),
            ("a header of 60 bytes that is not there", error(long_header), "icmp_quote_short"),
            ("another connection's port", error(other), "icmp_unrelated"),
            ("not sent to the packet's sender", error(to=talk.virtual[0]), "icmp_unrelated"),
            ("a later fragment", error(fragment), "icmp_unrelated"),
            ("another version", error(version), "icmp_unrelated"),
            ("a header length of 16", error(header), "icmp_unrelated"),
            ("TTL 1", error(ttl=1), "ttl_exceeded"),
            ("a wrong checksum", patched(error(), 36, b"\xab\xcd"), "l4_checksum"),
            ("from one of ours", error(source=LAN), "ip_source_ours"),
            ("source quench", error(what=(4, 0, 0)), "icmp_type"),
            ("redirect", error(what=(5, 1, 0)), "icmp_type")):
        bed.dropped({reason: 1}, lambda frame=frame: bed.send("lan", frame))
        equal(frame[14] >> 4, 4, name)
    talk.up(b"and it goes on")


def owners(bed, steering):
    """Whoever gets the error passes it to the connection's worker."""
    before = bed.counters()["redirect_out"]
    for n in range(40):
        talk, up, down = start(bed, Talk, UDP, 54000 + n, True)
        frame = error_about(bed, "lan", ip_of(up[1]), talk.local[0])
        bed.send("lan", frame)
        judge(bed, "wan", frame, bed.expect("wan"), (bed.mac["wan"], mac_of(CLIENT)),
              (talk.virtual[0], CLIENT), as_sent(up[0], 28, 1))
        frame = error_about(bed, "wan", ip_of(down[1]), talk.virtual[0])
        bed.send("wan", frame)
        judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], mac_of(talk.backend[0])),
              (talk.local[0], talk.backend[0]), as_sent(down[0], 28, 1))
    equal({c.get("worker", 0) for c in bed.connections()}, {0, 1}, "workers")
    assert bed.counters()["redirect_out"] > before, f"nothing redirected, steering {steering}"


def tests(report):
    for mode, kind in (("fullnat", Talk), ("nat", NatTalk)):
        with Bed(config=CONFIG if mode == "fullnat" else config(mode)) as bed:
            for n, protocol in enumerate((UDP, TCP)):
                with report.case(f"{mode}, {protocol.__name__}: both ways"):
                    translated_modes(bed, mode, kind, protocol, 50000 + n)
                bed.settle()
                bed.forget()
            with report.case(f"{mode}: UDP without a checksum"):
                no_checksum(bed, mode, kind)
            if mode == "fullnat":
                with report.case("what is none, by name"):
                    drops(bed)
                bed.settle()
                bed.forget()
                with report.case("owners"):
                    owners(bed, "auto")
    for mode, kind in (("dr", DrTalk), *((m, talk_of(m)) for m in OVERHEAD)):
        with Bed(config=config(mode)) as bed:
            for n, protocol in enumerate((UDP, TCP)):
                with report.case(f"{mode}, {protocol.__name__}: from the client's side"):
                    direct_modes(bed, kind, protocol, 51000 + n)
                bed.settle()
                bed.forget()
            if mode != "dr":
                with report.case(f"{mode}: about the tunnel's packets"):
                    about_tunnel(bed, kind)


if __name__ == "__main__":
    checks.main(tests)
