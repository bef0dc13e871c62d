#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""NAT and direct return over both families: every field of every packet, owners, states, with and
without steering."""

import glob
import os
import random

import bed6
from bed import CLIENT, GATEWAY, TCP, UDP, Bed, checksum, patched
from instance import ROOT
import checks
from checks import equal
from modes import DrTalk, DrTalk6, NatTalk, NatTalk6, config

LENGTHS = (0, 1, 2, 3, 17, 63, 512, 1451, 1452)
OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (123456789, 0)), ("NOP", None),
           ("WScale", 7)]
STREAM = {"flags": "PA", "seq": 1001, "ack": 9001}


def payload(length, seed=0):
    return random.Random(length * 7 + seed).randbytes(length)


def with_sum(frame, at, wanted):
    """The frame with its last two bytes such that the checksum over it comes to `wanted`."""
    bare = patched(patched(frame, len(frame) - 2, b"\0\0"), at, b"\0\0")
    pseudo = bare[26:34] + b"\0" + bare[23:24] + (len(bare) - 34).to_bytes(2, "big")
    filler = (checksum(pseudo + bare[34:]) - wanted) % 0xffff
    return bare[:-2] + filler.to_bytes(2, "big")


def marked(talk, number):
    """Header fields that are to come through."""
    if talk.kit is bed6:
        return {"tc": number & 0xff, "fl": number}
    return {"id": number, "tos": number & 0xfc}


def listed(bed, talk):
    found = [c for c in bed.connections() if c["clientPort"] == talk.client[1]
             and c["clientAddress"] == talk.client[0]]
    equal(len(found), 1, "connections of the client's port")
    return found[0]


def udp_fields(bed, kind, both):
    talk = kind(bed, UDP, 40001)
    for length in LENGTHS + (() if talk.kit is bed6 else (1471, 1472)):
        talk.up(payload(length), ip=marked(talk, length))
        if both:
            talk.down(payload(length, 1), ip=marked(talk, 65535 - length))
    if talk.kit is bed6:  # where a checksum is not optional
        return
    for make, carry in ((talk.request, talk.carry_up), (talk.reply, talk.carry_down))[:1 + both]:
        carry(make(b"without", chksum=0))
        carry(with_sum(make(b"ab"), 40, 0)[:40] + b"\xff\xff" + with_sum(make(b"ab"), 40, 0)[42:])


def tcp_fields(bed, kind, both):
    talk = kind(bed, TCP, 41001)
    talk.up(flags="S", seq=1000, options=OPTIONS)
    if both:
        talk.down(flags="SA", seq=9000, ack=1001, options=OPTIONS)
    talk.up(flags="A", seq=1001, ack=9001)
    for flags in ("PA", "PAU", "AEC"):
        for carry in (talk.up, talk.down)[:1 + both]:
            carry(payload(100), flags=flags, seq=0xfffffff0, ack=0x80000001, window=17,
                  urgptr=5, ip={**marked(talk, 0x12b8),
                                **({} if talk.kit is bed6 else {"flags": "DF"})})
    for length in (1, 1439, 1440):
        talk.up(payload(length), **STREAM)
        if both:
            talk.down(payload(length, 2), **STREAM)
    talk.up(b"x", flags="A", ip={"hlim" if talk.kit is bed6 else "ttl": 2})
    for pattern in (b"\0" * 64, b"\xff" * 64, b"\xff" * 63, b"\0\xff" * 32):
        talk.up(pattern, **STREAM)


def far_client(bed, kind, both):
    far, via = ("2001:db8:f::7", bed6.GATEWAY6) if kind.kit is bed6 else ("203.0.113.7", GATEWAY)
    talk = kind(bed, UDP, 42000, client=far, via=via)
    talk.up(b"from afar")
    if both:
        talk.down(b"to afar")


def many_flows(bed, kind, both, steering):
    """Over both workers; what comes back is found by the client's owner."""
    before = bed.counters()
    talks = [kind(bed, protocol, 20000 + n) for n in range(100) for protocol in (TCP, UDP)]
    for talk in talks:
        talk.up(b"", **({"flags": "S"} if talk.protocol is TCP else {}))
    random.Random(1).shuffle(talks)
    for talk in talks if both else ():
        talk.down(b"a%d" % talk.client[1], **({"flags": "SA"} if talk.protocol is TCP else {}))
    found = {(c["clientPort"], c["protocol"]): c for c in bed.connections()}
    workers = set()
    for talk in talks:
        one = found[talk.client[1], "PROTOCOL_TCP" if talk.protocol is TCP else "PROTOCOL_UDP"]
        equal((one["backendAddress"], one["backendPort"]), talk.backend, "backend")
        equal(one.get("localAddress", ""), "", "local address")
        workers.add(one.get("worker", 0))
    equal(workers, {0, 1}, "workers with connections")
    if steering == "none":
        moved = bed.counters()["redirect_out"] - before["redirect_out"]
        assert moved > 0, "without steering nothing was redirected"


