# SPDX-License-Identifier: BSD-3-Clause
"""The whole appliance with Scapy around it.

    Scapy: clients, gateways              the real processes               Scapy: backends
    namespace client  ---- tap [port wan]  primary, workers  [port lan] tap ----  namespace server

The kernels in the namespaces have no addresses, so every host there is this module: it
writes the frames, answers ARP for the hosts it plays, and judges what comes out
with Scapy's arithmetic, which shares nothing with ours.
"""

import collections
import os
import select
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from scapy.config import conf  # noqa: E402
from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum  # noqa: E402,F401
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402,F401
from scapy.utils import checksum  # noqa: E402

from api import counters  # noqa: E402
from checks import equal, eventually  # noqa: E402
from instance import Instance, alive, inside  # noqa: E402

conf.verb = 0

SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33
ETH_P_ALL, ETH_P_ARP, ETH_P_IP = 0x0003, 0x0806, 0x0800
SIDES = {"wan": "client", "lan": "server"}  # port: the namespace that its tap is in
BROADCAST = "ff:ff:ff:ff:ff:ff"

WAN, LAN = "192.0.2.1", "198.51.100.1"
VIRTUAL = "192.0.2.80"
LOCALS = ("198.51.100.10", "198.51.100.11")
CLIENT, GATEWAY, GATEWAY2 = "192.0.2.2", "192.0.2.254", "192.0.2.253"
BACKENDS = tuple(f"198.51.100.{n}" for n in (101, 102, 103))

# Behind the first gateway is 203.0.113.0/24, but for one half of its upper half, and a hole.
CONFIG = {
    "interfaces": [{"name": "wan", "addresses": [f"{WAN}/24"]},
                   {"name": "lan", "addresses": [f"{LAN}/24"]}],
    "routes": [{"name": "far", "prefix": "203.0.113.0/24", "gateway": GATEWAY},
               {"name": "farther", "prefix": "203.0.113.128/26", "gateway": GATEWAY2},
               {"name": "hole", "prefix": "203.0.113.64/26", "blackhole": True}],
    "local_address_pools": [{"name": "local", "addresses": list(LOCALS)}],
    "backend_pools": [
        {"name": "web", "backends": [{"name": f"web-{i}", "address": a, "port": 8080}
                                     for i, a in enumerate(BACKENDS)]},
        {"name": "dns", "backends": [{"name": "dns-0", "address": BACKENDS[0], "port": 5353}]},
        {"name": "drained", "backends": [{"name": "none", "address": BACKENDS[0], "port": 9,
                                          "weight": 0}]}],
    "virtual_servers": [
        {"name": name, "address": VIRTUAL, "port": port, "protocol": protocol, "scheduler": "rr",
         "backend_pool": pool, "local_address_pool": "local"}
        for name, port, protocol, pool in (("web", 80, "tcp", "web"), ("dns", 53, "udp", "dns"),
                                           ("drained", 9, "tcp", "drained"))],
}


def mac_of(address):
    """The MAC of a host that we play: its address is in it."""
    return "02:01:" + ":".join(f"{b:02x}" for b in socket.inet_aton(address))


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


