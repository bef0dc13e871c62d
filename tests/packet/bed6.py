# SPDX-License-Identifier: BSD-3-Clause
"""The same bed over IPv6: Scapy plays the hosts, answers their neighbour solicitations, and
judges what comes out. The configuration is dual stack: IPv4 goes on beside it."""

import copy
import socket
import struct
import sys

from scapy.layers.inet import TCP, UDP  # noqa: F401
from scapy.layers.inet6 import (  # noqa: F401
    ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6, in6_chksum)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import bed
from checks import equal

ETH_P_IPV6 = 0x86dd
WAN6, LAN6 = "2001:db8:1::1", "2001:db8:2::1"
VIRTUAL6 = "2001:db8:1::80"
LOCALS6 = ("2001:db8:2::a", "2001:db8:2::b")
CLIENT6, GATEWAY6 = "2001:db8:1::2", "2001:db8:1::fe"
BACKENDS6 = tuple(f"2001:db8:2::{n:x}" for n in (0x101, 0x102, 0x103))

CONFIG = copy.deepcopy(bed.CONFIG)
for _interface, _address in zip(CONFIG["interfaces"], (WAN6, LAN6)):
    _interface["addresses"].append(f"{_address}/64")
CONFIG["routes"] += [
    {"name": "far6", "prefix": "2001:db8:f::/48", "gateway": GATEWAY6},
    {"name": "hole6", "prefix": "2001:db8:f:40::/58", "blackhole": True},
    {"name": "link6", "prefix": "2001:db8:e::/48", "gateway": "fe80::fe", "interface": "wan"}]
CONFIG["local_address_pools"][0]["addresses"] += LOCALS6
CONFIG["backend_pools"] += [
    {"name": "web6", "backends": [{"name": f"web-{i}", "address": a, "port": 8080}
                                  for i, a in enumerate(BACKENDS6)]},
    {"name": "dns6", "backends": [{"name": "dns-0", "address": BACKENDS6[0], "port": 5353}]}]
CONFIG["virtual_servers"] += [
    {"name": f"{pool}", "address": VIRTUAL6, "port": port, "protocol": protocol,
     "scheduler": "rr", "backend_pool": pool, "local_address_pool": "local"}
    for pool, port, protocol in (("web6", 80, "tcp"), ("dns6", 53, "udp"))]


IP_LAYER = IPv6
IP_BYTES = 40  # of a header


def packed(address):
    return socket.inet_pton(socket.AF_INET6, address)


def mac_of(address):
    return "02:06:" + ":".join(f"{b:02x}" for b in packed(address)[12:])


def solicited(address):
    """(multicast address, its MAC)"""
    low = packed(address)[13:]
    return (socket.inet_ntop(socket.AF_INET6, packed("ff02::1:ff00:0")[:13] + low),
            "33:33:ff:" + ":".join(f"{b:02x}" for b in low))


def is_ndp(frame, kind):
    return frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == kind


class Bed6(bed.Bed):
    def __init__(self, *options, config=CONFIG):
        super().__init__(*options, config=config)
        self.advertised = []  # (side, frame) of unsolicited advertisements
        self.host("wan", CLIENT6, GATEWAY6, "fe80::fe")
        self.host("lan", *BACKENDS6)

    def _take(self, side, frame):
        if is_ndp(frame, 135):
            self.asked.append((side, frame))
            asked = Ether(frame)
            target = asked[ICMPv6ND_NS].tgt
            if asked[IPv6].src != "::" and target in self.hosts[side]:
                self.send(side, advertisement(target, asked[IPv6].src, asked.src))
        elif is_ndp(frame, 136) and frame[38:54] == packed("ff02::1"):
            self.advertised.append((side, frame))
        else:
            super()._take(side, frame)


def advertisement(target, to, mac, **fields):
    flags = {"S": 1, "O": 1, "R": 0, **fields}
    return bytes(Ether(src=mac_of(target), dst=mac) / IPv6(src=target, dst=to, hlim=255) /
                 ICMPv6ND_NA(tgt=target, **flags) / ICMPv6NDOptDstLLAddr(lladdr=mac_of(target)))


def ip_length(frame):
    """Of the Ethernet frame without padding."""
    return 54 + int.from_bytes(frame[18:20], "big")


def l4_at(frame):
    """(protocol, place) of the transport, after extension headers."""
    kind, at = frame[20], 54
    while kind in (0, 43, 60):
        kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    return kind, at


def seal(frame):
    """Fill in the transport's checksum, by Scapy."""
    b = bytearray(frame[:ip_length(frame)])
    kind, l4 = l4_at(b)
    at = l4 + {6: 16, 17: 6, 58: 2}[kind]
    b[at:at + 2] = b"\0\0"
    header = IPv6(src=socket.inet_ntop(socket.AF_INET6, bytes(b[22:38])),
                  dst=socket.inet_ntop(socket.AF_INET6, bytes(b[38:54])))
    value = in6_chksum(kind, header, bytes(b[l4:]))
    value = value or (0xffff if kind == 17 else 0)
    b[at:at + 2] = value.to_bytes(2, "big")
    return bytes(b)


def translated(frame, macs, addresses, ports):
    b = bytearray(frame)
    b[0:12] = bed.mac_bytes(macs[1]) + bed.mac_bytes(macs[0])
    b[21] -= 1
    b[22:54] = b"".join(map(packed, addresses))
    at = l4_at(frame)[1]
    b[at:at + 4] = struct.pack("!HH", *ports)
    return seal(b)


def endpoints(frame):
    at = l4_at(frame)[1]
    sport, dport = struct.unpack("!HH", frame[at:at + 4])
    return ((socket.inet_ntop(socket.AF_INET6, frame[22:38]), sport),
            (socket.inet_ntop(socket.AF_INET6, frame[38:54]), dport))


def same(found, wanted, what):
    found = found[:ip_length(found)]
    assert found == wanted, f"{what}: {Ether(found)!r} wanted {Ether(wanted)!r}"


class Talk6(bed.Talk):
    """One client's connection over IPv6, judged packet by packet."""

    kit = sys.modules[__name__]
    host, service = CLIENT6, VIRTUAL6


def clamped(frame, mss):
    """The frame as it would have been with a smaller MSS option."""
    at = frame.index(b"\x02\x04", l4_at(frame)[1] + 20)
    return seal(bed.patched(frame, at + 2, struct.pack("!H", mss)))


def expect_too_big(here, side, frame, mtu, source):
    """RFC 4443 section 3.2: the MTU, and as much of the packet as was sent as has room."""
    raw = here.expect(side)
    found, sent = Ether(raw), Ether(frame)
    equal((found.dst, found[IPv6].src, found[IPv6].dst), (sent.src, source, sent[IPv6].src), "to")
    equal((found[ICMPv6PacketTooBig].code, found[ICMPv6PacketTooBig].mtu), (0, mtu), "told")
    equal(raw[62:ip_length(raw)], frame[14:ip_length(frame)][:1280 - 48], "quoted")
    equal(seal(raw), raw[:ip_length(raw)], "with right checksums")


def refused_too_big(here, side, frame, mtu, source):
    before = here.drops()
    here.send(side, frame)
    expect_too_big(here, side, frame, mtu, source)
    equal(here.drops_since(before, {"too_big": 1}), {"too_big": 1}, "drops")
    here.expect_nothing()


def expect_ndp(here, side, target):
    """An advertisement of the target that came in answer."""
    found = Ether(here.expect(side))
    equal(found[ICMPv6ND_NA].tgt, target, "target")
    return found
