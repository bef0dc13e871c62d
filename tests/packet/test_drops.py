#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every reason to drop that one frame can be: by its name, counted once, nothing let through."""

from bed import ARP, BACKENDS, BROADCAST, CLIENT, CONFIG, ICMP, IP, LAN, LOCALS, TCP, UDP, \
    VIRTUAL, WAN, Bed, Ether, Raw, Talk, checksum, mac_of, patched
import checks
from checks import equal

ZERO_MAC = "00:00:00:00:00:00"
OTHER = "192.0.2.77"  # an address on the link that is nobody's

# ---- makers of frames: right ones, then what makes them wrong ---------------------------


def tcp(virtual=(VIRTUAL, 80), ip=None, flags="S", source=CLIENT, **l4):
    return lambda bed: bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) /
                             IP(src=source, dst=virtual[0], **(ip or {})) /
                             TCP(sport=33000, dport=virtual[1], flags=flags, **l4))


def udp(virtual=(VIRTUAL, 53), ip=None, source=CLIENT, **l4):
    return lambda bed: bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) /
                             IP(src=source, dst=virtual[0], **(ip or {})) /
                             UDP(sport=33000, dport=virtual[1], **l4) / Raw(b"payload"))


def ping(target=WAN, source=CLIENT, ip=None, **icmp):
    return lambda bed: bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) /
                             IP(src=source, dst=target, **(ip or {})) / ICMP(**icmp) /
                             Raw(b"ping"))


def protocol(number, **ip):
    return lambda bed: bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"]) /
                             IP(src=CLIENT, dst=VIRTUAL, proto=number, **ip) / Raw(b"x" * 40))


def ether(ethertype, data=b"x" * 46):
    return lambda bed: bytes(Ether(src=mac_of(CLIENT), dst=bed.mac["wan"], type=ethertype) /
                             Raw(data))


def arp(**fields):
    mac = mac_of(CLIENT)
    return lambda bed: bytes(Ether(src=mac, dst=BROADCAST) /
                             ARP(**{"op": 1, "hwsrc": mac, "psrc": CLIENT, "hwdst": ZERO_MAC,
                                    "pdst": WAN, **fields}))


def to(mac, make):
    return lambda bed: patched(make(bed), 0, bytes.fromhex(mac.replace(":", "")))


def cut(length, make):
    return lambda bed: make(bed)[:length]


def byte(at, value, make):
    """Overwrite in the frame what no checksum covers, or leave the checksum wrong."""
    return lambda bed: patched(make(bed), at, value)


def header(at, value, make):
    """Overwrite in the IP header, and make its checksum right again."""
    def made(bed):
        frame = patched(patched(make(bed), at, value), 24, b"\0\0")
        end = 14 + max(20, (frame[14] & 15) * 4)
        return patched(frame, 24, checksum(frame[14:end]).to_bytes(2, "big"))
    return made


PATIENCE = 10  # seconds; a fragment's time has to be over, too

