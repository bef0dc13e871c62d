#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The life of a connection: its states, what opens one, what ends one, and when it expires."""

import time

from bed import CONFIG, TCP, UDP, Bed, Talk
import checks
from checks import equal, eventually

SHORT = {"tcpSynSent": 2, "tcpSynRecv": 2, "tcpEstablished": 4, "tcpFinWait": 2, "tcpCloseWait": 2,
         "tcpLastAck": 2, "tcpTimeWait": 2, "tcpClose": 1, "udp": 2}
SLACK = 3  # seconds by which the sweep may be late

# Who sends which flags, and the state afterwards.
HANDSHAKE = [("up", "S", "syn_sent"), ("down", "SA", "syn_recv"), ("up", "A", "established")]
LIVES = {
    "the client closes first": HANDSHAKE + [
        ("up", "PA", "established"), ("down", "PA", "established"),
        ("up", "FA", "fin_wait"), ("down", "A", "fin_wait"),
        ("down", "FA", "last_ack"), ("up", "A", "time_wait")],
    "the backend closes first": HANDSHAKE + [
        ("down", "FA", "close_wait"), ("up", "A", "close_wait"),
        ("up", "FA", "last_ack"), ("down", "A", "time_wait")],
    "the client resets": HANDSHAKE + [("up", "RA", "close")],
    "the backend resets": HANDSHAKE + [("down", "R", "close")],
    "the backend refuses": [("up", "S", "syn_sent"), ("down", "RA", "close")],
}


class Peer:
    """Sequence numbers of both ends, so that each segment is one that a kernel would send."""

    def __init__(self, talk):
        self.talk = talk
        self.next = {"up": 1000, "down": 90000}

    def send(self, way, flags, payload=b""):
        payload = payload or (b"data" if "P" in flags else b"")
        other = "down" if way == "up" else "up"
        ack = self.next[other] if "A" in flags else 0
        getattr(self.talk, way)(payload, flags=flags, seq=self.next[way], ack=ack)
        self.next[way] += len(payload) + ("S" in flags) + ("F" in flags)


def listed(bed, talk):
    found = [c for c in bed.connections(client_address=talk.client[0])
             if c["clientPort"] == talk.client[1]]
    assert len(found) <= 1, f"one connection is listed {len(found)} times"
    return found[0] if found else None


def walk(bed, port, steps):
    """Send the steps; the state has to be right after each."""
    talk = Talk(bed, TCP, port)
    peer = Peer(talk)
    for n, (way, flags, state) in enumerate(steps):
        peer.send(way, flags)
        found = eventually(1, "a listed connection", lambda: listed(bed, talk))
        equal(found["state"], state, f"state after step {n}, {way} {flags}")
    equal((found["virtualServer"], found["backend"][:8]), ("web", "web/web-"), "names")
    equal((found["virtualAddress"], found["virtualPort"]), talk.virtual, "virtual end")
    equal((found["localAddress"], found["localPort"]), talk.local, "local end")
    return talk, peer


def reopened(bed, port, steps):
    """A SYN on a connection that has ended opens a new one."""
    talk, _ = walk(bed, port, steps)
    before = bed.counters()["connections_opened"]
    again = Talk(bed, TCP, port)
    Peer(again).send("up", "S")
    equal(listed(bed, again)["state"], "syn_sent", "state after the new SYN")
    equal(bed.counters()["connections_opened"], before + 1, "connections opened")
    again.down(flags="SA", seq=5, ack=1001)
    equal(listed(bed, again)["state"], "syn_recv", "state after the new SYN+ACK")


def other_connections(bed):
    """A filter shows what fits, and nothing else."""
    walk(bed, 1200, HANDSHAKE)
    for wanted in ({"state": "established"}, {"virtual_server": "web"}, {"protocol": "tcp"}):
        found = bed.connections(client_address="192.0.2.2", **wanted)
        assert any(c["clientPort"] == 1200 for c in found), f"not found by {wanted}"
    for wanted in ({"state": "udp"}, {"virtual_server": "dns"}, {"protocol": "udp"},
                   {"client_address": "192.0.2.3"}, {"backend": "dns/dns-0"}):
        found = bed.connections(**wanted)
        assert not any(c["clientPort"] == 1200 for c in found), f"found by {wanted}"