class Bed(Instance):
    """Frames in, frames out. Frames are bytes; Scapy packets are taken too."""

    def __init__(self, *options, config=CONFIG):
        super().__init__("--bare", "--no-config", *options)
        self.config = config
        self.sockets = {}
        self.mac = {}
        self.hosts = {"wan": set(), "lan": set()}  # who answers ARP
        self.inbox = {side: collections.deque() for side in SIDES}
        self.asked = []  # (side, frame) of every ARP request that came out
        self.host("wan", CLIENT, GATEWAY, GATEWAY2)
        self.host("lan", *BACKENDS)

    def __enter__(self):
        super().__enter__()
        try:
            self._attach()
            if self.config:
                self.apply(self.config)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._detach()
        super().__exit__()

    def restart(self, workers):
        """Everything ends and starts again, with so many workers."""
        self._detach()
        primary, ctrl = self.pid("primary"), self.pid("ctrl")
        os.kill(primary, signal.SIGTERM)
        for pid in (primary, ctrl):
            eventually(20, f"the end of {pid}", lambda p=pid: not alive(p))
        self.appliance("start-all", str(workers))
        self._attach()

    def _attach(self):
        for side, namespace in SIDES.items():
            self.sockets[side] = self._open(side, namespace)
            self.mac[side] = self.api.call("InterfaceService/GetInterface",
                                           {"name": side})["mac"].lower()

    def _detach(self):
        for opened in self.sockets.values():
            opened.close()
        self.sockets.clear()

    def _open(self, side, namespace):
        with inside(self.namespace(namespace)):
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        opened.bind((f"{self.name}-{side}", ETH_P_ALL))
        return opened

    def apply(self, config):
        return self.api.call("ConfigService/ApplyConfig", {"config": config})

    def host(self, side, *addresses):
        self.hosts[side].update(addresses)

    # ---- frames ----------------------------------------------------------------

    def send(self, side, *frames):
        for frame in frames:
            self.sockets[side].send(bytes(frame))

    def _take(self, side, frame):
        if frame[12:14] == struct.pack("!H", ETH_P_ARP) and frame[20:22] == b"\0\1":
            self.asked.append((side, frame))
            target = socket.inet_ntoa(frame[38:42])
            if target in self.hosts[side]:
                self.send(side, arp_reply(frame, mac_of(target)))
            return
        self.inbox[side].append(frame)

    def pump(self, seconds):
        """Take what has come, or comes first within so many seconds; answer ARP."""
        ready, _, _ = select.select(self.sockets.values(), [], [], max(0, seconds))
        for side, opened in self.sockets.items():
            if opened in ready:
                self._take(side, opened.recv(65536))
        return bool(ready)

    def settle(self, seconds=0.05):
        """Take everything until nothing has come for so long."""
        while self.pump(seconds):
            pass

    def expect(self, side, seconds=2.0):
        """The next frame that is not an ARP request."""
        until = time.monotonic() + seconds
        while not self.inbox[side]:
            left = until - time.monotonic()
            assert left > 0, f"no frame on {side} in {seconds} s; drops so far {self.drops()}"
            self.pump(left)
        return self.inbox[side].popleft()

    def expect_nothing(self, seconds=0.05):
        self.settle(seconds)
        found = {side: [Ether(f).summary() for f in box] for side, box in self.inbox.items()}
        self.forget()
        assert not any(found.values()), f"unexpected frames: {found}"

    def forget(self):
        for box in self.inbox.values():
            box.clear()
        self.asked.clear()

    # ---- counters --------------------------------------------------------------

    def stats(self):
        return self.api.call("StatsService/GetStats")

    def drops(self):
        return counters(self.stats().get("drops"))

    def counters(self):
        """Sums over the workers."""
        total = collections.Counter()
        for worker in self.stats()["workers"]:
            total.update(counters(worker.get("counters")))
        return total

    def drops_since(self, before, wanted, seconds=2.0):
        """What was counted since; waits until it is what is wanted, or time is up."""
        until = time.monotonic() + seconds
        while True:
            self.pump(0.01)
            now = self.drops()
            found = {n: now[n] - before.get(n, 0) for n in now if now[n] != before.get(n, 0)}
            if found == wanted or time.monotonic() > until:
                return found

    def dropped(self, wanted, action, seconds=2.0):
        """The action makes exactly these drops, and lets nothing out."""
        self.forget()
        before = self.drops()
        action()
        equal(self.drops_since(before, wanted, seconds), wanted, "drops")
        self.expect_nothing()


# ---- frames and what should become of them ----------------------------------------


IP_LAYER = IP
IP_BYTES = 20  # of a header


def arp_reply(request, mac):
    asked = ARP(request[14:42])
    return bytes(Ether(dst=asked.hwsrc, src=mac) /
                 ARP(op=2, hwsrc=mac, psrc=asked.pdst, hwdst=asked.hwsrc, pdst=asked.psrc))


def ip_length(frame):
    """Of the Ethernet frame without padding."""
    return 14 + int.from_bytes(frame[16:18], "big")


def seal(frame):
    """Fill in the checksums of an IPv4 frame without options. A UDP checksum of 0 stays."""
    b = bytearray(frame[:ip_length(frame)])
    b[24:26] = b"\0\0"
    b[24:26] = checksum(bytes(b[14:34])).to_bytes(2, "big")
    at = {6: 50, 17: 40, 1: 36}[b[23]]
    if b[23] == 17 and b[at:at + 2] == b"\0\0":
        return bytes(b)
    b[at:at + 2] = b"\0\0"
    if b[23] == 1:
        value = checksum(bytes(b[34:]))
    else:
        value = in4_chksum(b[23], IP(bytes(b[14:34])), bytes(b[34:]))
        value = value or (0xffff if b[23] == 17 else 0)
    b[at:at + 2] = value.to_bytes(2, "big")
    return bytes(b)


