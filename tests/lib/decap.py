# SPDX-License-Identifier: BSD-3-Clause
"""The backend's end of a tunnel in user space, for kernels without the device.

What arrives in IPIP (RFC 2003), GRE (RFC 2784) or GUE (draft-ietf-intarea-gue) loses its outer headers and
goes to the namespace's kernel by a tun device. Answers take the kernel's own way.
"""

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
OUTER = 20  # bytes of an IPv4 header, which a raw socket hands over
KINDS = {  # type of socket, protocol, bytes before what is inside
    "ipip": (socket.SOCK_RAW, socket.IPPROTO_IPIP, OUTER),
    "gre": (socket.SOCK_RAW, socket.IPPROTO_GRE, OUTER + 4),
    "gue": (socket.SOCK_DGRAM, socket.IPPROTO_UDP, 4),
}


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


class Decapsulator:
    def __init__(self, namespace, device="decap"):
        self.selector = selectors.DefaultSelector()
        self.taken = dict.fromkeys(KINDS, 0)  # packets
        self.stopped = False
        with inside(namespace):
            self.tun = open_tun(device)
            for kind, (type_, protocol, before) in KINDS.items():
                opened = socket.socket(socket.AF_INET, type_, protocol)
                if type_ == socket.SOCK_DGRAM:
                    opened.bind(("", GUE_PORT))
                self.selector.register(opened, selectors.EVENT_READ, (kind, before))
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
                kind, before = key.data
                packet = key.fileobj.recv(65536)
                os.write(self.tun, packet[before:])
                self.taken[kind] += 1
