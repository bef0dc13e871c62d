# SPDX-License-Identifier: BSD-3-Clause
"""Connections of the kernels' own through the appliance, each with its own account.

    namespace client: 192.0.2.2, .3   ---- appliance ----   namespace server: 198.51.100.101-103
    TCP and UDP clients of 192.0.2.80:7                     echo servers on port 7

Every client sends a numbered message, waits for its echo, rests, and goes on. What it
misses, and for how long it got no answer, is what a test wants to know.
"""

import heapq
import itertools
import selectors
import socket
import threading
import time

VIRTUAL, PORT = "192.0.2.80", 7
CLIENTS = ("192.0.2.2", "192.0.2.3")
BACKENDS = tuple(f"198.51.100.{n}" for n in (101, 102, 103))
REST = 0.01   # seconds between an echo and the next message
RETRY = 1.0   # seconds after which a UDP client gives a message up
SIZE = 64

CONFIG = {
    "interfaces": [{"name": "wan", "addresses": ["192.0.2.1/24"]},
                   {"name": "lan", "addresses": ["198.51.100.1/24"]}],
    "routes": [{"name": "default", "prefix": "0.0.0.0/0", "gateway": "192.0.2.254"}],
    "local_address_pools": [{"name": "local", "addresses": ["198.51.100.10", "198.51.100.11"]}],
    "backend_pools": [{"name": "echo", "backends": [
        {"name": f"echo-{i}", "address": a, "port": PORT} for i, a in enumerate(BACKENDS)]}],
    "virtual_servers": [
        {"name": f"echo-{protocol}", "address": VIRTUAL, "port": PORT, "protocol": protocol,
         "backend_pool": "echo", "local_address_pool": "local"} for protocol in ("tcp", "udp")],
}


class Flow:
    """One client. Its owner is the loop's thread; others only read."""

    def __init__(self, sock, protocol):
        self.sock = sock
        self.protocol = protocol
        self.port = sock.getsockname()[1]
        self.answered = 0   # messages
        self.lost = 0       # datagrams without an echo
        self.worst = 0.0    # longest time between two echoes, seconds
        self.last = time.monotonic()
        self.error = None
        self.number = 0
        self.pending = b""  # of an echo, still to come

    def message(self):
        return f"{self.port} {self.number} ".encode().ljust(SIZE, b".")

    def gap(self):
        """The worst yet, the wait that is going on included."""
        return max(self.worst, time.monotonic() - self.last)

    def progress(self):
        now = time.monotonic()
        self.worst = max(self.worst, now - self.last)
        self.last = now
        self.answered += 1


