#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers are restarted and killed under traffic in each forwarding mode: no connection is lost,
and persistent clients stay with their backends.

The topology is drawn in tests/lib/kernel_modes.py, which says as well where a tunnel ends.
"""

import os
import signal
import socket

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import Instance
from kernel_modes import BACKENDS6, CASES, SNATS, Case, build, config, far_end
from traffic import BACKENDS, Traffic

BACK = 12  # seconds in which a worker has to be back
TCP, UDP = 16, 16

PERSISTENT = (Case("FullNAT", "fullnat", "192.0.2.91", BACKENDS),
              Case("NAT over IPv6", "nat", "2001:db8:1::91", BACKENDS6))


def listed(instance, traffic, case):
    """Who owns which connection, and in which mode: what a death may not change."""
    found = {(c["protocol"][9:].lower(), c["clientPort"]):
             (c.get("worker", 0), c["mode"], c["backendAddress"], c.get("localPort"))
             for c in instance.connections() if c["virtualAddress"] == case.virtual}
    return {flow.port: found[flow.protocol, flow.port] for flow in traffic.flows}


def restarted(instance):
    for n in (0, 1):
        instance.api.call("WorkerService/RestartWorker", {"id": n})


def killed(instance):
    """First with a standby each, then who took over, at once."""
    for _ in range(2):
        before = instance.workers()
        for worker in before.values():
            os.kill(worker["pid"], signal.SIGKILL)
        eventually(BACK, "other workers", lambda was=before: all(
            w["state"] == "running" and w["pid"] != was[n]["pid"]
            for n, w in instance.workers().items()))


def survives(instance, traffic, case, happen):
    """Returns the connections."""
    eventually(BACK, "standbys", instance.with_standbys)
    traffic.echoes(BACK)
    before = listed(instance, traffic, case)
    traffic.mark()
    happen(instance)
    traffic.echoes(BACK)
    equal([f.error for f in traffic.flows if f.error], [], "broken connections")
    equal(listed(instance, traffic, case), before, "connections, and who owns them")
    return before.values()


def lives(instance, case):
    """Returns how many datagrams the deaths cost."""
    instance.api.call("ConfigService/ApplyConfig", {"config": config(case)})
    with Traffic(instance, tcp=TCP, udp=UDP, clients=case.clients, virtual=case.virtual,
                 servers=case.servers) as traffic:
        known = survives(instance, traffic, case, restarted)
        equal(sum(f.lost for f in traffic.flows), 0, "datagrams that a restart cost")
        equal(len({worker for worker, *_ in known}), case.owners, "workers that own some")
        equal({mode for _, mode, *_ in known}, {case.listed}, "modes")
        survives(instance, traffic, case, killed)
        return sum(f.lost for f in traffic.flows)


def backends_of_clients(instance, case):
    found = {}
    for c in instance.connections():
        if c["virtualAddress"] == case.virtual:
            found.setdefault((c["protocol"], c["clientAddress"]), set()).add(c["backendAddress"])
    return found


def stays(instance, case):
    """What a client opens after the deaths goes where it went before, of three backends in turn."""
    made = config(case)
    for server in made["virtual_servers"]:
        server.update(scheduler="rr", persistence={"timeout_seconds": 300})
    instance.api.call("ConfigService/ApplyConfig", {"config": made})
    with Traffic(instance, tcp=TCP, udp=UDP, clients=case.clients, virtual=case.virtual,
                 servers=case.servers) as traffic:
        survives(instance, traffic, case, killed)
        before = backends_of_clients(instance, case)
        equal([len(backends) for backends in before.values()], [1] * 2 * len(case.clients),
              "backends of each client and protocol")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for n in range(6):
                traffic.open(kind, case.clients[n % len(case.clients)])
        traffic.echoes(BACK)
        equal(backends_of_clients(instance, case), before, "backends")


def tests(report):
    with Instance("--no-config") as instance:
        build(instance)
        with far_end(instance) as tunnels:
            for case in (*CASES, *SNATS):
                with report.case(f"{case.name}: restarts and kills of both workers"):
                    lost = lives(instance, case)
                    assert not case.tunnel or tunnels.taken[case.mode, case.outer, case.inner], \
                        "nothing came by the tunnel"
                    print(f"{case.name}: kills cost {lost} datagrams", flush=True)
        for case in PERSISTENT:
            with report.case(f"{case.name}: persistent clients stay with their backends"):
                stays(instance, case)


checks.main(tests)
