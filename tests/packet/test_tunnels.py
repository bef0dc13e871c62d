#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels, either family inside either: the outer headers by Scapy's arithmetic, the packet inside
untouched but for its TTL; what does not fit any more, and the greatest segment size that SYNs may
offer."""

import struct

from scapy.layers.inet6 import IPv6ExtHdrDestOpt, PadN

import bed
import bed6
import checks
from bed import BACKENDS, CLIENT, CONFIG, IP, LAN, TCP, UDP, WAN, Bed, Ether, Talk, ip_length, \
    checksum, mac_bytes, mac_of, patched, seal
from checks import equal
from fragments import together
from modes import SHIM, DrTalk, NatTalk, config, crossing, tunnel_talk

MTU = 1500
OPTIONS = [("SAckOK", b""), ("MSS", 1460), ("WScale", 7)]
ODD = [("NOP", None), ("MSS", 1460), ("NOP", None), ("NOP", None), ("NOP", None)]


# (inside, outside)
PAIRS = ((bed, bed), (bed6, bed6), (bed6, bed), (bed, bed6))


def overhead(kind):
    return kind.outer.IP_BYTES + SHIM[kind.mode]


def headers(kind):
    """Bytes before a datagram's payload."""
    return kind.kit.IP_BYTES + 8


def ip_fields(kind, number, ttl=60, whole=False):
    if kind.kit is bed6:
        return {"tc": number & 0xff, "fl": number, "hlim": ttl}
    return {"tos": number & 0xff, "id": number, "ttl": ttl, "flags": "DF" if whole else 0}


def fields(here, kind):
    talk = kind(here, UDP, 40001)
    room = MTU - headers(kind) - overhead(kind)
    for size in (0, 1, 17, 512, 1280 - headers(kind), 1281 - headers(kind), room):
        talk.up(b"u" * size, ip=ip_fields(kind, size))
    talk.up(b"x", ip=ip_fields(kind, 0, ttl=2, whole=True))
    if kind.kit is bed:
        for size in (0, 1, 100, 101):
            talk.up(b"w" * size, chksum=0)
    else:
        talk.up(b"behind options", ext=[IPv6ExtHdrDestOpt(options=[PadN(optdata=b"abcd")])])
    trailed(here, talk)
    talk = kind(here, TCP, 41001)
    talk.up(flags="S", seq=1, options=[("MSS", 1100), ("SAckOK", b"")])
    talk.up(flags="A", seq=2, ack=2)
    talk.up(b"data" * 100, flags="PA", seq=2, ack=2, ip=ip_fields(kind, 3, whole=True))
    talk.up(b"odd" * 33, flags="PA", seq=402, ack=2)
    talk.up(flags="FA", seq=501, ack=2)
    one = [c for c in here.connections() if c["clientPort"] == 41001
           and c["virtualAddress"] == talk.virtual[0]][0]
    equal((one["mode"], one["state"], one["backendAddress"], one["backendPort"]),
          (kind.mode, "fin_wait", *talk.backend), "as listed")


def trailed(here, talk):
    """Bytes behind what the UDP header counts are in the packet, but in no checksum inside."""
    frame, at = talk.request(b"more than UDP says"), 16 if talk.kit is bed else 18
    length = int.from_bytes(frame[at:at + 2], "big")
    frame = patched(frame, at, struct.pack("!H", length + 5)) + b"bytes"
    if talk.kit is bed:
        frame = patched(frame, 24, b"\0\0")
        frame = patched(frame, 24, checksum(frame[14:34]).to_bytes(2, "big"))
    here.send("wan", frame)
    found = here.expect("lan")
    inner = talk.judge_outer(frame, found[:talk.outer.ip_length(found)])
    equal(inner[talk.kit.IP_BYTES:], frame[14 + talk.kit.IP_BYTES:], "UDP and what follows")


