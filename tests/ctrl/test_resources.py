#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every method of every service: standard methods, etags, validate_only, paging, revisions."""

import json
from contextlib import contextmanager

import paths  # noqa: F401

import checks
from api import ApiError
from checks import equal
from instance import Instance
from sample import CONFIG, changed


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def camel(name):
    head, *tail = snake(name).split("_")
    return head + "".join(t.capitalize() for t in tail)


def plural(name):
    return name[:-1] + "ies" if name.endswith("y") else name + "s"


class Kind:
    """The standard methods of one kind, and resources to try them with."""

    def __init__(self, name, first, change, service=None, scope=None):
        self.name = name
        self.first = first
        self.change = change  # what Update makes of it
        self.service = service or f"{name}Service"
        self.scope = scope or {}  # of a backend: its pool

    def call(self, api, verb, message):
        what = plural(self.name) if verb == "List" else self.name
        return api.call(f"{self.service}/{verb}{what}", {**self.scope, **message})

    def get(self, api, name=None):
        return self.call(api, "Get", {"name": name or self.first["name"]})

    def create(self, api, resource=None, **more):
        return self.call(api, "Create", {snake(self.name): resource or self.first, **more})

    def update(self, api, resource, **more):
        return self.call(api, "Update", {snake(self.name): resource, **more})

    def delete(self, api, **more):
        return self.call(api, "Delete", {"name": self.first["name"], **more})

    def list(self, api, **page):
        found = self.call(api, "List", page)
        return found.get(plural(camel(self.name)), []), found.get("nextPageToken", "")


KINDS = [
    Kind("Route", {"name": "new", "prefix": "10.1.0.0/16", "gateway": "192.0.2.253"},
         {"gateway": "192.0.2.252"}),
    Kind("LocalAddressPool", {"name": "new", "addresses": ["198.51.100.20"]},
         {"addresses": ["198.51.100.21", "198.51.100.22"]}),
    Kind("BackendPool", {"name": "new", "forwardingMode": "FORWARDING_MODE_NAT", "backends": [
        {"name": "one", "address": "198.51.100.104", "port": 80, "weight": 3}]},
        {"backends": [{"name": "two", "address": "198.51.100.105", "port": 80, "weight": 1}]}),
    Kind("Backend", {"name": "new", "address": "198.51.100.106", "port": 81, "weight": 5},
         {"weight": 0}, service="BackendPoolService", scope={"backend_pool": "web"}),
    Kind("VirtualServer", {
        "name": "new", "address": "192.0.2.81", "port": 53, "protocol": "PROTOCOL_UDP",
        "scheduler": "SCHEDULER_RR",
        "backendPool": "web", "localAddressPool": "local"}, {"scheduler": "SCHEDULER_WRR"}),
    Kind("SnatPolicy", {
        "name": "new", "priority": 7, "sourcePrefixes": ["198.51.100.0/24"],
        "protocol": "PROTOCOL_UDP", "inInterface": "lan", "localAddressPool": "local"},
         {"priority": 9, "destinationPrefixes": ["203.0.113.0/24"], "maxConnections": 5}),
]


@contextmanager
def refused(code):
    try:
        yield
    except ApiError as error:
        equal(error.code, code, f"code of `{error.message}`")
        assert error.message, "no sentence"
    else:
        raise AssertionError(f"was not refused with {code}")


def plain(resource):
    """Without what the server adds."""
    return json.loads(json.dumps(resource), object_hook=lambda o: {
        k: v for k, v in o.items() if k != "etag"})


def state(api):
    return api.call("ConfigService/GetConfig"), api.call("WorkerService/ListWorkers")["generation"]


def life(api, kind):
    with refused("not_found"):
        kind.get(api)
    before = state(api)
    equal(plain(kind.create(api, validate_only=True)), kind.first, "validated")
    equal(state(api), before, "state after validate_only")
    made = kind.create(api)
    equal(plain(made), kind.first, "created")
    assert made["etag"], "no etag"
    equal(kind.get(api), made, "got")
    assert made in kind.list(api)[0], "not listed"
    with refused("already_exists"):
        kind.create(api)
    updates(api, kind, made)
    deletions(api, kind)


