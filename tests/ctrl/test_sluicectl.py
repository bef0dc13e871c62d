#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluicectl: what it does, how it fails, and the exit code that says so.

0 done, 1 refused by the daemon, 2 wrong usage or file, 3 daemon not reached, 4 no answer in time.
"""

import glob
import json
import os
import socket
import subprocess

import paths  # noqa: F401

import checks
from checks import equal
from instance import ROOT, SLUICECTL, Instance

DONE, REFUSED, USAGE, UNREACHABLE, LATE = range(5)


def failed(result, code, word=""):
    """It says on stderr why, and nothing on stdout."""
    equal(result.returncode, code, f"exit code ({result.stderr.strip()})")
    assert result.stderr.strip(), "not a word on stderr"
    equal(result.stdout, "", "stdout")
    assert word in result.stderr, f"{word!r} is not in {result.stderr!r}"


def done(result):
    equal(result.returncode, DONE, f"exit code ({result.stderr.strip()})")
    equal(result.stderr, "", "stderr")
    return result.stdout


def as_json(instance, *arguments):
    return json.loads(done(instance.ctl("-o", "json", *arguments)))


def plain(message):
    """Without what the server adds."""
    if isinstance(message, list):
        return [plain(m) for m in message]
    if isinstance(message, dict):
        return {k: plain(v) for k, v in message.items()
                if k not in ("etag", "revision", "mac", "mtu", "linkUp", "steering")}
    return message


def apply(instance):
    sample = f"{ROOT}/conf/lb.yaml"
    done(instance.ctl("apply", "-f", sample, "--dry-run"))
    equal(plain(as_json(instance, "config", "show")).get("virtualServers", []), [],
          "after a dry run")
    done(instance.ctl("apply", "-f", sample, "--comment", "the sample"))
    found = as_json(instance, "config", "show")
    equal([v["name"] for v in found["virtualServers"]], ["web"], "virtual servers")
    equal([b.get("weight") for b in found["backendPools"][0]["backends"]], [2, 1, 1], "weights")
    # what it shows can be applied, as JSON and as YAML, from a pipe too
    for form in ("json", "yaml"):
        shown = done(instance.ctl("-o", form, "config", "show"))
        done(instance.ctl("apply", "-f", "-", text=shown))
        equal(as_json(instance, "config", "show"), found, f"after applying the {form}")


def verbs(instance):
    """Create, show, update, list, delete of each noun."""
    for noun, name, create, update in (
            ("route", "r1", ("prefix=10.0.0.0/8", "gateway=192.0.2.253"),
             ("gateway=192.0.2.252",)),
            ("local-pool", "l1", ("addresses=198.51.100.20,198.51.100.21",),
             ("addresses=198.51.100.22",)),
            ("pool", "p1", (), None),
            ("backend", "web/b1", ("address=198.51.100.104", "port=81"), ("weight=0",)),
            ("virtual-server", "v1", ("address=192.0.2.81", "port=443", "protocol=tcp",
                                      "backend_pool=web", "local_address_pool=lan-local"),
             ("scheduler=rr",))):
        done(instance.ctl(noun, "create", name, *create))
        failed(instance.ctl(noun, "create", name, *create), REFUSED, "already")
        shown = done(instance.ctl(noun, "show", name))
        assert name.split("/")[-1] in shown, f"{noun} show: {shown}"
        scope = ("web",) if noun == "backend" else ()
        table = done(instance.ctl(noun, "list", *scope)).splitlines()
        assert len(table) >= 2 and any(name.split("/")[-1] in row for row in table[1:]), table
        if update:
            done(instance.ctl(noun, "update", name, *update))
            assert done(instance.ctl(noun, "show", name)) != shown, f"{noun}: not updated"
        failed(instance.ctl(noun, "delete", name, "--etag", "wrong"), REFUSED)
        done(instance.ctl(noun, "delete", name))
        failed(instance.ctl(noun, "show", name), REFUSED, "not")


def observers(instance):
    """Tables have a header; JSON is JSON."""
    for command in (("connections",), ("stats",), ("stats", "--drops"), ("worker", "list"),
                    ("interface", "list")):
        assert done(instance.ctl(*command)).strip(), f"{command}: nothing printed"
        as_json(instance, *command)
    workers = done(instance.ctl("worker", "list"))
    equal(workers.count("running"), 2, "running workers")
    profile = done(instance.ctl("worker", "profile", "1", "50"))
    assert "CYCLES/PACKET" in profile and "rewrite" in profile, profile
    failed(instance.ctl("worker", "profile", "9"), REFUSED)
    done(instance.ctl("worker", "restart", "0"))
    equal(done(instance.ctl("worker", "restart", "--all")).count("runs again"), 2, "restarted")
    failed(instance.ctl("worker", "restart", "9"), REFUSED)


def wide(instance):
    """Every field that is no message is somewhere, and nothing of the narrow table is gone."""
    for command in (("virtual-server", "list"), ("worker", "list"), ("interface", "list")):
        narrow = done(instance.ctl(*command)).splitlines()[0].split()
        header = done(instance.ctl("-o", "wide", *command)).splitlines()[0].split()
        equal(header[:len(narrow)], narrow, f"{command}: columns")
    assert "ETAG" in done(instance.ctl("-o", "wide", "route", "list"))
    assert "\033" not in done(instance.ctl("worker", "list")), "colours, but no terminal"


def api(instance):
    """Any method by its name; the answer is the API's."""
    web = done(instance.ctl("api", "call", "VirtualServerService/GetVirtualServer",
                            '{"name": "web"}'))
    equal(json.loads(web), instance.api.call("VirtualServerService/GetVirtualServer",
                                             {"name": "web"}), "GetVirtualServer")
    by_file = instance.ctl("api", "call", "sluice.v1.VirtualServerService/GetVirtualServer",
                           "-f", "-", text="name: web\n")
    equal(done(by_file), web, "the request from a file, the method with its package")
    assert "StatsService/GetStats" in done(instance.ctl("api", "list"))
    method = "VirtualServerService/GetVirtualServer"
    failed(instance.ctl("api", "call", method, '{"name": "missing"}'), REFUSED, "not_found")
    failed(instance.ctl("api", "call", method, '{"nam": "web"}'), REFUSED, "nam")
    result = instance.ctl("api", "call", method, "-f", "-", text="\nnam: web\n")
    failed(result, REFUSED, "standard input:2: ")
    for arguments, word in (((method, "{name"), "JSON"), ((method, "[]"), "object"),
                            (("VirtualServerService",), "api list"),
                            (("VirtualServerService/Nothing",), "api list"),
                            ((method, "{}", "-f", "-"), "both")):
        failed(instance.ctl("api", "call", *arguments), USAGE, word)