def nat_states(bed, kind):
    talk = kind(bed, TCP, 43001)
    talk.up(flags="S", seq=1)
    equal(listed(bed, talk)["mode"], "nat", "mode")
    equal(listed(bed, talk)["state"], "syn_sent", "after SYN")
    talk.down(flags="SA", seq=1, ack=2)
    equal(listed(bed, talk)["state"], "syn_recv", "after SYN+ACK")
    talk.up(flags="A", seq=2, ack=2)
    equal(listed(bed, talk)["state"], "established", "after ACK")
    talk.down(flags="FA", seq=2, ack=2)
    equal(listed(bed, talk)["state"], "close_wait", "after the backend's FIN")


def dr_states(bed, kind):
    """The client's side alone makes the states; a SYN after its FIN is a new connection."""
    talk = kind(bed, TCP, 43002)
    opened = bed.counters()["connections_opened"]
    talk.up(flags="S", seq=1)
    equal(listed(bed, talk)["mode"], "dr", "mode")
    equal(listed(bed, talk)["state"], "syn_sent", "after SYN")
    talk.up(flags="A", seq=2, ack=2)
    equal(listed(bed, talk)["state"], "established", "after ACK")
    talk.up(b"bye", flags="FA", seq=2, ack=2)
    equal(listed(bed, talk)["state"], "fin_wait", "after FIN")
    talk.up(flags="A", seq=6, ack=3)
    equal(listed(bed, talk)["state"], "fin_wait", "after the last ACK")
    talk.up(flags="S", seq=100)
    equal(listed(bed, talk)["state"], "syn_sent", "after the next SYN")
    equal(bed.counters()["connections_opened"] - opened, 2, "connections")
    talk.up(flags="R", seq=101)
    equal(listed(bed, talk)["state"], "close", "after RST")


def answer_past_us(bed, kind):
    """A DR backend's answer that comes here has no connection: nothing is known of it."""
    talk = kind(bed, UDP, 43003)
    talk.up(b"question")
    frame = talk._frame((talk.kit.mac_of(talk.backend[0]), bed.mac["lan"]), talk.virtual,
                        talk.client, b"answer", None, (), {})
    bed.dropped({"ip_source_ours": 1}, lambda: bed.send("lan", frame))


def stranger(bed, kind):
    """Packets through us that are of no connection."""
    talk = kind(bed, UDP, 43004)
    talk.up(b"x")
    talk.client = (talk.client[0], 43999)
    bed.dropped({"no_service": 1}, lambda: bed.send("lan", talk.reply(b"unasked")))


def too_big(bed, kind, both):
    """Over IPv6: a link brings what ours does not take; its sender is told, who sent what came."""
    talk = kind(bed, UDP, 45000)
    talk.up(b"x")
    for side, namespace in (("wan", "client"), ("lan", "server")):
        bed.appliance("exec", namespace, "ip", "link", "set", f"{bed.name}-{side}", "mtu", "2000")
    ways = (("wan", talk.request, bed6.WAN6), ("lan", talk.reply, bed6.LAN6))
    for side, make, source in ways[:1 + both]:
        bed6.refused_too_big(bed, side, make(payload(1453)), 1500, source)
        bed.send(side, make(payload(1452)))
        bed.expect({"wan": "lan", "lan": "wan"}[side])


