#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Twenty operators at once: each revision is one operator's whole, no worker ever differs from it."""

import paths  # noqa: F401

import random
import threading
import time

import checks
from api import Api, ApiError
from checks import equal, eventually
from instance import Instance
from sample import changed

GET, APPLY = "ConfigService/GetConfig", "ConfigService/ApplyConfig"
OPERATORS, ROUNDS = 20, 6


def mine(operator, turn):
    """All weights are the operator's, and the timeout is the turn's: a mixture would show."""
    backends = [{"name": f"b{b}", "address": f"198.51.100.{101 + b}", "port": 80,
                 "weight": operator} for b in range(8)]
    return changed(("backend_pools.0.backends", backends),
                   ("timeouts", {"udp": 100 * operator + turn, "tcp_close": operator}))


def owner(config):
    """Whose configuration it is; an assertion when it is of more than one."""
    marks = {b["weight"] for p in config["backendPools"] for b in p["backends"]}
    marks.add(config["timeouts"]["tcpClose"])
    marks.add(config["timeouts"]["udp"] // 100)
    equal(len(marks), 1, f"operators in one configuration: {marks}")
    return marks.pop()


class Watch(threading.Thread):
    """Reads all the time what there is and what each worker uses; remembers each pair seen."""

    def __init__(self, path):
        super().__init__()
        self.api, self.over = Api(path), threading.Event()
        self.seen, self.used, self.failed = {}, set(), None

    def run(self):
        try:
            while not self.over.is_set():
                config = self.api.call(GET)
                self.seen[int(config["revision"])] = (config["etag"], owner(config))
                for w in self.api.call("WorkerService/ListWorkers")["workers"]:
                    self.used.add((int(w["revision"]), w["configEtag"]))
        except Exception as error:  # told by the main thread
            self.failed = error


def operate(path, operator, answers, etags):
    api, chance = Api(path, timeout=60), random.Random(operator)
    for turn in range(ROUNDS):
        config = mine(operator, turn)
        if etags:
            config["etag"] = api.call(GET)["etag"]
            time.sleep(chance.random() * 0.02)
        try:
            done = api.call(APPLY, {"config": config, "comment": f"operator {operator}"},
                            **{"Connect-Timeout-Ms": "60000"})
            answers.append((operator, int(done["revision"]), done["etag"]))
        except ApiError as error:
            answers.append((operator, None, error.code))


def all_at_once(instance, etags):
    answers, watch = [], Watch(instance.socket_path)
    operators = [threading.Thread(target=operate, args=(instance.socket_path, n, answers, etags))
                 for n in range(1, OPERATORS + 1)]
    watch.start()
    for o in operators:
        o.start()
    for o in operators:
        o.join()
    watch.over.set()
    watch.join()
    assert not watch.failed, f"a reader: {watch.failed}"
    equal(len(answers), OPERATORS * ROUNDS, "answers")
    return answers, watch


def revisions(instance):
    found, token = [], ""
    while True:
        page = instance.api.call("ConfigService/ListConfigRevisions",
                                 {"page_size": 50, "page_token": token})
        found += page["revisions"]
        token = page.get("nextPageToken")
        if not token:
            return {int(r["revision"]): r for r in found}


def check(instance, answers, watch):
    """Against what is read back: whole, the answer's, and the only thing that workers used."""
    accepted = {revision: (who, etag) for who, revision, etag in answers if revision}
    listed = revisions(instance)
    etags = {}
    for number, (who, etag) in accepted.items():
        config = instance.api.call(GET, {"revision": number})
        equal(owner(config), who, f"owner of revision {number}")
        equal(listed[number]["comment"], f"operator {who}", f"comment of revision {number}")
        etags[number] = etag
    for number, (etag, who) in watch.seen.items():
        if number in accepted:
            equal((etag, who), (accepted[number][1], accepted[number][0]), f"seen of {number}")
    used = {pair for pair in watch.used if pair[0] in etags}
    assert used, "no worker was seen to use a revision"
    for number, etag in used:
        equal(etag, etags[number], f"content that a worker uses as revision {number}")
    config = instance.api.call(GET)
    eventually(5, "all workers at the last revision", lambda: all(
        (w["revision"], w["configEtag"]) == (config["revision"], config["etag"])
        for w in instance.api.call("WorkerService/ListWorkers")["workers"]))


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call(APPLY, {"config": mine(OPERATORS + 1, 0)})
        with report.case(f"{OPERATORS} operators without etags: each change is somebody's whole"):
            answers, watch = all_at_once(instance, etags=False)
            equal({code for _, revision, code in answers if not revision}, set(), "refusals")
            check(instance, answers, watch)
        with report.case(f"{OPERATORS} operators with etags: who comes second is refused"):
            answers, watch = all_at_once(instance, etags=True)
            refused = {code for _, revision, code in answers if not revision}
            equal(refused, {"aborted"}, "refusals")
            assert any(revision for _, revision, _ in answers), "nobody got through"
            check(instance, answers, watch)
        with report.case("the audit log has them all, with who and what"):
            entries = instance.api.call("AuditService/ListAuditEntries", {"page_size": 1000})
            entries = [e for e in entries["entries"] if e["method"] == "ConfigService/ApplyConfig"]
            equal(len(entries), 1 + 2 * OPERATORS * ROUNDS, "entries")
            equal({e["caller"] for e in entries}, {"uid 0"}, "callers")
            equal({e["code"] for e in entries}, {"ok", "aborted"}, "outcomes")


checks.main(tests)
