# SPDX-License-Identifier: BSD-3-Clause
"""Every forwarding mode between kernels: what is configured, and who has which address.

    namespace client                    appliance                    namespace server
    192.0.2.2, .3  ------------ wan    2 workers    lan ------------ 198.51.100.101-103
    2001:db8:1::2, ::3                                               2001:db8:2::101-103
         |                                            lo: the virtual addresses of DR and tunnels
         +-- back: a veth for the answers in DR and tunnels -----------+

The kernels are clients and servers. This one has no tunnel devices, so what comes in a tunnel is taken
out of it in user space (decap.py).
"""

import copy
import subprocess
from collections import namedtuple

from decap import SHIM, Decapsulator
from traffic import BACKENDS, CLIENTS, CONFIG

CLIENTS6 = ("2001:db8:1::2", "2001:db8:1::3")
BACKENDS6 = tuple(f"2001:db8:2::{n}" for n in (101, 102, 103))
OWN6 = {"wan": "2001:db8:1::1/64", "lan": "2001:db8:2::1/64"}
IP_BYTES = {4: 20, 6: 40}


def family(address):
    return 6 if ":" in address else 4


class Case(namedtuple("Case", "name mode virtual backends")):
    """A virtual address of its own, so that none meets a connection of another."""

    @property
    def clients(self):
        return CLIENTS if self.inner == 4 else CLIENTS6

    @property
    def servers(self):
        """Where is answered: at the backends' addresses, or at the virtual one."""
        return (self.virtual,) if self.direct else self.backends

    @property
    def inner(self):
        return family(self.virtual)

    @property
    def outer(self):
        return family(self.backends[0])

    @property
    def direct(self):
        """Answers do not come by us."""
        return self.mode not in ("fullnat", "nat", "snat")

    @property
    def owners(self):
        """Of two workers: what goes to one endpoint outside is one worker's (<sluice/owner.h>)."""
        return 1 if self.mode == "snat" else 2

    @property
    def tunnel(self):
        return self.mode in SHIM

    @property
    def listed(self):
        """What ListConnections calls it."""
        return "fullnat64" if self.inner != self.outer and not self.tunnel else self.mode

    @property
    def overhead(self):
        """Bytes that a tunnel puts in front of a packet."""
        return IP_BYTES[self.outer] + SHIM[self.mode]


def family_cases(virtual, first, backends, suffix, modes):
    return [Case(name + suffix, name.lower(), virtual.format(first + n), backends)
            for n, name in enumerate(modes)]


MODES, TUNNELS = ("FullNAT", "NAT", "DR", "IPIP", "GRE", "GUE"), ("IPIP", "GRE", "GUE")
FOUR, SIX = "192.0.2.{}", "2001:db8:1::{}"
CASES = (
    *family_cases(FOUR, 81, BACKENDS, "", MODES),
    *family_cases(FOUR, 87, BACKENDS6, ", IPv4 in IPv6", TUNNELS),
    *family_cases(SIX, 81, BACKENDS6, " over IPv6", MODES),
    *family_cases(SIX, 87, BACKENDS, ", IPv6 in IPv4", TUNNELS),
    Case("FullNAT64", "fullnat", SIX.format(90), BACKENDS),
)

# Here the clients are hosts inside, which by their routes reach a server outside, and are seen as the
# local addresses.
SNATS = tuple(Case(name, "snat", outside, (outside,))
              for name, outside in (("SNAT", "198.51.100.110"),
                                    ("SNAT over IPv6", "2001:db8:2::110")))


def config(case):
    """Of this mode alone."""
    made = copy.deepcopy(CONFIG)
    for interface in made["interfaces"]:
        interface["addresses"].append(OWN6[interface["name"]])
    made["local_address_pools"][0]["addresses"].append("2001:db8:2::a")
    if case in SNATS:
        return with_policy(made)
    made["backend_pools"][0]["forwarding_mode"] = case.mode
    for backend, address in zip(made["backend_pools"][0]["backends"], case.backends):
        backend["address"] = address
    for server in made["virtual_servers"]:
        server["address"] = case.virtual
        if case.mode != "fullnat":
            server.pop("local_address_pool")
    return made


def with_policy(made):
    """SNAT, and nothing balanced."""
    del made["virtual_servers"], made["backend_pools"]
    made["snat_policies"] = [{"name": "inside", "priority": 1, "in_interface": "wan",
                              "source_prefixes": ["192.0.2.0/24", "2001:db8:1::/64"],
                              "local_address_pool": "local"}]
    return made


def run(*words):
    subprocess.run(words, check=True)


def build(instance):
    """Addresses of IPv6, virtual addresses on the server, and its own way to the clients."""
    spaces = {"wan": instance.namespace("client"), "lan": instance.namespace("server")}
    for tap, addresses in (("wan", CLIENTS6), ("lan", (*BACKENDS6, SNATS[1].virtual))):
        device = f"{instance.name}-{tap}"
        run("ip", "netns", "exec", spaces[tap], "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0",
            "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            f"net.ipv4.conf.{device}.rp_filter=0")
        for address in addresses:
            run("ip", "-n", spaces[tap], "address", "add", f"{address}/64", "dev", device, "nodad")
    for case in CASES:
        if case.direct:
            run("ip", "-n", spaces["lan"], "address", "add", case.virtual, "dev", "lo")
    run("ip", "-n", spaces["lan"], "link", "add", "back", "type", "veth", "peer", "name", "back",
        "netns", spaces["wan"])
    for tap, address in (("wan", "fe80::c"), ("lan", "fe80::5")):
        run("ip", "-n", spaces[tap], "link", "set", "back", "up")
        run("ip", "-n", spaces[tap], "address", "add", f"{address}/64", "dev", "back", "nodad")
    route_back(spaces["lan"])
    for outside, gateway in (("198.51.100.0/24", "192.0.2.1"), ("2001:db8:2::/64", "2001:db8:1::1")):
        run("ip", "-n", spaces["wan"], "route", "add", outside, "via", gateway)


def route_back(server):
    """What a backend answers comes by us; what a virtual address of its own answers does not."""
    for version, backends, clients, gateway, direct in (
            ("-4", "198.51.100.0/24", "192.0.2.0/24", "198.51.100.1", ()),
            ("-6", "2001:db8:2::/64", "2001:db8:1::/64", "2001:db8:2::1", ("via", "fe80::c"))):
        run("ip", "-n", server, version, "rule", "add", "from", backends, "lookup", "7")
        run("ip", "-n", server, version, "route", "add", clients, "via", gateway, "table", "7")
        run("ip", "-n", server, version, "route", "add", clients, *direct, "dev", "back")


def far_end(instance):
    return Decapsulator(instance.namespace("server"))