def refusals(instance):
    before = as_json(instance, "config", "show")
    for arguments, word in (
            (("virtual-server", "create", "v2", "address=192.0.2.80", "port=80", "protocol=tcp",
              "backend_pool=web", "local_address_pool=lan-local"), "web"),
            (("backend", "update", "web/web-1", "weight=65536"), "weight"),
            (("backend", "update", "web/web-1", "port=65536"), "port"),
            (("backend", "create", "web/far", "address=127.0.0.1", "port=80"), "address"),
            (("route", "delete", "missing"), "missing"),
            (("pool", "delete", "web"), "web"),
            (("apply", "--etag", "wrong", "-f", f"{ROOT}/conf/lb.yaml"), "")):
        failed(instance.ctl(*arguments), REFUSED, word)
    equal(as_json(instance, "config", "show"), before, "configuration")


def usage(instance):
    for arguments in ((), ("wrong",), ("route",), ("route", "wrong"), ("route", "show"),
                      ("route", "show", "a", "b"), ("route", "create", "x", "prefix"),
                      ("route", "create", "x", "metric=5"), ("--wrong", "config", "show"),
                      ("-o", "xml", "config", "show"), ("--timeout", "soon", "config", "show"),
                      ("apply",), ("apply", "-f"), ("worker", "restart", "first"),
                      ("worker", "restart"), ("worker", "restart", "--all", "1"),
                      ("worker", "profile", "0", "long"),
                      ("virtual-server", "create", "v", "port=eighty")):
        refused = instance.ctl(*arguments)
        failed(refused, USAGE)
        assert refused.stderr.startswith("sluicectl: "), refused.stderr
    assert "usage" in done(instance.ctl("--help"))
    assert "prefix" in done(instance.ctl("route", "--help"))
    assert "aborted" in done(instance.ctl("route", "update", "--help"))
    equal(done(instance.ctl("help", "route")), done(instance.ctl("route", "--help")), "help")
    failed(instance.ctl("help", "wrong"), USAGE, "wrong")
    failed(instance.ctl("help", "route", "wrong"), USAGE, "route wrong")
    failed(instance.ctl("completion", "tcsh"), USAGE, "tcsh")
    assert "sluicectl" in done(instance.ctl("--version"))


FILES = [  # what, the file, the line that has to be named or None
    ("not YAML", "routes: [", None),
    ("two documents", "routes: []\n---\nroutes: []\n", None),
    ("an alias", "routes: &a []\nbackend_pools: *a\n", None),
    ("a tag", "routes: !!set {}\n", None),
    ("a key twice", "routes: []\nroutes: []\n", 2),
    ("deep nesting", "routes: " + "[" * 20000, None),
    ("bytes", "\x01\x02", None),
]


def files(instance):
    for what, text, line in FILES:
        result = instance.ctl("apply", "-f", "-", text=text)
        assert result.returncode == USAGE, f"{what}: exit code {result.returncode} {result.stderr}"
        assert line is None or f":{line}" in result.stderr or f"line {line}" in result.stderr, \
            f"{what}: {result.stderr}"
    failed(instance.ctl("apply", "-f", "/nowhere/lb.yaml"), USAGE, "/nowhere/lb.yaml")
    failed(instance.ctl("apply", "-f", ROOT), USAGE)
    for text, word in (("rutes: []\n", "rutes"), ("routes: [{nam: x}]\n", "nam"),
                       ("routes: {}\n", "routes"), ("- a\n", "")):
        result = instance.ctl("apply", "-f", "-", text=text)
        assert result.returncode in (REFUSED, USAGE), f"{text!r}: exit code {result.returncode}"
        assert word in result.stderr and result.stdout == "", f"{text!r}: {result.stderr}"


