# SPDX-License-Identifier: BSD-3-Clause
"""The backend's end of a tunnel in user space, for kernels without the device.

What arrives in IPIP (RFC 2003, RFC 2473, RFC 4213), GRE (RFC 2784) or GUE (draft-ietf-intarea-gue), over
either family, loses its outer headers and goes to the namespace's kernel by a tun device. Answers take
the kernel's own way.
"""

import collections
import fcntl
import os
import selectors
import socket
import struct
import subprocess
import threading

from instance import inside

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
GUE_PORT = 6080
SHIM = {"ipip": 0, "gre": 4, "gue": 12}  # bytes between the headers
HANDED = {4: 20, 6: 0}  # bytes of the outer header that a raw socket hands over
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
RAW = (("ipip", socket.IPPROTO_IPIP), ("ipip", socket.IPPROTO_IPV6), ("gre", socket.IPPROTO_GRE))


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def listen(outer):
    """(socket, kind, bytes before what is inside) for all that comes over this version of IP."""
    for kind, protocol in RAW:
        yield (socket.socket(FAMILY[outer], socket.SOCK_RAW, protocol), kind,
               HANDED[outer] + SHIM[kind])
    gue = socket.socket(FAMILY[outer], socket.SOCK_DGRAM)
    if outer == 6:
        gue.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    gue.bind(("", GUE_PORT))
    yield gue, "gue", SHIM["gue"] - 8  # the UDP header is gone


class Decapsulator:
    def __init__(self, namespace, device="decap"):
        self.selector = selectors.DefaultSelector()
        self.taken = collections.Counter()  # (kind, outer version, inner version): packets
        self.stopped = False
        with inside(namespace):
            self.tun = open_tun(device)
            for outer in FAMILY:
                for opened, kind, before in listen(outer):
                    self.selector.register(opened, selectors.EVENT_READ, (kind, outer, before))
        subprocess.run(["ip", "-n", namespace, "link", "set", device, "up"], check=True)
        self.thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
        os.close(self.tun)

    def _loop(self):
        while not self.stopped:
            for key, _ in self.selector.select(0.1):
                kind, outer, before = key.data
                packet = key.fileobj.recv(65536)[before:]
                os.write(self.tun, packet)
                self.taken[kind, outer, packet[0] >> 4] += 1
