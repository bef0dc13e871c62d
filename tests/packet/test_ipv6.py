#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""IPv6: FullNAT of every field, headers, neighbour discovery, ICMPv6, beside IPv4."""

import random

from scapy.layers.inet6 import (
    ICMPv6TimeExceeded, ICMPv6Unknown, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)

from bed import Talk, patched
from bed6 import (
    BACKENDS6, CLIENT6, GATEWAY6, LAN6, LOCALS6, VIRTUAL6, WAN6, Bed6, Ether, ICMPv6EchoReply,
    ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6, Raw, TCP, Talk6, UDP,
    advertisement, expect_ndp, mac_of, refused_too_big, seal, solicited)
import checks
from checks import equal

TCP_OPTIONS = [("MSS", 1440), ("SAckOK", b""), ("Timestamp", (123456789, 0)), ("NOP", None),
               ("WScale", 7)]
ZEROS = b"\0" * 16


def payload(size):
    return random.Random(size).randbytes(size)


def udp(bed):
    talk = Talk6(bed, UDP, 41000)
    for size in (0, 1, 2, 3, 17, 63, 512, 1451, 1452):
        talk.up(payload(size), ip={"tc": size & 0xff, "fl": size})
        talk.down(payload(size + 1)[:1452])
    equal(talk.backend, (BACKENDS6[0], 5353), "backend")
    assert talk.local[0] in LOCALS6, talk.local


def tcp(bed):
    seen = set()
    for port in range(41001, 41007):
        talk = Talk6(bed, TCP, port)
        talk.up(flags="S", seq=1000, options=TCP_OPTIONS)
        talk.down(flags="SA", seq=9000, ack=1001, options=TCP_OPTIONS)
        talk.up(flags="A", seq=1001, ack=9001)
        talk.up(payload(700), flags="PA", seq=1001, ack=9001)
        talk.down(payload(1400), flags="A", seq=9001, ack=1701)
        talk.up(flags="FA", seq=1701, ack=10401)
        talk.down(flags="FA", seq=10401, ack=1702)
        talk.up(flags="A", seq=1702, ack=10402)
        seen.add(talk.backend[0])
    equal(seen, set(BACKENDS6), "backends")


def checksum_edges(bed, protocol, port, at):
    """Checksums that come to 0 or ffff on the one side or the other."""
    talk = Talk6(bed, protocol, port)
    l4 = {"flags": "PA", "seq": 1, "ack": 1} if protocol is TCP else {}
    if protocol is TCP:
        talk.up(flags="S", seq=0)
        talk.down(flags="SA", seq=0, ack=1)
        talk.up(flags="A", seq=1, ack=1)
    for make, carry in ((talk.request, talk.carry_up), (talk.reply, talk.carry_down)):
        if make == talk.reply or not talk.local:
            talk.up(b"first", **l4)
        after = int.from_bytes(carry(make(b"\0\0", **l4))[at:at + 2], "big")
        found = carry(make((after % 0xffff).to_bytes(2, "big"), **l4))[at:at + 2]
        equal(found, b"\xff\xff" if protocol is UDP else b"\0\0", "checksum after the rewrite")
        plain = int.from_bytes(make(b"\0\0", **l4)[at:at + 2], "big")
        carry(make((plain % 0xffff).to_bytes(2, "big"), **l4))
        for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63):
            carry(make(pattern, **l4))


def extension_headers(bed):
    pad = PadN(optdata=b"\0" * 20)
    talk = Talk6(bed, UDP, 41020)
    talk.up(b"none")
    for ext in ([IPv6ExtHdrHopByHop()], [IPv6ExtHdrDestOpt()],
                [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(options=[pad])],
                [IPv6ExtHdrDestOpt(options=[pad, pad])]):
        talk.up(b"options", ext=ext)
        talk.down(b"options", ext=ext)
    first = Talk6(bed, UDP, 41021)  # and they may open a connection
    first.up(b"first", ext=[IPv6ExtHdrHopByHop()])
    first.down(b"plain")