def patched(frame, at, value):
    return frame[:at] + value + frame[at + len(value):]


def translated(frame, macs, addresses, ports):
    """The frame as it has to leave FullNAT; macs, addresses and ports are (source, destination)."""
    b = bytearray(frame)
    b[0:12] = mac_bytes(macs[1]) + mac_bytes(macs[0])
    b[22] -= 1
    b[26:34] = b"".join(map(socket.inet_aton, addresses))
    b[34:38] = struct.pack("!HH", *ports)
    return seal(b)


def endpoints(frame):
    """(source, port), (destination, port) of a TCP or UDP frame."""
    sport, dport = struct.unpack("!HH", frame[34:38])
    return (socket.inet_ntoa(frame[26:30]), sport), (socket.inet_ntoa(frame[30:34]), dport)


def same(found, wanted, what):
    """Byte for byte, but for Ethernet padding."""
    found = found[:ip_length(found)]
    if found == wanted:
        return
    at = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b),
              min(len(found), len(wanted)))
    raise AssertionError(f"{what}: differs from byte {at} on: {Ether(found)!r} "
                         f"wanted {Ether(wanted)!r}")


class Talk:
    """One client's connection through the appliance, judged packet by packet."""

    kit = sys.modules[__name__]  # what knows the headers of the client's family
    host, service = CLIENT, VIRTUAL

    def __init__(self, bed, protocol=UDP, port=40000, client=None, via=None, virtual=None):
        self.bed = bed
        self.protocol = protocol
        self.client = (client or self.host, port)
        self.client_mac = self.kit.mac_of(via or self.client[0])  # or of its gateway
        self.virtual = virtual or (self.service, 53 if protocol is UDP else 80)
        self.local = self.backend = None  # known after the first request

    def request(self, payload=b"", ip=None, ext=(), **l4):
        """A frame of the client's, as it enters."""
        return self._frame((self.client_mac, self.bed.mac["wan"]), self.client, self.virtual,
                           payload, ip, ext, l4)

    def reply(self, payload=b"", ip=None, ext=(), **l4):
        return self._frame((self.kit.mac_of(self.backend[0]), self.bed.mac["lan"]), self.backend,
                           self.reply_to(), payload, ip, ext, l4)

    def reply_to(self):
        """Where the backend sends its answers."""
        return self.local

    def _frame(self, macs, source, destination, payload, ip, ext, l4):
        packet = self.kit.IP_LAYER(src=source[0], dst=destination[0], **(ip or {}))
        for header in ext or ():
            packet = packet / header
        packet = packet / self.protocol(sport=source[1], dport=destination[1], **l4)
        return bytes(Ether(src=macs[0], dst=macs[1]) / packet / Raw(payload))

    def up(self, payload=b"", ip=None, **more):
        return self.carry_up(self.request(payload, ip, **more))

    def down(self, payload=b"", ip=None, **more):
        return self.carry_down(self.reply(payload, ip, **more))

    def carry_up(self, frame):
        """Send the client's frame and judge what reaches the backend."""
        self.bed.send("wan", frame)
        return self.judge_up(frame, self.bed.expect("lan"))

    def judge_up(self, frame, found):
        """A packet that reached the backend; what is not known yet is taken from it."""
        if not self.backend:
            self.meet(found)
        self.compare(frame, found, "lan", self.kit.mac_of(self.backend[0]), self.seen_by_backend())
        return found

    def meet(self, found):
        self.local, self.backend = self.kit.endpoints(found)

    def seen_by_backend(self):
        """(source, destination) of a request as it arrives there."""
        return self.local, self.backend

    def compare(self, frame, found, side, mac, ends):
        wanted = self.kit.translated(frame, (self.bed.mac[side], mac),
                                     *zip(*ends))
        self.kit.same(found, wanted, f"on {side}")

    def carry_down(self, frame):
        self.bed.send("lan", frame)
        return self.judge_down(frame, self.bed.expect("wan"))

    def judge_down(self, frame, found):
        self.compare(frame, found, "wan", self.client_mac, (self.virtual, self.client))
        return found
