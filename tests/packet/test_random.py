#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of mutated frames: the workers survive, and every packet is accounted for.

SEED chooses another run, FRAMES its length.
"""

import os
import random

from bed import ARP, BACKENDS, BROADCAST, CLIENT, CONFIG, ICMP, IP, LAN, LOCALS, TCP, UDP, \
    VIRTUAL, WAN, Bed, Ether, Raw, Talk, checksum, mac_of, patched
import checks
from checks import equal, eventually

SEED = int(os.environ.get("SEED", "1"))
FRAMES = int(os.environ.get("FRAMES", "6000"))
BATCH = 50


def corpus(bed):
    """Right frames of every kind, by side; mutation does the rest."""
    client, backend = mac_of(CLIENT), mac_of(BACKENDS[0])
    wan = Ether(src=client, dst=bed.mac["wan"])
    lan = Ether(src=backend, dst=bed.mac["lan"])
    data = Raw(bytes(range(64)))
    made = {
        "wan": [wan / IP(src=CLIENT, dst=VIRTUAL) / TCP(sport=1, dport=80, flags=f) / data
                for f in ("S", "A", "PA", "FA", "R")] +
               [wan / IP(src=CLIENT, dst=VIRTUAL) / UDP(sport=1, dport=53) / data,
                wan / IP(src="203.0.113.9", dst=VIRTUAL) / UDP(sport=2, dport=53) / data,
                wan / IP(src=CLIENT, dst=VIRTUAL, options=b"\1" * 8) / UDP(sport=1, dport=53),
                wan / IP(src=CLIENT, dst=VIRTUAL, ttl=1) / UDP(sport=1, dport=53) / data,
                wan / IP(src=CLIENT, dst=WAN) / ICMP() / data,
                Ether(src=client, dst=BROADCAST) / ARP(hwsrc=client, psrc=CLIENT, pdst=WAN)],
        "lan": [lan / IP(src=BACKENDS[0], dst=LOCALS[0]) / TCP(sport=8080, dport=1024, flags=f)
                for f in ("SA", "A", "RA")] +
               [lan / IP(src=BACKENDS[0], dst=LOCALS[0]) / UDP(sport=5353, dport=1024) / data,
                lan / IP(src=BACKENDS[0], dst=LAN) / ICMP() / data,
                Ether(src=backend, dst=bed.mac["lan"]) /
                ARP(op=2, hwsrc=backend, psrc=BACKENDS[0], hwdst=bed.mac["lan"], pdst=LAN)],
    }
    return {side: [bytes(f) for f in frames] for side, frames in made.items()}


def flip_bits(rng, frame):
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(frame))
        frame = patched(frame, at, bytes([frame[at] ^ 1 << rng.randrange(8)]))
    return frame


def set_bytes(rng, frame):
    at = rng.randrange(12, min(len(frame), 58))
    value = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", rng.randbytes(1), rng.randbytes(4)))
    return patched(frame, at, value)[:1514]


def cut(rng, frame):
    return frame[:rng.randrange(14, len(frame) + 1)]


def grow(rng, frame):
    return (frame + rng.randbytes(rng.randrange(1, 1000)))[:1514]


def noise(rng, frame):
    return frame[:rng.choice((12, 14, 34, 38))] + rng.randbytes(rng.randrange(4, 200))


def other_ports(rng, frame):
    return patched(frame, 34, rng.randbytes(2)) if len(frame) > 38 else frame


def mutate(rng, frame):
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        frame = rng.choice((flip_bits, set_bytes, cut, grow, noise, other_ports))(rng, frame)
        frame = frame.ljust(14, b"\0")
    if rng.random() < 0.5 and len(frame) >= 34:  # past the checksum, to what lies behind it
        end = 14 + min(max(20, (frame[14] & 15) * 4), len(frame) - 14)
        bare = patched(frame, 24, b"\0\0")
        frame = patched(bare, 24, checksum(bare[14:end]).to_bytes(2, "big"))
    return frame


def account(bed):
    """What came in and is neither dropped nor for us, and what went out and is not our own."""
    stats = bed.stats()
    total = bed.counters()
    ports = stats["ports"]
    rx = sum(int(p.get("rxPackets", 0)) for p in ports)
    tx = sum(int(p.get("txPackets", 0)) for p in ports)
    drops = sum(bed.drops().values())
    own = total["arp_requests_sent"] + total["arp_replies_sent"] + total["icmp_sent"]
    return rx, rx - drops - total["local_packets"], tx - own


def received(bed):
    return sum(int(p.get("rxPackets", 0)) for p in bed.stats()["ports"])


def storm(bed, rng):
    frames = corpus(bed)
    sent = received(bed)
    for begin in range(0, FRAMES, BATCH):
        for n in range(begin, begin + BATCH):
            side = rng.choice(("wan", "wan", "lan"))
            bed.send(side, mutate(rng, rng.choice(frames[side])))
        sent += BATCH
        bed.settle(0)
        eventually(5, f"frames {begin} to {begin + BATCH} taken",
                   lambda: bed.pump(0) or received(bed) >= sent)
        for box in bed.inbox.values():
            box.clear()
    bed.settle(0.2)


def balanced(bed):
    """Packets may still wait for a neighbour; a few seconds later none does."""
    def fits():
        bed.settle(0.1)
        rx, forwarded, went_out = account(bed)
        return rx if forwarded == went_out else None

    try:
        eventually(12, "balance", fits)
    except AssertionError:
        rx, forwarded, went_out = account(bed)
        raise AssertionError(f"of {rx} received, {forwarded} should have been forwarded, "
                             f"{went_out} were; drops {bed.drops()}") from None


def buffers(bed):
    return {w.get("worker", 0): int(w["buffersFree"]) for w in bed.stats()["workers"]}


def tests(report):
    config = {**CONFIG, "timeouts": {"udp": 1, "tcpSynSent": 1}}
    with Bed(config=config) as bed:
        talk = Talk(bed, UDP, 60000)
        talk.up(b"before")
        talk.down(b"before")
        free = buffers(bed)
        with report.case(f"{FRAMES} mutated frames, seed {SEED}"):
            storm(bed, random.Random(SEED))
        with report.case("no worker died"):
            equal({n: (w.get("deaths", 0), w.get("takeovers", 0))
                   for n, w in bed.workers().items()},
                  {0: (0, 0), 1: (0, 0)}, "deaths and take-overs")
        with report.case("received = forwarded + dropped + for ourselves"):
            balanced(bed)
        with report.case("every buffer came back"):
            eventually(12, f"free buffers {free}", lambda: buffers(bed) == free)
        with report.case("it forwards as before"):
            bed.settle()
            bed.forget()
            after = Talk(bed, UDP, 60001)
            bed.host("wan", *[f"192.0.2.{n}" for n in range(2, 80)])
            announce(bed)
            after.up(b"after")
            after.down(b"after")


def announce(bed):
    """Mutated ARP may have moved our hosts; they say again where they are."""
    for side, address in (("wan", CLIENT), *(("lan", b) for b in BACKENDS)):
        mac = mac_of(address)
        bed.send(side, Ether(dst=BROADCAST, src=mac) /
                 ARP(op=1, hwsrc=mac, psrc=address, pdst=address))
    bed.settle(0.2)
    bed.forget()


checks.main(tests)
