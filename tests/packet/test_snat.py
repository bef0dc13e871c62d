#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""SNAT: hosts on the lan side reach out by the wan side. Every field of every packet."""

import copy
import random
import struct

from bed import CLIENT, CONFIG, GATEWAY, ICMP, LAN, TCP, UDP, VIRTUAL, WAN, Bed, Ether, IP, Raw, \
    Talk, mac_bytes, mac_of, same, seal
from test_icmp_related import FAMILY, as_sent, each_error, error_about, ip_of, judge
import checks
from checks import equal, eventually

OUTSIDE = ("192.0.2.20", "192.0.2.21")
INSIDE, NEIGHBOUR, STRANGER = "198.51.100.150", "198.51.100.151", "198.51.100.30"
FAR = "203.0.113.7"  # behind the gateway
PORTS = (65536 - 1024) // 2  # of one local address, of one of two workers
POLICY = {"name": "out", "priority": 10, "source_prefixes": ["198.51.100.128/25"],
          "local_address_pool": "outside"}


def config(*policies):
    made = copy.deepcopy(CONFIG)
    made["local_address_pools"].append({"name": "outside", "addresses": list(OUTSIDE)})
    return {**made, "snat_policies": list(policies), "timeouts": {"udp": 600, "icmp": 600}}


class SnatTalk(Talk):
    """A host inside and one outside; `local` is what this one sees, known after the first packet."""

    def __init__(self, bed, protocol, port=40000, host=INSIDE, outside=CLIENT, via=None):
        virtual = (outside, 0 if protocol is ICMP else 7777)
        super().__init__(bed, protocol, port, client=host, virtual=virtual)
        self.outside_mac = mac_of(via or outside)
        bed.host("lan", host)

    def _frame(self, macs, source, destination, payload, ip, ext, l4):
        if self.protocol is not ICMP:
            return super()._frame(macs, source, destination, payload, ip, ext, l4)
        asks = source == self.client
        l4 = {"type": 8 if asks else 0, "id": source[1] if asks else destination[1], **l4}
        return bytes(Ether(src=macs[0], dst=macs[1]) /
                     IP(src=source[0], dst=destination[0], **(ip or {})) / ICMP(**l4) /
                     Raw(payload))

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
            at = 38 if self.protocol is ICMP else 34
            self.local = (IP(found[14:34]).src, struct.unpack("!H", found[at:at + 2])[0])
            assert self.local[0] in OUTSIDE, f"from {self.local[0]}"
        wanted = self.moved(frame, (self.bed.mac["wan"], self.outside_mac), self.local,
                            self.virtual)
        same(found, wanted, "to the outside")
        return found

    def carry_down(self, frame):
        self.bed.send("wan", frame)
        return self.judge_down(frame, self.bed.expect("lan"))

    def judge_down(self, frame, found):
        wanted = self.moved(frame, (self.bed.mac["lan"], self.client_mac), self.virtual,
                            self.client)
        same(found, wanted, "to the inside")
        return found

    def moved(self, frame, macs, source, destination):
        b = bytearray(frame)
        b[0:12] = mac_bytes(macs[1]) + mac_bytes(macs[0])
        b[22] -= 1
        b[26:34] = IP(src=source[0], dst=destination[0]).build()[12:20]
        if self.protocol is ICMP:
            b[38:40] = struct.pack("!H", source[1] or destination[1])
        else:
            b[34:38] = struct.pack("!HH", source[1], destination[1])
        return seal(bytes(b))

    def opens(self):
        return self.request(b"first", **({"flags": "S"} if self.protocol is TCP else {}))


def payload(length, seed=0):
    return random.Random(length * 7 + seed).randbytes(length)


def open_talk(bed, protocol, port, **hosts):
    talk = SnatTalk(bed, protocol, port, **hosts)
    talk.carry_up(talk.opens())
    if protocol is TCP:
        talk.down(flags="SA", seq=1, ack=2)
        talk.up(flags="A", seq=2, ack=2)
    return talk


def fields(bed, protocol, port):
    talk = open_talk(bed, protocol, port)
    l4 = {"flags": "PA", "seq": 0xfffffff0, "ack": 7} if protocol is TCP else {}
    for length in (0, 1, 2, 3, 17, 63, 512, 1459, 1460):
        talk.up(payload(length), ip={"id": length, "tos": length & 0xfc}, **l4)
        talk.down(payload(length, 1), ip={"id": 65535 - length, "flags": "DF"}, **l4)
    for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63, b"\0\xff" * 32):
        talk.up(pattern, **l4)
        talk.down(pattern, **l4)
    talk.up(b"x", ip={"ttl": 2}, **l4)
    if protocol is UDP:
        talk.up(b"without", chksum=0)
        talk.down(b"without", chksum=0)
    far = open_talk(bed, protocol, port + 1, outside=FAR, via=GATEWAY)
    far.up(b"far away", **l4)
    far.down(b"from afar", **l4)