def updates(api, kind, made):
    wanted = {**kind.first, **kind.change}
    before = state(api)
    equal(plain(kind.update(api, wanted, validate_only=True)), wanted, "validated")
    with refused("aborted"):
        kind.update(api, {**wanted, "etag": "not-the-etag"})
    with refused("not_found"):
        kind.update(api, {**wanted, "name": "missing"})
    equal(state(api), before, "state after refused updates")
    changed_to = kind.update(api, {**wanted, "etag": made["etag"]})
    equal(plain(changed_to), wanted, "updated")
    assert changed_to["etag"] != made["etag"], "the etag did not change"
    equal(kind.get(api), changed_to, "got")
    with refused("aborted"):
        kind.update(api, {**wanted, "etag": made["etag"]})
    revision = state(api)[0]["revision"]
    equal(kind.update(api, wanted), changed_to, "the same again")
    equal(state(api)[0]["revision"], revision, "revision after no change")


def deletions(api, kind):
    before = state(api)
    kind.delete(api, validate_only=True)
    with refused("aborted"):
        kind.delete(api, etag="not-the-etag")
    equal(state(api), before, "state after refused deletions")
    equal(kind.delete(api, etag=kind.get(api)["etag"]), {}, "answer to Delete")
    for again in (kind.get, kind.delete):
        with refused("not_found"):
            again(api)


def references(api):
    """What is in use is not deleted."""
    for method, name in (("BackendPoolService/DeleteBackendPool", "web"),
                         ("LocalAddressPoolService/DeleteLocalAddressPool", "local")):
        with refused("failed_precondition"):
            api.call(method, {"name": name})
    with refused("not_found"):
        api.call("BackendPoolService/CreateBackend", {
            "backend_pool": "nowhere",
            "backend": {"name": "x", "address": "198.51.100.101", "port": 1}})


def interfaces(api):
    def get(name):
        return api.call("InterfaceService/GetInterface", {"name": name})

    listed = api.call("InterfaceService/ListInterfaces")["interfaces"]
    equal([i["name"] for i in listed], ["lan", "wan"], "names")
    wan = get("wan")
    assert wan in listed
    equal((wan["mtu"], wan["linkUp"], len(wan["mac"]), wan["addresses"]),
          (1500, True, 17, ["192.0.2.1/24"]), "wan")
    equal(wan["steering"], "ebpf", "steering")
    more = {"name": "wan", "addresses": ["192.0.2.1/24", "192.0.2.33/24"], "etag": wan["etag"]}
    found = api.call("InterfaceService/UpdateInterface", {"interface": more})
    equal(found["addresses"], more["addresses"], "addresses")
    with refused("aborted"):
        api.call("InterfaceService/UpdateInterface", {"interface": more})
    with refused("not_found"):
        get("dmz")
    api.call("InterfaceService/UpdateInterface", {
        "interface": {"name": "wan", "addresses": wan["addresses"]}})
    equal(get("wan")["addresses"], wan["addresses"], "addresses put back")


def pages(api, kind, resources):
    """All of a list, whatever the page size; each once, sorted by name."""
    for resource in resources:
        kind.create(api, resource)
    wanted = [r["name"] for r in kind.list(api, page_size=1000)[0]]
    equal(wanted, sorted(wanted), "order")
    assert {r["name"] for r in resources} <= set(wanted)
    for size in (1, 3, 7, len(wanted) - 1, len(wanted), len(wanted) + 1):
        found, token = [], ""
        for _ in range(len(wanted) + 1):
            page, token = kind.list(api, page_size=size, page_token=token)
            assert len(page) <= size
            found += [r["name"] for r in page]
            if not token:
                break
        equal(found, wanted, f"pages of {size}")
    equal(len(kind.list(api)[0]), min(100, len(wanted)), "page of default size")
    with refused("invalid_argument"):
        kind.list(api, page_token="no token of ours")
    for resource in resources:
        kind.call(api, "Delete", {"name": resource["name"]})


def paging(api):
    pages(api, KINDS[0], [{"name": f"page-{i}", "prefix": f"10.2.{i}.0/24", "blackhole": True}
                          for i in range(101)])
    pages(api, KINDS[3], [{"name": f"page-{i}", "address": "198.51.100.107", "port": 1 + i}
                          for i in range(9)])
    with refused("not_found"):
        api.call("BackendPoolService/ListBackends", {"backend_pool": "nowhere"})


