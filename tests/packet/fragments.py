# SPDX-License-Identifier: BSD-3-Clause
"""Cutting packets into fragments of either family, and putting them together as a host does."""

import struct

import bed as bed4
import bed6
from bed import checksum, patched
from checks import equal

MORE, OFFSET = 0x2000, 0x1fff
FRAGMENT_HEADER = 44


def sealed(frame):
    """With the IPv4 header's checksum alone made right."""
    frame = patched(frame, 24, b"\0\0")
    return patched(frame, 24, checksum(frame[14:34]).to_bytes(2, "big"))


class Four:
    """IPv4: the place of a fragment is in its header."""

    kit, at = bed4, 34

    def number(self, number):
        """Scapy's fields of a packet that has this identification, and no DF."""
        return {"id": number, "flags": 0}

    def piece(self, frame, first, end, more=None, number=None):
        """Bytes first..end of the payload of a frame, as the fragment that it is."""
        payload = frame[34:bed4.ip_length(frame)]
        more = end < len(payload) if more is None else more
        out = frame[:34] + payload[first:end]
        out = patched(out, 16, struct.pack("!H", len(out) - 14))
        return sealed(patched(out, 20, struct.pack("!H", first // 8 | (MORE if more else 0))))

    def place(self, frame):
        """(offset in bytes, more) of a frame."""
        word = struct.unpack("!H", frame[20:22])[0]
        return (word & OFFSET) * 8, bool(word & MORE)

    def identification(self, frame):
        return frame[18:20]

    def payload(self, frame):
        return frame[34:bed4.ip_length(frame)]

    def common(self, frame):
        """What all fragments of a datagram have in common, and is kept on the way."""
        return frame[:16], frame[18:20], frame[22:24], frame[26:34]

    def whole(self, first, payload):
        """The packet of that payload, with the first fragment's header."""
        equal(checksum(first[14:34]), 0, "header checksum of a fragment")
        out = patched(first[:34] + payload, 16, struct.pack("!H", 20 + len(payload)))
        return sealed(patched(out, 20, b"\0\0"))


class Six:
    """IPv6: it is in a header of its own."""

    kit, at = bed6, 62

    def number(self, number):
        return {}

    def piece(self, frame, first, end, more=None, number=1):
        payload = frame[54:bed6.ip_length(frame)]
        more = end < len(payload) if more is None else more
        header = struct.pack("!BBHI", frame[20], 0, first | more, number)
        out = frame[:54] + header + payload[first:end]
        out = patched(out, 20, bytes([FRAGMENT_HEADER]))
        return patched(out, 18, struct.pack("!H", len(out) - 54))

    def place(self, frame):
        if frame[20] != FRAGMENT_HEADER:
            return 0, False
        word = struct.unpack("!H", frame[56:58])[0]
        return word & 0xfff8, bool(word & 1)

    def identification(self, frame):
        return frame[58:62] if frame[20] == FRAGMENT_HEADER else b""

    def payload(self, frame):
        return frame[62 if frame[20] == FRAGMENT_HEADER else 54:bed6.ip_length(frame)]

    def common(self, frame):
        return frame[:18], frame[20:55], frame[58:62]

    def whole(self, first, payload):
        kind = first[54] if first[20] == FRAGMENT_HEADER else first[20]
        out = patched(first[:54] + payload, 20, bytes([kind]))
        return patched(out, 18, struct.pack("!H", len(payload)))


FOUR, SIX = Four(), Six()


def family_of(frame):
    return SIX if frame[12:14] == b"\x86\xdd" else FOUR


def cut(frame, size, number=1):
    """All fragments, with `size` bytes of payload each, but for the last."""
    family = family_of(frame)
    length = len(family.payload(frame))
    return [family.piece(frame, at, min(at + size, length), number=number)
            for at in range(0, length, size)]


def is_whole(fragments):
    """Without a gap from the beginning to an end."""
    at = 0
    for first, more, length in sorted((*family_of(f).place(f), len(family_of(f).payload(f)))
                                      for f in fragments):
        if first != at:
            return False
        at += length
        if not more:
            return True
    return False


def together(fragments):
    """The packet that these fragments are, as a host puts it together; they fit without a gap."""
    family = family_of(fragments[0])
    fragments = sorted(fragments, key=family.place)
    payload = b""
    for n, fragment in enumerate(fragments):
        equal(family.place(fragment), (len(payload), n < len(fragments) - 1), "place of a fragment")
        equal(family.common(fragment), family.common(fragments[0]), "fragment like the first")
        payload += family.payload(fragment)
        family.whole(fragment, b"")
    return family.whole(fragments[0], payload)


def gather(bed, side):
    """The frames that come out until they are a whole packet."""
    found = [bed.expect(side)]
    while not is_whole(found):
        found.append(bed.expect(side))
    return found
