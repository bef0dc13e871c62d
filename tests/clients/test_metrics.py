#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""/metrics: what Prometheus' own promtool says of it, and whether it says what the API says."""

import re
import subprocess

import paths  # noqa: F401

import checks
from appliance import served
from checks import equal

SAMPLE = re.compile(r'^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$')


def scrape(instance):
    answer = instance.api.get("/metrics", timeout=10)
    equal(answer.status, 200, "status")
    equal(answer.headers["Content-Type"].split(";")[0], "text/plain", "content type")
    return answer.body.decode()


def samples(text):
    """{(name, labels): value}"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            assert (name, labels) not in found, f"twice: {line}"
            found[name, labels] = float(value)
    return found


def value(found, name, **labels):
    wanted = ",".join(f'{k}="{v}"' for k, v in labels.items()) or None
    return found[name, wanted]


def agrees(instance):
    found = samples(scrape(instance))
    config = instance.api.call("ConfigService/GetConfig")
    equal(value(found, "sluice_revision"), float(config["revision"]), "revision")
    equal(value(found, "sluice_resources", kind="virtual_server"), len(config["virtualServers"]))
    for server in config["virtualServers"]:
        equal(value(found, "sluice_virtual_server_connections_total",
                    virtual_server=server["name"]), 0, "connections")
    for worker in ("0", "1"):
        equal(value(found, "sluice_worker_running", worker=worker), 1, "running")
        assert value(found, "sluice_drops_total", reason="no_service", worker=worker) >= 0
    equal(value(found, "sluice_port_up", port="wan"), 1, "link")
    equal(value(found, "sluice_metrics_left_out"), 0, "samples left out")
    equal(value(found, "sluice_change_duration_seconds_count", method="ApplyConfig"), 1)
    equal(value(found, "sluice_change_duration_seconds_bucket", method="ApplyConfig", le="+Inf"), 1)


def bounded(instance):
    """The file allows 400 samples; 60 backends more would be 360."""
    pool = {"name": "many", "backends": [{"name": f"b{i}", "address": "198.51.100.101",
                                          "port": 1000 + i} for i in range(60)]}
    before = samples(scrape(instance))
    instance.api.call("BackendPoolService/CreateBackendPool", {"backend_pool": pool})
    found = samples(scrape(instance))
    assert len(found) <= 401, f"{len(found)} samples"
    left_out = value(found, "sluice_metrics_left_out")
    assert left_out > 0, "nothing was left out"
    assert len(found) + left_out >= len(before) + 360, f"{len(found)} and {left_out} left out"


def tests(report):
    with served() as instance:
        with report.case("promtool check metrics"):
            done = subprocess.run(["promtool", "check", "metrics"], input=scrape(instance),
                                  capture_output=True, text=True, timeout=30, check=False)
            equal((done.returncode, done.stderr), (0, ""), "promtool")
        with report.case("it says what the API says"):
            agrees(instance)
        with report.case("over TLS, for a viewer; not for strangers"):
            for name, code in (("viewer", "200"), ("stranger", "403")):
                keys = instance.certificates
                done = subprocess.run(
                    ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10",
                     "--cacert", f"{keys}/ca.pem", "--cert", f"{keys}/{name}.pem",
                     "--key", f"{keys}/{name}.key", f"https://{instance.tls}/metrics"],
                    capture_output=True, text=True, timeout=30, check=False)
                equal(done.stdout, code, f"status for {name}")
    with served(extra="metrics:\n  series: 400\n") as instance:
        with report.case("more than there is room for is counted"):
            bounded(instance)


checks.main(tests)
