# SPDX-License-Identifier: BSD-3-Clause
"""A hundred thousand backends, and somebody who asks meanwhile."""

import threading
import time

SERVERS, BACKENDS = 10000, 10
LIMITS = {"virtual-servers": SERVERS, "backends": SERVERS * BACKENDS, "snapshot": "16MiB",
          "connections": 1024, "buffers": 1024}
OPTIONS = ["--no-config", *(o for limit in LIMITS.items()
                            for o in ("--set", "=".join(map(str, limit))))]


def pool(p):
    return {"name": f"pool-{p:05}", "backends": [
        {"name": f"b{b}", "address": f"10.{1 + p // 100}.{p % 100}.{1 + b}", "port": 80,
         "weight": 1 + p // 4 ** b % 4} for b in range(BACKENDS)]}


def server(s):
    return {"name": f"server-{s:05}", "address": f"172.16.{s // 200}.{1 + s % 200}", "port": 80,
            "protocol": "tcp", "backend_pool": f"pool-{s:05}", "local_address_pool": "local"}


def config():
    return {"interfaces": [{"name": "lan", "addresses": ["10.0.0.1/8"]},
                           {"name": "wan", "addresses": ["192.0.2.1/24"]}],
            "local_address_pools": [{"name": "local", "addresses": ["10.0.0.10"]}],
            "backend_pools": [pool(p) for p in range(SERVERS)],
            "virtual_servers": [server(s) for s in range(SERVERS)]}


class Meanwhile:
    """Somebody else, who asks small things all the time: what he waits for answers, and how much
    longer he sleeps than he wants to, in ms."""

    def __init__(self, api):
        self.api = api
        self.waits, self.late = [], [0]
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        while not self.end.is_set():
            began = time.monotonic()
            self.api.call("VirtualServerService/ListVirtualServers", {"page_size": 5})
            self.waits.append((time.monotonic() - began) * 1e3)
            began = time.monotonic()
            time.sleep(0.002)
            self.late.append((time.monotonic() - began) * 1e3 - 2)

    @property
    def longest(self):
        return max(self.waits, default=0)

    @property
    def p99(self):
        return sorted(self.waits)[len(self.waits) * 99 // 100] if self.waits else 0

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()
