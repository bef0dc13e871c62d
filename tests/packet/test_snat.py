#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""SNAT over either family: hosts on the lan side reach out by the wan side. Every field of every
packet."""

import random
import struct

from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN

import bed as bed4
import bed6
from bed import ARP, BROADCAST, ICMP, TCP, UDP, Ether, Raw
from bed6 import CONFIG, Bed6, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from snat import ECHO, L4, PLACES, POLICY, PROTOCOL, config as snat_config, host_prefix, open_talk
from test_icmp_related import FAMILY, as_sent, each_error, error_about, ip_of, judge
import checks
from checks import equal, eventually

FAMILIES = {bed4: "IPv4", bed6: "IPv6"}
PORTS = (65536 - 1024) // 2  # of one local address, of one of two workers
OF_TCP = {"flags": "PA", "seq": 2, "ack": 2}


def config(*policies, **more):
    return snat_config(*policies, base=CONFIG, **more)


def payload(length, seed=0):
    return random.Random(length * 7 + seed).randbytes(length)


def fields(bed, kit, protocol, port):
    talk = open_talk(bed, kit, protocol, port)
    l4 = {"flags": "PA", "seq": 0xfffffff0, "ack": 7} if protocol is TCP else {}
    most = 1460 if kit is bed4 else 1440
    for length in (0, 1, 2, 3, 17, 63, 512, most - 1, most):
        up, down = ({"id": length, "tos": length & 0xfc}, {"id": 65535 - length, "flags": "DF"})
        if kit is bed6:
            up, down = {"fl": length, "tc": length & 0xfc}, {"fl": 0xfffff - length}
        talk.up(payload(length), ip=up, **l4)
        talk.down(payload(length, 1), ip=down, **l4)
    for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63, b"\0\xff" * 32):
        talk.up(pattern, **l4)
        talk.down(pattern, **l4)
    talk.up(b"x", ip={"ttl" if kit is bed4 else "hlim": 2}, **l4)
    if protocol is UDP and kit is bed4:
        talk.up(b"without", chksum=0)
        talk.down(b"without", chksum=0)
    if kit is bed6:
        last = {ICMP: 58, UDP: 17, TCP: 6}[protocol]
        for ext in ((IPv6ExtHdrDestOpt(nh=last, options=[PadN(optdata=b"\0" * 4)]),),
                    (IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(nh=last))):
            talk.up(b"behind", ext=ext, **l4)
            talk.down(b"behind", ext=ext, **l4)
    place = PLACES[kit]
    far = open_talk(bed, kit, protocol, port + 1, outside=place.far, via=place.gateway)
    far.up(b"far away", **l4)
    far.down(b"from afar", **l4)


def listed(bed, talk):
    found = [c for c in bed.connections(snat_policy="out", client_address=talk.client[0])
             if c.get("clientPort", 0) == talk.client[1]]
    equal(len(found), 1, "connections of the host's port")
    return found[0]


def said(bed, kit):
    """What the API tells of connections, policies and flows."""
    place = PLACES[kit]
    for n, (protocol, state) in enumerate(((UDP, "udp"), (TCP, "established"), (ICMP, "icmp"))):
        before = policy_stats(bed)
        talk = open_talk(bed, kit, protocol, 45000 + n)
        one = listed(bed, talk)
        equal((one["mode"], one["state"], one["snatPolicy"]), ("snat", state, "out"), "connection")
        equal(one["protocol"], f"PROTOCOL_{protocol.__name__}", "protocol")
        equal((one["localAddress"], one["localPort"]), talk.local, "local address")
        equal((one["backendAddress"], one.get("backendPort", 0)), talk.virtual, "outside")
        equal([one.get(n, "") for n in ("virtualServer", "backend")], ["", ""], "names")
        flow = bed.api.call("ConnectionService/LookupFlow", {
            "protocol": one["protocol"], "client_address": place.inside,
            "client_port": talk.client[1], "virtual_address": place.client,
            "virtual_port": talk.virtual[1]})
        equal({**flow["connection"], "idleSeconds": 0, "ageSeconds": 0},
              {**one, "idleSeconds": 0, "ageSeconds": 0}, "looked up")
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


def matching(bed, kit):
    """Each policy by one thing more than source: what matches it, and what does not."""
    place = PLACES[kit]

    def with_policy(**more):
        bed.apply(config({**POLICY, "source_prefixes": [place.prefix], **more}))

    def passes(protocol, port, kit=kit, **hosts):
        open_talk(bed, kit, protocol, port, **hosts)

    def refused(protocol, port, kit=kit, **hosts):
        talk = PLACES[kit].talk(bed, protocol, port, **hosts)
        bed.dropped({"no_service": 1}, lambda: bed.send("lan", talk.opens()))

    for n, protocol in enumerate((UDP, TCP, ICMP)):
        port = 46000 + 100 * n
        with_policy()
        refused(protocol, port, host=place.stranger)
        equal(lookup(bed, protocol, place.stranger, place.client), "", "a stranger")
        with_policy(source_prefixes=[host_prefix(place.neighbour), host_prefix(place.inside)])
        passes(protocol, port + 1)
        passes(protocol, port + 2, host=place.neighbour)
        refused(protocol, port + 3, host=place.host.format(152))
        with_policy(destination_prefixes=[place.far_prefix, host_prefix(place.gateway)])
        passes(protocol, port + 4, outside=place.far, via=place.gateway)
        refused(protocol, port + 5)
        equal([lookup(bed, protocol, place.inside, a) for a in (place.far, place.client)],
              ["out", ""], "looked up")
        with_policy(protocol=protocol.__name__.lower())
        for other in (UDP, TCP, ICMP):
            (passes if other is protocol else refused)(other, port + 6)
        with_policy(in_interface="lan")
        passes(protocol, port + 7)
        equal([lookup(bed, protocol, place.inside, place.client, **i) for i in
               ({}, {"in_interface": "lan"}, {"in_interface": "wan"})], ["", "out", ""], "by port")
        with_policy(in_interface="wan")
        refused(protocol, port + 8)
        with_policy(source_prefixes=["0.0.0.0/0" if kit is bed4 else "::/0"])
        passes(protocol, port + 9)
        refused(protocol, port + 10, kit=bed6 if kit is bed4 else bed4)
    bed.apply(config({**POLICY, "name": "b", "priority": 5}, {**POLICY, "priority": 7},
                     {**POLICY, "name": "a", "priority": 5}))
    equal(lookup(bed, UDP, place.inside, place.client), "a", "the lowest priority, then the name")
    before = policy_stats(bed, "a")["connections"]
    passes(UDP, 46900)
    equal(policy_stats(bed, "a")["connections"] - before, 1, "connections of the first")
    bed.apply(config(POLICY))


def strays(bed, kit):
    """What opens nothing, and what is not let out whatever policies say."""
    place = PLACES[kit]
    for flags in ("A", "SA", "FA", "R", "PA", "SF"):
        talk = place.talk(bed, TCP, 47000)
        bed.dropped({"no_connection": 1},
                    lambda t=talk, f=flags: bed.send("lan", t.request(flags=f)))
    talk = place.talk(bed, ICMP, 47001)
    talk.local = (place.locals[0], 4711)
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", talk.reply(b"unasked")))
    for kind in place.types:
        bed.dropped({"icmp_type": 1}, lambda k=kind: bed.send("lan", talk.request(type=k)))
    bed.dropped({"icmp_type": 1}, lambda: bed.send("lan", talk.request(code=1)))
    for address in place.no_host:
        for protocol in (UDP, ICMP):
            lost = place.talk(bed, protocol, 47002, outside=address)
            lost.virtual = (address, 0 if protocol is ICMP else 53)
            bed.dropped({"no_service": 1}, lambda t=lost: bed.send("lan", t.opens()))
    open_talk(bed, kit, ICMP, 0)  # an identifier as any other
    short = Ether(src=kit.mac_of(place.inside), dst=bed.mac["lan"]) / \
        kit.IP_LAYER(src=place.inside, dst=place.client, **PROTOCOL[kit])
    bed.dropped({"l4_short": 1}, lambda: bed.send("lan", kit.seal(
        bytes(short / Raw(bytes((ECHO[kit][0], 0, 0, 0)))))))


def ours(bed, kit):
    """Our own addresses are no outside: a virtual server is one from inside, too; echo is answered."""
    place = PLACES[kit]
    bed.host("lan", place.inside)
    macs = {"src": kit.mac_of(place.inside), "dst": bed.mac["lan"]}
    bed.send("lan", bytes(Ether(**macs) / kit.IP_LAYER(src=place.inside, dst=place.virtual) /
                          UDP(sport=47100, dport=53) / Raw(b"hairpin")))
    bed.expect("lan")
    one = [c for c in bed.connections(client_address=place.inside) if c.get("clientPort") == 47100]
    equal([c["mode"] for c in one], ["fullnat"], "modes")
    for address in (place.wan, place.lan, place.virtual, place.locals[0]):
        talk = place.talk(bed, ICMP, 9)
        talk.virtual = (address, 0)
        bed.send("lan", talk.request(b"you?"))
        answer = bed.expect("lan")
        at = L4[kit](answer)
        equal(kit.endpoints(answer)[0][0], address, "who answers")
        equal((answer[at], answer[at + 4:at + 6]), (ECHO[kit][1], b"\0\x09"), "the answer")


def asked_for(bed, kit):
    """The pool's addresses are ours on the link that they are of, and nowhere else."""
    place = PLACES[kit]
    for address in place.locals:
        for side, asker in (("wan", place.client), ("lan", place.inside)):
            bed.send(side, solicitation(kit, address, asker))
            if side == "wan":
                found = Ether(bed.expect(side))
                equal((found.dst, found.src), (kit.mac_of(asker), bed.mac[side]), "MACs")
            else:
                bed.expect_nothing()


