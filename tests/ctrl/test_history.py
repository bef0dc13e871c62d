#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An operator's day with sluicectl: a change is looked at, applied, found to be wrong, undone; and
the log says who did what."""

import json

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import ROOT, Instance

SAMPLE = f"{ROOT}/conf/lb.yaml"


def ctl(instance, *arguments, text=None, code=0):
    result = instance.ctl(*arguments, text=text)
    equal(result.returncode, code, f"{arguments}: exit code ({result.stderr.strip()})")
    return result.stdout if code == 0 else result.stderr


def revision(instance):
    return json.loads(ctl(instance, "-o", "json", "config", "show"))["revision"]


def weights(instance):
    listed = json.loads(ctl(instance, "-o", "json", "backend", "list", "web"))
    return {b["name"]: b.get("weight", 1) for b in listed["backends"]}


def edited(old, new):
    with open(SAMPLE, encoding="ascii") as file:
        text = file.read()
    assert old in text, old
    return text.replace(old, new)


def look_then_apply(instance):
    before = revision(instance)
    file = edited("port: 80, weight: 2}", "port: 80, weight: 7}")
    shown = ctl(instance, "diff", "-f", "-", text=file)
    equal(shown.splitlines(), ["~ backend_pools[web].backends[web-1]", "    weight: 2 -> 7",
                               "0 created, 1 updated, 0 deleted"], "diff")
    dry = ctl(instance, "apply", "-f", "-", "--dry-run", text=file)
    assert "    weight: 2 -> 7\n" in dry and f"revision {before} stands" in dry, dry
    ctl(instance, "apply", "-f", "-", "--comment", "more for web-1", text=file)
    equal(weights(instance)["web-1"], 7, "weight")
    between = ctl(instance, "diff", before)
    equal(between, shown, "from the revision before to what is applied")
    equal(ctl(instance, "diff", before, revision(instance)), shown, "between both")
    assert "weight: 2" in ctl(instance, "config", "show", before), "a revision of the past"
    assert "weight: 7" in ctl(instance, "config", "show")


def history_and_rollback(instance):
    newest, past = revision(instance), str(int(revision(instance)) - 1)
    rows = ctl(instance, "history").splitlines()
    equal(rows[0].split()[:2], ["REVISION", "TIME"], "header")
    equal(rows[1].split()[0], newest, "the newest is first")
    assert rows[1].endswith("more for web-1"), rows[1]
    equal(len(ctl(instance, "history", "--limit", "1").splitlines()), 2, "--limit 1")
    dry = ctl(instance, "rollback", past, "--dry-run")
    assert "    weight: 7 -> 2\n" in dry, dry
    equal(weights(instance)["web-1"], 7, "after the dry run")
    ctl(instance, "rollback", past, "--comment", "too much")
    equal(weights(instance)["web-1"], 2, "after the rollback")
    equal(int(revision(instance)), int(newest) + 1, "a rollback is a new revision")
    assert "too much" in ctl(instance, "history", "--limit", "1")


def confirmed(instance):
    file = edited("port: 80, weight: 2}", "port: 80, weight: 5}")
    said = ctl(instance, "apply", "-f", "-", "--confirm-timeout", "60", text=file)
    pending = revision(instance)
    assert f"sluicectl confirm {pending}" in said, said
    refused = ctl(instance, "backend", "update", "web/web-2", "weight=3", code=1)
    assert "confirm" in refused.lower(), refused
    ctl(instance, "confirm", pending)
    equal(weights(instance)["web-1"], 5, "confirmed")
    ctl(instance, "apply", "-f", SAMPLE, "--confirm-timeout", "1")
    eventually(10, "rolled back", lambda: weights(instance)["web-1"] == 5)


def audit(instance):
    rows = ctl(instance, "audit", "refused=true").splitlines()
    assert len(rows) > 1 and all(" ok " not in row for row in rows[1:]), rows
    listed = json.loads(ctl(instance, "-o", "json", "audit", "method=ConfigService/RollbackConfig",
                            "since=1h"))
    assert listed["entries"], "no entry"
    equal(ctl(instance, "audit", "until=1h").count("\n"), 1, "lines of an hour ago")
    for arguments in (("audit", "who=me"), ("audit", "refused=maybe"), ("rollback", "first"),
                      ("rollback",), ("confirm", "-1"), ("diff",), ("diff", "a"),
                      ("diff", "1", "2", "3"), ("diff", "1", "-f", SAMPLE),
                      ("apply", "-f", SAMPLE, "--confirm-timeout", "0"),
                      ("apply", "-f", SAMPLE, "--confirm-timeout", "soon"),
                      ("config", "show", "now"), ("history", "--limit", "0")):
        assert ctl(instance, *arguments, code=2), arguments
    assert ctl(instance, "rollback", "4711", code=1)
    assert ctl(instance, "diff", "4711", code=1)


def tests(report):
    with Instance() as instance:
        for name, run in (("look, then apply", look_then_apply),
                          ("history and rollback", history_and_rollback),
                          ("to be confirmed", confirmed), ("the audit log", audit)):
            with report.case(name):
                run(instance)


checks.main(tests)