CASES = [  # reason, what is wrong, the frame as the client sends it
    ("frame_short", "an Ethernet header alone", cut(14, tcp())),
    ("frame_short", "half an IP header", cut(24, tcp())),
    ("frame_short", "19 bytes of IP header", cut(33, tcp())),
    ("frame_short", "an ARP packet of 27 bytes", cut(41, arp())),
    ("other_host", "another host's MAC", to("02:77:77:77:77:77", tcp())),
    ("other_host", "another host's MAC, ARP", to("02:77:77:77:77:77", arp())),
    ("other_host", "a multicast MAC", to("01:00:5e:00:00:05", udp())),
    ("other_host", "IP to everybody's MAC", to(BROADCAST, udp())),
    ("ethertype", "LLDP", ether(0x88cc)),
    ("ethertype", "a VLAN tag", ether(0x8100)),
    ("ethertype", "an 802.3 length", ether(46)),
    ("ethertype", "all ones", ether(0xffff, b"")),
    ("arp_malformed", "another hardware type", arp(hwtype=6)),
    ("arp_malformed", "another protocol", arp(ptype=0x86dd)),
    ("arp_malformed", "MACs of 8 bytes", arp(hwlen=8)),
    ("arp_malformed", "addresses of 16 bytes", arp(plen=16)),
    ("arp_malformed", "operation 9", arp(op=9)),
    ("arp_malformed", "operation 0", arp(op=0)),
    ("arp_malformed", "a multicast sender", arp(hwsrc="01:00:5e:00:00:05")),
    ("arp_malformed", "a broadcast sender", arp(hwsrc=BROADCAST)),
    ("arp_malformed", "a sender of zeros", arp(hwsrc=ZERO_MAC)),
    ("arp_not_ours", "a request for another host", arp(pdst=OTHER)),
    ("ip_version", "version 6", header(14, b"\x65", tcp())),
    ("ip_version", "version 0", header(14, b"\x05", tcp())),
    ("ip_version", "version 15", header(14, b"\xff", tcp())),
    ("ip_header_length", "a header of 16 bytes", header(14, b"\x44", tcp())),
    ("ip_header_length", "a header of 0 bytes", header(14, b"\x40", tcp())),
    ("ip_header_length", "a header beyond the frame", header(14, b"\x4f", cut(72, udp()))),
    ("ip_total_length", "a total length of 0", header(16, b"\0\0", tcp())),
    ("ip_total_length", "a total length of 19", header(16, b"\0\x13", tcp())),
    ("ip_total_length", "one byte more than there is", header(16, b"\0\x29", tcp())),
    ("ip_total_length", "65535", header(16, b"\xff\xff", tcp())),
    ("ip_total_length", "a frame cut by a byte", lambda bed: udp()(bed)[:-1]),
    ("ip_checksum", "one bit of the checksum", lambda bed: flip(tcp()(bed), 25)),
    ("ip_checksum", "one bit of the source", lambda bed: flip(udp()(bed), 29)),
    ("ip_checksum", "one bit of the TTL", lambda bed: flip(ping()(bed), 22)),
    ("ip_checksum", "a checksum of 0", byte(24, b"\0\0", tcp())),
    ("ip_options", "no-operations", tcp(ip={"options": b"\x01\x01\x01\x00"})),
    ("ip_options", "record route", udp(ip={"options": b"\x07\x07\x04" + b"\0" * 5})),
    ("ip_options", "source route", udp(ip={"options": b"\x83\x07\x04\xc0\x00\x02\x50\x00"})),
    ("ip_options", "40 bytes of them, ICMP", ping(ip={"options": b"\x01" * 40})),
    ("ip_source", "0.0.0.0", tcp(source="0.0.0.0")),
    ("ip_source", "0.1.2.3", tcp(source="0.1.2.3")),
    ("ip_source", "127.0.0.1", udp(source="127.0.0.1")),
    ("ip_source", "224.0.0.5", udp(source="224.0.0.5")),
    ("ip_source", "239.255.255.255", tcp(source="239.255.255.255")),
    ("ip_source", "255.255.255.255", udp(source="255.255.255.255")),
    ("ip_source", "multicast, ICMP", ping(source="224.0.0.1")),
    ("ip_source_ours", "the virtual server's", tcp(source=VIRTUAL)),
    ("ip_source_ours", "the virtual server's, UDP", udp(source=VIRTUAL)),
    ("ip_source_ours", "the interface's", udp(source=WAN)),
    ("ip_source_ours", "the other interface's", tcp(source=LAN)),
    ("ip_source_ours", "a local address", udp(source=LOCALS[0])),
    ("ip_source_ours", "ours, ICMP", ping(source=WAN)),
    ("ip_fragment", "of ICMP to ours", ping(ip={"flags": "MF", "len": 28})),
    ("ip_fragment", "of SCTP", protocol(132, flags="MF")),
    ("fragment_malformed", "not the last, and no multiple of 8", udp(ip={"flags": "MF"})),
    ("fragment_malformed", "beyond 65535 bytes", tcp(ip={"frag": 8189})),
    ("fragment_malformed", "no byte", header(16, b"\0\x14", tcp(ip={"frag": 10}))),
    ("fragment_tiny", "16 bytes of TCP header", header(16, b"\0\x24", tcp(ip={"flags": "MF"}))),
    ("fragment_timeout", "the last, alone", udp(ip={"frag": 10})),
    ("l4_short", "no TCP header", header(16, b"\0\x14", tcp())),
    ("l4_short", "19 bytes of TCP header", header(16, b"\0\x27", tcp())),
    ("l4_short", "no UDP header", header(16, b"\0\x14", udp())),
    ("l4_short", "7 bytes of UDP header", header(16, b"\0\x1b", udp())),
    ("l4_short", "7 bytes of ICMP header", header(16, b"\0\x1b", ping())),
    ("l4_header_length", "TCP data offset 4", tcp(dataofs=4)),
    ("l4_header_length", "TCP data offset 0", tcp(dataofs=0)),
    ("l4_header_length", "TCP data offset beyond the packet", tcp(dataofs=6)),
    ("l4_header_length", "TCP data offset 15", tcp(dataofs=15)),
    ("l4_header_length", "UDP length 7", udp(len=7)),
    ("l4_header_length", "UDP length 0", udp(len=0)),
    ("l4_header_length", "UDP length beyond the packet", udp(len=16)),
    ("l4_checksum", "ICMP", lambda bed: flip(ping()(bed), 36)),
    ("protocol", "IGMP", protocol(2)),
    ("protocol", "IPIP", protocol(4)),
    ("protocol", "GRE", protocol(47)),
    ("protocol", "SCTP", protocol(132)),
    ("protocol", "255", protocol(255)),
    ("icmp_type", "echo reply nobody waits for", ping(type=0)),
    ("icmp_type", "timestamp", ping(type=13)),
    ("icmp_type", "redirect", ping(type=5)),
    ("icmp_type", "echo with code 1", ping(type=8, code=1)),
    ("no_service", "SYN to another port", tcp((VIRTUAL, 81))),
    ("no_service", "SYN to port 0", tcp((VIRTUAL, 0))),
    ("no_service", "SYN to a port that serves UDP", tcp((VIRTUAL, 53))),
    ("no_service", "UDP to a port that serves TCP", udp((VIRTUAL, 80))),
    ("no_service", "SYN to the interface's address", tcp((WAN, 80))),
    ("no_service", "SYN to an address that is not ours", tcp((OTHER, 80))),
    ("no_service", "UDP to a backend's address", udp((BACKENDS[0], 53))),
    ("no_service", "echo to an address that is not ours", ping(OTHER)),
    ("no_connection", "ACK", tcp(flags="A")),
    ("no_connection", "FIN", tcp(flags="F")),
    ("no_connection", "RST", tcp(flags="R")),
    ("no_connection", "no flags at all", tcp(flags="")),
    ("no_connection", "SYN and ACK", tcp(flags="SA")),
    ("no_backend", "all are drained", tcp((VIRTUAL, 9))),
]