def bad_headers(bed):
    talk = Talk6(bed, UDP, 41030)
    talk.up(b"good")
    good = talk.request(b"0123456789")

    def with_ext(*ext):
        return talk.request(b"x", ext=ext)

    for frame, why in (
            (patched(good, 14, b"\x50"), "ip_version"),
            (patched(good, 18, b"\xff\xff"), "ip_total_length"),
            (good[:50], "frame_short"),
            (patched(good, 18, b"\0\4"), "l4_short"),
            (patched(good, 58, b"\0\7"), "l4_header_length"),
            (patched(good, 60, b"\0\0"), "l4_checksum"),
            (patched(good, 20, b"\x84"), "protocol"),
            (patched(good, 0, b"\x02\x99\x99\x99\x99\x99"), "other_host"),
            (patched(good, 0, b"\x33\x33\0\0\0\1"), "other_host"),
            (with_ext(IPv6ExtHdrFragment(m=1, id=7)), "fragment_malformed"),
            (with_ext(IPv6ExtHdrRouting(type=0, addresses=["2001:db8::9"], segleft=0)),
             "ip_extension"),
            (with_ext(IPv6ExtHdrRouting(type=2, addresses=["2001:db8::9"], segleft=1)),
             "ip_extension"),
            (with_ext(IPv6ExtHdrDestOpt(), IPv6ExtHdrHopByHop()), "ip_extension"),
            (with_ext(*[IPv6ExtHdrDestOpt()] * 5), "ip_extension"),
            (with_ext(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 200)])), "ip_extension"),
            (patched(with_ext(IPv6ExtHdrDestOpt()), 55, b"\xff"), "ip_extension")):
        bed.dropped({why: 1}, lambda frame=frame: bed.send("wan", frame))


def strangers(bed):
    """What opens nothing: by source, service, flags."""
    for source, why in (("::1", "ip_source"), ("ff02::5", "ip_source"), ("::", "ip_source"),
                        ("fe80::5", "ip_source"), ("::ffff:192.0.2.2", "ip_source"),
                        (WAN6, "ip_source_ours")):
        talk = Talk6(bed, UDP, 41040, client=source, via=CLIENT6)
        bed.dropped({why: 1}, lambda talk=talk: bed.send("wan", talk.request(b"x")))
    talk = Talk6(bed, TCP, 41041)
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", talk.request(flags="A")))
    talk.virtual = (VIRTUAL6, 81)
    bed.dropped({"no_service": 1}, lambda: bed.send("wan", talk.request(flags="S")))
    talk.virtual = (LOCALS6[0], 5000)
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", talk.request(flags="S")))


def routes(bed):
    Talk6(bed, UDP, 41050, client="2001:db8:f::1", via=GATEWAY6).up(b"x")
    far = Talk6(bed, UDP, 41051, client="2001:db8:f::1", via=GATEWAY6)
    far.up(b"x")
    far.down(b"y")
    link = Talk6(bed, UDP, 41052, client="2001:db8:e::1", via="fe80::fe")
    link.up(b"x")
    link.down(b"y")
    hole = Talk6(bed, UDP, 41053, client="2001:db8:f:41::1", via=GATEWAY6)
    hole.up(b"x")
    bed.dropped({"blackhole": 1}, lambda: bed.send("lan", hole.reply(b"y")))
    none = Talk6(bed, UDP, 41054, client="2001:db9::1", via=GATEWAY6)
    none.up(b"x")
    bed.dropped({"no_route": 1}, lambda: bed.send("lan", none.reply(b"y")))


def errors(bed):
    """Time exceeded and packet too big, quoting what came."""
    talk = Talk6(bed, UDP, 41060)
    talk.up(b"x")
    frame = talk.request(b"gone", ip={"hlim": 1})
    bed.send("wan", frame)
    found = Ether(bed.expect("wan"))
    equal((found[IPv6].src, found[IPv6].dst, found.dst), (WAN6, CLIENT6, mac_of(CLIENT6)), "to")
    assert ICMPv6TimeExceeded in found, found
    equal(bytes(found[ICMPv6TimeExceeded])[8:], frame[14:], "quoted")
    equal(seal(bytes(found)), bytes(found), "checksum")
    assert bed.drops()["ttl_exceeded"] >= 1


def echo(bed):
    link = "fe80::" + link_local(bed.mac["wan"])
    for side, target, source in (("wan", WAN6, CLIENT6), ("wan", VIRTUAL6, CLIENT6),
                                 ("lan", LAN6, BACKENDS6[0]), ("lan", LOCALS6[1], BACKENDS6[0]),
                                 ("wan", link, "fe80::9")):
        for size in (0, 1, 1400):
            bed.send(side, Ether(src=mac_of(source), dst=bed.mac[side]) /
                     IPv6(src=source, dst=target) /
                     ICMPv6EchoRequest(id=7, seq=size, data=payload(size)))
            frame = bed.expect(side)
            found = Ether(frame)
            equal((found[IPv6].src, found[IPv6].dst), (target, source), "addresses")
            equal((found[ICMPv6EchoReply].seq, found[ICMPv6EchoReply].data),
                  (size, payload(size)), "answer")
            equal(seal(frame), frame[:len(seal(frame))], "checksum")
    good = bytes(Ether(src=mac_of(CLIENT6), dst=bed.mac["wan"]) / IPv6(src=CLIENT6, dst=WAN6) /
                 ICMPv6EchoRequest(data=b"abc"))
    for frame, why in ((patched(good, 56, b"\0\0"), "l4_checksum"),
                       (seal(patched(good, 54, b"\x90")), "icmp_type"),
                       (seal(patched(good, 38, good[22:38])), "no_service")):
        bed.dropped({why: 1}, lambda frame=frame: bed.send("wan", frame))


