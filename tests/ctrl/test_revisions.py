#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What was applied before: listed, compared, gone back to; confirmed in time, or undone."""

import paths  # noqa: F401

import base64
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import checks
from api import ApiError
from checks import equal, eventually
from instance import PROGRAMS, Instance
from sample import CONFIG, changed

GET, APPLY = "ConfigService/GetConfig", "ConfigService/ApplyConfig"
CONFIRM, ROLLBACK = "ConfigService/ConfirmConfig", "ConfigService/RollbackConfig"
DIFF, REVISIONS = "ConfigService/DiffConfig", "ConfigService/ListConfigRevisions"
WEIGHT = "backend_pools.0.backends.0.weight"


def refused(instance, code, method, message):
    try:
        instance.api.call(method, message)
    except ApiError as error:
        equal(error.code, code, f"code of {error}")
        return error.message
    raise AssertionError(f"{method} was accepted")


def kill(instance):
    pid = instance.pid("ctrl")
    os.kill(pid, signal.SIGKILL)
    eventually(10, "ctrl's end", lambda: not os.path.exists(f"/proc/{pid}"))


def weight(config):
    return config["backendPools"][0]["backends"][0]["weight"]


def past(instance):
    """Without what only the current one has: etags of pools, ports' state."""
    def plain(config):
        for pool in config["backendPools"]:
            pool.pop("etag", None)
        for interface in config["interfaces"]:
            for key in ("mac", "mtu", "linkUp", "steering"):
                interface.pop(key, None)
        config.pop("etag", None)
        return config

    states = {}
    for w in (3, 5, 7):
        instance.api.call(APPLY, {"config": changed((WEIGHT, w)), "comment": f"weight {w}"})
        config = instance.api.call(GET)
        states[config["revision"]] = plain(config)
    for number, config in states.items():
        equal(plain(instance.api.call(GET, {"revision": number})), config, f"revision {number}")
    listed = instance.api.call(REVISIONS, {"page_size": 3})["revisions"]
    equal([r["comment"] for r in listed], ["weight 7", "weight 5", "weight 3"], "comments")
    assert all(r["author"] == "uid 0" and r["source"].startswith("pid ") for r in listed), listed
    first = min(states, key=int)
    done = instance.api.call(ROLLBACK, {"revision": first, "comment": "back"})
    now = plain(instance.api.call(GET))
    equal(now.pop("revision"), done["revision"], "revision")
    equal(now, {k: v for k, v in states[first].items() if k != "revision"}, "rolled back")
    refused(instance, "not_found", ROLLBACK, {"revision": 4711})
    refused(instance, "not_found", GET, {"revision": 4711})


def differences(instance):
    instance.api.call(APPLY, {"config": changed((WEIGHT, 2))})
    base = instance.api.call(GET)["revision"]
    wanted = changed((WEIGHT, 9), ("routes", CONFIG["routes"][:1]), ("timeouts", {"udp": 5}))
    dry = instance.api.call(APPLY, {"config": wanted, "validate_only": True})
    instance.api.call(APPLY, {"config": wanted})
    for message in ({"base_revision": base}, {"base_revision": base, "config": wanted}):
        told = instance.api.call(DIFF, message)
        equal(told["changes"], dry["changes"], "a dry run's changes against the difference")
    by = {c["resource"]: c for c in told["changes"]}
    equal(set(by), {"backend_pools[web].backends[web-1]", "routes[hole]", "timeouts"}, "changed")
    backend = by["backend_pools[web].backends[web-1]"]
    equal(backend["fields"], ["weight"], "fields")
    equal((backend["before"]["backend"]["weight"], backend["after"]["backend"]["weight"]), (2, 9))
    assert "after" not in by["routes[hole]"] and "before" not in by["timeouts"], by
    equal((told["created"], told["updated"], told["deleted"]), (1, 1, 1), "counts")
    equal(instance.api.call(DIFF, {"config": {}, "prune": False}), {}, "merging nothing")
    equal(instance.api.call(DIFF), {}, "with itself")


