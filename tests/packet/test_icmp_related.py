#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ICMP errors about balanced packets over both families, both directions, every mode: outer and
quoted headers."""

import collections
import struct

import bed
import bed6
import checks
from bed import CLIENT, CONFIG, LAN, TCP, UDP, Bed, Ether, Raw, Talk, checksum, mac_bytes, \
    patched, seal
from bed6 import Bed6, Talk6
from checks import equal
from modes import SHIM, DrTalk, DrTalk6, NatTalk, NatTalk6, TunnelTalk, config, crossing, \
    tunnel_talk
from test_tunnels import PAIRS, overhead

SIZES = (8, 20, 28, 128, 548)  # bytes quoted behind the IP header

# What a family's errors look like. `router` is somewhere on the way, behind `gateway`; `big` says that
# a packet was.
Family = collections.namedtuple("Family", "router client gateway wan lan proto ttl_at big errors")
FAMILY = {
    bed: Family("203.0.113.9", CLIENT, bed.GATEWAY, bed.WAN, LAN, {"proto": 1}, 22, (3, 4),
                ((3, 4, 1400), (3, 1, 0), (3, 3, 0), (11, 0, 0), (12, 0, 0x0a000000))),
    bed6: Family("2001:db8:f::9", bed6.CLIENT6, bed6.GATEWAY6, bed6.WAN6, bed6.LAN6, {"nh": 58}, 21,
                 (2, 0), ((2, 0, 1400), (1, 0, 0), (1, 4, 0), (3, 0, 0), (4, 1, 40))),
}


def error_about(here, side, packet, to, what=None, size=28, source=None, ttl=60, kit=bed):
    """An ICMP error as a router sends it that got `packet` (bytes from the IP header on)."""
    family = FAMILY[kit]
    kind, code, rest = what or family.errors[0]
    hops = {"ttl": ttl, "id": 4242} if kit is bed else {"hlim": ttl}
    return kit.seal(bytes(
        Ether(dst=here.mac[side], src=kit.mac_of(family.gateway)) /
        kit.IP_LAYER(src=source or family.router, dst=to, **hops, **family.proto) /
        Raw(struct.pack("!BBHI", kind, code, 0, rest) + packet[:kit.IP_BYTES + size])))


def ip_of(frame, kit=bed):
    return frame[14:kit.ip_length(frame)]


def as_sent(sent, size, hops, kit=bed):
    """The beginning of what its sender sent, its TTL less the hops to where it was quoted."""
    at = bytearray(ip_of(sent, kit)[:kit.IP_BYTES + size])
    at[FAMILY[kit].ttl_at - 14] -= hops
    if kit is bed:
        at[10:12] = b"\0\0"
        at[10:12] = struct.pack("!H", checksum(bytes(at[:20])))
    return bytes(at)


def judge(here, side, frame, found, macs, addresses, inner, kit=bed):
    """The error as it has to leave; `inner` is what it has to quote."""
    found = found[:kit.ip_length(found)]
    wanted = bytearray(frame[:14 + kit.IP_BYTES + 8]) + inner
    wanted[0:12] = mac_bytes(macs[1]) + mac_bytes(macs[0])
    wanted[FAMILY[kit].ttl_at] -= 1
    ends = bytes(kit.IP_LAYER(src=addresses[0], dst=addresses[1]))
    ends = ends[12:20] if kit is bed else ends[8:40]
    wanted[14 + kit.IP_BYTES - len(ends):14 + kit.IP_BYTES] = ends
    kit.same(found, kit.seal(bytes(wanted)), f"the error on {side}")


def start(here, kind, protocol, port, both):
    """A connection, and for each way (what its sender sent, what left us)."""
    talk = kind(here, protocol, port)
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


def each_error(kit):
    return [(what, size) for what in FAMILY[kit].errors for size in SIZES]


def about_request(here, talk, up, outer):
    """From behind the backend's side: to the client, from the virtual server."""
    sent, left = up
    kit = talk.kit
    for what, size in each_error(kit):
        frame = error_about(here, "lan", ip_of(left, kit), outer, what, size, kit=kit)
        here.send("lan", frame)
        judge(here, "wan", frame, here.expect("wan"), (here.mac["wan"], talk.client_mac),
              (talk.virtual[0], talk.client[0]), as_sent(sent, size, 1, kit), kit)


