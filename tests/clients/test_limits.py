#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that are slow, many, greedy or rude: the others are served meanwhile, memory is bounded."""

import json
import os
import resource
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import paths  # noqa: F401

import checks
from api import JSON, PACKAGE
from appliance import node, served
from checks import equal, eventually

WORKERS = "WorkerService/ListWorkers"
MIB = 1 << 20
POST = f"POST /{PACKAGE}.{WORKERS} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"


def memory(instance):
    """Bytes that ctrl holds by itself; the shared regions don't count."""
    with open(f"/proc/{instance.pid('ctrl')}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["RssAnon"].split()[0]) * 1024


class Clock:
    """Calls all the time; how long the slowest took, and whether all were answered."""

    def __init__(self, instance):
        self.instance = instance
        self.slowest = 0.0
        self.n = 0
        self.wrong = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(0.01):
            began = time.monotonic()
            try:
                status = self.instance.api.raw(WORKERS, b"{}").status
                if status != 200:
                    self.wrong.append(status)
            except BlockingIOError:
                continue  # no room to wait in, for now
            except OSError as error:
                self.wrong.append(repr(error))
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.n += 1


@contextmanager
def others_served(instance, at_most=64 * MIB):
    """Meanwhile somebody else is served, and ctrl does not grow by more than that."""
    before = memory(instance)
    clock = Clock(instance)
    clock.thread.start()
    try:
        yield
        eventually(5, "calls of others", lambda: clock.n > 5)
        grown = memory(instance) - before
    finally:
        clock.stop.set()
        clock.thread.join(10)
    equal(clock.wrong, [], "answers to others")
    assert clock.slowest < 3, f"another's call took {clock.slowest:.1f} s"
    assert grown < at_most, f"ctrl has grown by {grown / MIB:.0f} MiB"


def connect(instance):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    while True:
        try:
            sock.connect(instance.socket_path)
            return sock
        except BlockingIOError:  # no room to wait in, for now
            time.sleep(0.01)


def slow_connections(instance):
    socks = [connect(instance) for _ in range(150)]
    with others_served(instance):
        for i in range(20):
            for sock in socks:
                sock.sendall(POST[i:i + 1].encode())
            time.sleep(0.02)
    for sock in socks:
        sock.close()


def idle_connections(instance):
    """The server keeps the youngest of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12000), hard))
    socks = []
    try:
        with others_served(instance):
            for _ in range(10000):
                socks.append(connect(instance))
        socks[-1].sendall(f"{POST}Content-Length: 2\r\n\r\n{{}}".encode())
        assert socks[-1].recv(100).startswith(b"HTTP/1.1 200 "), "the youngest is not served"
        equal(socks[0].recv(1), b"", "what the oldest reads")
    finally:
        for sock in socks:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def announced_gigabyte(instance):
    with others_served(instance), connect(instance) as sock:
        sock.sendall(f"{POST}Content-Length: {1 << 30}\r\n\r\n".encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")


def sent_gigabyte(instance):
    """In chunks, until the server has had enough."""
    with others_served(instance), connect(instance) as sock:
        sock.sendall(f"{POST}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"%x\r\n" % MIB + b"x" * MIB + b"\r\n"
        sent = 0
        try:
            while sent < 1024:
                sock.sendall(chunk)
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 64, f"{sent} MiB were taken"
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")


def gigabyte_over_http2(instance):
    with others_served(instance):
        with subprocess.Popen(["head", "-c", "1G", "/dev/zero"], stdout=subprocess.PIPE) as zeroes:
            done = subprocess.run(
                ["curl", "-sS", "--max-time", "20", "--http2-prior-knowledge", "-X", "POST",
                 "-T", "-", "-H", f"content-type: {JSON}", "--unix-socket", instance.socket_path,
                 f"http://localhost/{PACKAGE}.{WORKERS}"],
                stdin=zeroes.stdout, capture_output=True, timeout=30, check=False)
            zeroes.stdout.close()
            zeroes.kill()
        assert b"resource_exhausted" in done.stdout, done.stdout[:300] + done.stderr[:300]


def envelope(message):
    body = json.dumps(message).encode()
    return b"\0" + len(body).to_bytes(4, "big") + body


def slow_readers(instance):
    """Streams that nobody reads: they wait, and go on when somebody does."""
    body = envelope({"intervalMs": 100})
    head = (f"POST /{PACKAGE}.StatsService/WatchStats HTTP/1.1\r\nHost: x\r\n"
            f"Content-Type: application/connect+json\r\nContent-Length: {len(body)}\r\n\r\n")
    socks = [connect(instance) for _ in range(40)]
    with others_served(instance):
        for sock in socks:
            sock.sendall(head.encode() + body)
        time.sleep(3)
    for sock in socks:
        found = b""
        while found.count(b'"complete":true') < 15:
            more = sock.recv(65536)
            assert more, "the stream has ended"
            found += more
        sock.close()


def many_streams(instance):
    """More clients than are served at a time: each in turn, none forgotten."""
    equal(len({instance.api.raw(WORKERS, b"{}").status for _ in range(300)}), 1)


def tests(report):
    with served() as instance:
        fds = f"/proc/{instance.pid('ctrl')}/fd"
        before = len(os.listdir(fds))
        for name, run in (("150 that send a byte now and then", slow_connections),
                          ("10,000 that say nothing", idle_connections),
                          ("a gigabyte, announced", announced_gigabyte),
                          ("a gigabyte, in chunks", sent_gigabyte),
                          ("a gigabyte over HTTP/2", gigabyte_over_http2),
                          ("streams that nobody reads", slow_readers),
                          ("300 one after the other", many_streams)):
            with report.case(name):
                run(instance)
        with others_served(instance):
            node(instance, "rude.cjs", report)
        with report.case("no connection is left"):
            eventually(5, "their sockets closed", lambda: len(os.listdir(fds)) <= before)


checks.main(tests)