def listed(bed, talk):
    found = [c for c in bed.connections(snat_policy="out") if c.get("clientPort", 0) == talk.client[1]]
    equal(len(found), 1, "connections of the host's port")
    return found[0]


def said(bed):
    """What the API tells of connections, policies and flows."""
    for n, (protocol, state) in enumerate(((UDP, "udp"), (TCP, "established"), (ICMP, "icmp"))):
        before = policy_stats(bed)
        talk = open_talk(bed, protocol, 45000 + n)
        one = listed(bed, talk)
        equal((one["mode"], one["state"], one["snatPolicy"]), ("snat", state, "out"), "connection")
        equal(one["protocol"], f"PROTOCOL_{protocol.__name__}", "protocol")
        equal((one["localAddress"], one["localPort"]), talk.local, "local address")
        equal((one["backendAddress"], one.get("backendPort", 0)), talk.virtual, "outside")
        equal([one.get(n, "") for n in ("virtualServer", "backend")], ["", ""], "names")
        flow = bed.api.call("ConnectionService/LookupFlow", {
            "protocol": one["protocol"], "client_address": INSIDE, "client_port": talk.client[1],
            "virtual_address": CLIENT, "virtual_port": talk.virtual[1]})
        equal(flow["connection"], {**one, "idleSeconds": flow["connection"].get("idleSeconds", 0)}
              if "idleSeconds" in flow["connection"] else one, "looked up")
        equal(flow.get("snatPolicy"), "out", "its policy")
        now = policy_stats(bed)
        equal(now["connections"] - before["connections"], 1, "connections opened")
        assert now["inPackets"] > before["inPackets"], "packets counted"
    equal(len(bed.connections(protocol="icmp")), len([c for c in bed.connections()
                                                      if c["state"] == "icmp"]), "by protocol")


def policy_stats(bed, name="out"):
    found = [p for p in bed.stats()["snatPolicies"] if p["name"] == name]
    equal(len(found), 1, f"policies {name}")
    return {k: int(found[0].get(k, 0)) for k in ("connections", "activeConnections", "inPackets")}


def lookup(bed, protocol, source, destination, **more):
    flow = bed.api.call("ConnectionService/LookupFlow", {
        "protocol": protocol.__name__.lower(), "client_address": source, "client_port": 39999,
        "virtual_address": destination, "virtual_port": 0 if protocol is ICMP else 7777, **more})
    return flow.get("snatPolicy", "")


def matching(bed):
    """Each policy by one thing more than source: what matches it, and what does not."""
    def with_policy(**fields):
        bed.apply(config({**POLICY, **fields}))

    def passes(protocol, port, **hosts):
        open_talk(bed, protocol, port, **hosts)

    def refused(protocol, port, **hosts):
        talk = SnatTalk(bed, protocol, port, **hosts)
        bed.dropped({"no_service": 1}, lambda: bed.send("lan", talk.opens()))

    for n, protocol in enumerate((UDP, TCP, ICMP)):
        port = 46000 + 100 * n
        with_policy()
        refused(protocol, port, host=STRANGER)
        equal(lookup(bed, protocol, STRANGER, CLIENT), "", "a stranger")
        with_policy(source_prefixes=["198.51.100.151/32", "198.51.100.150/32"])
        passes(protocol, port + 1)
        passes(protocol, port + 2, host=NEIGHBOUR)
        refused(protocol, port + 3, host="198.51.100.152")
        with_policy(destination_prefixes=["203.0.113.0/26", "192.0.2.253/32"])
        passes(protocol, port + 4, outside=FAR, via=GATEWAY)
        refused(protocol, port + 5)
        equal([lookup(bed, protocol, INSIDE, a) for a in (FAR, CLIENT)], ["out", ""], "looked up")
        with_policy(protocol=protocol.__name__.lower())
        for other in (UDP, TCP, ICMP):
            (passes if other is protocol else refused)(other, port + 6)
        with_policy(in_interface="lan")
        passes(protocol, port + 7)
        equal([lookup(bed, protocol, INSIDE, CLIENT, **i) for i in
               ({}, {"in_interface": "lan"}, {"in_interface": "wan"})], ["", "out", ""], "by port")
        with_policy(in_interface="wan")
        refused(protocol, port + 8)
    bed.apply(config({**POLICY, "name": "b", "priority": 5}, {**POLICY, "priority": 7},
                     {**POLICY, "name": "a", "priority": 5}))
    equal(lookup(bed, UDP, INSIDE, CLIENT), "a", "the lowest priority, then the name")
    before = policy_stats(bed, "a")["connections"]
    passes(UDP, 46900)
    equal(policy_stats(bed, "a")["connections"] - before, 1, "connections of the first")
    bed.apply(config(POLICY))