def about_reply(here, talk, down, source):
    """From the client's side: to the backend."""
    sent, left = down
    kit, to = talk.kit, talk.backend[0]
    for what, size in each_error(kit):
        frame = error_about(here, "wan", ip_of(left, kit), talk.virtual[0], what, size, kit=kit)
        here.send("wan", frame)
        judge(here, "lan", frame, here.expect("lan"), (here.mac["lan"], kit.mac_of(to)),
              (source, to), as_sent(sent, size, 1, kit), kit)


def translated_modes(here, mode, kind, protocol, port):
    talk, up, down = start(here, kind, protocol, port, True)
    counted = here.counters()["icmp_related"]
    local = talk.local[0] if mode == "fullnat" else None
    about_request(here, talk, up, local or talk.client[0])
    about_reply(here, talk, down, local or FAMILY[kind.kit].router)
    equal(here.counters()["icmp_related"] - counted, 2 * len(each_error(kind.kit)),
          "icmp_related")


def no_checksum(here, mode, kind):
    """A quoted UDP packet without a checksum stays without."""
    talk = kind(here, UDP, 50500)
    sent = talk.request(b"q" * 30, chksum=0)
    left = talk.carry_up(sent)
    frame = error_about(here, "lan", ip_of(left), talk.local[0] if mode == "fullnat" else CLIENT)
    here.send("lan", frame)
    judge(here, "wan", frame, here.expect("wan"), (here.mac["wan"], talk.client_mac),
          (talk.virtual[0], CLIENT), as_sent(sent, 28, 1))


def direct_modes(here, kind, protocol, port):
    """The client's side tells the virtual server; the backend that sent the packet hears of it."""
    talk, _, _ = start(here, kind, protocol, port, False)
    kit, family = kind.kit, FAMILY[kind.kit]
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    reply = bytes(kit.IP_LAYER(src=talk.virtual[0], dst=family.client) /
                  protocol(sport=talk.virtual[1], dport=port, **l4) / Raw(b"answer" * 100))
    for what, size in each_error(kit):
        frame = error_about(here, "wan", reply, talk.virtual[0], what, size, kit=kit)
        here.send("wan", frame)
        found, to = here.expect("lan"), talk.backend[0]
        mac = getattr(kind, "outer", kit).mac_of(to)
        if issubclass(kind, TunnelTalk):
            inner = talk.judge_outer(frame, found[:kind.outer.ip_length(found)])
            equal((talk.backend[0], found[:6]), (to, mac_bytes(mac)), "backend")
            found = found[:12] + frame[12:14] + inner
        judge(here, "lan", frame, found, (here.mac["lan"], mac),
              (family.router, talk.virtual[0]), reply[:kit.IP_BYTES + size], kit)


