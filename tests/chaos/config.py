# SPDX-License-Identifier: BSD-3-Clause
"""What the chaos run configures: echo servers in FullNAT and NAT, a sink, and an edition that tells by
itself.

An apply of edition n sets the same weight, n, at every spare backend, and serves one of two
probe ports: which one answers says which edition the workers forward by.
"""

import socket
import sqlite3
from contextlib import closing

from traffic import BACKENDS, CLIENTS, CONFIG, VIRTUAL

SINK = 9
PROBE = 20000  # and the next one
POOLS, BACKENDS_EACH = 20, 57


def _pool(name, port):
    return {"name": name, "backends": [{"name": f"{name}-{i}", "address": a, "port": port}
                                       for i, a in enumerate(BACKENDS)]}


def _server(name, port, pool):
    return {"name": name, "address": VIRTUAL, "port": port, "protocol": "udp",
            "backend_pool": pool, "local_address_pool": "local"}


def _mixed(pool):
    """One backend of it sees the clients themselves."""
    nat = {**pool["backends"][1], "forwarding_mode": "nat"}
    return {**pool, "backends": [nat if b["name"] == nat["name"] else b for b in pool["backends"]]}


def edition(n):
    """Edition n, with many resources, so that an apply takes some time."""
    spare = [{"name": f"spare-{p}", "backends": [
        {"name": f"s{i}", "address": BACKENDS[i % 3], "port": 1000 + i, "weight": n}
        for i in range(BACKENDS_EACH)]} for p in range(POOLS)]
    return {**CONFIG,
            "backend_pools": [_mixed(p) for p in CONFIG["backend_pools"]] + [
                _pool("sink", SINK), _pool("probe", PROBE)] + spare,
            "virtual_servers": CONFIG["virtual_servers"] + [
                _server("sink", SINK, "sink"), _server("probe", PROBE + n % 2, "probe")]}


def edition_of(config):
    """The one edition of all spare backends."""
    found = {b["weight"] for p in config["backendPools"] if p["name"].startswith("spare-")
             for b in p["backends"]}
    assert len(found) == 1, f"a mixture of editions {sorted(found)}"
    return found.pop()


def probed(instance):
    """Which of the probe ports the workers serve: 0 or 1."""
    with closing(instance.socket("client", socket.SOCK_DGRAM, (CLIENTS[1], 0))) as client, \
            closing(instance.socket("server", socket.SOCK_DGRAM, ("", PROBE), 0.2)) as server:
        for _ in range(25):
            for n in (0, 1):
                client.sendto(bytes([n]), (VIRTUAL, PROBE + n))
            try:
                return server.recv(64)[0]
            except TimeoutError:
                continue
    raise AssertionError("neither probe port is served")


def stored_revision(instance):
    """What sqlite has as its last revision; and the file is whole."""
    with closing(sqlite3.connect(f"file:{instance.dir}/sluice.db?mode=ro", uri=True,
                                 timeout=10)) as db:
        said = db.execute("PRAGMA integrity_check").fetchone()[0]
        assert said == "ok", f"integrity check: {said}"
        return db.execute("SELECT max(number) FROM revision").fetchone()[0]
