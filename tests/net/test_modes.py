#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each forwarding mode between kernel stacks: what arrives, how large it may be, and what is refused.

The topology is drawn in tests/lib/kernel_modes.py. A tunnel's far end is in user space here, for want
of the kernel's devices, and hands the packets that were inside to the server's kernel.
"""

import random
import socket
import struct
import subprocess

import paths  # noqa: F401

import checks
from checks import equal
from instance import Instance
from kernel_modes import CASES, IP_BYTES, SNATS, build, config, far_end
from traffic import PORT, Traffic

CLOSED = 9               # a port where nobody is
MTU = 1500               # of every link
TOTAL, TURN = 1 << 20, 1 << 14  # bytes there and back, and before their echo is awaited
TCP_BYTES = 20 + 12      # its header, with timestamps
CLAMPED = 1000
MTU_OPTION = {4: (socket.IPPROTO_IP, 14), 6: (socket.IPPROTO_IPV6, 24)}  # IP_MTU, IPV6_MTU
PATIENCE = 20


def with_closed(made):
    """One more virtual server, whose backends have nobody on their port."""
    pool, server = made["backend_pools"][0], made["virtual_servers"][-1]
    made["backend_pools"].append(dict(pool, name="closed", backends=[
        dict(backend, port=CLOSED) for backend in pool["backends"]]))
    made["virtual_servers"].append(dict(server, name="closed", port=CLOSED, backend_pool="closed"))
    return made


def connected(instance, case, kind, port=PORT):
    sock = instance.socket("client", kind, (case.clients[0], 0), PATIENCE)
    sock.connect((case.virtual, port))
    return sock


def transfer(sock):
    """Every byte goes there and comes back."""
    for turn in range(TOTAL // TURN):
        sent, found = random.Random(turn).randbytes(TURN), b""
        sock.sendall(sent)
        while len(found) < TURN:
            data = sock.recv(TURN - len(found))
            assert data, f"the end after {turn * TURN + len(found)} bytes"
            found += data
        assert found == sent, f"other bytes from {turn * TURN} on"


def segments(sock):
    """The largest segments of a connection, sent and received: tcpi_snd_mss, tcpi_rcv_mss."""
    return struct.unpack_from("II", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 16)


def bulk(instance, case):
    """The client learns from us how large a packet may be inside a tunnel."""
    with connected(instance, case, socket.SOCK_STREAM) as sock:
        transfer(sock)
        mtu = sock.getsockopt(*MTU_OPTION[case.inner])
        equal(mtu, MTU - (case.overhead if case.tunnel else 0), "path MTU")
        sent, received = segments(sock)
        whole = MTU - IP_BYTES[case.inner] - TCP_BYTES
        if case.tunnel:
            equal((sent, received), (mtu - IP_BYTES[case.inner] - TCP_BYTES, whole), "segments")


def clamped(instance, case):
    """Of SYNs that we see: in DR and tunnels the server's does not come by us."""
    made = config(case)
    made["virtual_servers"][0]["max_mss"] = CLAMPED
    instance.api.call("ConfigService/ApplyConfig", {"config": made})
    with connected(instance, case, socket.SOCK_STREAM) as sock:
        transfer(sock)
        sent, received = segments(sock)
        equal(received, CLAMPED - 12, "segments from the server")
        if not case.direct:
            equal(sent, CLAMPED - 12, "segments to the server")


def fragmented(case):
    """Sizes of datagrams that travel in fragments, both ways. IPv6's do not fit into a tunnel until
    the client has learned its size, which bulk() is to see."""
    return () if case.tunnel and case.inner == 6 else (8000, 40000)


def datagrams(instance, case):
    with connected(instance, case, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        for size in (0, 1, 511, 1392) + fragmented(case):
            sent = random.randbytes(size)
            for _ in range(3):  # the first ones make neighbours known
                sock.send(sent)
                try:
                    found = sock.recv(65536)
                    break
                except TimeoutError:
                    continue
            else:
                raise AssertionError(f"no echo of {size} bytes")
            equal(found, sent, "echo")


def refused(instance, case):
    """The server's "port unreachable" reaches the client's socket, as an error about its own packet:
    translated where answers come by us, straight from the server in DR and tunnels."""
    with connected(instance, case, socket.SOCK_DGRAM, CLOSED) as sock:
        sock.settimeout(2)
        for _ in range(3):
            try:
                sock.send(b"anybody?")
                sock.recv(2048)
            except ConnectionRefusedError:
                return
            except TimeoutError:
                continue
            raise AssertionError("somebody answers")
    raise AssertionError("no error")


def carries(report, instance, case, made):
    with report.case(f"{case.name}: the configuration is taken"):
        instance.api.call("ConfigService/ApplyConfig", {"config": made})
    with report.case(f"{case.name}: datagrams"):
        datagrams(instance, case)
    if case.listed != "fullnat64":  # whose errors are not translated yet
        with report.case(f"{case.name}: a closed port is refused"):
            refused(instance, case)
    with report.case(f"{case.name}: a transfer both ways, in segments that fit"):
        bulk(instance, case)


def ping(instance, address):
    subprocess.run(["ip", "netns", "exec", instance.namespace("client"), "ping", "-q", "-c", "5",
                    "-i", "0.2", "-W", "2", address], check=True, capture_output=True, timeout=30)


def tests(report):
    with Instance("--no-config") as instance:
        build(instance)
        with far_end(instance) as tunnels:
            for case in CASES:
                with Traffic(instance, tcp=0, udp=0, servers=case.servers):  # its echo servers
                    carries(report, instance, case, with_closed(config(case)))
                    with report.case(f"{case.name}: the same with max_mss"):
                        clamped(instance, case)
                if case.tunnel:
                    with report.case(f"{case.name}: what came, came by the tunnel"):
                        assert tunnels.taken[case.mode, case.outer, case.inner] > TOTAL // MTU
        for case in SNATS:
            with Traffic(instance, tcp=0, udp=0, servers=case.servers):
                carries(report, instance, case, config(case))
            with report.case(f"{case.name}: ping"):
                ping(instance, case.virtual)


checks.main(tests)
