# SPDX-License-Identifier: BSD-3-Clause
"""tests/lib/appliance for tests written in Python, and sockets in its namespaces."""

import ctypes
import itertools
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

from api import Api
from checks import eventually

LIB = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(LIB))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
SLUICE = os.environ.get("SLUICE", os.path.join(BUILD, "sluice"))
SLUICECTL = os.environ.get("SLUICECTL", os.path.join(BUILD, "sluicectl"))
PROGRAMS = dict(os.environ, SLUICE=SLUICE, SLUICECTL=SLUICECTL)

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
letters = itertools.cycle("abcdefghijklmnopqrstuvwxyz")


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def inside(namespace):
    """This thread is in the namespace meanwhile; a socket stays in the one it was made in."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(there)
        try:
            yield
        finally:
            setns(here)
    finally:
        os.close(there)
        os.close(here)


def alive(pid):
    """Whether the process or any of its threads still runs: a zombie's may, and use its files."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            state = file.read().rsplit(") ", 1)[1][0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def takeover_times(before, now):
    """For how long nobody worked, in us, in each slot that has another process than before."""
    return [int(w["takeoverUs"]) for n, w in now.items()
            if w["pid"] != before[n]["pid"] and "takeoverUs" in w]


class Instance:
    """An appliance of this test's own, ended with the `with` block."""

    def __init__(self, *options):
        letter = next(letters)
        program = os.path.basename(sys.argv[0]).removesuffix(".py")
        self.dir = f"/tmp/sluice-{program}.{os.getpid()}{letter}"
        self.name = f"t{os.getpid()}{letter}"
        self.options = options
        self.socket_path = f"{self.dir}/run/ctrl.sock"
        self.api = Api(self.socket_path)

    def __enter__(self):
        try:
            self.appliance("up", "--name", self.name, *self.options)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.appliance("down")

    def appliance(self, verb, *arguments):
        """Run a verb of tests/lib/appliance and return what it printed."""
        done = subprocess.run([f"{LIB}/appliance", verb, self.dir, *arguments], env=PROGRAMS,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=100, check=False)
        said = (done.stdout + done.stderr).strip()
        assert done.returncode == 0, f"appliance {verb}: {said[-2000:]}"
        return done.stdout.strip()

    def ctl(self, *arguments, text=None):
        """sluicectl: exit code and what it printed, for the caller to judge."""
        return subprocess.run([SLUICECTL, "--socket", self.socket_path, *arguments], input=text,
                              capture_output=True, text=True, timeout=60, check=False)

    def pid(self, role, number=0):
        return int(self.appliance("pid", role, str(number)))

    def workers(self):
        """Worker messages by id; proto3 JSON leaves out what is zero."""
        listed = self.api.call("WorkerService/ListWorkers").get("workers", [])
        return {w.get("id", 0): w for w in listed}

    def with_standbys(self):
        """The workers when each runs and has a standby that waits; None until then."""
        listed = self.workers()
        ready = all(w["state"] == "running" and "standbyPid" in w for w in listed.values())
        return listed if ready else None

    def takeovers(self, before):
        return takeover_times(before, self.workers())

    def connections(self, **filters):
        """All connections that fit, page by page."""
        found, token = [], ""
        for _ in range(10000):
            page = self.api.call("ConnectionService/ListConnections",
                                 {**filters, "page_size": 1000, "page_token": token})
            found += page.get("connections", [])
            token = page.get("nextPageToken", "")
            if not token:
                return found
        raise AssertionError("ListConnections never comes to an end")

    def namespace(self, side):
        return f"{self.name}-{side}"

    def socket(self, side, kind=socket.SOCK_STREAM, address=None, timeout=10):
        """A kernel's socket in the namespace `client` or `server`, bound to the address if any,
        whose family it has."""
        family = socket.AF_INET6 if address and ":" in address[0] else socket.AF_INET
        with inside(self.namespace(side)):
            made = socket.socket(family, kind)
        made.settimeout(timeout)
        if address:  # else two clients over UDP could be given the same port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
        return made

    @contextmanager
    def udp_clients(self, virtual, backends, count):
        """So many sockets, each with a connection to the virtual server; the backends are silent."""
        servers = [self.socket("server", socket.SOCK_DGRAM, address=a) for a in backends]
        clients = [self.socket("client", socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for client in clients:
                client.connect(virtual)
                client.send(b"x")
            eventually(5, "connections", lambda: len(self.connections()) == count)
            yield clients
        finally:
            for sock in servers + clients:
                sock.close()