def about_tunnel(here, kind):
    """A router within the tunnel: the client hears what fits inside, in its own family."""
    kit, inside, outside = kind.kit, FAMILY[kind.kit], FAMILY[kind.outer]
    talk = kind(here, UDP, 52000)
    sent = talk.request(b"m" * 1380, ip={"flags": "DF"} if kit is bed else None)
    here.send("wan", sent)
    outer = ip_of(here.expect("lan"), kind.outer)
    more = SHIM[kind.mode] + kit.IP_BYTES  # bytes of headers behind the outer one

    def error(size, what=(*outside.big, 1400)):
        return error_about(here, "lan", outer, outside.lan, what, size, kit=kind.outer)

    for size in (more + 8, more + 28, more + 400):
        here.send("lan", error(size))
        found = here.expect("wan")
        found = found[:kit.ip_length(found)]
        packet = Ether(found)[kit.IP_LAYER]
        equal((packet.src, packet.dst), (inside.wan, inside.client), "IP")
        at = 14 + kit.IP_BYTES
        equal(found[at:at + 2] + found[at + 4:at + 8],
              bytes(inside.big) + struct.pack("!I", max(1400 - overhead(kind),
                                                        1280 if kit is bed6 else 0)),
              "ICMP header")
        equal(found[at + 8:], as_sent(sent, size - more, 1, kit), "what it quotes")
        equal(found, kit.seal(found), "with right checksums")
    here.dropped({"icmp_quote_short": 1}, lambda: here.send("lan", error(more + 7)))
    for what in (outside.errors[1], (*outside.big, overhead(kind))):
        here.dropped({"icmp_unrelated": 1},
                     lambda what=what: here.send("lan", error(more + 28, what)))
    if kit is bed:
        nobody_asked(here, talk, kind)


def nobody_asked(here, talk, kind):
    """Who did not set DF is not told of an MTU."""
    here.send("wan", talk.request(b"m" * 1380))
    outer = ip_of(here.expect("lan"), kind.outer)
    frame = error_about(here, "lan", outer, FAMILY[kind.outer].lan,
                        (*FAMILY[kind.outer].big, 1400), 128, kit=kind.outer)
    here.dropped({"icmp_unrelated": 1}, lambda: here.send("lan", frame))


def drops(here):
    """What is no error about a connection, by name."""
    talk, up, _ = start(here, Talk, UDP, 53000, True)
    left, local = ip_of(up[1]), talk.local[0]
    other = bytearray(left)
    other[20:22] = b"\xff\xf0"

    def error(packet=left, to=local, **how):
        return error_about(here, "lan", bytes(packet), to, **how)

    def cut(size):
        frame = error_about(here, "lan", left[:size], local, size=size)
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
        here.dropped({reason: 1}, lambda frame=frame: here.send("lan", frame))
        equal(frame[14] >> 4, 4, name)
    talk.up(b"and it goes on")


def drops6(here):
    talk, up, _ = start(here, Talk6, UDP, 53000, True)
    left, local = ip_of(up[1], bed6), talk.local[0]

    def error(packet=left, to=local, **how):
        return error_about(here, "lan", bytes(packet), to, kit=bed6, **how)

    def behind(*headers):
        """The quoted packet with extension headers (kind, bytes)."""
        ports = left[40:]
        for kind, body in reversed(headers):
            ports = bytes([after(headers, kind), *body]) + ports
        return patched(left[:40], 6, bytes([headers[0][0]])) + ports

    def after(headers, kind):
        kinds = [k for k, _ in headers] + [17]
        return kinds[kinds.index(kind) + 1]

    options = b"\0\1\4\0\0\0\0"
    for name, frame, reason in (
            ("7 bytes quoted behind the header", error(size=7), "icmp_quote_short"),
            ("no whole header quoted", error(left[:39], size=0), "icmp_quote_short"),
            ("another connection's port", error(patched(left, 42, b"\xff\xf0")),
             "icmp_unrelated"),
            ("not sent to the packet's sender", error(to=talk.virtual[0]), "icmp_unrelated"),
            ("a fragment", error(behind((44, b"\0\0\1\0\0\0\1"))), "icmp_unrelated"),
            ("a header that is not whole", error(behind((60, b"\xff\1\4\0\0\0\0"))),
             "icmp_unrelated"),
            ("another version", error(patched(left, 0, b"\x45")), "icmp_unrelated"),
            ("hop limit 1", error(ttl=1), "ttl_exceeded"),
            ("a wrong checksum", patched(error(), 56, b"\xab\xcd"), "l4_checksum"),
            ("from one of ours", error(source=bed6.LAN6), "ip_source_ours"),
            ("from a link-local address", error(source="fe80::7"), "ip_source"),
            ("type 5", error(what=(5, 0, 0)), "icmp_type"),
            ("type 0", error(what=(0, 0, 0)), "icmp_type")):
        here.dropped({reason: 1}, lambda frame=frame: here.send("lan", frame))
        equal(frame[14] >> 4, 6, name)
    # extension headers that we pass over, in the error and in what it quotes
    quoted = behind((0, options), (60, options))
    here.send("lan", error(quoted, size=60))
    found = here.expect("wan")
    equal(found[62:70], quoted[:8], "quoted header")
    equal(bed6.endpoints(found[:14] + found[62:]), (talk.client, talk.virtual), "quoted tuple")
    equal(bed6.seal(found), found[:bed6.ip_length(found)], "with right checksums")
    talk.up(b"and it goes on")


