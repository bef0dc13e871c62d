#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ICMP echo to addresses of ours, time exceeded, and where packets are routed to."""

import random

from bed import CLIENT, CONFIG, GATEWAY, ICMP, IP, LAN, LOCALS, TCP, UDP, VIRTUAL, WAN, Bed, \
    Ether, Raw, Talk, ip_length, mac_of, patched, seal
import checks
from checks import equal

ECHO_SIZES = (0, 1, 2, 55, 56, 57, 1471, 1472)


def echo(bed, target, length=56, side="wan", source=CLIENT, mac=None, ttl=64):
    data = random.Random(length).randbytes(length)
    return bytes(Ether(dst=bed.mac[side], src=mac or mac_of(source)) /
                 IP(src=source, dst=target, id=7, ttl=ttl) / ICMP(id=0x1234, seq=length) /
                 Raw(data))


def echoed(bed, target, length=56, side="wan", **how):
    """Sent back by the way it came, addresses swapped, the payload untouched, checksums right."""
    before = bed.counters()
    frame = echo(bed, target, length, side, **how)
    bed.send(side, frame)
    found = bed.expect(side)
    wanted = frame[6:12] + frame[0:6] + frame[12:26] + frame[30:34] + frame[26:30] + frame[34:]
    wanted = patched(wanted, 34, b"\0\0")                # echo reply
    wanted = patched(wanted, 18, found[18:20])           # its id is its own
    wanted = patched(wanted, 22, found[22:23])           # and so is its TTL
    assert found[22] >= 32, f"TTL {found[22]}"
    equal(found[:ip_length(found)], seal(wanted), "echo reply")
    bed.expect_nothing()
    equal(bed.counters()["icmp_sent"] - before["icmp_sent"], 1, "icmp_sent")


def exceeded(bed, protocol, ttl):
    """RFC 792: type 11, the header and 8 bytes of what was sent, from an address of ours."""
    talk = Talk(bed, protocol, 45000 + ttl)
    l4 = {"flags": "S"} if protocol is TCP else {}
    frame = talk.request(b"" if protocol is TCP else b"quoted payload", ip={"ttl": ttl, "id": 99},
                         **l4)
    before = bed.drops()
    sent = bed.counters()["icmp_sent"]
    bed.send("wan", frame)
    found = Ether(bed.expect("wan"))
    raw = bytes(found)
    equal((found.dst, found.src), (mac_of(CLIENT), bed.mac["wan"]), "MACs")
    equal((found[IP].src, found[IP].dst, found[IP].proto), (WAN, CLIENT, 1), "IP")
    assert found[IP].ttl >= 32, f"TTL {found[IP].ttl}"
    equal((found[ICMP].type, found[ICMP].code, raw[38:42]), (11, 0, b"\0" * 4), "ICMP header")
    assert raw[42:70] == frame[14:42], "what it quotes is not what was sent"
    equal(raw[:ip_length(raw)], seal(raw), "with right checksums")
    equal(bed.drops_since(before, {"ttl_exceeded": 1}), {"ttl_exceeded": 1}, "drops")
    equal(bed.counters()["icmp_sent"] - sent, 1, "icmp_sent")
    bed.expect_nothing()


def exceeded_reply(bed):
    """The backend's packet too, towards the backend."""
    talk = Talk(bed, UDP, 45100)
    talk.up(b"x")
    before = bed.drops()
    bed.send("lan", talk.reply(b"too far", ip={"ttl": 1}))
    found = Ether(bed.expect("lan"))
    equal((found.dst, found[IP].src, found[IP].dst, found[ICMP].type),
          (mac_of(talk.backend[0]), LAN, talk.backend[0], 11), "time exceeded")
    equal(bed.drops_since(before, {"ttl_exceeded": 1}), {"ttl_exceeded": 1}, "drops")
    bed.expect_nothing()


def unreachable(bed, client, reason):
    """The request may go through; nothing must come back, and the reason is counted."""
    talk = Talk(bed, UDP, 45200, client=client, via=GATEWAY)
    bed.forget()
    before = bed.drops()
    bed.send("wan", talk.request(b"to nowhere"))
    bed.settle(0.2)
    if bed.inbox["lan"]:
        request = talk.request(b"to nowhere")
        talk.judge_up(request, bed.expect("lan"))
        bed.send("lan", talk.reply(b"nor back"))
    equal(bed.drops_since(before, {reason: 1}), {reason: 1}, "drops")
    bed.expect_nothing()


def route_changes(bed):
    """A connection follows a changed route: what it remembers of the next hop is dropped."""
    talk = Talk(bed, UDP, 45300, client="203.0.113.9", via=GATEWAY)
    talk.up(b"1")
    talk.down(b"1")
    bed.host("wan", "192.0.2.252")
    routes = [dict(r, gateway="192.0.2.252") if r["name"] == "far" else r
              for r in CONFIG["routes"]]
    bed.apply({**CONFIG, "routes": routes})
    talk.client_mac = mac_of("192.0.2.252")
    talk.down(b"2")
    bed.apply(CONFIG)
    talk.client_mac = mac_of(GATEWAY)
    talk.down(b"3")


def tests(report):
    with Bed() as bed:
        for length in ECHO_SIZES:
            with report.case(f"echo with {length} bytes"):
                echoed(bed, WAN, length)
        for name, side, target, source in (
                ("the interface on the link", "lan", LAN, "198.51.100.101"),
                ("the interface on the other link", "wan", LAN, CLIENT),
                ("a virtual server", "wan", VIRTUAL, CLIENT),
                ("a local address", "lan", LOCALS[0], "198.51.100.101")):
            with report.case(f"echo to {name}"):
                echoed(bed, target, side=side, source=source)
        with report.case("echo from behind a gateway"):
            echoed(bed, VIRTUAL, source="203.0.113.5", mac=mac_of(GATEWAY))
        with report.case("echo to ours needs no TTL"):
            echoed(bed, WAN, ttl=1)
        for protocol in (UDP, TCP):
            for ttl in (1, 0):
                with report.case(f"TTL {ttl}: time exceeded ({protocol.__name__})"):
                    exceeded(bed, protocol, ttl)
        with report.case("TTL 1 from a backend: time exceeded"):
            exceeded_reply(bed)
        with report.case("no route back"):
            unreachable(bed, "100.64.0.1", "no_route")
        with report.case("a blackhole on the way back"):
            unreachable(bed, "203.0.113.70", "blackhole")
        with report.case("a changed route changes open connections"):
            route_changes(bed)


checks.main(tests)
