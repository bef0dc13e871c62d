#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""sluicectl watch: statistics and events as they come, in each form."""

import json
import subprocess

import paths  # noqa: F401

import checks
from checks import equal
from instance import SLUICECTL, Instance


def done(instance, *arguments):
    result = instance.ctl(*arguments)
    equal((result.returncode, result.stderr), (0, ""), f"{arguments}")
    return result.stdout


def stats(instance):
    table = done(instance, "watch", "stats", "--limit", "2", "--interval", "0.2")
    equal(table.count("VIRTUAL-SERVER"), 2, "tables")
    assert "web/web-1" in table and "IN-PACKETS/S" in table and "\033" not in table, table
    lines = done(instance, "watch", "stats", "-o", "json", "--limit", "3", "--interval",
                 "0.2").splitlines()
    equal(len(lines), 3, "lines of JSON")
    assert all("stats" in json.loads(line) for line in lines)
    documents = done(instance, "watch", "stats", "-o", "yaml", "--limit", "2", "--interval", "0.2")
    equal(documents.count("---\n"), 2, "YAML documents")


def events(instance):
    """A worker's restart and a new revision are seen by who watches; later, by the token too."""
    watching = subprocess.Popen([SLUICECTL, "--socket", instance.socket_path, "-o", "json", "watch",
                                 "events"], stdout=subprocess.PIPE, text=True)
    try:
        first = None
        done(instance, "worker", "restart", "0")
        done(instance, "backend", "update", "web/web-1", "weight=9")
        for line in watching.stdout:
            event = json.loads(line)["event"]
            first = first or event["resumeToken"]
            if event["type"] == "EVENT_TYPE_REVISION":
                break
    finally:
        watching.kill()
        watching.wait()
    shown = done(instance, "watch", "events", first, "--limit", "1")
    assert "worker 0" in shown or "revision" in shown, shown


def refusals(instance):
    for arguments, code in ((("watch",), 2), (("watch", "stats", "--interval", "0"), 2),
                            (("watch", "stats", "--limit", "none"), 2),
                            (("watch", "events", "nonsense"), 1)):
        result = instance.ctl(*arguments)
        equal(result.returncode, code, f"{arguments}: exit code")
        assert result.stderr.startswith("sluicectl: "), result.stderr


def by_api_call(instance):
    """Any stream, as lines, until it is ended."""
    with subprocess.Popen([SLUICECTL, "--socket", instance.socket_path, "api", "call",
                           "StatsService/WatchStats", '{"intervalMs": 200}'],
                          stdout=subprocess.PIPE, text=True) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.kill()
    assert all("stats" in line for line in lines), lines


def tests(report):
    with Instance() as instance:
        for name, run in (("statistics", stats), ("events", events), ("refusals", refusals),
                          ("api call", by_api_call)):
            with report.case(name):
                run(instance)


checks.main(tests)
