#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""FullNAT64: every field in both directions, sizes, hop limits, whose packets are whose."""

import random

from scapy.layers.inet6 import (
    ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN)

import bed
import bed6
import checks
from bed import BACKENDS, CLIENT, LAN, LOCALS, ICMP, IP, TCP, UDP, Ether, Talk, patched
from bed6 import BACKENDS6, CLIENT6, WAN6, IPv6, Talk6
from bed64 import VIRTUAL64, Bed64, Talk64
from checks import equal

TCP_OPTIONS = [("MSS", 1440), ("SAckOK", b""), ("Timestamp", (123456789, 0)), ("NOP", None),
               ("WScale", 7)]


def payload(size):
    return random.Random(size).randbytes(size)


def udp(here):
    talk = Talk64(here, UDP, 42000)
    for size in (0, 1, 2, 3, 17, 18, 63, 512, 1232, 1233, 1451, 1452):
        talk.up(payload(size), ip={"tc": size & 0xff, "fl": size, "hlim": 2 + size % 250})
        talk.down(payload(size), ip={"tos": size & 0xff, "id": size, "ttl": 2 + size % 250,
                                     "flags": "DF" if size & 1 else 0})
    equal(talk.backend, (BACKENDS[0], 5353), "backend")
    assert talk.local[0] in LOCALS, talk.local


def tcp(here):
    seen = set()
    for port in range(42001, 42007):
        talk = Talk64(here, TCP, port)
        talk.up(flags="S", seq=1000, options=TCP_OPTIONS)
        talk.down(flags="SA", seq=9000, ack=1001, options=TCP_OPTIONS)
        talk.up(flags="A", seq=1001, ack=9001)
        talk.up(payload(700), flags="PA", seq=1001, ack=9001)
        talk.down(payload(1400), flags="A", seq=9001, ack=1701, ip={"flags": "DF"})
        talk.up(flags="FA", seq=1701, ack=10401)
        talk.down(flags="FA", seq=10401, ack=1702)
        talk.up(flags="A", seq=1702, ack=10402)
        seen.add(talk.backend[0])
    equal(seen, set(BACKENDS), "backends")


def reopened(here):
    """The client's port again, after the end: a new connection."""
    for _ in range(2):
        talk = Talk64(here, TCP, 42010)
        talk.up(flags="S")
        talk.down(flags="SA")
        talk.down(flags="R")


def no_checksum(here):
    """RFC 7915 section 4.5: a datagram without a checksum gets one."""
    talk = Talk64(here, UDP, 42020)
    talk.up(b"x")
    for size in (0, 1, 18, 511, 1452):
        talk.down(payload(size), chksum=0)
    # what sums up to 0 says so by ffff
    frame = talk.carry_down(talk.reply(b"\0\0", chksum=0))
    rest = int.from_bytes(frame[60:62], "big")
    found = talk.carry_down(talk.reply(rest.to_bytes(2, "big"), chksum=0))
    equal(found[60:62], b"\xff\xff", "a sum of 0")


def checksum_edges(here, protocol, port, v4_at):
    """Checksums that come to 0 or ffff on the one side or the other."""
    talk = Talk64(here, protocol, port)
    l4 = {"flags": "PA", "seq": 1, "ack": 1} if protocol is TCP else {}
    if protocol is TCP:
        talk.up(flags="S", seq=0)
        talk.down(flags="SA", seq=0, ack=1)
    talk.up(b"first", **l4)
    for make, carry, at in ((talk.request, talk.carry_up, v4_at),
                            (talk.reply, talk.carry_down, v4_at + 20)):
        after = int.from_bytes(carry(make(b"\0\0", **l4))[at:at + 2], "big")
        found = carry(make((after % 0xffff).to_bytes(2, "big"), **l4))[at:at + 2]
        equal(found, b"\xff\xff" if protocol is UDP else b"\0\0", "checksum after the rewrite")
        for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63):
            carry(make(pattern, **l4))