def flip(frame, at):
    return patched(frame, at, bytes([frame[at] ^ 1]))


def before_configuration(bed, report):
    """No configuration yet: nothing is ours, and nothing breaks."""
    for name, make in (("ARP", arp()), ("echo", ping()), ("SYN", tcp()), ("UDP", udp())):
        with report.case(f"no_config: {name}"):
            bed.dropped({"no_config": 1}, lambda: bed.send("wan", make(bed)))
    with report.case("no_config: bad headers, too"):
        bed.dropped({"no_config": 1}, lambda: bed.send("wan", flip(tcp()(bed), 25)))


def from_backend(bed):
    """To a local address without a connection, whatever it is."""
    for l4 in (TCP(sport=8080, dport=1024, flags="A"), TCP(sport=8080, dport=1025, flags="S"),
               UDP(sport=5353, dport=1026)):
        frame = Ether(src=mac_of(BACKENDS[0]), dst=bed.mac["lan"]) / \
            IP(src=BACKENDS[0], dst=LOCALS[0]) / l4
        bed.dropped({"no_connection": 1}, lambda f=frame: bed.send("lan", f))


def not_from_elsewhere(bed):
    """A reply from another port, or another host, than the connection's is none."""
    talk = Talk(bed, UDP, 34000)
    talk.up(b"question")
    right = talk.backend
    for wrong in ((right[0], right[1] + 1), (BACKENDS[2], right[1])):
        talk.backend = wrong
        bed.dropped({"no_connection": 1}, lambda: bed.send("lan", talk.reply(b"forged")))
    talk.backend = right
    talk.down(b"answer")


def too_big(bed):
    """Over the way out's MTU. Its way in is made wider for that."""
    bed.appliance("exec", "client", "ip", "link", "set", f"{bed.name}-wan", "mtu", "2000")
    talk = Talk(bed, UDP, 34001)
    talk.up(b"x" * 1472)
    frame = talk.request(b"x" * 1473, ip={"flags": "DF"})
    bed.forget()
    before = bed.drops()
    bed.send("wan", frame)
    equal(bed.drops_since(before, {"too_big": 1}), {"too_big": 1}, "drops")
    bed.settle()
    assert not bed.inbox["lan"], "forwarded all the same"
    bed.forget()


def still_works(bed):
    talk = Talk(bed, UDP, 34002)
    talk.up(b"after all that")
    talk.down(b"all is well")


def tests(report):
    with Bed(config=None) as bed:
        before_configuration(bed, report)
        bed.apply(CONFIG)
        for reason, what, make in CASES:
            with report.case(f"{reason}: {what}"):
                frame = make(bed)
                bed.dropped({reason: 1}, lambda: bed.send("wan", frame), PATIENCE)
        with report.case("to a local address without a connection"):
            from_backend(bed)
        with report.case("replies from others than the backend"):
            not_from_elsewhere(bed)
        with report.case("too_big: over the MTU of the way out"):
            too_big(bed)
        with report.case("no worker died of it"):
            equal({n: w.get("deaths", 0) for n, w in bed.workers().items()}, {0: 0, 1: 0},
                  "deaths")
            still_works(bed)


checks.main(tests)