def link_local(mac):
    """The interface identifier: modified EUI-64."""
    b = bytes.fromhex(mac.replace(":", ""))
    full = bytes([b[0] ^ 2]) + b[1:3] + b"\xff\xfe" + b[3:]
    return ":".join(f"{int.from_bytes(full[i:i + 2], 'big'):x}" for i in range(0, 8, 2))


def solicitation(bed, target, source=CLIENT6, side="wan", option=True, **ip):
    to, mac = solicited(target)
    packet = Ether(src=mac_of(source) if source != "::" else mac_of(CLIENT6), dst=mac) / \
        IPv6(src=source, dst=to, **{"hlim": 255, **ip}) / ICMPv6ND_NS(tgt=target)
    return bytes(packet / ICMPv6NDOptSrcLLAddr(lladdr=mac_of(source)) if option else packet)


def solicited_answers(bed):
    for target in (WAN6, VIRTUAL6, "fe80::" + link_local(bed.mac["wan"])):
        bed.send("wan", solicitation(bed, target))
        frame = bed.expect("wan")
        found = Ether(frame)
        na = found["ICMPv6 Neighbor Discovery - Neighbor Advertisement"]
        equal((na.tgt, na.S, na.O, found[IPv6].dst, found[IPv6].hlim, found.dst),
              (target, 1, 1, CLIENT6, 255, mac_of(CLIENT6)), "advertisement")
        equal(bytes(na)[-6:].hex(":"), bed.mac["wan"], "target's MAC")
        equal(seal(frame), frame[:len(seal(frame))], "checksum")
    # one who asks whether the address is free is told, as all are
    bed.advertised.clear()
    bed.send("wan", solicitation(bed, VIRTUAL6, "::", option=False))
    bed.settle(0.2)
    equal([s for s, f in bed.advertised if Ether(f)[IPv6].src == VIRTUAL6], ["wan"], "defended")


def bad_discovery(bed):
    stranger = solicitation(bed, "2001:db8:1::77")
    bed.dropped({"ndp_not_ours": 1}, lambda: bed.send("wan", stranger))
    bed.dropped({"ndp_not_ours": 1},
                lambda: bed.send("wan", solicitation(bed, LAN6)))  # of another link
    good = solicitation(bed, WAN6)
    for frame in (solicitation(bed, WAN6, hlim=254), seal(patched(good, 55, b"\1")),
                  seal(patched(good, 79, b"\0")), seal(patched(good, 79, b"\2")),
                  solicitation(bed, WAN6, "::"),
                  seal(patched(good, 62, b"\xff")),
                  seal(patched(good[:70], 18, b"\0\x10"))):
        bed.dropped({"ndp_malformed": 1}, lambda frame=frame: bed.send("wan", frame))


def announced(bed):
    """Each address was asked for from the unspecified address, then told to all."""
    before = bed.counters()
    assert before["ndp_solicitations_sent"] > 0, before
    bed.forget()
    bed.advertised.clear()
    changed = {**bed.config, "virtual_servers": bed.config["virtual_servers"] + [
        {"name": "new6", "address": "2001:db8:1::99", "port": 1, "protocol": "udp",
         "backend_pool": "dns6", "local_address_pool": "local"}]}
    bed.apply(changed)
    for _ in range(30):
        bed.settle(0.1)
        if any(Ether(f)[IPv6].src == "2001:db8:1::99" for _, f in bed.advertised):
            break
    asked = [Ether(f) for s, f in bed.asked if s == "wan" and f[22:38] == ZEROS]
    found = [a for a in asked if a[ICMPv6ND_NS].tgt == "2001:db8:1::99"]
    equal(len(found), 1, "asked whether it is taken")
    equal((found[0][IPv6].dst, found[0].dst), solicited("2001:db8:1::99"), "asked whom")
    told = [Ether(f) for _, f in bed.advertised]
    assert any(t[IPv6].src == "2001:db8:1::99" and t.dst == "33:33:00:00:00:01" for t in told)
    conflicts = bed.counters()["address_conflicts"]
    bed.send("wan", advertisement("2001:db8:1::99", "ff02::1", "33:33:00:00:00:01", S=0))
    bed.settle(0.1)
    equal(bed.counters()["address_conflicts"], conflicts + 1, "conflicts")
    bed.apply(bed.config)