def strays(bed):
    """What opens nothing, and what is not let out whatever policies say."""
    for flags in ("A", "SA", "FA", "R", "PA", "SF"):
        talk = SnatTalk(bed, TCP, 47000)
        bed.dropped({"no_connection": 1},
                    lambda t=talk, f=flags: bed.send("lan", t.request(flags=f)))
    talk = SnatTalk(bed, ICMP, 47001)
    talk.local = (OUTSIDE[0], 4711)
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", talk.reply(b"unasked")))
    for what, why in ((13, "icmp_type"), (0, "icmp_type"), (5, "icmp_type")):
        bed.dropped({why: 1}, lambda t=talk, w=what: bed.send("lan", t.request(type=w)))
    for address in ("224.0.0.9", "255.255.255.255", "127.0.0.1", "0.0.0.1"):
        for protocol in (UDP, ICMP):
            talk = SnatTalk(bed, protocol, 47002, outside=address)
            bed.dropped({"no_service": 1}, lambda t=talk: bed.send("lan", t.opens()))
    open_talk(bed, ICMP, 0)  # an identifier as any other
    bed.dropped({"l4_short": 1}, lambda: bed.send("lan", seal(
        bytes(Ether(src=mac_of(INSIDE), dst=bed.mac["lan"]) /
              IP(src=INSIDE, dst=CLIENT, proto=1)) + b"\x08\0\0\0")))


def ours(bed):
    """Our own addresses are no outside: a virtual server is one from inside, too; echo is answered."""
    bed.host("lan", INSIDE)
    frame = bytes(Ether(src=mac_of(INSIDE), dst=bed.mac["lan"]) / IP(src=INSIDE, dst=VIRTUAL) /
                  UDP(sport=47100, dport=53) / Raw(b"hairpin"))
    bed.send("lan", frame)
    bed.expect("lan")
    one = [c for c in bed.connections(client_address=INSIDE) if c.get("clientPort") == 47100]
    equal([c["mode"] for c in one], ["fullnat"], "modes")
    for address in (WAN, LAN, VIRTUAL, OUTSIDE[0]):
        bed.send("lan", bytes(Ether(src=mac_of(INSIDE), dst=bed.mac["lan"]) /
                              IP(src=INSIDE, dst=address) / ICMP(type=8, id=9) / Raw(b"you?")))
        answer = IP(bed.expect("lan")[14:])
        equal((answer.src, answer[ICMP].type, answer[ICMP].id), (address, 0, 9), "the answer")


def about_request(bed, talk, up):
    """From outside: whoever sent it, the host inside sees who that was."""
    sent, left = up
    for what, size in each_error(talk.kit):
        frame = error_about(bed, "wan", ip_of(left), talk.local[0], what, size)
        bed.send("wan", frame)
        judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], talk.client_mac),
              (FAMILY[talk.kit].router, talk.client[0]), as_sent(sent, size, 1))


def about_reply(bed, talk, down):
    """From inside: the outside sees the local address alone."""
    sent, left = down
    for what, size in each_error(talk.kit):
        frame = error_about(bed, "lan", ip_of(left), talk.virtual[0], what, size,
                            source=NEIGHBOUR)
        bed.send("lan", frame)
        judge(bed, "wan", frame, bed.expect("wan"), (bed.mac["wan"], talk.outside_mac),
              (talk.local[0], talk.virtual[0]), as_sent(sent, size, 1))


def errors(bed, protocol, port):
    talk = open_talk(bed, protocol, port)
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    sent = talk.request(b"question" * 80, **l4)
    about_request(bed, talk, (sent, talk.carry_up(sent)))
    sent = talk.reply(b"answer" * 100, **l4)
    about_reply(bed, talk, (sent, talk.carry_down(sent)))
    if protocol is UDP:
        sent = talk.request(b"q" * 30, chksum=0)
        left = talk.carry_up(sent)
        frame = error_about(bed, "wan", ip_of(left), talk.local[0])
        bed.send("wan", frame)
        judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], talk.client_mac),
              (FAMILY[talk.kit].router, INSIDE), as_sent(sent, 28, 1))