def clamped(bed, kind, both):
    """Over IPv6: the greatest segment that a SYN may offer."""
    made = config("nat" if both else "dr", bed6.CONFIG)
    for server in made["virtual_servers"]:
        if server["protocol"] == "tcp":
            server["max_mss"] = 1220
    bed.apply(made)
    talk = kind(bed, TCP, 45001)
    frame = talk.request(flags="S", seq=1, options=OPTIONS)
    bed.send("wan", frame)
    talk.judge_up(bed6.clamped(frame, 1220), bed.expect("lan"))
    if both:
        frame = talk.reply(flags="SA", seq=1, ack=2, options=OPTIONS)
        bed.send("lan", frame)
        talk.judge_down(bed6.clamped(frame, 1220), bed.expect("wan"))
    talk.up(flags="A", seq=2, ack=2)


def mixed(bed):
    """A backend's own mode goes before its pool's; an open connection keeps its mode."""
    made = config("nat")
    made["backend_pools"][0]["backends"] = [
        {"name": "n", "address": "198.51.100.101", "port": 80},
        {"name": "d", "address": "198.51.100.102", "port": 80, "forwarding_mode": "dr"}]
    bed.apply(made)
    modes = []
    for port in range(44000, 44016):  # each worker walks its own cycle
        frame = NatTalk(bed, TCP, port).request(flags="S")
        bed.send("wan", frame)
        found = bed.expect("lan")
        direct = found[30:34] == frame[30:34]
        talk = (DrTalk if direct else NatTalk)(bed, TCP, port)
        talk.judge_up(frame, found)
        modes.append(direct)
        talk.up(flags="A")
    assert 7 <= sum(modes) <= 9, f"{sum(modes)} of {len(modes)} in direct return"


def tests_with(report, mode, kind, steering):
    both, six = mode == "nat", kind.kit is bed6
    made = config(mode, *([bed6.CONFIG] if six else []))
    with (bed6.Bed6 if six else Bed)("--steering", steering, config=made) as bed:
        cases = [("UDP", lambda: udp_fields(bed, kind, both)),
                 ("TCP", lambda: tcp_fields(bed, kind, both)),
                 ("a client behind a gateway", lambda: far_client(bed, kind, both)),
                 ("many flows over both workers",
                  lambda: many_flows(bed, kind, both, steering))]
        if mode == "nat":
            cases += [("states", lambda: nat_states(bed, kind)),
                      ("a stranger", lambda: stranger(bed, kind))]
        else:
            cases += [("states", lambda: dr_states(bed, kind)),
                      ("an answer that comes to us", lambda: answer_past_us(bed, kind))]
        if six:
            cases += [("too big", lambda: too_big(bed, kind, both)),
                      ("MSS", lambda: clamped(bed, kind, both))]
        elif mode == "nat":
            cases += [("both modes in a pool", lambda: mixed(bed))]
        for name, run in cases:
            with report.case(f"{mode}{'6' * six}: {name} (steering {steering})"):
                run()
            bed.settle()
            bed.forget()


def samples(bed):
    for name in sorted(glob.glob(os.path.join(ROOT, "conf/lb*.yaml"))):
        done = bed.ctl("apply", "--dry-run", "-f", name)
        equal(done.returncode, 0, f"sluicectl apply -f {name}: {done.stderr}")


def tests(report):
    for steering in ("auto", "none"):
        tests_with(report, "nat", NatTalk, steering)
        tests_with(report, "dr", DrTalk, steering)
        tests_with(report, "nat", NatTalk6, steering)
        tests_with(report, "dr", DrTalk6, steering)
    with Bed(config=config("dr")) as bed, report.case("the samples in conf/ are taken"):
        samples(bed)


checks.main(tests)
