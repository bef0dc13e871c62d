#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration may not be. Each is refused with the field's name, and changes nothing."""

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal
from instance import Instance
from sample import CONFIG, DELETE, changed

INVALID = {"invalid_argument"}
DOUBLE = {"invalid_argument", "already_exists"}
DANGLING = {"failed_precondition", "invalid_argument", "not_found"}
FULL = {"resource_exhausted"}
LIMITS = {"virtual-servers": 20, "backends": 30, "local-addresses": 5}

VS, BE = "virtual_servers.0", "backend_pools.0.backends.0"
SECOND = dict(CONFIG["virtual_servers"][0], name="second", port=81)


def servers(count):
    return [dict(SECOND, name=f"n{i}", port=1000 + i) for i in range(count)]


def backends(count):
    return [{"name": f"b{i}", "address": "198.51.100.101", "port": 1000 + i}
            for i in range(count)]


CASES = [  # what, code, word in the message, changes
    ("a duplicate virtual server", DOUBLE, "virtual", (("virtual_servers.1",
                                                        dict(SECOND, port=80)),)),
    ("a virtual server's name twice", DOUBLE, "web", (("virtual_servers.1",
                                                       dict(SECOND, name="web")),)),
    ("port 0", INVALID, "port", ((f"{VS}.port", 0),)),
    ("no port", INVALID, "port", ((f"{VS}.port", DELETE),)),
    ("port 65536", INVALID, "port", ((f"{VS}.port", 65536),)),
    ("a negative port", INVALID, "port", ((f"{VS}.port", -1),)),
    ("port 2^32 + 80", INVALID, "port", ((f"{VS}.port", 2 ** 32 + 80),)),
    ("a port that is text", INVALID, "port", ((f"{VS}.port", "http"),)),
    ("a port that is a fraction", INVALID, "port", ((f"{VS}.port", 80.5),)),
    ("a port that is a list", INVALID, "port", ((f"{VS}.port", [80]),)),
    ("a backend's port 65536", INVALID, "port", ((f"{BE}.port", 65536),)),
    ("weight 65536", INVALID, "weight", ((f"{BE}.weight", 65536),)),
    ("weight -1", INVALID, "weight", ((f"{BE}.weight", -1),)),
    ("weight 4294967296", INVALID, "weight", ((f"{BE}.weight", 4294967296),)),
    ("weights whose cycle is too long", INVALID, "weight",
     ((f"{BE}.weight", 65535), ("backend_pools.0.backends.1.weight", 65534))),
    ("no protocol", INVALID, "protocol", ((f"{VS}.protocol", DELETE),)),
    ("an unknown protocol", INVALID, "protocol", ((f"{VS}.protocol", "sctp"),)),
    ("an unknown protocol's number", INVALID, "protocol", ((f"{VS}.protocol", 17),)),
    ("an unknown scheduler", INVALID, "scheduler", ((f"{VS}.scheduler", "magic"),)),
    ("an unknown mode", INVALID, "forwarding", ((f"{BE}.forwarding_mode", 99),)),
    ("a backend pool that is not there", DANGLING, "backend_pool",
     ((f"{VS}.backend_pool", "nowhere"),)),
    ("no backend pool", DANGLING, "backend_pool", ((f"{VS}.backend_pool", DELETE),)),
    ("a local address pool that is not there", DANGLING, "local_address_pool",
     ((f"{VS}.local_address_pool", "nowhere"),)),
    ("no local address pool", DANGLING, "local_address_pool",
     ((f"{VS}.local_address_pool", DELETE),)),
    ("an empty local address pool", INVALID | DANGLING, "local",
     (("local_address_pools.0.addresses", []),)),
    ("a backend without a route", DANGLING, "route", ((f"{BE}.address", "10.9.8.7"),)),
    ("a backend in a blackhole", DANGLING, "route", ((f"{BE}.address", "203.0.113.65"),)),
    ("a backend twice", DOUBLE, "web-1", (("backend_pools.0.backends.1", {
        "name": "again", "address": "198.51.100.101", "port": 80}),)),
    ("a backend's name twice", DOUBLE, "web-1",
     (("backend_pools.0.backends.1.name", "web-1"),)),
    ("a backend pool's name twice", DOUBLE, "web", (("backend_pools.1", {"name": "web"}),)),
    ("an unknown interface", INVALID | DANGLING, "dmz", (("interfaces.0.name", "dmz"),)),
    ("an interface twice", DOUBLE, "wan", (("interfaces.0.name", "wan"),)),
    ("an interface address without length", INVALID, "address",
     (("interfaces.0.addresses.0", "198.51.100.1"),)),
    ("an interface address of length 33", INVALID, "address",
     (("interfaces.0.addresses.0", "198.51.100.1/33"),)),
    ("one link on two interfaces", DOUBLE, "192.0.2.0/24",
     (("interfaces.0.addresses.1", "192.0.2.1/24"),)),
    ("a gateway on no link", INVALID | DANGLING, "gateway", (("routes.0.gateway", "10.0.0.1"),)),
    ("a gateway and a blackhole", INVALID, "blackhole", (("routes.0.blackhole", True),)),
    ("a route to nowhere", INVALID, "gateway", (("routes.0.gateway", DELETE),)),
    ("a prefix with host bits", INVALID, "prefix", (("routes.0.prefix", "203.0.113.1/24"),)),
    ("a prefix without length", INVALID, "prefix", (("routes.0.prefix", "203.0.113.0"),)),
    ("a prefix of length 33", INVALID, "prefix", (("routes.0.prefix", "203.0.113.0/33"),)),
    ("a prefix that is none", INVALID, "prefix", (("routes.0.prefix", "default"),)),
    ("a prefix twice", DOUBLE, "203.0.113.0/24", (("routes.1.prefix", "203.0.113.0/24"),)),
    ("a local address twice", DOUBLE, "198.51.100.10",
     (("local_address_pools.0.addresses.1", "198.51.100.10"),)),
    ("a local address that is a virtual one", DOUBLE, "192.0.2.80",
     (("local_address_pools.0.addresses.0", "192.0.2.80"),)),
    ("a local address that is an interface's", DOUBLE, "198.51.100.1",
     (("local_address_pools.0.addresses.0", "198.51.100.1"),)),
    *((f"the virtual address {bad!r}", INVALID, "address", ((f"{VS}.address", bad),))
      for bad in ("", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2",
                  "2001:db8::1::1", "::ffff:192.0.2.80", "192.0.2.080", "192.0.2.80 ", "web.example", 80)),
    *((f"the name {bad[:20]!r}", INVALID, "name", ((f"{VS}.name", bad),))
      for bad in ("", "Web", "a" * 64, "a/b", "-a", "a-", "a b", "a.b", "w\u00e9b", "../web")),
    ("a timeout over the range", INVALID, "udp", (("timeouts", {"udp": 604801}),)),
    ("too many virtual servers", FULL, "virtual-servers",
     (("virtual_servers", servers(LIMITS["virtual-servers"] + 1)),)),
    ("too many backends", FULL, "backends",
     (("backend_pools.0.backends", backends(LIMITS["backends"] + 1)),)),
    ("too many local addresses", FULL, "local-addresses",
     (("local_address_pools.0.addresses",
       [f"198.51.100.{n}" for n in range(10, 11 + LIMITS["local-addresses"])]),)),
]

