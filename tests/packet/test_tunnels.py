#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tunnels: the outer headers by Scapy's arithmetic, the packet inside untouched but for its TTL;
what does not fit any more, and the greatest segment size that SYNs may offer."""

import struct

from bed import BACKENDS, CLIENT, CONFIG, IP, LAN, TCP, UDP, WAN, Bed, Ether, Talk, \
    checksum, ip_length, mac_bytes, mac_of, patched, same, seal, translated
import checks
from checks import equal
from modes import DrTalk, NatTalk, config

OVERHEAD = {"ipip": 20, "gre": 24, "gue": 32}
PROTOCOL = {"ipip": 4, "gre": 47, "gue": 17}
MTU = 1500
OPTIONS = [("SAckOK", b""), ("MSS", 1460), ("WScale", 7)]
ODD = [("NOP", None), ("MSS", 1460), ("NOP", None), ("NOP", None), ("NOP", None)]


class TunnelTalk(DrTalk):
    """The backend gets the packet inside another."""

    mode, port, via_mac = "ipip", 6080, None

    def judge_up(self, frame, found):
        head, outer = found[:14], found[14:ip_length(found)]
        inner = self.judge_outer(frame, outer)
        self.backend = (".".join(map(str, outer[16:20])), self.virtual[1])
        mac = self.via_mac or mac_of(self.backend[0])
        equal(head, mac_bytes(mac) + mac_bytes(self.bed.mac["lan"]) + b"\x08\0", "Ethernet header")
        wanted = translated(frame, (self.bed.mac["lan"], mac),
                            (self.client[0], self.virtual[0]), (self.client[1], self.virtual[1]))
        same(head + inner, wanted, "inside the tunnel")
        return head + inner

    def judge_outer(self, frame, outer):
        """Every field; returns what is inside."""
        more = OVERHEAD[self.mode]
        inner = frame[14:ip_length(frame)]
        equal(outer[0], 0x45, "version and header length")
        equal(outer[1], inner[1], "TOS")
        equal(struct.unpack("!H", outer[2:4])[0], len(inner) + more, "total length")
        equal(outer[6:8], bytes([inner[6] & 0x40, 0]), "DF, and no fragment")
        equal(outer[8:10], bytes([64, PROTOCOL[self.mode]]), "TTL and protocol")
        equal(checksum(outer[:20]), 0, "header checksum")
        equal(outer[12:16], IP(src=LAN).build()[12:16], "outer source")
        if self.mode == "gre":
            equal(outer[20:24], b"\0\0\x08\0", "GRE header")
        elif self.mode == "gue":
            source, port, length, csum = struct.unpack("!HHHH", outer[20:28])
            assert source >= 0xc000, f"GUE source port {source}"
            equal((port, length, csum), (self.port, len(inner) + 12, 0), "UDP header")
            equal(outer[28:32], b"\0\x04\0\0", "GUE header")
        return outer[more:]


def talk_of(mode_, port_=6080):
    class Made(TunnelTalk):
        mode, port = mode_, port_

    return Made


def fields(bed, kind):
    talk = kind(bed, UDP, 40001)
    for length in (0, 1, 17, 512, MTU - 28 - OVERHEAD[kind.mode]):
        talk.up(b"u" * length, ip={"id": length, "tos": length & 0xff})
    talk.up(b"x", ip={"flags": "DF", "ttl": 2})
    talk.up(b"without", chksum=0)
    talk = kind(bed, TCP, 41001)
    talk.up(flags="S", seq=1, options=[("MSS", 1100), ("SAckOK", b"")])
    talk.up(flags="A", seq=2, ack=2)
    talk.up(b"data" * 100, flags="PA", seq=2, ack=2, ip={"flags": "DF", "tos": 3})
    talk.up(flags="FA", seq=402, ack=2)
    one = [c for c in bed.connections() if c["clientPort"] == 41001][0]
    equal((one["mode"], one["state"], one["backendAddress"]),
          (kind.mode, "fin_wait", talk.backend[0]), "as listed")


def flows(bed, kind):
    """Each on a backend, over both workers; GUE's source port is the flow's."""
    ports = {}
    for n in range(60):
        talk = kind(bed, UDP, 20000 + n)
        for _ in range(2):
            frame = talk.request(b"flow")
            bed.send("wan", frame)
            found = bed.expect("lan")
            talk.judge_up(frame, found)
            ports.setdefault(n, set()).add(found[34:36])
    equal({c.get("worker", 0) for c in bed.connections()}, {0, 1}, "workers")
    if kind.mode == "gue":
        assert all(len(p) == 1 for p in ports.values()), "a flow's source port changes"
        assert len({p for s in ports.values() for p in s}) > 50, "flows share source ports"


def judge_needed(bed, side, frame, mtu, source, host):
    """RFC 1191: type 3, code 4, the MTU, and the beginning of the packet as it was sent."""
    found = bed.expect(side)
    found = found[:ip_length(found)]
    equal(found[:12], mac_bytes(mac_of(host)) + mac_bytes(bed.mac[side]), "MACs")
    equal((Ether(found)[IP].src, Ether(found)[IP].dst, Ether(found)[IP].proto),
          (source, host, 1), "IP")
    equal(found[34:36] + found[38:42], b"\x03\x04" + struct.pack("!HH", 0, mtu), "ICMP header")
    equal(found[42:70], frame[14:42], "what it quotes")
    equal(found, seal(found), "with right checksums")


def refuses(bed, side, frame, mtu, source, host, df=True):
    before = bed.drops()
    bed.send(side, frame)
    if df:
        judge_needed(bed, side, frame, mtu, source, host)
    equal(bed.drops_since(before, {"too_big": 1}), {"too_big": 1}, "drops")
    bed.expect_nothing()


def too_big_inside(bed, kind):
    """One byte more than fits into the tunnel."""
    talk = kind(bed, UDP, 42001)
    room = MTU - OVERHEAD[kind.mode]
    talk.up(b"m" * (room - 28), ip={"flags": "DF"})
    frame = talk.request(b"m" * (room - 27), ip={"flags": "DF", "id": 77})
    refuses(bed, "wan", frame, room, WAN, CLIENT)
    refuses(bed, "wan", talk.request(b"m" * (room - 27)), room, WAN, CLIENT, df=False)


def too_big_for_link(bed, kind, both, mtu=MTU):
    """The links bring packets that are too big for ours; either side is told."""
    for side, namespace in (("wan", "client"), ("lan", "server")):
        bed.appliance("exec", namespace, "ip", "link", "set", f"{bed.name}-{side}", "mtu", "2000")
    for protocol, l4 in ((UDP, {}), (TCP, {"flags": "PA", "seq": 2, "ack": 2})):
        talk = kind(bed, protocol, 43001)
        talk.up(b"" if l4 else b"x", **({"flags": "S"} if l4 else {}))
        head = 40 if l4 else 28
        talk.up(b"m" * (mtu - head), ip={"flags": "DF"}, **l4)
        frame = talk.request(b"n" * (mtu + 1 - head), ip={"flags": "DF", "id": 5}, **l4)
        refuses(bed, "wan", frame, mtu, WAN, CLIENT)
        refuses(bed, "wan", talk.request(b"n" * (mtu + 1 - head), **l4), mtu, WAN, CLIENT,
                df=False)
        talk.up(b"still", **l4)
        if both:
            talk.down(b"m" * (mtu - head), ip={"flags": "DF"}, **l4)
            frame = talk.reply(b"n" * (mtu + 1 - head), ip={"flags": "DF", "id": 6}, **l4)
            refuses(bed, "lan", frame, mtu, LAN, talk.backend[0])


def clamped(frame, mss):
    """The frame as it would have been with a smaller MSS option."""
    at = frame.index(b"\x02\x04\x05\xb4", 54)
    return seal(patched(frame, at + 2, struct.pack("!H", mss)))


def clamps(bed, kind, both):
    for n, options in enumerate((OPTIONS, ODD, [("MSS", 1460)])):
        talk = kind(bed, TCP, 44000 + n)
        frame = talk.request(flags="S", seq=1, options=options)
        bed.send("wan", frame)
        found = bed.expect("lan")
        talk.judge_up(clamped(frame, 1200), found)
        if both:
            frame = talk.reply(flags="SA", seq=1, ack=2, options=options)
            bed.send("lan", frame)
            talk.judge_down(clamped(frame, 1200), bed.expect("wan"))
        data = b"\x02\x04\x05\xb4" * 8
        talk.up(data, flags="PA", seq=2, ack=2)
        talk = kind(bed, TCP, 44100 + n)
        talk.up(flags="S", seq=1, options=[("MSS", 1200)])
        talk = kind(bed, TCP, 44200 + n)
        talk.up(flags="S", seq=1, options=[("SAckOK", b"")])
    talk = kind(bed, TCP, 44300)  # options that lie about their length
    frame = talk.request(flags="S", seq=1, options=[("MSS", 1460), ("WScale", 7)])
    at = frame.index(b"\x02\x04\x05\xb4", 54)
    for damage in (b"\x02\x00", b"\x02\x01", b"\x02\x09", b"\x02\x03", b"\x09\xff"):
        talk.carry_up(seal(patched(frame, at, damage)))


def with_clamp(made):
    for server in made["virtual_servers"]:
        if server["protocol"] == "tcp":
            server["max_mss"] = 1200
    return made


def behind_gateway(bed):
    """The tunnel leads where routes lead."""
    made = config("ipip", address="203.0.113.140")
    made["backend_pools"] = [p for p in made["backend_pools"] if p["name"] == "dns"]
    made["virtual_servers"] = [s for s in made["virtual_servers"] if s["name"] == "dns"]
    for route in made["routes"]:
        if route["name"] == "farther":
            route["gateway"] = BACKENDS[2]
    bed.apply(made)
    talk = talk_of("ipip")(bed, UDP, 45000)
    talk.via_mac = mac_of(BACKENDS[2])
    talk.up(b"far away")
    equal(talk.backend[0], "203.0.113.140", "backend")


def tests(report):
    for mode in OVERHEAD:
        port = 7000 if mode == "gue" else 6080
        kind = talk_of(mode, port)
        more = {"gue_port": port} if mode == "gue" else {}
        with Bed(config=with_clamp(config(mode, **more))) as bed:
            for name, run in (("every field", lambda: fields(bed, kind)),
                              ("flows over both workers", lambda: flows(bed, kind)),
                              ("too big for the tunnel", lambda: too_big_inside(bed, kind)),
                              ("MSS", lambda: clamps(bed, kind, False))):
                with report.case(f"{mode}: {name}"):
                    run()
                bed.settle()
                bed.forget()
            if mode == "ipip":
                with report.case("ipip: backends behind a gateway"):
                    behind_gateway(bed)
    for mode, kind in (("fullnat", Talk), ("nat", NatTalk), ("dr", DrTalk)):
        made = CONFIG if mode == "fullnat" else config(mode)
        with Bed(config=with_clamp(dict(made, virtual_servers=[
                dict(s) for s in made["virtual_servers"]]))) as bed:
            with report.case(f"{mode}: MSS"):
                clamps(bed, kind, mode != "dr")
            bed.settle()
            with report.case(f"{mode}: too big for the next link"):
                too_big_for_link(bed, kind, mode != "dr")


if __name__ == "__main__":
    checks.main(tests)