def extension_headers(here):
    """They are left out: RFC 7915 section 5.1."""
    pad = PadN(optdata=b"\0" * 20)
    talk = Talk64(here, UDP, 42030)
    for ext in ([IPv6ExtHdrHopByHop()], [IPv6ExtHdrDestOpt(options=[pad])],
                [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(options=[pad, pad])], ()):
        talk.up(b"options", ext=ext)
        talk.down(b"plain")


def mixed_pool(here):
    """Backends of both families take turns."""
    seen = set()
    for port in range(42040, 42048):
        first = Talk6(here, UDP, port)
        first.virtual = (VIRTUAL64, 81)
        here.send("wan", first.request(b"who"))
        kind = Talk64 if here.expect("lan")[12:14] == b"\x08\0" else Talk6
        talk = kind(here, UDP, port)
        talk.virtual = first.virtual
        talk.up(b"hello")
        talk.down(b"hello")
        seen.add(talk.backend[0])
    equal(seen, {BACKENDS[1], BACKENDS6[1]}, "backends")


def shared_with_ipv4(here):
    """Connections over IPv4 to the same backends, from the same local addresses, beside it."""
    talks = []
    for i in range(8):
        talks += [Talk64(here, UDP, 42050 + i), Talk(here, UDP, 42050 + i)]
    for talk in talks:
        talk.up(b"x")
    equal(len({talk.local for talk in talks}), len(talks), "each its own local port")
    here.send("lan", *[talk.reply(bytes([i])) for i, talk in enumerate(talks)])
    families = sorted(here.expect("wan")[12:14] for _ in talks)
    equal(families, [b"\x08\0"] * 8 + [b"\x86\xdd"] * 8, "all come back")
    for talk in talks:
        talk.down(b"y")


def strays(here):
    """Packets to local addresses that are nobody's keep their reasons."""
    talk = Talk64(here, UDP, 42060)
    talk.up(b"x")
    reply = talk.reply(b"x")
    stray = bed.seal(patched(reply, 34, b"\0\1"))  # another port of the backend's
    here.dropped({"no_connection": 1}, lambda: here.send("lan", stray))
    loopback = bed.seal(patched(reply, 26, b"\x7f\0\0\1"))
    here.dropped({"ip_source": 1}, lambda: here.send("lan", loopback))
    ours = bed.seal(patched(reply, 26, bytes(map(int, LAN.split(".")))))
    here.dropped({"ip_source_ours": 1}, lambda: here.send("lan", ours))


def mapped_addresses(here):
    """A packet over IPv6 that claims the reply's tuple is none."""
    talk = Talk64(here, UDP, 42070)
    talk.up(b"x")
    forged = Ether(src=bed.mac_of(talk.backend[0]), dst=here.mac["lan"]) / \
        IPv6(src=f"::ffff:{talk.backend[0]}", dst=f"::ffff:{talk.local[0]}") / \
        UDP(sport=talk.backend[1], dport=talk.local[1]) / b"forged"
    here.dropped({"ip_source": 1}, lambda: here.send("lan", forged))
    talk.down(b"real")


def hop_limits(here):
    """Each side is told in its own family, RFC 7915 sections 4 and 5."""
    talk = Talk64(here, UDP, 42080)
    talk.up(b"x")
    frame = talk.request(b"gone", ip={"hlim": 1})
    here.send("wan", frame)
    found = Ether(here.expect("wan"))
    equal((found[IPv6].src, found[IPv6].dst), (WAN6, CLIENT6), "tells the client")
    equal(bytes(found[ICMPv6TimeExceeded])[8:], frame[14:], "quoted")
    frame = talk.reply(b"gone", ip={"ttl": 1})
    here.send("lan", frame)
    found = Ether(here.expect("lan"))
    equal((found[IP].src, found[IP].dst, found[ICMP].type, found[ICMP].code),
          (LAN, talk.backend[0], 11, 0), "tells the backend")
    equal(bytes(found[ICMP].payload)[:28], frame[14:42], "quoted")
    here.expect_nothing()


