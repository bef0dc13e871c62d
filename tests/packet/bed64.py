# SPDX-License-Identifier: BSD-3-Clause
"""FullNAT64 on the dual-stack bed: clients over IPv6, backends over IPv4. A frame is translated
here by RFC 7915 as it is written, on bytes, and sealed by Scapy."""

import copy
import socket
import struct

import bed
import bed6
from bed import IP, Raw, UDP
from bed6 import IPv6, Talk6
from checks import equal
from scapy.layers.l2 import Ether

VIRTUAL64 = "2001:db8:1::64"
MAY_FRAGMENT = 1260  # bytes of an IPv4 packet that leaves without DF, RFC 7915 section 5.1

CONFIG = copy.deepcopy(bed6.CONFIG)
CONFIG["backend_pools"].append({"name": "mixed", "backends": [
    {"name": "four", "address": bed.BACKENDS[1], "port": 8080},
    {"name": "six", "address": bed6.BACKENDS6[1], "port": 8080}]})
CONFIG["virtual_servers"] += [
    {"name": f"{pool}64", "address": VIRTUAL64, "port": port, "protocol": protocol,
     "scheduler": "rr", "backend_pool": pool, "local_address_pool": "local"}
    for pool, port, protocol in (("web", 80, "tcp"), ("dns", 53, "udp"), ("mixed", 81, "udp"))]


class Bed64(bed6.Bed6):
    def __init__(self, *options, config=CONFIG):
        super().__init__(*options, config=config)


def to_ipv4(frame, macs, addresses, ports, identification):
    """The frame over IPv6 as it has to leave over IPv4."""
    kind, at = bed6.l4_at(frame)
    l4 = frame[at:bed6.ip_length(frame)]
    tos = (frame[14] << 4 | frame[15] >> 4) & 0xff
    total = 20 + len(l4)
    header = struct.pack("!BBHHHBBH", 0x45, tos, total, identification,
                         0x4000 if total > MAY_FRAGMENT else 0, frame[21] - 1, kind, 0)
    return bed.seal(bed.mac_bytes(macs[1]) + bed.mac_bytes(macs[0]) + b"\x08\0" + header +
                    b"".join(map(socket.inet_aton, addresses)) +
                    struct.pack("!HH", *ports) + l4[4:])


def to_ipv6(frame, macs, addresses, ports):
    """The frame over IPv4 as it has to leave over IPv6."""
    l4 = frame[34:bed.ip_length(frame)]
    header = struct.pack("!IHBB", 0x60000000 | frame[15] << 20, len(l4), frame[23], frame[22] - 1)
    return bed6.seal(bed.mac_bytes(macs[1]) + bed.mac_bytes(macs[0]) + b"\x86\xdd" + header +
                     b"".join(map(bed6.packed, addresses)) + struct.pack("!HH", *ports) + l4[4:])


class Talk64(Talk6):
    """One client's connection over IPv6 to a backend over IPv4, judged packet by packet."""

    def __init__(self, here, protocol=UDP, port=40000, **options):
        super().__init__(here, protocol, port, **options)
        self.virtual = (VIRTUAL64, self.virtual[1])
        self.identification = None  # of the last packet to the backend

    def reply(self, payload=b"", ip=None, ext=None, **l4):
        packet = IP(src=self.backend[0], dst=self.local[0], **(ip or {})) / \
            self.protocol(sport=self.backend[1], dport=self.local[1], **l4)
        return bytes(Ether(src=bed.mac_of(self.backend[0]), dst=self.bed.mac["lan"]) / packet /
                     Raw(payload))

    def carry_up(self, frame):
        self.bed.send("wan", frame)
        found = self.bed.expect("lan")
        equal(found[12:14], b"\x08\0", "ethertype to the backend")
        if not self.local:
            self.local, self.backend = bed.endpoints(found)
        identification = int.from_bytes(found[18:20], "big")
        assert identification != self.identification, "one identification for two packets"
        self.identification = identification
        bed.same(found, to_ipv4(frame, (self.bed.mac["lan"], bed.mac_of(self.backend[0])),
                                (self.local[0], self.backend[0]),
                                (self.local[1], self.backend[1]), identification),
                 "to the backend")
        return found

    def carry_down(self, frame):
        self.bed.send("lan", frame)
        found = self.bed.expect("wan")
        equal(found[12:14], b"\x86\xdd", "ethertype to the client")
        bed6.same(found, to_ipv6(frame, (self.bed.mac["wan"], self.client_mac),
                                 (self.virtual[0], self.client[0]),
                                 (self.virtual[1], self.client[1])), "to the client")
        return found
