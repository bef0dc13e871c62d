# SPDX-License-Identifier: BSD-3-Clause
"""SNAT over either family: who is inside and outside, and the talks between them."""

import collections
import copy
import struct

import bed
import bed6
from bed import CONFIG, ICMP, TCP, Ether, Raw, Talk
from bed6 import Talk6

ECHO = {bed: (8, 0), bed6: (128, 129)}  # request, reply
PROTOCOL = {bed: {"proto": 1}, bed6: {"nh": 58}}
L4 = {bed: lambda frame: 34, bed6: lambda frame: bed6.l4_at(frame)[1]}


class SnatTalk(Talk):
    """A host inside and one outside; `local` is what this one sees, known after the first packet."""

    def __init__(self, bed, protocol, port=40000, host=None, outside=None, via=None):
        self.place = place = PLACES[self.kit]
        virtual = (outside or place.client, 0 if protocol is ICMP else 7777)
        super().__init__(bed, protocol, port, client=host or place.inside, virtual=virtual)
        self.outside_mac = self.kit.mac_of(via or self.virtual[0])
        bed.host("lan", self.client[0])

    def _frame(self, macs, source, destination, payload, ip, ext, l4):
        if self.protocol is not ICMP:
            return super()._frame(macs, source, destination, payload, ip, ext, l4)
        reply = source != self.client
        kind, code = l4.get("type", ECHO[self.kit][reply]), l4.get("code", 0)
        header = struct.pack("!BBHHH", kind, code, 0, (destination if reply else source)[1], 7)
        packet = self.kit.IP_LAYER(src=source[0], dst=destination[0],
                                   **({} if ext else PROTOCOL[self.kit]), **(ip or {}))
        for one in ext:
            packet = packet / one
        return self.kit.seal(bytes(Ether(src=macs[0], dst=macs[1]) / packet /
                                   Raw(header + payload)))

    def request(self, payload=b"", ip=None, ext=(), **l4):
        return self._frame((self.client_mac, self.bed.mac["lan"]), self.client, self.virtual,
                           payload, ip, ext, l4)

    def reply(self, payload=b"", ip=None, ext=(), **l4):
        return self._frame((self.outside_mac, self.bed.mac["wan"]), self.virtual, self.local,
                           payload, ip, ext, l4)

    def carry_up(self, frame):
        self.bed.send("lan", frame)
        return self.judge_up(frame, self.bed.expect("wan"))

    def judge_up(self, frame, found):
        if not self.local:
            self.local = self.kit.endpoints(found)[0]
            if self.protocol is ICMP:
                at = L4[self.kit](found) + 4
                self.local = (self.local[0], struct.unpack("!H", found[at:at + 2])[0])
            assert self.local[0] in self.place.locals, f"from {self.local[0]}"
        wanted = self.moved(frame, (self.bed.mac["wan"], self.outside_mac), self.local,
                            self.virtual)
        self.kit.same(found, wanted, "to the outside")
        return found

    def carry_down(self, frame):
        self.bed.send("wan", frame)
        return self.judge_down(frame, self.bed.expect("lan"))

    def judge_down(self, frame, found):
        wanted = self.moved(frame, (self.bed.mac["lan"], self.client_mac), self.virtual,
                            self.client)
        self.kit.same(found, wanted, "to the inside")
        return found

    def moved(self, frame, macs, source, destination):
        """As it has to leave: with these endpoints, of which echo has its identifier."""
        made = self.kit.translated(frame, macs, *zip(source, destination))
        if self.protocol is not ICMP:
            return made
        at, b = L4[self.kit](frame), bytearray(made)
        b[at:at + 4] = frame[at:at + 4]
        b[at + 4:at + 6] = struct.pack("!H", source[1] or destination[1])
        return self.kit.seal(bytes(b))

    def opens(self):
        return self.request(b"first", **({"flags": "S"} if self.protocol is TCP else {}))


class SnatTalk6(SnatTalk, Talk6):
    pass


# Of a family. `prefix` has inside and neighbour and not the stranger; far is behind the gateway.
Place = collections.namedtuple("Place", "kit talk locals inside neighbour stranger prefix client "
                               "gateway wan lan virtual far far_prefix far_host host no_host types")
PLACES = {
    bed: Place(bed, SnatTalk, ("192.0.2.20", "192.0.2.21"), "198.51.100.150", "198.51.100.151",
               "198.51.100.30", "198.51.100.128/25", bed.CLIENT, bed.GATEWAY, bed.WAN, bed.LAN,
               bed.VIRTUAL, "203.0.113.7", "203.0.113.0/26", "203.0.113.{}", "198.51.100.{}",
               ("224.0.0.9", "255.255.255.255", "127.0.0.1", "0.0.0.1"), (13, 0, 5)),
    bed6: Place(bed6, SnatTalk6, ("2001:db8:1::20", "2001:db8:1::21"), "2001:db8:2::100:150",
                "2001:db8:2::100:151", "2001:db8:2::30", "2001:db8:2::100:0/112", bed6.CLIENT6,
                bed6.GATEWAY6, bed6.WAN6, bed6.LAN6, bed6.VIRTUAL6, "2001:db8:f::7",
                "2001:db8:f::/64", "2001:db8:f::{}", "2001:db8:2::100:{}",
                ("ff0e::9", "fe80::9", "::1", "::", "::ffff:192.0.2.80"), (130, 133, 200)),
}
POLICY = {"name": "out", "priority": 10, "local_address_pool": "outside",
          "source_prefixes": [place.prefix for place in PLACES.values()]}


def host_prefix(address):
    return f"{address}/{128 if ':' in address else 32}"


def config(*policies, base=CONFIG, locals_=None):
    made = copy.deepcopy(base)
    made["local_address_pools"].append(
        {"name": "outside", "addresses": locals_ or [a for p in PLACES.values() for a in p.locals]})
    return {**made, "snat_policies": list(policies), "timeouts": {"udp": 600, "icmp": 600}}


def open_talk(here, kit, protocol, port, **hosts):
    talk = PLACES[kit].talk(here, protocol, port, **hosts)
    talk.carry_up(talk.opens())
    if protocol is TCP:
        talk.down(flags="SA", seq=1, ack=2)
        talk.up(flags="A", seq=2, ack=2)
    return talk