def solicitation(kit, target, source):
    mac = kit.mac_of(source)
    if kit is bed4:
        return bytes(Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=source, pdst=target))
    group, group_mac = bed6.solicited(target)
    return bytes(Ether(src=mac, dst=group_mac) / IPv6(src=source, dst=group, hlim=255) /
                 ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=mac))


def about_request(bed, talk, up):
    """From outside: whoever sent it, the host inside sees who that was."""
    sent, left = up
    kit = talk.kit
    for what, size in each_error(kit):
        frame = error_about(bed, "wan", ip_of(left, kit), talk.local[0], what, size, kit=kit)
        bed.send("wan", frame)
        judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], talk.client_mac),
              (FAMILY[kit].router, talk.client[0]), as_sent(sent, size, 1, kit), kit)


def about_reply(bed, talk, down):
    """From inside: the outside sees the local address alone."""
    sent, left = down
    kit = talk.kit
    for what, size in each_error(kit):
        frame = error_about(bed, "lan", ip_of(left, kit), talk.virtual[0], what, size,
                            source=talk.place.neighbour, kit=kit)
        bed.send("lan", frame)
        judge(bed, "wan", frame, bed.expect("wan"), (bed.mac["wan"], talk.outside_mac),
              (talk.local[0], talk.virtual[0]), as_sent(sent, size, 1, kit), kit)


