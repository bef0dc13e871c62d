#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients and servers for the net tests: every byte that arrives is checked.

    peer.py serve ADDRESS:PORT...                        TCP and UDP; ends with SIGTERM
    peer.py put TARGET BYTES                             one upload, the server's hash compared
    peer.py get TARGET BYTES                             one download, hash compared
    peer.py tcp TARGET [--connections N] [--rounds N] [--bytes N] [--seconds N]
    peer.py udp TARGET [--flows N] [--rounds N] [--bytes N] [--seconds N]

A TCP server reads one line: `NAME` (it answers its own address), `ECHO` (then everything comes
back), `GET N` (it sends N bytes), `PUT N` (it takes N bytes and answers their hash). A UDP
server sends back what it got with its own address in front.

`tcp` opens all its connections, waits until all are open, and echoes ROUNDS times BYTES on each;
with --seconds it opens a new one for each that is done, until then. `udp` is the same with one
socket a flow; a datagram that isn't answered within two seconds is lost, and is not sent again.
Each prints one line of JSON with what happened, and fails if anything arrived wrong.
"""

import argparse
import asyncio
import collections
import hashlib
import json
import random
import resource
import signal
import socket
import sys
import time

BLOCK = 1 << 18
SO_RCVBUFFORCE = 33  # not in Python's socket module
PATIENCE = 20  # seconds for anything that TCP may take its time for


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def stream(total):
    """The bytes of a transfer: the same at both ends, no two blocks alike."""
    source = random.Random(total)
    while total > 0:
        block = source.randbytes(min(BLOCK, total))
        total -= len(block)
        yield block


def digest_of(total):
    digest = hashlib.sha256()
    for block in stream(total):
        digest.update(block)
    return digest.hexdigest()


async def send_stream(writer, total):
    for block in stream(total):
        writer.write(block)
        await writer.drain()


async def take_stream(reader, total):
    digest = hashlib.sha256()
    while total > 0:
        block = await reader.read(min(BLOCK, total))
        if not block:
            raise ConnectionError(f"{total} bytes are missing")
        digest.update(block)
        total -= len(block)
    return digest.hexdigest()


# ---- server ----------------------------------------------------------------------------


async def serve_tcp(reader, writer):
    try:
        verb, *argument = (await reader.readline()).decode().split()
        if verb == "NAME":
            writer.write((writer.get_extra_info("sockname")[0] + "\n").encode())
        elif verb == "ECHO":
            while block := await reader.read(BLOCK):
                writer.write(block)
                await writer.drain()
        elif verb == "GET":
            await send_stream(writer, int(argument[0]))
        elif verb == "PUT":
            writer.write((await take_stream(reader, int(argument[0])) + "\n").encode())
        await writer.drain()
    except (OSError, ValueError):
        pass  # the client is gone or talks nonsense: it sees the end of the connection
    finally:
        writer.close()


class UdpServer(asyncio.DatagramProtocol):
    def __init__(self, name):
        self.name = name.encode() + b" "

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        self.transport.sendto(self.name + data, peer)


async def serve(args):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for host, port in args.listen:
        await asyncio.start_server(serve_tcp, host, port, backlog=1024)
        transport, _ = await loop.create_datagram_endpoint(lambda host=host: UdpServer(host),
                                                           local_addr=(host, port))
        # Bursts of all flows at once are not the appliance's fault: room for them.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    print("ready", flush=True)
    await stop.wait()


# ---- clients ---------------------------------------------------------------------------


async def open_to(target):
    return await asyncio.wait_for(asyncio.open_connection(*target), PATIENCE)


async def put(args):
    reader, writer = await open_to(args.target)
    writer.write(f"PUT {args.bytes}\n".encode())
    await send_stream(writer, args.bytes)
    found = (await asyncio.wait_for(reader.readline(), PATIENCE)).decode().strip()
    writer.close()
    return {"bytes": args.bytes, "wrong": int(found != digest_of(args.bytes))}


async def get(args):
    reader, writer = await open_to(args.target)
    writer.write(f"GET {args.bytes}\n".encode())
    found = await take_stream(reader, args.bytes)
    writer.close()
    return {"bytes": args.bytes, "wrong": int(found != digest_of(args.bytes))}


class Barrier:
    """Opens when all have come (or failed to), so that all connections are open at once."""

    def __init__(self, parties):
        self.missing = parties
        self.open = asyncio.Event()

    def arrive(self):
        self.missing -= 1
        if self.missing <= 0:
            self.open.set()


async def echo_rounds(reader, writer, args):
    writer.write(b"ECHO\n")
    for _ in range(args.rounds):
        sent = random.randbytes(args.bytes)
        writer.write(sent)
        if await asyncio.wait_for(reader.readexactly(len(sent)), PATIENCE) != sent:
            return "wrong"
    writer.write_eof()
    if await asyncio.wait_for(reader.read(), PATIENCE):
        return "wrong"
    return "good"


async def tcp_connection(args, barrier, counts):
    writer = None
    arrived = False
    try:
        reader, writer = await open_to(args.target)
        barrier.arrive()
        arrived = True
        await barrier.open.wait()
        counts[await echo_rounds(reader, writer, args)] += 1
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
        counts["failed"] += 1
        counts[type(error).__name__] += 1
    finally:
        if not arrived:
            barrier.arrive()
        if writer:
            writer.close()


async def tcp(args):
    counts = collections.Counter(good=0, wrong=0, failed=0)
    barrier = Barrier(args.connections)
    until = time.monotonic() + args.seconds

    async def one_after_another():
        await tcp_connection(args, barrier, counts)
        while time.monotonic() < until:
            await tcp_connection(args, barrier, counts)

    await asyncio.gather(*(one_after_another() for _ in range(args.connections)))
    return counts


class UdpFlow(asyncio.DatagramProtocol):
    """One datagram at a time, numbered; the answer has to be to this one."""

    def __init__(self):
        self.answer = asyncio.Queue()

    def datagram_received(self, data, peer):
        self.answer.put_nowait(data)

    def error_received(self, error):
        self.answer.put_nowait(None)


async def answer_to(flow, number):
    """The answer that comes within two seconds; late ones, to earlier numbers, are passed over."""
    async def next_answer():
        while True:
            answer = await flow.answer.get()
            data = (answer or b"").partition(b" ")[2]
            if not number or int.from_bytes(data[:8], "big") >= number or len(data) < 8:
                return answer or b""

    try:
        return await asyncio.wait_for(next_answer(), 2)
    except asyncio.TimeoutError:
        return None


async def udp_flow(args, counts, servers, until):
    loop = asyncio.get_running_loop()
    transport, flow = await loop.create_datagram_endpoint(UdpFlow, remote_addr=args.target)
    server = None
    for number in range(sys.maxsize):
        if number >= args.rounds and time.monotonic() >= until:
            break
        sent = number.to_bytes(8, "big") + random.randbytes(max(args.bytes - 8, 0))
        transport.sendto(sent)
        answer = await answer_to(flow, number)
        if answer is None:
            counts["lost"] += 1
            server = None  # silent for so long, the connection may have expired
            continue
        name, _, data = answer.partition(b" ")
        good = data == sent and server in (None, name)  # a flow stays with its server
        counts["good" if good else "wrong"] += 1
        server = name
    servers[server.decode() if server else None] += 1
    transport.close()


async def udp(args):
    counts = collections.Counter(good=0, wrong=0, lost=0)
    servers = collections.Counter()
    until = time.monotonic() + args.seconds

    # Not all in one instant: the queues of a tap are shorter than that.
    async def one(number):
        await asyncio.sleep(number * 0.0002)
        await udp_flow(args, counts, servers, until)

    await asyncio.gather(*(one(number) for number in range(args.flows)))
    return {**counts, "servers": servers}


def main():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("serve").add_argument("listen", nargs="+", type=address)
    for name in ("put", "get"):
        verb = verbs.add_parser(name)
        verb.add_argument("target", type=address)
        verb.add_argument("bytes", type=int)
    for name, many in (("tcp", "--connections"), ("udp", "--flows")):
        verb = verbs.add_parser(name)
        verb.add_argument("target", type=address)
        verb.add_argument(many, type=int, default=1)
        verb.add_argument("--rounds", type=int, default=1)
        verb.add_argument("--bytes", type=int, default=1024)
        verb.add_argument("--seconds", type=float, default=0)
    args = parser.parse_args()

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = asyncio.run(globals()[args.verb](args))
    if result is not None:
        print(json.dumps(result))
        sys.exit(result["wrong"] > 0)


if __name__ == "__main__":
    main()