ALLOWED = [  # the edges that are just inside
    ("port 65535", ((f"{VS}.port", 65535),)),
    ("every port", ((f"{VS}.port", 0), (f"{VS}.port_end", 65535))),
    ("a backend's port 0: the client's", ((f"{BE}.port", 0),)),
    ("weight 65535", ((f"{BE}.weight", 65535), ("backend_pools.0.backends.1.weight", 1))),
    ("weight 0 for all", ((f"{BE}.weight", 0), ("backend_pools.0.backends.1.weight", 0))),
    ("a pool without backends", (("backend_pools.0.backends", []),)),
    ("a pool that nobody uses, without a route", (("backend_pools.1", {
        "name": "spare", "backends": [{"name": "x", "address": "10.9.8.7", "port": 1}]}),)),
    ("a name of 63 letters", ((f"{VS}.name", "a" * 63),)),
    ("the same port for TCP and UDP", (("virtual_servers.1",
                                        dict(SECOND, port=80, protocol="udp")),)),
    ("enums by number and by whole name", ((f"{VS}.protocol", "PROTOCOL_UDP"),
                                           (f"{VS}.scheduler", 1))),
    ("timeouts at the range's end", (("timeouts", {"udp": 604800}),)),
    ("as many virtual servers as the limit", (("virtual_servers",
                                               servers(LIMITS["virtual-servers"])),)),
    ("a default route", (("routes.0.prefix", "0.0.0.0/0"),)),
]


def state(instance):
    return (instance.api.call("ConfigService/GetConfig"),
            instance.api.call("WorkerService/ListWorkers")["generation"])


def refused(instance, config, codes, word):
    before = state(instance)
    for validate_only in (True, False):
        try:
            instance.api.call("ConfigService/ApplyConfig",
                              {"config": config, "validate_only": validate_only})
        except ApiError as error:
            assert error.code in codes, f"wanted {codes}, got {error}"
            said = error.message.lower().replace("_", "").replace("-", "")
            assert word.replace("_", "").replace("-", "") in said, \
                f"{word!r} is not in: {error.message}"
        else:
            raise AssertionError(f"was accepted with validate_only {validate_only}")
        equal(state(instance), before, "configuration and generation")


def tests(report):
    options = [o for limit in LIMITS.items() for o in ("--set", "=".join(map(str, limit)))]
    with Instance("--no-config", *options) as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        for what, codes, word, changes in CASES:
            with report.case(f"refused: {what}"):
                refused(instance, changed(*changes), codes, word)
        for what, changes in ALLOWED:
            with report.case(f"accepted: {what}"):
                instance.api.call("ConfigService/ApplyConfig", {"config": changed(*changes)})
        with report.case("all workers use the last one"):
            published = instance.api.call("WorkerService/ListWorkers")
            equal({w["generation"] for w in published["workers"]}, {published["generation"]},
                  "generations")


checks.main(tests)
