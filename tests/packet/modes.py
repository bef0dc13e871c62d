# SPDX-License-Identifier: BSD-3-Clause
"""Talks in the forwarding modes in which a backend sees the client, over either family."""

import copy
import struct

import bed
import bed6
from bed import CONFIG, LAN, Ether, IP, Talk, checksum, mac_bytes
from bed6 import LAN6, IPv6, in6_chksum
from checks import equal

PORTS = {"web": 80, "dns": 53, "drained": 9, "web6": 80, "dns6": 53}

# Where a tunnel leads to the other family's backends.
CROSSING = {"web": "192.0.2.86", "dns": "192.0.2.86",
            "web6": "2001:db8:1::84", "dns6": "2001:db8:1::84"}
OTHER = {"web": "web6", "dns": "dns6", "web6": "web", "dns6": "dns"}
SHIM = {"ipip": 0, "gre": 4, "gue": 12}  # bytes between the headers
PROTOCOL = {"ipip": {bed: 4, bed6: 41}, "gre": {bed: 47, bed6: 47}, "gue": {bed: 17, bed6: 17}}
ETHERTYPE = {bed: b"\x08\0", bed6: b"\x86\xdd"}
INTERFACE = {bed: LAN, bed6: LAN6}


def config(mode, base=CONFIG, **backend):
    """A bed's configuration with every backend in this mode, no local addresses."""
    made = copy.deepcopy(base)
    made.pop("local_address_pools")
    for pool in made["backend_pools"]:
        pool["forwarding_mode"] = mode
        for one in pool["backends"]:
            one.update(backend)
            if mode != "nat":
                one["port"] = PORTS[pool["name"]]
    for server in made["virtual_servers"]:
        server.pop("local_address_pool")
    return made


def crossing(made):
    """With virtual servers whose backends are of the other family."""
    made["virtual_servers"] += [
        dict(server, name=f"to-{OTHER[server['name']]}", address=CROSSING[server["name"]],
             backend_pool=OTHER[server["name"]])
        for server in made["virtual_servers"] if server["name"] in CROSSING]
    return made


class NatTalk(Talk):
    """The backend sees the client, and answers to it by way of us."""

    def reply_to(self):
        return self.client

    def meet(self, found):
        self.backend = self.kit.endpoints(found)[1]

    def seen_by_backend(self):
        return self.client, self.backend


class DrTalk(Talk):
    """The backend gets the packet as it came."""

    def judge_up(self, frame, found):
        mac = found[:6].hex(":")
        hosts = {self.kit.mac_of(a): a for a in self.bed.hosts["lan"]
                 if (":" in a) == (self.kit is bed6)}
        assert mac in hosts, f"to {mac}, which is no backend's"
        self.backend = (hosts[mac], self.virtual[1])
        self.compare(frame, found, "lan", mac, (self.client, self.virtual))
        return found


class NatTalk6(NatTalk):
    kit, host, service = bed6, bed6.CLIENT6, bed6.VIRTUAL6


class DrTalk6(DrTalk):
    kit, host, service = bed6, bed6.CLIENT6, bed6.VIRTUAL6


class TunnelTalk(DrTalk):
    """The backend gets the packet inside another, of the family of `outer`."""

    mode, port, via_mac, outer = "ipip", 6080, None, bed

    def judge_up(self, frame, found):
        found = found[:self.outer.ip_length(found)]
        inner = self.judge_outer(frame, found)
        mac = self.via_mac or self.outer.mac_of(self.backend[0])
        equal(found[:14], mac_bytes(mac) + mac_bytes(self.bed.mac["lan"]) + ETHERTYPE[self.outer],
              "Ethernet header")
        head = found[:12] + ETHERTYPE[self.kit]
        self.compare(frame, head + inner, "lan", mac, (self.client, self.virtual))
        return head + inner

    def judge_outer(self, frame, found):
        """Every field; returns what is inside."""
        inner = frame[14:self.kit.ip_length(frame)]
        judge = self._judge_ipv4 if self.outer is bed else self._judge_ipv6
        packet = judge(inner, Ether(found)[self.outer.IP_LAYER])
        self.backend = (packet.dst, self.virtual[1])
        equal(packet.src, INTERFACE[self.outer], "outer source")
        payload = found[14 + self.outer.IP_BYTES:]
        if self.mode == "gre":
            equal(payload[:4], b"\0\0" + ETHERTYPE[self.kit], "GRE header")
        elif self.mode == "gue":
            self._judge_gue(inner, packet, payload)
        return payload[SHIM[self.mode]:]

    def next_header(self):
        return PROTOCOL[self.mode][self.kit]

    def _inner_class(self, inner):
        return inner[1] if self.kit is bed else IPv6(inner).tc

    def _judge_ipv4(self, inner, packet):
        whole = inner[6] & 0x40 if self.kit is bed else len(inner) > 1280
        equal((packet.version, packet.ihl, packet.tos, packet.len, packet.flags.value, packet.frag,
               packet.ttl, packet.proto),
              (4, 5, self._inner_class(inner), len(inner) + 20 + SHIM[self.mode],
               2 if whole else 0, 0, 64, self.next_header()), "outer header")
        equal(checksum(bytes(packet)[:20]), 0, "header checksum")
        return packet

    def _judge_ipv6(self, inner, packet):
        equal((packet.version, packet.tc, packet.plen, packet.nh, packet.hlim),
              (6, self._inner_class(inner), len(inner) + SHIM[self.mode], self.next_header(), 64),
              "outer header")
        self.flow_label = packet.fl
        return packet

    def _judge_gue(self, inner, packet, payload):
        source, port, length, csum = struct.unpack("!HHHH", payload[:8])
        self.source_port = source
        assert source >= 0xc000, f"GUE source port {source}"
        equal((port, length), (self.port, len(inner) + 12), "UDP header")
        equal(payload[8:12], b"\0" + (b"\x04" if self.kit is bed else b"\x29") + b"\0\0",
              "GUE header")
        if self.outer is bed:
            equal(csum, 0, "UDP checksum")
        else:
            assert csum, "no UDP checksum over IPv6"
            equal(in6_chksum(17, packet, payload), 0, "sum over the UDP datagram")


def tunnel_talk(mode_, port_=6080, inner=bed, outer_=bed):
    class Made(TunnelTalk):
        mode, port, outer, kit = mode_, port_, outer_, inner
        if inner is bed6:
            host, service = bed6.CLIENT6, bed6.VIRTUAL6
        if inner is not outer_:
            service = CROSSING["web" if inner is bed else "web6"]

    return Made
