#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Workers are restarted and killed under traffic in each forwarding mode: no connection is lost.

    namespace client                    appliance                    namespace server
    192.0.2.2, .3  ------------ wan    2 workers    lan ------------ 198.51.100.101-103
         |                                                                  | lo: 192.0.2.81-86
         +---------------------- veth: answers in DR and tunnels -----------+

The kernels are clients and servers. This one has no tunnel devices, so what comes in a tunnel is taken
out of it in user space (tests/lib/decap.py).
"""

import copy
import os
import signal
import subprocess
from collections import namedtuple

import paths  # noqa: F401

import checks
from checks import equal, eventually
from decap import Decapsulator
from instance import Instance
from traffic import BACKENDS, CLIENTS, CONFIG, Traffic

BACK = 12  # seconds in which a worker has to be back
TCP, UDP = 16, 16

CLIENTS6 = ("2001:db8:1::2", "2001:db8:1::3")
BACKENDS6 = tuple(f"2001:db8:2::{n}" for n in (101, 102, 103))
OWN6 = {"wan": "2001:db8:1::1/64", "lan": "2001:db8:2::1/64"}

# Each has a virtual address of its own, so that none meets a connection of another. Servers answer at
# the backends' addresses, or at the virtual one; `back` is their way to the clients.
Case = namedtuple("Case", "name mode virtual clients backends servers back")


def case4(name, mode, n, by_us):
    virtual = f"192.0.2.{n}"
    return Case(name, mode, virtual, CLIENTS, BACKENDS, BACKENDS if by_us else (virtual,),
                "via 198.51.100.1" if by_us else "dev back")


CASES = (
    case4("FullNAT", "fullnat", 81, True),
    case4("NAT", "nat", 82, True),
    case4("DR", "dr", 83, False),
    case4("IPIP", "ipip", 84, False),
    case4("GRE", "gre", 85, False),
    case4("GUE", "gue", 86, False),
    Case("FullNAT over IPv6", "fullnat", "2001:db8:1::80", CLIENTS6, BACKENDS6, BACKENDS6, None),
)


def config(case):
    made = copy.deepcopy(CONFIG)
    for interface in made["interfaces"]:
        interface["addresses"].append(OWN6[interface["name"]])
    made["local_address_pools"][0]["addresses"].append("2001:db8:2::a")
    made["backend_pools"][0]["forwarding_mode"] = case.mode
    for backend, address in zip(made["backend_pools"][0]["backends"], case.backends):
        backend["address"] = address
    for server in made["virtual_servers"]:
        server["address"] = case.virtual
        if case.mode != "fullnat":
            server.pop("local_address_pool")
    return made


def run(*words):
    subprocess.run(words, check=True)


def build(instance):
    """Addresses of IPv6, virtual addresses on the server, and its own way to the clients."""
    client, server = instance.namespace("client"), instance.namespace("server")
    for space, tap, addresses in ((client, "wan", CLIENTS6), (server, "lan", BACKENDS6)):
        tap = f"{instance.name}-{tap}"
        run("ip", "netns", "exec", space, "sysctl", "-qw", f"net.ipv6.conf.{tap}.disable_ipv6=0",
            "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            f"net.ipv4.conf.{tap}.rp_filter=0")
        for address in addresses:
            run("ip", "-n", space, "address", "add", f"{address}/64", "dev", tap, "nodad")
    for case in CASES:
        if case.servers == (case.virtual,):
            run("ip", "-n", server, "address", "add", f"{case.virtual}/32", "dev", "lo")
    run("ip", "-n", server, "link", "add", "back", "type", "veth", "peer", "name", "back",
        "netns", client)
    for space in (client, server):
        run("ip", "-n", space, "link", "set", "back", "up")
    run("ip", "-n", server, "-6", "route", "add", "2001:db8:1::/64", "via", "2001:db8:2::1")


def route_back(instance, case):
    server = instance.namespace("server")
    if case.back:
        run("ip", "-n", server, "route", "replace", "192.0.2.0/24", *case.back.split())


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
    route_back(instance, case)
    with Traffic(instance, tcp=TCP, udp=UDP, clients=case.clients, virtual=case.virtual,
                 servers=case.servers) as traffic:
        known = survives(instance, traffic, case, restarted)
        equal(sum(f.lost for f in traffic.flows), 0, "datagrams that a restart cost")
        equal({worker for worker, *_ in known}, {0, 1}, "workers that own some")
        equal({mode for _, mode, *_ in known}, {case.mode}, "modes")
        survives(instance, traffic, case, killed)
        return sum(f.lost for f in traffic.flows)


def tests(report):
    with Instance("--no-config") as instance:
        build(instance)
        with Decapsulator(instance.namespace("server")) as tunnels:
            for case in CASES:
                with report.case(f"{case.name}: restarts and kills of both workers"):
                    lost = lives(instance, case)
                    assert case.mode not in tunnels.taken or tunnels.taken[case.mode], \
                        "nothing came by the tunnel"
                    print(f"{case.name}: kills cost {lost} datagrams", flush=True)


checks.main(tests)