def neighbours(bed):
    """Unknown: asked for by multicast, waited for; failed when nobody answers; changes followed."""
    bed.hosts["wan"].discard(CLIENT6)
    quiet = "2001:db8:1::44"
    talk = Talk6(bed, UDP, 41070, client=quiet)
    talk.up(b"x")
    bed.forget()
    bed.send("lan", talk.reply(b"waits"))
    bed.settle(0.1)
    asked = [Ether(f) for s, f in bed.asked if s == "wan" and f[22:38] != ZEROS]
    equal([(a[ICMPv6ND_NS].tgt, a[IPv6].src, a[IPv6].hlim) for a in asked],
          [(quiet, WAN6, 255)], "asked")
    equal((asked[0][IPv6].dst, asked[0].dst), solicited(quiet), "asked whom")
    bed.send("wan", advertisement(quiet, WAN6, bed.mac["wan"]))
    equal(Ether(bed.expect("wan")).dst, mac_of(quiet), "goes out when the answer comes")
    bed.host("wan", CLIENT6)
    gone = Talk6(bed, UDP, 41071, client="2001:db8:1::45")
    gone.up(b"x")
    bed.dropped({"neighbour_failed": 1}, lambda: bed.send("lan", gone.reply(b"lost")), 8)


def both_families(bed):
    """A burst of packets of both goes both ways."""
    four, six = Talk(bed, UDP, 41080), Talk6(bed, UDP, 41080)
    four.up(b"x")
    six.up(b"x")
    for i in range(8):
        bed.send("wan", *[t.request(bytes([i])) for t in (four, six)] * 4)
    for _ in range(64):
        bed.expect("lan")
    bed.expect_nothing()
    four.down(b"y")
    six.down(b"y")


def listed(bed):
    talk = Talk6(bed, UDP, 41090)
    talk.up(b"x")
    found = bed.api.call("ConnectionService/ListConnections",
                         {"client_address": CLIENT6, "page_size": 1000})["connections"]
    mine = [c for c in found if c["clientPort"] == 41090]
    equal([(c["virtualAddress"], c["localAddress"], c["backendAddress"], c["backend"])
           for c in mine], [(VIRTUAL6, talk.local[0], BACKENDS6[0], "dns6/dns-0")], "listed")


def looked_up(bed):
    """LookupFlow foretells the worker, and knows the connection afterwards."""
    def lookup(port):
        return bed.api.call("ConnectionService/LookupFlow", {
            "protocol": "udp", "client_address": CLIENT6, "client_port": port,
            "virtual_address": VIRTUAL6, "virtual_port": 53})

    workers = set()
    for port in range(41200, 41232):
        before = lookup(port)
        assert "connection" not in before and "a datagram opens one" in before["text"], before
        Talk6(bed, UDP, port).up(b"x")
        found = lookup(port)
        equal((found["connection"]["clientPort"], found["connection"].get("worker", 0),
               found["virtualServer"]), (port, before.get("worker", 0), "dns6"), "looked up")
        workers.add(before.get("worker", 0))
    equal(workers, {0, 1}, "workers")


def too_big(bed):
    """A link with a smaller MTU than the packet's: the sender is told, RFC 4443 section 3.2."""
    talk = Talk6(bed, UDP, 41100)
    talk.up(b"x")
    bed.appliance("exec", "client", "ip", "link", "set", f"{bed.name}-wan", "mtu", "2000")
    refused_too_big(bed, "wan", talk.request(payload(1600)), 1500, WAN6)


CASES = (udp, tcp, too_big, extension_headers, bad_headers, strangers, routes, errors, echo,
         solicited_answers, bad_discovery, announced, neighbours, both_families, listed,
         looked_up)


def tests(report):
    with Bed6() as bed:
        for case in CASES:
            with report.case(case.__name__.replace("_", " ")):
                bed.forget()
                case(bed)
        for protocol, port, at in ((UDP, 41110, 60), (TCP, 41111, 70)):
            with report.case(f"checksums at their edges, {protocol.__name__}"):
                bed.forget()
                checksum_edges(bed, protocol, port, at)


checks.main(tests)