def line_numbers(instance):
    """What the daemon refuses is found in the file by its line."""
    def config(backend, server="protocol: tcp"):
        return (f"backend_pools:\n  - name: web\n    backends:\n      - {backend}\n"
                "local_address_pools:\n  - {name: l, addresses: [198.51.100.9]}\n"
                "virtual_servers:\n  - name: web\n    address: 192.0.2.80\n    port: 80\n"
                f"    {server}\n    backend_pool: web\n    local_address_pool: l\n")

    good = "{name: b, address: 198.51.100.101, port: 80}"
    for text, line, word in (
            (config("{name: b, address: 198.51.100.101, port: 65536}"), 4, "port"),
            (config("{name: b, address: 198.51.100.300, port: 80}"), 4, "address"),
            (config("{name: B!, address: 198.51.100.101, port: 80}"), 4, "name"),
            (config("{name: b, address: 198.51.100.101, port: 80, wait: 3}"), 4, "wait"),
            (config("{name: b, address: 198.51.100.101, port: yes}"), 4, "port"),
            (config(good, "protocol: tpc"), 11, "protocol"),
            (config(good, "protocoll: tcp"), 11, "protocoll"),
            (config(good).replace("backend_pool: web", "backend_pool: wbe"), 12, "wbe"),
            (config(good).replace("port: 80\n", "port: 70000\n"), 10, "port")):
        failed(instance.ctl("apply", "-f", "-", "--dry-run", text=text), REFUSED,
               f"standard input:{line}: ")
        failed(instance.ctl("apply", "-f", "-", text=text), REFUSED, word)


def samples(instance):
    """What conf/ shows is taken as it stands; each forwarding mode is there in each family."""
    found = sorted(glob.glob(f"{ROOT}/conf/lb*.yaml"))
    assert len(found) >= 2, found
    shown = set()
    for path in found:
        said = done(instance.ctl("apply", "-f", path, "--dry-run"))
        assert "would be" in said or "nothing to change" in said, f"{path}: {said}"
        done(instance.ctl("apply", "-f", path))
        shown |= modes_of(instance.api.call("ConfigService/GetConfig"))
    modes = {f"FORWARDING_MODE_{mode}" for mode in ("FULLNAT", "NAT", "DR", "IPIP", "GRE", "GUE")}
    wanted = {(mode, six, six) for mode in modes for six in (False, True)}
    wanted |= {("FORWARDING_MODE_FULLNAT", True, False), ("FORWARDING_MODE_IPIP", True, False),
               ("snat", False), ("snat", True)}
    done(instance.ctl("apply", "-f", f"{ROOT}/conf/lb.yaml"))
    equal(sorted(wanted - shown), [], "modes without a sample")


def modes_of(config):
    """(mode, the virtual server is of IPv6, the backend is), and which families SNAT has."""
    pools = {p["name"]: p for p in config.get("backendPools", [])}
    modes = {("snat", ":" in prefix) for policy in config.get("snatPolicies", [])
             for prefix in policy["sourcePrefixes"]}
    for server in config.get("virtualServers", []):
        pool = pools[server["backendPool"]]
        for backend in pool["backends"]:
            mode = backend.get("forwardingMode") or pool.get("forwardingMode")
            modes.add((mode or "FORWARDING_MODE_FULLNAT", ":" in server["address"],
                       ":" in backend["address"]))
    return modes


def unreachable(instance):
    def ctl(path, *arguments):
        return subprocess.run([SLUICECTL, "--socket", path, *arguments], capture_output=True,
                              text=True, timeout=30, check=False)

    missing = f"{instance.dir}/missing.sock"
    failed(ctl(missing, "config", "show"), UNREACHABLE, missing)
    with socket.socket(socket.AF_UNIX) as silent:
        path = f"{instance.dir}/silent.sock"
        silent.bind(path)
        failed(ctl(path, "config", "show"), UNREACHABLE, path)  # nobody listens
        silent.listen(5)
        failed(ctl(path, "--timeout", "0.5", "config", "show"), LATE)
        os.unlink(path)


def tests(report):
    with Instance("--no-config") as instance:
        for name, run in (("apply and show", apply), ("each noun's verbs", verbs),
                          ("connections, stats and workers", observers),
                          ("wide tables", wide), ("any method", api),
                          ("what the daemon refuses", refusals), ("wrong usage", usage),
                          ("bad files", files),
                          ("lines of what is refused", line_numbers), ("samples", samples), ("a daemon that does not answer", unreachable)):
            with report.case(name):
                run(instance)


checks.main(tests)