def no_connection(bed, flags):
    talk = Talk(bed, TCP, 1300)
    frame = talk.request(flags=flags, seq=1, ack=1)
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", frame))
    equal(listed(bed, talk), None, "a connection")


def gauges(bed):
    stats = bed.stats()
    return (sum(int(w.get("connections", 0)) for w in stats["workers"]),
            sum(int(v.get("activeConnections", 0)) for v in stats.get("virtualServers", ())),
            sum(int(b.get("activeConnections", 0)) for b in stats.get("backends", ())))


def expiry(bed, report):
    """Each state ends its time after the last packet, not before."""
    bed.apply({**CONFIG, "timeouts": SHORT})
    ends = {"tcpSynSent": HANDSHAKE[:1], "tcpSynRecv": HANDSHAKE[:2], "tcpEstablished": HANDSHAKE,
            "tcpFinWait": LIVES["the client closes first"][:6],
            "tcpCloseWait": LIVES["the backend closes first"][:4],
            "tcpLastAck": LIVES["the client closes first"][:8],
            "tcpTimeWait": LIVES["the client closes first"],
            "tcpClose": LIVES["the client resets"]}
    born = {}
    for port, (field, steps) in enumerate(ends.items(), 2000):
        with report.case(f"short timeouts: {field} is reached"):
            talk, peer = walk(bed, port, steps)
            born[field] = (talk, peer, time.monotonic())
    with report.case("short timeouts: udp is reached"):
        talk = Talk(bed, UDP, 2100)
        talk.up(b"one")
        born["udp"] = (talk, None, time.monotonic())
    for field, (talk, _, began) in sorted(born.items(), key=lambda b: b[1][2] + SHORT[b[0]]):
        with report.case(f"expiry: {field}"):
            while listed(bed, talk):
                age = time.monotonic() - began
                assert age < SHORT[field] + SLACK, f"still there after {age:.1f} s"
                time.sleep(0.05)
            age = time.monotonic() - began
            assert age > SHORT[field] - 0.5, f"gone after {age:.1f} s already"
    return born


def after_expiry(bed, born):
    talk, peer, _ = born["tcpEstablished"]
    frame = talk.request(b"late", flags="PA", seq=peer.next["up"], ack=peer.next["down"])
    bed.dropped({"no_connection": 1}, lambda: bed.send("wan", frame))


def kept_alive(bed):
    """A packet now and then keeps a connection, and the same one."""
    talk = Talk(bed, UDP, 2200)
    for _ in range(5):
        talk.up(b"still here")
        time.sleep(1)
    assert listed(bed, talk), "gone in spite of its packets"


def long_sleep(bed):
    """All gauges come back to nothing."""
    longest = max(SHORT.values()) + SLACK
    eventually(longest, "gauges at zero", lambda: gauges(bed) == (0, 0, 0))
    total = bed.counters()
    equal(total["connections_closed"], total["connections_opened"], "closed and opened")


def tests(report):
    with Bed() as bed:
        for port, (name, steps) in enumerate(LIVES.items(), 1000):
            with report.case(f"states: {name}"):
                walk(bed, port, steps)
        with report.case("a SYN on a time_wait connection opens a new one"):
            reopened(bed, 1100, LIVES["the client closes first"])
        with report.case("a SYN on a reset connection opens a new one"):
            reopened(bed, 1101, LIVES["the client resets"])
        with report.case("connections are listed by filter"):
            other_connections(bed)
        for flags in ("A", "PA", "FA", "R", "RA", "SA", "SR", ""):
            with report.case(f"no connection: flags {flags or 'none'} open none"):
                no_connection(bed, flags)
        born = expiry(bed, report)
        with report.case("after expiry a segment has no connection"):
            after_expiry(bed, born)
        with report.case("traffic keeps a connection alive"):
            kept_alive(bed)
        with report.case("gauges return to zero"):
            long_sleep(bed)


checks.main(tests)