def errors(bed, kit, protocol, port):
    talk = open_talk(bed, kit, protocol, port)
    l4 = OF_TCP if protocol is TCP else {}
    sent = talk.request(b"question" * 80, **l4)
    about_request(bed, talk, (sent, talk.carry_up(sent)))
    sent = talk.reply(b"answer" * 100, **l4)
    about_reply(bed, talk, (sent, talk.carry_down(sent)))
    if protocol is UDP and kit is bed4:
        sent = talk.request(b"q" * 30, chksum=0)
        left = talk.carry_up(sent)
        frame = error_about(bed, "wan", ip_of(left), talk.local[0])
        bed.send("wan", frame)
        judge(bed, "lan", frame, bed.expect("lan"), (bed.mac["lan"], talk.client_mac),
              (FAMILY[kit].router, talk.client[0]), as_sent(sent, 28, 1))


def ours_about(bed, kit, protocol, port):
    """An error of our own: the packet is quoted as it came."""
    talk = open_talk(bed, kit, protocol, port)
    l4 = OF_TCP if protocol is TCP else {}
    frame = talk.request(b"x", ip={"ttl" if kit is bed4 else "hlim": 1}, **l4)
    bed.send("lan", frame)
    error = bed.expect("lan")
    at = L4[kit](error)
    equal(struct.unpack("!BB", error[at:at + 2]), (11, 0) if kit is bed4 else (3, 0), "the error")
    equal(bytes(error[at + 8:at + 16 + kit.IP_BYTES]), frame[14:22 + kit.IP_BYTES], "quoted")