def owners(here, kind):
    """Whoever gets the error passes it to the connection's worker."""
    before = here.counters()["redirect_out"]
    kit = kind.kit
    for n in range(40):
        talk, up, down = start(here, kind, UDP, 54000 + n, True)
        frame = error_about(here, "lan", ip_of(up[1], kit), talk.local[0], kit=kit)
        here.send("lan", frame)
        judge(here, "wan", frame, here.expect("wan"), (here.mac["wan"], talk.client_mac),
              (talk.virtual[0], talk.client[0]), as_sent(up[0], 28, 1, kit), kit)
        frame = error_about(here, "wan", ip_of(down[1], kit), talk.virtual[0], kit=kit)
        here.send("wan", frame)
        judge(here, "lan", frame, here.expect("lan"),
              (here.mac["lan"], kit.mac_of(talk.backend[0])),
              (talk.local[0], talk.backend[0]), as_sent(down[0], 28, 1, kit), kit)
    equal({c.get("worker", 0) for c in here.connections()}, {0, 1}, "workers")
    assert here.counters()["redirect_out"] > before, "nothing redirected"


def both_ways(report, mode, kind):
    six = kind.kit is bed6
    base = bed6.CONFIG if six else CONFIG
    with (Bed6 if six else Bed)(config=base if mode == "fullnat" else config(mode, base)) as here:
        for n, protocol in enumerate((UDP, TCP)):
            with report.case(f"{mode}{'6' * six}, {protocol.__name__}: both ways"):
                translated_modes(here, mode, kind, protocol, 50000 + n)
            here.settle()
            here.forget()
        if not six:
            with report.case(f"{mode}: UDP without a checksum"):
                no_checksum(here, mode, kind)
        if mode == "fullnat":
            with report.case(f"what is none{'6' * six}, by name"):
                (drops6 if six else drops)(here)
            here.settle()
            here.forget()
            with report.case(f"owners{'6' * six}"):
                owners(here, kind)


def past_us(report, mode, kinds):
    """`kinds`: (name, talk)"""
    made = config(mode, bed6.CONFIG)
    with Bed6(config=made if mode == "dr" else crossing(made)) as here:
        for name, kind in kinds:
            for n, protocol in enumerate((UDP, TCP)):
                with report.case(f"{name}, {protocol.__name__}: from the client's side"):
                    direct_modes(here, kind, protocol, 51000 + n)
                here.settle()
                here.forget()
            if mode != "dr":
                with report.case(f"{name}: about the tunnel's packets"):
                    about_tunnel(here, kind)
                here.settle()
                here.forget()


def tests(report):
    for mode, kinds in (("fullnat", (Talk, Talk6)), ("nat", (NatTalk, NatTalk6))):
        for kind in kinds:
            both_ways(report, mode, kind)
    past_us(report, "dr", (("dr", DrTalk), ("dr6", DrTalk6)))
    for mode in SHIM:
        past_us(report, mode,
                [(f"{mode}, {4 if inner is bed else 6}in{4 if outer is bed else 6}",
                  tunnel_talk(mode, inner=inner, outer_=outer)) for inner, outer in PAIRS])


if __name__ == "__main__":
    checks.main(tests)
