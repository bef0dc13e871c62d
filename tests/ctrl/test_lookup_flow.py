#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""LookupFlow says what the workers do: the owner and the connection, or why there would be none."""

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal
from instance import Instance

VIRTUAL = ("192.0.2.80", 80)
CLIENT = ("192.0.2.2", 40001)
BACKENDS = [(f"198.51.100.{n}", 80) for n in range(101, 111)]


def lookup(instance, client=CLIENT, virtual=VIRTUAL, protocol="tcp"):
    return instance.api.call("ConnectionService/LookupFlow", {
        "protocol": protocol, "client_address": client[0], "client_port": client[1],
        "virtual_address": virtual[0], "virtual_port": virtual[1]})


def open_connection(instance):
    servers = []
    for address in BACKENDS:
        servers.append(instance.socket("server", address=address))
        servers[-1].listen()
    client = instance.socket("client", address=CLIENT)
    client.connect(VIRTUAL)
    return client, servers


def existing(instance):
    before = lookup(instance)
    assert "connection" not in before and "a SYN opens one" in before["text"], before
    client, servers = open_connection(instance)
    try:
        found = lookup(instance)
        listed = instance.connections(client_address=CLIENT[0])
        equal(len(listed), 1, "connections listed")
        equal({k: v for k, v in found["connection"].items() if not k.endswith("Seconds")},
              {k: v for k, v in listed[0].items() if not k.endswith("Seconds")}, "connection")
        equal(found.get("worker", 0), listed[0].get("worker", 0), "worker")
        equal(before.get("worker", 0), found.get("worker", 0), "worker foretold")
        equal(found["virtualServer"], listed[0]["virtualServer"], "virtual server")
    finally:
        for sock in (client, *servers):
            sock.close()


def drops(instance):
    equal(lookup(instance, virtual=("192.0.2.80", 81))["dropReason"], "no_service")
    equal(lookup(instance, virtual=("192.0.2.99", 80))["dropReason"], "no_service")
    server = lookup(instance, client=("192.0.2.3", 1))["virtualServer"]
    pool = instance.api.call("VirtualServerService/GetVirtualServer",
                             {"name": server})["backendPool"]
    for backend in instance.api.call("BackendPoolService/ListBackends",
                                     {"backend_pool": pool})["backends"]:
        instance.api.call("BackendPoolService/UpdateBackend", {
            "backend_pool": pool, "backend": {**backend, "weight": 0, "etag": ""}})
    equal(lookup(instance, client=("192.0.2.3", 1))["dropReason"], "no_backend")


def limits(instance):
    """What is full takes no more, and is said to be."""
    def bound(pool, most):
        for backend in pool:
            instance.api.call("BackendPoolService/UpdateBackend", {
                "backend_pool": "web", "backend": {"name": backend["name"], "max_connections": most},
                "update_mask": "maxConnections,resumePercent"})

    pool = instance.api.call("BackendPoolService/ListBackends", {"backend_pool": "web"})["backends"]
    bound(pool, 1)
    client, servers = open_connection(instance)
    try:
        text = lookup(instance, client=("192.0.2.3", 1))["text"]
        assert f"of which {len(pool) - 1} take" in text, text
        bound(pool, 0)
        server = {"name": "web", "max_connections": 1}
        instance.api.call("VirtualServerService/UpdateVirtualServer", {
            "virtual_server": server, "update_mask": "maxConnections"})
        equal(lookup(instance, client=("192.0.2.3", 1))["dropReason"], "server_limit")
        instance.api.call("VirtualServerService/UpdateVirtualServer", {
            "virtual_server": {"name": "web"}, "update_mask": "maxConnections"})
    finally:
        for sock in (client, *servers):
            sock.close()


def group(instance):
    """A further endpoint, a range of ports, leads to the same virtual server."""
    def endpoints(*listed):
        instance.api.call("VirtualServerService/UpdateVirtualServer", {
            "virtual_server": {"name": "web", "endpoints": listed}, "update_mask": "endpoints"})

    endpoints({"address": "192.0.2.80", "port": 8000, "port_end": 8009, "protocol": "tcp"})
    equal(lookup(instance, virtual=("192.0.2.80", 8005))["virtualServer"], "web", "virtual server")
    equal(lookup(instance, virtual=("192.0.2.80", 8010))["dropReason"], "no_service")
    endpoints()


def by_command(instance):
    said = instance.ctl("connection", "lookup", "tcp", "192.0.2.3:1", "192.0.2.80:80")
    equal(said.returncode, 0, said.stderr)
    assert "virtual_server: web" in said.stdout and "a SYN opens one" in said.stdout, said.stdout
    said = instance.ctl("connection", "lookup", "tcp", "[2001:db8::1]:1", "[2001:db8::2]:80")
    assert "drop_reason: no_service" in said.stdout, said.stdout + said.stderr
    for code, *words in ((1, "sctp", "192.0.2.3:1", "192.0.2.80:80"),
                         (2, "tcp", "192.0.2.3", "192.0.2.80:80")):
        equal(instance.ctl("connection", "lookup", *words).returncode, code, f"exit code, {words}")


def refused(instance):
    for wrong in ({"client": ("x", 1)}, {"client": ("2001:db8::1", 1)}, {"client": ("::", 1)}, {"client": ("192.0.2.2", 0)},
                  {"virtual": ("192.0.2.80", 65536)}, {"protocol": "PROTOCOL_UNSPECIFIED"}):
        try:
            lookup(instance, **wrong)
        except ApiError as error:
            equal(error.code, "invalid_argument", f"code for {wrong}")
        else:
            raise AssertionError(f"{wrong} is taken")


def tests(report):
    with Instance() as instance:
        for name, run in (("of an open connection", existing), ("limits", limits), ("group", group), ("by command", by_command),
                          ("what would be dropped", drops),
                          ("requests that are none", refused)):
            with report.case(name):
                run(instance)


checks.main(tests)
