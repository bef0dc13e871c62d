#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""DeleteConnections: those that fit are gone at both workers, the others go on; a worker that dies
meanwhile is asked again, one that hangs is named, and nothing is ended after the answer."""

import json
import os
import signal
import threading
import time

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal, eventually
from instance import Instance
from sample import changed

VIRTUAL = ("192.0.2.80", 80)
BACKENDS = [(f"198.51.100.{n}", 80) for n in (101, 102)]
CONFIG = changed(("virtual_servers.0.protocol", "udp"), ("backend_pools.0.backends", [
    {"name": f"b{n}", "address": a, "port": p} for n, (a, p) in enumerate(BACKENDS)]))
CLIENTS = 64


def clients(instance):
    """UDP clients, each with a connection."""
    return instance.udp_clients(VIRTUAL, BACKENDS, CLIENTS)


def delete(instance, timeout_ms=None, **request):
    headers = {"Connect-Timeout-Ms": str(timeout_ms)} if timeout_ms else {}
    reply = instance.api.call("ConnectionService/DeleteConnections", request, **headers)
    return int(reply.get("connections", 0)), reply.get("unfinishedWorkers", [])


def refused(instance):
    for request, code in (({}, "invalid_argument"), ({"virtual_server": "no"}, "not_found"),
                          ({"backend": "web/none"}, "not_found"),
                          ({"client_address": "::"}, "invalid_argument"),
                          ({"state": "asleep", "all": True}, "invalid_argument")):
        try:
            delete(instance, **request)
        except ApiError as error:
            equal(error.code, code, f"code for {request}")
        else:
            raise AssertionError(f"{request} is taken")


def by_filter(instance):
    with clients(instance) as sockets:
        workers = {c.get("worker", 0) for c in instance.connections()}
        equal(workers, {0, 1}, "workers that have connections")
        to_b0 = len(instance.connections(backend="web/b0"))
        assert 0 < to_b0 < CLIENTS, to_b0
        equal(delete(instance, backend="web/b0"), (to_b0, []), "ended")
        equal(len(instance.connections(backend="web/b1")), CLIENTS - to_b0, "the others")
        equal(len(instance.connections()), CLIENTS - to_b0, "open")
        equal(delete(instance, protocol="tcp", virtual_server="web"), (0, []), "of TCP")
        equal(delete(instance, state="udp", client_address="192.0.2.2"),
              (CLIENTS - to_b0, []), "of the client")
        equal(instance.connections(), [], "open")
        sockets[0].send(b"again")
        eventually(5, "a new connection", instance.connections)
        equal(delete(instance, all=True), (1, []), "all")


def by_command(instance):
    with clients(instance):
        said = instance.ctl("connection", "delete", "virtual-server=web")
        equal((said.returncode, said.stdout), (0, f"{CLIENTS} connections ended\n"), said.stderr)
        said = instance.ctl("-o", "json", "connection", "delete", "--all")
        equal((said.returncode, json.loads(said.stdout)), (0, {}), said.stderr)
        for wrong in ([], ["--all", "state=udp"], ["page_token=1"]):
            equal(instance.ctl("connection", "delete", *wrong).returncode, 2, f"exit code: {wrong}")
    entries = instance.api.call("AuditService/ListAuditEntries")["entries"]
    equal([e["resource"] for e in entries if e["method"].endswith("DeleteConnections")][:2],
          ["connections", "connections virtual_server=web"], "audit log")


def worker_hangs(instance):
    """Stopped for less than it takes to be replaced."""
    with clients(instance):
        theirs = sum(c.get("worker", 0) == 1 for c in instance.connections())
        pid = instance.workers()[1]["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            equal(delete(instance, timeout_ms=400, all=True), (CLIENTS - theirs, [1]), "ended")
            assert time.monotonic() - began < 0.5
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(5, "its new heartbeat",
                   lambda: int(instance.workers()[1].get("heartbeatAgeMs", 0)) < 100)
        time.sleep(0.1)
        equal(len(instance.connections()), theirs, "open: nothing ends after the answer")
        equal(delete(instance, all=True), (theirs, []), "ended")


def worker_dies(instance):
    """The standby is asked again, and the call ends well."""
    with clients(instance):
        before = eventually(30, "standbys", instance.with_standbys)
        os.kill(before[1]["pid"], signal.SIGSTOP)
        answers = []
        call = threading.Thread(target=lambda: answers.append(delete(instance, all=True)))
        call.start()
        time.sleep(0.05)
        os.kill(before[1]["pid"], signal.SIGKILL)
        call.join()
        equal(answers, [(CLIENTS, [])], "ended")
        equal(instance.connections(), [], "open")


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
        for name, run in (("what is refused", refused), ("by filter", by_filter),
                          ("by command", by_command), ("a worker hangs", worker_hangs),
                          ("a worker dies", worker_dies)):
            with report.case(name):
                run(instance)


checks.main(tests)