def whole_config(api):
    """ApplyConfig: counts, no change, etag, pruning."""
    def apply(config, **more):
        return api.call("ConfigService/ApplyConfig", {"config": config, **more})

    now = api.call("ConfigService/GetConfig")
    equal(apply(CONFIG)["revision"], now["revision"], "revision when nothing changed")
    with refused("aborted"):
        apply({**CONFIG, "etag": "not-the-etag"})
    more = changed(("backend_pools.0.backends.2",
                    {"name": "web-3", "address": "198.51.100.103", "port": 80}),
                   ("backend_pools.0.backends.0.weight", 7),
                   ("routes", CONFIG["routes"][:1]))
    tried = apply(more, validate_only=True)
    equal(tried["revision"], now["revision"], "revision after validate_only")
    equal(api.call("ConfigService/GetConfig"), now, "configuration after validate_only")
    done = apply({**more, "etag": now["etag"]}, comment="three backends")
    equal(int(done["revision"]), int(now["revision"]) + 1, "revision")
    equal([done.get(k, 0) for k in ("created", "updated", "deleted")],
          [tried.get(k, 0) for k in ("created", "updated", "deleted")], "counts before and after")
    equal((done["created"], done["deleted"]), (1, 1), "created and deleted")
    after = api.call("ConfigService/GetConfig")
    equal((after["etag"], after["revision"]), (done["etag"], done["revision"]), "etag, revision")
    equal(plain(after)["backendPools"][0]["backends"][2]["weight"], 1, "default weight")
    with refused("aborted"):
        apply({**CONFIG, "etag": now["etag"]})
    apply({k: v for k, v in after.items()})
    equal(api.call("ConfigService/GetConfig"), after, "what was read can be applied")
    apply(CONFIG)


def read_only(api):
    equal(api.call("ConnectionService/ListConnections"), {}, "connections")
    with refused("invalid_argument"):
        api.call("ConnectionService/ListConnections", {"client_address": "nobody"})
    with refused("invalid_argument"):
        api.call("ConnectionService/ListConnections", {"page_token": "no token of ours"})
    stats = api.call("StatsService/GetStats")
    equal([w.get("worker", 0) for w in stats["workers"]], [0, 1], "workers with statistics")
    equal(sorted(p["name"] for p in stats["ports"]), ["lan", "wan"], "ports")
    equal([v["name"] for v in stats["virtualServers"]], ["web"], "virtual servers")
    equal(sorted(b["name"] for b in stats["backends"]), ["web/web-1", "web/web-2"], "backends")


def workers(api):
    listed = api.call("WorkerService/ListWorkers")
    for number, worker in enumerate(listed["workers"]):
        equal((worker.get("id", 0), worker["state"], worker["generation"]),
              (number, "running", listed["generation"]), "worker")
        assert int(worker.get("heartbeatAgeMs", 0)) < 1000, f"heartbeat {worker}"
    old = listed["workers"][1]["pid"]
    restarted = api.call("WorkerService/RestartWorker", {"id": 1})["worker"]
    equal((restarted["id"], restarted["state"]), (1, "running"), "restarted")
    assert restarted["pid"] != old, "the process is the same"
    for missing in (2, 16, 4294967295):
        try:
            api.call("WorkerService/RestartWorker", {"id": missing})
        except ApiError as error:
            assert error.code in ("not_found", "invalid_argument"), error
        else:
            raise AssertionError(f"worker {missing} was restarted")


def profile(api):
    """The stages' times add up to what was asked for, within what a busy machine does to it."""
    found = api.call("WorkerService/ProfileWorker", {"id": 0, "milliseconds": 200})
    counted = sum(int(s.get("cycles", 0)) for s in found["stages"])
    equal(counted, int(found["cycles"]), "cycles of all stages")
    seconds = counted / int(found["cyclesPerSecond"])
    assert 0.15 < seconds < 0.3, f"{seconds} s were counted of 0.2"
    again = api.call("WorkerService/ProfileWorker", {"id": 0, "milliseconds": 20})
    assert int(again["cycles"]) < counted, "the second profile contains the first"


def tests(report):
    with Instance("--no-config") as instance:
        api = instance.api
        with report.case("the first configuration"):
            equal(api.call("ConfigService/ApplyConfig", {"config": CONFIG})["revision"], "1",
                  "revision")
        for kind in KINDS:
            with report.case(f"standard methods: {kind.name}"):
                life(api, kind)
        for name, run in (("references are kept", references), ("interfaces", interfaces),
                          ("paging", paging), ("GetConfig and ApplyConfig", whole_config),
                          ("connections and statistics", read_only),
                          ("workers: list and restart", workers),
                          ("a worker's time by stage", profile)):
            with report.case(name):
                run(api)


checks.main(tests)