def merge(instance):
    before = instance.api.call(GET)
    instance.api.call(APPLY, {"prune": False, "config": {"backend_pools": [
        {"name": "web", "backends": [{"name": "web-9", "address": "198.51.100.9", "port": 1}]}]}})
    now = instance.api.call(GET)
    equal(len(now["backendPools"][0]["backends"]),
          len(before["backendPools"][0]["backends"]) + 1, "backends")
    equal(now["virtualServers"], before["virtualServers"], "virtual servers")
    instance.api.call("BackendPoolService/UpdateBackend", {
        "backend_pool": "web", "backend": {"name": "web-9", "weight": 77}, "updateMask": "weight"})
    backend = instance.api.call("BackendPoolService/GetBackend",
                                {"backend_pool": "web", "name": "web-9"})
    equal((backend["weight"], backend["port"]), (77, 1), "weight and port")


def replays(instance):
    """The same request again, also to the next process, and another one of the same id."""
    create = {"route": {"name": "extra", "prefix": "10.1.0.0/16", "blackhole": True},
              "request_id": "one"}
    first = instance.api.call("RouteService/CreateRoute", create)
    equal(instance.api.call("RouteService/CreateRoute", create), first, "the answer again")
    kill(instance)
    instance.appliance("start-ctrl")
    equal(instance.api.call("RouteService/CreateRoute", create), first, "after a kill")
    delete = {"name": "extra", "request_id": "two"}
    for _ in range(2):
        equal(instance.api.call("RouteService/DeleteRoute", delete), {}, "deleted once")
    create["route"]["prefix"] = "10.2.0.0/16"
    refused(instance, "invalid_argument", "RouteService/CreateRoute", create)