def too_big(here):
    """A link whose MTU the packet is over once it is translated; its sender learns what fits."""
    talk = Talk64(here, UDP, 42090)
    talk.up(payload(1452), ip={"hlim": 9})  # 1500 bytes, and 1480 over IPv4
    talk.down(payload(1452), ip={"flags": "DF"})  # 1480 bytes, and 1500 over IPv6
    frame = talk.reply(payload(1453), ip={"flags": "DF"})
    before = here.drops().get("too_big", 0)
    here.send("lan", frame)
    found = Ether(here.expect("lan"))
    equal((found[ICMP].type, found[ICMP].code, found[ICMP].nexthopmtu, found[IP].dst),
          (3, 4, 1480, talk.backend[0]), "the backend is told")
    equal(bytes(found[ICMP].payload)[:28], frame[14:42], "quoted")
    equal(here.drops()["too_big"], before + 1, "dropped")
    here.appliance("exec", "client", "ip", "link", "set", f"{here.name}-wan", "mtu", "2000")
    for size in (1473, 1600):  # 1521 bytes, 1501 over IPv4
        frame = talk.request(payload(size))
        here.send("wan", frame)
        found = Ether(here.expect("wan"))
        equal((found[ICMPv6PacketTooBig].mtu, found[IPv6].dst), (1520, CLIENT6), "told")
        equal(bytes(found[ICMPv6PacketTooBig])[8:], frame[14:14 + 1232], "quoted")
    talk.up(payload(1472))
    here.appliance("exec", "client", "ip", "link", "set", f"{here.name}-wan", "mtu", "1500")


def clamped(here):
    """max_mss holds for SYNs of both directions."""
    config = {**here.config, "virtual_servers": [
        {**v, "max_mss": 1200} if v["name"] == "web64" else v
        for v in here.config["virtual_servers"]]}
    here.apply(config)
    talk = Talk64(here, TCP, 42100)
    options = [("MSS", 1460)]
    here.send("wan", talk.request(flags="S", options=options))
    frame = here.expect("lan")
    talk.local, talk.backend = bed.endpoints(frame)
    equal(Ether(frame)[TCP].options[0], ("MSS", 1200), "to the backend")
    equal(bed.seal(frame), frame[:bed.ip_length(frame)], "checksums")
    here.send("lan", talk.reply(flags="SA", options=options))
    frame = here.expect("wan")
    equal(Ether(frame)[TCP].options[0], ("MSS", 1200), "to the client")
    equal(bed6.seal(frame), frame[:bed6.ip_length(frame)], "checksum")
    here.apply(here.config)


def listed(here):
    talk = Talk64(here, UDP, 42110)
    talk.up(b"x")
    found = here.api.call("ConnectionService/ListConnections",
                          {"client_address": CLIENT6, "page_size": 1000})["connections"]
    mine = [c for c in found if c["clientPort"] == 42110]
    equal([(c["mode"], c["virtualAddress"], c["localAddress"], c["localPort"],
            c["backendAddress"], c["backend"]) for c in mine],
          [("fullnat64", VIRTUAL64, *talk.local, BACKENDS[0], "dns/dns-0")], "listed")


def two_workers(here):
    """Each reply names its worker, whichever receives it."""
    talks = [Talk64(here, UDP, 43000 + i) for i in range(16)]
    for _ in range(2):
        for talk in talks:
            talk.up(b"x")
            talk.down(b"y")
    found = here.api.call("ConnectionService/ListConnections", {"page_size": 1000})["connections"]
    workers = {c["localPort"]: c.get("worker", 0) for c in found}
    for talk in talks:
        equal(workers[talk.local[1]], talk.local[1] % 2, "owner")
    equal(set(workers.values()), {0, 1}, "both have some")


CASES = (udp, tcp, reopened, no_checksum, extension_headers, mixed_pool, shared_with_ipv4, strays,
         mapped_addresses, hop_limits, too_big, clamped, listed, two_workers)


def tests(report):
    with Bed64() as here:
        for case in CASES:
            with report.case(case.__name__.replace("_", " ")):
                here.forget()
                case(here)
        for protocol, port, at in ((UDP, 42120, 40), (TCP, 42121, 50)):
            with report.case(f"checksums at their edges, {protocol.__name__}"):
                here.forget()
                checksum_edges(here, protocol, port, at)


checks.main(tests)
