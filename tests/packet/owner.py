# SPDX-License-Identifier: BSD-3-Clause
"""Whose a packet is, written from the words of docs/architecture.md and not from our code."""

import ipaddress
import struct

F = 0x9e3779b97f4a7c15
G = 0xbf58476d1ce4e5b9
LOW64 = (1 << 64) - 1


def product(x, factor):
    x = x * factor & LOW64
    return x ^ x >> 32


class Owners:
    """Of `workers` workers; `local` are the local addresses, `ours` all addresses of ours."""

    def __init__(self, workers, seed, local, ours):
        self.workers, self.seed = workers, seed
        self.local = {ipaddress.ip_address(a) for a in local}
        self.ours = {ipaddress.ip_address(a) for a in ours} | self.local

    def word(self, address):
        if address.version == 4:
            return struct.unpack("<I", address.packed)[0]
        first, second = struct.unpack("<QQ", address.packed)
        x = product(first ^ self.seed, G) + second
        return (x * G & LOW64) >> 32

    def of_client(self, address, port):
        return self.of_word(self.word(ipaddress.ip_address(address)), port)

    def of_word(self, word, port):
        as_it_stands = int.from_bytes(port.to_bytes(2, "big"), "little")
        x = product((as_it_stands << 32 | word) ^ self.seed, F)
        return ((x * F & LOW64) >> 32) * self.workers >> 32

    def of_fragment(self, source, destination, number):
        """Who follows the datagram; `number` is its identification, as bytes."""
        port = int.from_bytes(number[:2], "big")
        for at in range(2, len(number), 2):
            port ^= int.from_bytes(number[at:at + 2], "big")
        both = self.word(ipaddress.ip_address(source)) ^ self.word(ipaddress.ip_address(destination))
        return self.of_word(both, port)

    def of_local_port(self, port):
        block = 1
        while block < self.workers:
            block *= 2
        return port % block % self.workers

    def of(self, source, destination):
        """Endpoints, (address, port), of a packet as it comes in."""
        to = ipaddress.ip_address(destination[0])
        if to in self.local:
            return self.of_local_port(destination[1])
        return self.of_client(*(source if to in self.ours else destination))

    def of_error(self, source, destination):
        """Endpoints of the packet that the error quotes: the owner of what would answer it."""
        return self.of(destination, source)