def same_id_at_once(instance):
    revision = int(instance.api.call(GET)["revision"])
    answers = []

    def send():
        answers.append(instance.api.call(APPLY, {"config": changed((WEIGHT, 44)),
                                                 "request_id": "at once"}))

    threads = [threading.Thread(target=send) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(answers, [answers[0]] * 10, "answers")
    equal(int(instance.api.call(GET)["revision"]), revision + 1, "revision")


def confirmed(instance):
    instance.api.call(APPLY, {"config": CONFIG})
    done = instance.api.call(APPLY, {"config": changed((WEIGHT, 21)), "confirmTimeout": "1s"})
    assert "confirmDeadline" in done, done
    refused(instance, "failed_precondition", APPLY, {"config": CONFIG})
    instance.api.call(CONFIRM, {"revision": done["revision"]})
    time.sleep(2)
    equal(weight(instance.api.call(GET)), 21, "weight")
    for bad in ("0s", "90000s", "-1s", "soon"):
        refused(instance, "invalid_argument", APPLY, {"config": CONFIG, "confirmTimeout": bad})


def undone(instance, how):
    """Killed while it waits; back in time to undo it, or too late: then it does so at once."""
    instance.api.call(APPLY, {"config": CONFIG})
    instance.api.call(APPLY, {"config": changed((WEIGHT, 33)), "confirmTimeout": "3s"})
    equal(weight(instance.api.call(GET)), 33, "weight")
    kill(instance)
    if how == "too late":
        time.sleep(4)
    instance.appliance("start-ctrl")
    eventually(8, "the rollback", lambda: weight(instance.api.call(GET)) == 2)
    last = instance.api.call(REVISIONS, {"page_size": 1})["revisions"][0]
    equal(last["author"], "sluice", "author")
    config = instance.api.call(GET)
    eventually(5, "workers", lambda: all(
        w["configEtag"] == config["etag"]
        for w in instance.api.call("WorkerService/ListWorkers")["workers"]))


def killed_anywhere(instance, rounds=4):
    """At a random moment of applies: what was answered is there, what is there is whole."""
    chance, answered = random.Random(5), [0]

    def apply_forever():
        try:
            while True:
                for w in range(1, 60):
                    done = instance.api.call(APPLY, {"config": changed(
                        (WEIGHT, w), ("backend_pools.0.backends.1.weight", w))})
                    answered[0] = max(answered[0], int(done["revision"]))
        except (OSError, ApiError, ValueError):
            pass  # killed
        except Exception:  # http.client's, of a connection that ends in the middle
            pass

    for _ in range(rounds):
        thread = threading.Thread(target=apply_forever)
        thread.start()
        time.sleep(0.1 + chance.random() * 0.3)
        kill(instance)
        thread.join()
        instance.appliance("start-ctrl")
        config = instance.api.call(GET)
        assert answered[0] <= int(config["revision"]) <= answered[0] + 1, \
            f"answered {answered[0]}, stored {config['revision']}"
        equal(len({b["weight"] for b in config["backendPools"][0]["backends"]}), 1, "weights")
        eventually(5, "workers at the stored revision", lambda: all(
            w["configEtag"] == config["etag"]
            for w in instance.api.call("WorkerService/ListWorkers")["workers"]))
    with open(f"{instance.dir}/ctrl.log", encoding="utf-8", errors="replace") as log:
        assert "damaged" not in log.read(), "a kill damaged the database"


def violations(instance):
    """Which field is wrong, as google.rpc.BadRequest: told by protoc, without our code."""
    answer = instance.api.raw(APPLY, b'{"config": {"virtualServers": [{"name": "x", "port": 80}]}}')
    equal(answer.status, 400, "status")
    detail = json.loads(answer.body)["details"][0]
    equal(detail["type"], "google.rpc.BadRequest", "type")
    value = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
    told = subprocess.run(["protoc", "--decode_raw"], input=value, capture_output=True,
                          check=True).stdout.decode()
    assert 'virtual_servers[x].address"' in told and "is required" in told, told


def backups(instance):
    """Written while it runs; back into this appliance, and in the place of its database."""
    file = f"{instance.dir}/backup.db"
    instance.api.call(APPLY, {"config": changed((WEIGHT, 61))})
    wanted = instance.api.call(GET)
    for options in ((), ("--all",)):
        done = instance.ctl("backup", *options, file)
        equal(done.returncode, 0, f"backup: {done.stderr}")
        check = subprocess.run(["sqlite3", file, "PRAGMA integrity_check"], capture_output=True,
                               text=True, check=True)
        equal(check.stdout.strip(), "ok", "sqlite's word on it")
    instance.api.call(APPLY, {"config": {}})
    dry = instance.ctl("restore", "--dry-run", file)
    assert dry.returncode == 0 and "backend_pools[web]" in dry.stdout, dry
    equal(instance.api.call(GET).get("virtualServers", []), [], "after a dry run")
    done = instance.ctl("restore", "--comment", "restored", file)
    equal(done.returncode, 0, f"restore: {done.stderr}")
    equal(instance.api.call(GET)["etag"], wanted["etag"], "etag")
    equal(instance.api.call(REVISIONS)["revisions"][0]["comment"], "restored", "comment")
    instance.api.call(APPLY, {"config": {}})
    kill(instance)
    for extra in ("-wal", "-shm"):
        if os.path.exists(f"{instance.dir}/sluice.db{extra}"):
            os.unlink(f"{instance.dir}/sluice.db{extra}")
    shutil.copy(file, f"{instance.dir}/sluice.db")
    instance.appliance("start-ctrl")
    equal(instance.api.call(GET)["etag"], wanted["etag"], "etag from the file in place")
    for what in (b"no backup" * 100, open(file, "rb").read()[:8192], b""):
        with open(f"{instance.dir}/bad.db", "wb") as bad:
            bad.write(what)
        done = instance.ctl("restore", f"{instance.dir}/bad.db")
        assert done.returncode == 1 and "invalid_argument" in done.stderr, done
    equal(instance.api.call(GET)["etag"], wanted["etag"], "etag after bad files")


UPLOAD, RESTORE = "ConfigService/UploadBackup", "ConfigService/RestoreConfig"


def uploads(instance):
    """A backup in parts: of any size, again, tried first; another's begin is the end of it."""
    wanted = instance.api.call(GET)["etag"]
    whole = base64.b64decode(instance.api.call("ConfigService/BackupConfig")["database"])

    def put(upload, offset, data):
        return instance.api.call(UPLOAD, {"upload_id": upload, "offset": offset,
                                          "data": base64.b64encode(data).decode()})

    instance.api.call(APPLY, {"config": {}})
    first = put("", 0, whole[:5000])
    upload = first["uploadId"]
    equal(first["size"], "5000", "size")
    equal(put(upload, 4000, whole[4000:9000])["size"], "9000", "size")
    equal(put(upload, 1000, whole[1000:2000])["size"], "9000", "size after a part sent again")
    equal(put(upload, 9000, whole[9000:])["size"], str(len(whole)), "size")
    for request, code in (({"upload_id": upload, "offset": len(whole) + 1, "data": "AA=="},
                           "invalid_argument"),
                          ({"upload_id": upload, "offset": 0}, "invalid_argument"),
                          ({"upload_id": upload, "offset": 1 << 40, "data": "AA=="},
                           "invalid_argument"),
                          ({"upload_id": "none", "data": "AA=="}, "not_found"),
                          ({"offset": 1, "data": "AA=="}, "invalid_argument")):
        refused(instance, code, UPLOAD, request)
        if not request.get("upload_id"):
            refused(instance, "not_found", RESTORE, {"upload_id": upload})
    upload = put("", 0, whole)["uploadId"]
    refused(instance, "invalid_argument", RESTORE, {"upload_id": upload, "database": "AA=="})
    refused(instance, "not_found", RESTORE, {"upload_id": "none"})
    dry = instance.api.call(RESTORE, {"upload_id": upload, "validate_only": True})
    assert dry["created"] > 0, dry
    equal(instance.api.call(GET).get("virtualServers", []), [], "after a dry run")
    instance.api.call(RESTORE, {"upload_id": upload})
    equal(instance.api.call(GET)["etag"], wanted, "etag")
    refused(instance, "not_found", RESTORE, {"upload_id": upload})
    upload = put("", 0, b"no backup" * 100)["uploadId"]
    refused(instance, "invalid_argument", RESTORE, {"upload_id": upload})
    equal(os.path.exists(f"{instance.dir}/sluice.db.upload"), False, "a file is left")
    put("", 0, whole)
    kill(instance)
    instance.appliance("start-ctrl")
    equal(os.path.exists(f"{instance.dir}/sluice.db.upload"), False, "a dead daemon's file")


def audit(instance):
    """Refused calls and those that change no configuration are there, too."""
    refused(instance, "not_found", "RouteService/DeleteRoute", {"name": "never"})
    instance.api.call("WorkerService/RestartWorker", {"id": 0})
    instance.api.call(APPLY, {"config": CONFIG, "validate_only": True})

    def entries(**filters):
        return instance.api.call("AuditService/ListAuditEntries", filters).get("entries", [])

    eventually(5, "the entry of a restart",
               lambda: entries(method="WorkerService/RestartWorker"))
    found = entries(resource="routes[never]")
    equal([(e["method"], e["code"], e["caller"]) for e in found],
          [("RouteService/DeleteRoute", "not_found", "uid 0")], "refused")
    assert all(e["code"] != "ok" for e in entries(refused=True)), "refused ones"
    first = entries(page_size=1)[0]
    equal(entries(since=first["time"])[-1]["id"], first["id"], "since")
    equal(entries(until="2020-01-01T00:00:00Z"), [], "until")
    equal(entries(caller="nobody"), [], "of nobody")


def retention(instance):
    for w in range(30):
        instance.api.call(APPLY, {"config": changed((WEIGHT, w + 1))})
    kept = instance.api.call(REVISIONS, {"page_size": 1000})["revisions"]
    eventually(5, "old revisions to go", lambda: len(instance.api.call(
        REVISIONS, {"page_size": 1000})["revisions"]) == 20)
    oldest = instance.api.call(REVISIONS, {"page_size": 1000})["revisions"][-1]["revision"]
    instance.api.call(GET, {"revision": oldest})
    refused(instance, "not_found", GET, {"revision": int(oldest) - 1})
    assert len(kept) <= 21, len(kept)


def tests(report):
    PROGRAMS["CTRL_OPTIONS"] = "--keep-revisions 20"
    with Instance("--no-config") as instance:
        instance.api.call(APPLY, {"config": CONFIG})
        for what, test in (("past revisions, and back to them", past),
                           ("differences, and dry runs that tell them", differences),
                           ("a config that is merged, an update with a mask", merge),
                           ("requests that come again", replays),
                           ("one request ten times at once", same_id_at_once),
                           ("a change that is confirmed", confirmed),
                           ("field violations", violations),
                           ("the audit log", audit),
                           ("backups", backups), ("backups in parts", uploads),
                           ("old revisions are not kept", retention)):
            with report.case(what):
                test(instance)
        for how in ("in time", "too late"):
            with report.case(f"not confirmed, ctrl killed and back {how}"):
                undone(instance, how)
        with report.case("ctrl killed anywhere in applies"):
            killed_anywhere(instance)


checks.main(tests)