def flows(here, kind):
    """Each on a backend, over both workers; what tells flows apart on the way stays a flow's."""
    seen = {}
    for n in range(60):
        talk = kind(here, UDP, 20000 + n)
        for _ in range(2):
            talk.up(b"flow")
            marks = seen.setdefault(n, set())
            marks.add((getattr(talk, "source_port", 0), getattr(talk, "flow_label", 0)))
    equal({c.get("worker", 0) for c in here.connections()}, {0, 1}, "workers")
    if kind.mode == "gue" or kind.outer is bed6:
        assert all(len(marks) == 1 for marks in seen.values()), "a flow's mark changes"
        assert len(set.union(*seen.values())) > 50, "flows share marks"


def judge_needed(here, side, frame, mtu, source, host):
    """RFC 1191: type 3, code 4, the MTU, and the beginning of the packet as it was sent."""
    found = here.expect(side)
    found = found[:ip_length(found)]
    equal(found[:12], mac_bytes(mac_of(host)) + mac_bytes(here.mac[side]), "MACs")
    equal((Ether(found)[IP].src, Ether(found)[IP].dst, Ether(found)[IP].proto),
          (source, host, 1), "IP")
    equal(found[34:36] + found[38:42], b"\x03\x04" + struct.pack("!HH", 0, mtu), "ICMP header")
    equal(found[42:70], frame[14:42], "what it quotes")
    equal(found, seal(found), "with right checksums")


def refuses(here, side, frame, mtu, source, host):
    before = here.drops()
    here.send(side, frame)
    judge_needed(here, side, frame, mtu, source, host)
    equal(here.drops_since(before, {"too_big": 1}), {"too_big": 1}, "drops")
    here.expect_nothing()


def too_big_inside(here, kind):
    """One byte more than fits into the tunnel."""
    talk = kind(here, UDP, 42001)
    room = MTU - overhead(kind)
    talk.up(b"m" * (room - headers(kind)), ip=ip_fields(kind, 0, whole=True))
    frame = talk.request(b"m" * (room - headers(kind) + 1), ip=ip_fields(kind, 77, whole=True))
    if kind.kit is bed6:
        bed6.refused_too_big(here, "wan", frame, room, bed6.WAN6)
        return
    refuses(here, "wan", frame, room, WAN, CLIENT)
    in_pieces(here, kind, talk, talk.request(b"m" * (room - headers(kind) + 1), ip={"id": 78}))


def in_pieces(here, kind, talk, frame):
    """Without DF: two fragments, each in a packet of the tunnel's own."""
    outer = 14 + overhead(kind)
    inside = []
    here.send("wan", frame)
    for _ in range(2):
        found = here.expect("lan")
        found = found[:kind.outer.ip_length(found)]
        inner = found[:12] + frame[12:14] + found[outer:]
        talk.judge_outer(inner, found)
        inside.append(inner)
    assert len(inside[0]) - 14 > MTU - overhead(kind) - 8, "shorter than need be"
    mac = talk.via_mac or kind.outer.mac_of(talk.backend[0])
    talk.compare(frame, together(inside), "lan", mac, (talk.client, talk.virtual))


def too_big_for_link(here, kind, both, mtu=MTU):
    """The links bring packets that are too big for ours; either side is told."""
    for side, namespace in (("wan", "client"), ("lan", "server")):
        here.appliance("exec", namespace, "ip", "link", "set", f"{here.name}-{side}", "mtu", "2000")
    for protocol, l4 in ((UDP, {}), (TCP, {"flags": "PA", "seq": 2, "ack": 2})):
        talk = kind(here, protocol, 43001)
        talk.up(b"" if l4 else b"x", **({"flags": "S"} if l4 else {}))
        head = 40 if l4 else 28
        talk.up(b"m" * (mtu - head), ip={"flags": "DF"}, **l4)
        frame = talk.request(b"n" * (mtu + 1 - head), ip={"flags": "DF", "id": 5}, **l4)
        refuses(here, "wan", frame, mtu, WAN, CLIENT)
        frame = talk.request(b"n" * (mtu + 1 - head), ip={"id": 7}, **l4)
        here.send("wan", frame)
        talk.judge_up(frame, together([here.expect("lan") for _ in range(2)]))
        talk.up(b"still", **l4)
        if both:
            talk.down(b"m" * (mtu - head), ip={"flags": "DF"}, **l4)
            frame = talk.reply(b"n" * (mtu + 1 - head), ip={"flags": "DF", "id": 6}, **l4)
            refuses(here, "lan", frame, mtu, LAN, talk.backend[0])