def many(bed, kit, steering):
    """Flows to many places over both workers, replies found; a host keeps its local address."""
    place = PLACES[kit]
    before, talks = bed.counters(), []
    for n in range(60):
        for protocol in (UDP, TCP, ICMP):
            talk = place.talk(bed, protocol, 20000 + n, host=place.host.format(200 + n % 20),
                              outside=place.far_host.format(1 + n), via=place.gateway)
            talk.carry_up(talk.opens())
            talks.append(talk)
    random.Random(1).shuffle(talks)
    for talk in talks:
        talk.down(b"a", **({"flags": "SA"} if talk.protocol is TCP else {}))
    found = [c for c in bed.connections(snat_policy="out") if c["backendAddress"] in
             {t.virtual[0] for t in talks}]
    equal({c.get("worker", 0) for c in found}, {0, 1}, "workers")
    by_host = {}
    for talk in talks:
        by_host.setdefault(talk.client[0], set()).add(talk.local[0])
    assert all(len(seen) == 1 for seen in by_host.values()), f"local addresses {by_host}"
    equal(set.union(*by_host.values()), set(place.locals), "local addresses in use")
    if steering == "none":
        assert bed.counters()["redirect_out"] > before["redirect_out"], "nothing was redirected"


def limit(bed, kit):
    """max_connections: the next is refused by name, the open ones go on."""
    host = PLACES[kit].neighbour
    bed.apply(config({**POLICY, "name": "few", "priority": 1, "max_connections": 3,
                      "source_prefixes": [host_prefix(host)]}, POLICY))
    talks = [open_talk(bed, kit, p, 48000 + n, host=host)
             for n, p in enumerate((UDP, ICMP, UDP))]
    late = PLACES[kit].talk(bed, UDP, 48010, host=host)
    bed.dropped({"server_limit": 1}, lambda: bed.send("lan", late.opens()))
    for talk in talks:
        talk.up(b"goes on")
    equal(policy_stats(bed, "few")["activeConnections"], 3, "open")
    bed.apply(config(POLICY))


def exhausted(bed, kit):
    """All ports of the only local address towards one place are taken: the next have a reason."""
    place = PLACES[kit]
    bed.apply(config(POLICY, locals_=["192.0.2.30", "2001:db8:1::30"]))
    frame = bytearray(place.talk(bed, UDP, 1, outside=place.far).request(b"flood", chksum=0x5eed))
    at = L4[kit](frame)
    host = 29 if kit is bed4 else 37  # the last byte of the source
    before, start = bed.drops(), received(bed)
    for n in range(PORTS + 50):
        frame[host] = 150 + n // 60000
        struct.pack_into("!H", frame, at, 1 + n % 60000)
        if kit is bed4:
            frame[24:26] = b"\0\0"
            frame[24:26] = bed4.checksum(bytes(frame[14:34])).to_bytes(2, "big")
        bed.send("lan", frame)
        if n % 200 == 199:
            bed.settle(0)
            bed.forget()
            eventually(5, "the workers' taking what was sent",
                       lambda n=n: received(bed) - start > n)
    equal(bed.drops_since(before, {"no_local_port": 50}, 5), {"no_local_port": 50}, "drops")
    bed.api.call("ConnectionService/DeleteConnections", {"snat_policy": "out"})
    bed.apply(config(POLICY))


def received(bed):
    return sum(int(p.get("rxPackets", 0)) for p in bed.stats()["ports"] if p["name"] == "lan")


def cases(bed, steering):
    for kit, family in FAMILIES.items():
        for n, protocol in enumerate((UDP, TCP, ICMP)):
            what = f"{protocol.__name__} over {family}"
            yield f"{what}: every field", lambda: fields(bed, kit, protocol, 41000 + 10 * n)
            yield f"{what}: errors, both ways", lambda: errors(bed, kit, protocol, 42000 + n)
            yield f"{what}: TTL", lambda: ours_about(bed, kit, protocol, 43000 + n)
        yield f"many flows over both workers, {family}", lambda: many(bed, kit, steering)
        yield f"what the API says, {family}", lambda: said(bed, kit)
        yield f"policies by all they have, {family}", lambda: matching(bed, kit)
        yield f"strays, {family}", lambda: strays(bed, kit)
        yield f"our own addresses, {family}", lambda: ours(bed, kit)
        yield f"the pool's addresses are answered for, {family}", lambda: asked_for(bed, kit)
        yield f"limit, {family}", lambda: limit(bed, kit)
        yield f"ports exhausted, {family}", lambda: exhausted(bed, kit)


def tests(report):
    for steering in ("auto", "none"):
        with Bed6("--steering", steering, config=config(POLICY)) as bed:
            for name, run in cases(bed, steering):
                with report.case(f"{name} (steering {steering})"):
                    run()
                bed.settle()
                bed.forget()


if __name__ == "__main__":
    checks.main(tests)
