# SPDX-License-Identifier: BSD-3-Clause
"""The same bed over IPv6: Scapy plays the hosts, answers their neighbour solicitations, and
judges what comes out. The configuration is dual stack: IPv4 goes on beside it."""

import copy
import socket
import struct

from scapy.layers.inet import TCP, UDP  # noqa: F401
from scapy.layers.inet6 import (  # noqa: F401
    ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr, IPv6, in6_chksum)
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


def length(frame):
    return 54 + int.from_bytes(frame[18:20], "big")


def l4_at(frame):
    """(protocol, place) of the transport, after extension headers."""
    kind, at = frame[20], 54
    while kind in (0, 43, 60):
        kind, at = frame[at], at + (frame[at + 1] + 1) * 8
    return kind, at


def seal(frame):
    """Fill in the transport's checksum, by Scapy."""
    b = bytearray(frame[:length(frame)])
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
    found = found[:length(found)]
    assert found == wanted, f"{what}: {Ether(found)!r} wanted {Ether(wanted)!r}"


class Talk6:
    """One client's connection over IPv6, judged packet by packet."""

    def __init__(self, here, protocol=UDP, port=40000, client=CLIENT6, via=None,
                 virtual=None):
        self.bed, self.protocol = here, protocol
        self.client = (client, port)
        self.client_mac = mac_of(via or client)
        self.virtual = virtual or (VIRTUAL6, 53 if protocol is UDP else 80)
        self.local = self.backend = None

    def request(self, payload=b"", ip=None, ext=None, **l4):
        return self._frame((self.client_mac, self.bed.mac["wan"]), self.client, self.virtual,
                           payload, ip, ext, l4)

    def reply(self, payload=b"", ip=None, ext=None, **l4):
        return self._frame((mac_of(self.backend[0]), self.bed.mac["lan"]), self.backend,
                           self.local, payload, ip, ext, l4)

    def _frame(self, macs, source, destination, payload, ip, ext, l4):
        packet = IPv6(src=source[0], dst=destination[0], **(ip or {}))
        for header in ext or ():
            packet = packet / header
        packet = packet / self.protocol(sport=source[1], dport=destination[1], **l4)
        return bytes(Ether(src=macs[0], dst=macs[1]) / packet / Raw(payload))

    def up(self, *args, **fields):
        return self.carry_up(self.request(*args, **fields))

    def down(self, *args, **fields):
        return self.carry_down(self.reply(*args, **fields))

    def carry_up(self, frame):
        self.bed.send("wan", frame)
        found = self.bed.expect("lan")
        if not self.local:
            self.local, self.backend = endpoints(found)
        same(found, translated(frame, (self.bed.mac["lan"], mac_of(self.backend[0])),
                               (self.local[0], self.backend[0]),
                               (self.local[1], self.backend[1])), "to the backend")
        return found

    def carry_down(self, frame):
        self.bed.send("lan", frame)
        found = self.bed.expect("wan")
        same(found, translated(frame, (self.bed.mac["wan"], self.client_mac),
                               (self.virtual[0], self.client[0]),
                               (self.virtual[1], self.client[1])), "to the client")
        return found


def expect_ndp(here, side, target):
    """An advertisement of the target that came in answer."""
    found = Ether(here.expect(side))
    equal(found[ICMPv6ND_NA].tgt, target, "target")
    return found