def clamped(frame, mss):
    """The frame as it would have been with a smaller MSS option."""
    at = frame.index(b"\x02\x04\x05\xb4", 54)
    family = bed6 if frame[12:14] == b"\x86\xdd" else bed
    return family.seal(patched(frame, at + 2, struct.pack("!H", mss)))


def clamps(here, kind, both):
    for n, options in enumerate((OPTIONS, ODD, [("MSS", 1460)])):
        talk = kind(here, TCP, 44000 + n)
        frame = talk.request(flags="S", seq=1, options=options)
        here.send("wan", frame)
        found = here.expect("lan")
        talk.judge_up(clamped(frame, 1200), found)
        if both:
            frame = talk.reply(flags="SA", seq=1, ack=2, options=options)
            here.send("lan", frame)
            talk.judge_down(clamped(frame, 1200), here.expect("wan"))
        data = b"\x02\x04\x05\xb4" * 8
        talk.up(data, flags="PA", seq=2, ack=2)
        talk = kind(here, TCP, 44100 + n)
        talk.up(flags="S", seq=1, options=[("MSS", 1200)])
        talk = kind(here, TCP, 44200 + n)
        talk.up(flags="S", seq=1, options=[("SAckOK", b"")])
    talk = kind(here, TCP, 44300)  # options that lie about their length
    frame = talk.request(flags="S", seq=1, options=[("MSS", 1460), ("WScale", 7)])
    at = frame.index(b"\x02\x04\x05\xb4", 54)
    for damage in (b"\x02\x00", b"\x02\x01", b"\x02\x09", b"\x02\x03", b"\x09\xff"):
        talk.carry_up(talk.kit.seal(patched(frame, at, damage)))


def with_clamp(made):
    for server in made["virtual_servers"]:
        if server["protocol"] == "tcp":
            server["max_mss"] = 1200
    return made


def behind_gateway(here):
    """The tunnel leads where routes lead."""
    made = config("ipip", address="203.0.113.140")
    made["backend_pools"] = [p for p in made["backend_pools"] if p["name"] == "dns"]
    made["virtual_servers"] = [s for s in made["virtual_servers"] if s["name"] == "dns"]
    for route in made["routes"]:
        if route["name"] == "farther":
            route["gateway"] = BACKENDS[2]
    here.apply(made)
    talk = tunnel_talk("ipip")(here, UDP, 45000)
    talk.via_mac = mac_of(BACKENDS[2])
    talk.up(b"far away")
    equal(talk.backend[0], "203.0.113.140", "backend")


def tunnel(report, mode):
    port = 7000 if mode == "gue" else 6080
    made = config(mode, bed6.CONFIG, **({"gue_port": port} if mode == "gue" else {}))
    with bed6.Bed6(config=with_clamp(crossing(made))) as here:
        for inner, outer in PAIRS:
            kind = tunnel_talk(mode, port, inner, outer)
            name = f"{mode}, {4 if inner is bed else 6}in{4 if outer is bed else 6}"
            for what, run in (("every field", lambda: fields(here, kind)),
                              ("flows over both workers", lambda: flows(here, kind)),
                              ("too big for the tunnel", lambda: too_big_inside(here, kind)),
                              ("MSS", lambda: clamps(here, kind, False))):
                with report.case(f"{name}: {what}"):
                    run()
                here.settle()
                here.forget()
        if mode == "ipip":
            with report.case("ipip: backends behind a gateway"):
                behind_gateway(here)


def tests(report):
    for mode in SHIM:
        tunnel(report, mode)
    for mode, kind in (("fullnat", Talk), ("nat", NatTalk), ("dr", DrTalk)):
        made = CONFIG if mode == "fullnat" else config(mode)
        with Bed(config=with_clamp(dict(made, virtual_servers=[
                dict(s) for s in made["virtual_servers"]]))) as here:
            with report.case(f"{mode}: MSS"):
                clamps(here, kind, mode != "dr")
            here.settle()
            with report.case(f"{mode}: too big for the next link"):
                too_big_for_link(here, kind, mode != "dr")


if __name__ == "__main__":
    checks.main(tests)