class Traffic:
    """Of any addresses: where clients are, what they connect to, where it is answered."""

    def __init__(self, instance, tcp=16, udp=16, clients=CLIENTS, virtual=VIRTUAL,
                 servers=BACKENDS):
        self.instance = instance
        self.clients, self.virtual, self.servers = clients, virtual, servers
        self.counts = {socket.SOCK_STREAM: tcp, socket.SOCK_DGRAM: udp}
        self.selector = selectors.DefaultSelector()
        self.flows = []
        self.timers = []  # heap of (when, tie, action, flow, number)
        self.ties = itertools.count()
        self.stopped = False
        self.crash = None
        self.thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self):
        try:
            for kind in self.counts:
                for address in self.servers:
                    self._serve(kind, address)
            self.thread.start()
            for kind, count in self.counts.items():
                for n in range(count):
                    self.open(kind, self.clients[n % len(self.clients)])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        for key in list(self.selector.get_map().values()):
            self._close(key.fileobj)
        self.selector.close()

    def stop(self):
        """Nobody sends any more; the connections stay open."""
        self.stopped = True
        if self.thread.ident:
            self.thread.join(5)

    # ---- what a test asks --------------------------------------------------------

    def mark(self):
        """Forget the past: gaps and losses count from now on."""
        for flow in self.flows:
            flow.worst, flow.lost = 0.0, 0

    def echoes(self, seconds=5):
        """Every flow gets an echo from now on, within so many seconds."""
        began = time.monotonic()
        while True:
            assert not self.crash, f"traffic: {self.crash}"
            waiting = [f for f in self.flows if f.last < began or not f.answered]
            if not waiting:
                return
            broken = [f.error for f in waiting if f.error]
            assert not broken, f"{len(broken)} broken connections: {broken[0]}"
            assert time.monotonic() - began < seconds, \
                f"{len(waiting)} of {len(self.flows)} flows have no echo in {seconds} s"
            time.sleep(0.01)

    def of_workers(self):
        """Worker -> its flows, by what the appliance says."""
        owner = {(c["protocol"][9:].lower(), c["clientPort"]): c.get("worker", 0)
                 for c in self.instance.connections()}
        found = {}
        for flow in self.flows:
            found.setdefault(owner[flow.protocol, flow.port], []).append(flow)
        return found

    def open(self, kind, address=None, timeout=5):
        """One more client."""
        sock = self.instance.socket("client", kind, (address or self.clients[0], 0), timeout)
        try:
            sock.connect((self.virtual, PORT))
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        flow = Flow(sock, "tcp" if kind == socket.SOCK_STREAM else "udp")
        self.flows.append(flow)
        self.selector.register(sock, selectors.EVENT_READ, (self._echoed, flow))
        self._later(0, self._send, flow)
        return flow

    # ---- the loop ------------------------------------------------------------------

    def _serve(self, kind, address):
        sock = self.instance.socket("server", kind, (address, PORT))
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            sock.listen(256)
            self.selector.register(sock, selectors.EVENT_READ, (self._accept, sock))
        else:
            self.selector.register(sock, selectors.EVENT_READ, (self._answer_udp, sock))

    def _accept(self, listener):
        sock, _ = listener.accept()
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, (self._answer_tcp, sock))

    def _answer_tcp(self, sock):
        try:
            data = sock.recv(65536)
            if data:
                sock.send(data)
                return
        except ConnectionError:
            pass
        self._close(sock)

    @staticmethod
    def _answer_udp(sock):
        data, sender = sock.recvfrom(65536)
        sock.sendto(data, sender)

    def _close(self, sock):
        self.selector.unregister(sock)
        sock.close()

    def _later(self, seconds, action, flow):
        entry = (time.monotonic() + seconds, next(self.ties), action, flow, flow.number)
        heapq.heappush(self.timers, entry)

    def _send(self, flow):
        flow.pending = flow.message()
        flow.sock.send(flow.pending)
        if flow.protocol == "udp":
            self._later(RETRY, self._give_up, flow)

    def _give_up(self, flow):
        flow.lost += 1
        flow.number += 1
        self._send(flow)

    def _echoed(self, flow):
        data = flow.sock.recv(65536)
        if flow.protocol == "udp":
            if data != flow.pending:
                return  # the echo of a message given up
            flow.pending = b""
        else:
            if not data or not flow.pending.startswith(data):
                raise ConnectionError(f"got {data[:80]!r} when {flow.pending[:80]!r} was due")
            flow.pending = flow.pending[len(data):]
        if not flow.pending:
            flow.progress()
            flow.number += 1
            self._later(REST, self._send, flow)

    def _run(self, action, subject):
        """A flow's trouble is that flow's; a server's is seen by its clients."""
        try:
            action(subject)
        except BlockingIOError:
            pass
        except OSError as error:
            if isinstance(subject, Flow):
                subject.error = str(error)
                self._close(subject.sock)

    def _due(self):
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            _, _, action, flow, number = heapq.heappop(self.timers)
            if number == flow.number and flow.error is None:
                self._run(action, flow)

    def _loop(self):
        try:
            while not self.stopped:
                self._due()
                for key, _ in self.selector.select(0.005):
                    self._run(*key.data)
        except Exception as error:  # said by the next echoes()
            self.crash = f"{type(error).__name__}: {error}"