def ours_about(bed, protocol, port):
    """Errors of our own: the packet is quoted as it came."""
    talk = open_talk(bed, protocol, port)
    l4 = {"flags": "PA", "seq": 2, "ack": 2} if protocol is TCP else {}
    for frame, want in ((talk.request(b"x", ip={"ttl": 1}, **l4), (11, 0, 0)),
                        (talk.request(b"x" * 1600, ip={"flags": "DF"}, **l4), (3, 4, 1500))):
        if want[0] == 3 and len(frame) > 1514:
            continue  # the lan side's kernel sends no such frame
        bed.send("lan", frame)
        error = bed.expect("lan")
        equal(struct.unpack("!BB", error[34:36]), want[:2], "type and code")
        equal(bytes(error[42:62]), frame[14:34], "quoted header")
        equal(bytes(error[62:70]), frame[34:42], "quoted 8 bytes")


def many(bed, steering):
    """Flows to many places over both workers, replies found; a host keeps its local address."""
    before = bed.counters()
    talks = []
    for n in range(60):
        for protocol in (UDP, TCP, ICMP):
            talk = SnatTalk(bed, protocol, 20000 + n, host=f"198.51.100.{200 + n % 20}",
                            outside=f"203.0.113.{1 + n}", via=GATEWAY)
            talk.carry_up(talk.opens())
            talks.append(talk)
    random.Random(1).shuffle(talks)
    for talk in talks:
        talk.down(b"a", **({"flags": "SA"} if talk.protocol is TCP else {}))
    found = bed.connections(snat_policy="out")
    equal({c.get("worker", 0) for c in found}, {0, 1}, "workers")
    by_host = {}
    for talk in talks:
        by_host.setdefault(talk.client[0], set()).add(talk.local[0])
    assert all(len(seen) == 1 for seen in by_host.values()), f"local addresses {by_host}"
    equal(set.union(*by_host.values()), set(OUTSIDE), "local addresses in use")
    if steering == "none":
        assert bed.counters()["redirect_out"] > before["redirect_out"], "nothing was redirected"


def limit(bed):
    """max_connections: the next is refused by name, the open ones go on."""
    bed.apply(config({**POLICY, "name": "few", "priority": 1, "max_connections": 3,
                      "source_prefixes": [f"{NEIGHBOUR}/32"]}, POLICY))
    talks = [open_talk(bed, p, 48000 + n, host=NEIGHBOUR)
             for n, p in enumerate((UDP, ICMP, UDP))]
    late = SnatTalk(bed, UDP, 48010, host=NEIGHBOUR)
    bed.dropped({"server_limit": 1}, lambda: bed.send("lan", late.opens()))
    for talk in talks:
        talk.up(b"goes on")
    equal(policy_stats(bed, "few")["activeConnections"], 3, "open")
    bed.apply(config(POLICY))


def exhausted(bed):
    """All ports of the only local address towards one place are taken: the next have a reason."""
    made = config(POLICY)
    made["local_address_pools"][1]["addresses"] = ["192.0.2.30"]
    bed.apply(made)
    frame = bytearray(SnatTalk(bed, UDP, 1, outside=FAR).request(b"flood", chksum=0))
    before, start = bed.drops(), received(bed)
    for n in range(PORTS + 50):
        frame[29] = 150 + n // 60000
        struct.pack_into("!H", frame, 34, 1 + n % 60000)
        bed.send("lan", frame)
        if n % 200 == 199:
            bed.settle(0)
            bed.forget()
            eventually(5, "the workers' taking what was sent",
                       lambda n=n: received(bed) - start > n)
    equal(bed.drops_since(before, {"no_local_port": 50}, 5), {"no_local_port": 50}, "drops")


def received(bed):
    return sum(int(p.get("rxPackets", 0)) for p in bed.stats()["ports"] if p["name"] == "lan")


def tests(report):
    for steering in ("auto", "none"):
        with Bed("--steering", steering, config=config(POLICY)) as bed:
            cases = [(f"{p.__name__}: every field", lambda p=p, n=n: fields(bed, p, 41000 + 10 * n))
                     for n, p in enumerate((UDP, TCP, ICMP))]
            cases += [(f"{p.__name__}: errors, both ways",
                       lambda p=p, n=n: errors(bed, p, 42000 + n))
                      for n, p in enumerate((UDP, TCP, ICMP))]
            cases += [(f"{p.__name__}: TTL", lambda p=p, n=n: ours_about(bed, p, 43000 + n))
                      for n, p in enumerate((UDP, TCP, ICMP))]
            cases += [("many flows over both workers", lambda: many(bed, steering)),
                      ("what the API says", lambda: said(bed)),
                      ("policies by source, destination, protocol, interface, order",
                       lambda: matching(bed)),
                      ("strays", lambda: strays(bed)),
                      ("our own addresses", lambda: ours(bed)),
                      ("limit", lambda: limit(bed)),
                      ("ports exhausted", lambda: exhausted(bed))]
            for name, run in cases:
                with report.case(f"{name} (steering {steering})"):
                    run()
                bed.settle()
                bed.forget()


if __name__ == "__main__":
    checks.main(tests)
