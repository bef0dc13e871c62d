#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The database: broken, newer than the program, unreachable. Forwarding goes on in any case."""

import glob
import hashlib
import os
import signal
import subprocess

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import SLUICE, Instance
from traffic import CONFIG, Traffic

GET, APPLY = "ConfigService/GetConfig", "ConfigService/ApplyConfig"


def stop(instance):
    pid = instance.pid("ctrl")
    os.kill(pid, signal.SIGTERM)
    eventually(10, "ctrl's end", lambda: not os.path.exists(f"/proc/{pid}"))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def sqlite(path, statement):
    subprocess.run(["sqlite3", path, statement], check=True, capture_output=True, timeout=30)


def start_by_hand(instance, database, seconds=20):
    """Exit code and words of a ctrl that should not stay."""
    done = subprocess.run(
        [SLUICE, "ctrl", "--instance", instance.name, "--runtime-dir", f"{instance.dir}/run",
         "--database", database, "--socket", f"{instance.dir}/run/ctrl.sock"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds, check=False)
    return done.returncode, done.stdout


def forwarding(traffic):
    traffic.echoes()
    equal(sum(f.lost for f in traffic.flows), 0, "datagrams lost")


def newer_schema(instance, traffic):
    """Refused with a sentence; the file stays as it is, for the newer program to read."""
    database = f"{instance.dir}/sluice.db"
    stop(instance)
    version = subprocess.run(["sqlite3", database, "PRAGMA user_version"], check=True,
                             capture_output=True, text=True).stdout.strip()
    sqlite(database, "PRAGMA user_version = 9999")
    sqlite(database, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = digest(database)
    code, said = start_by_hand(instance, database)
    assert code == 1, f"exit code {code}: {said}"
    assert "9999" in said or "newer" in said.lower(), f"said {said}"
    equal(digest(database), before, "the file")
    forwarding(traffic)
    sqlite(database, f"PRAGMA user_version = {version}")
    instance.appliance("start-ctrl")
    servers = instance.api.call(GET)["virtualServers"]
    equal([v["name"] for v in servers], ["echo-tcp", "echo-udp"], "configuration afterwards")


def damaged(instance, traffic, damage):
    """Set aside under another name; the workers go on with what they have."""
    database = f"{instance.dir}/sluice.db"
    stop(instance)
    for extra in ("-wal", "-shm"):
        if os.path.exists(database + extra):
            os.unlink(database + extra)
    damage(database)
    before = digest(database)
    aside = set(glob.glob(f"{database}.damaged*"))
    instance.appliance("start-ctrl")
    kept = set(glob.glob(f"{database}.damaged*")) - aside
    assert kept, "the damaged file was not set aside"
    assert before in {digest(k) for k in kept}, "the damaged file was changed"
    with open(f"{instance.dir}/ctrl.log", encoding="utf-8", errors="replace") as log:
        assert "damaged" in log.read(), "nothing is said of it in the log"
    forwarding(traffic)
    instance.api.call(APPLY, {"config": CONFIG})
    forwarding(traffic)
    stop(instance)
    instance.appliance("start-ctrl")
    equal(len(instance.api.call(GET)["virtualServers"]), 2, "virtual servers, stored again")


def overwrite(at, data):
    def damage(path):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)
    return damage


def cut_in_half(path):
    os.truncate(path, os.path.getsize(path) // 2 // 4096 * 4096)


def unreachable(instance, traffic):
    """No directory, a directory in its place: a reason and exit code 1."""
    stop(instance)
    for path in (f"{instance.dir}/missing/deeper/sluice.db", instance.dir, "/proc/version"):
        code, said = start_by_hand(instance, path)
        assert code == 1 and said.strip(), f"{path}: exit code {code}, said {said!r}"
    forwarding(traffic)
    instance.appliance("start-ctrl")


def tests(report):
    with Instance("--no-config") as instance:
        instance.api.call(APPLY, {"config": CONFIG})
        with Traffic(instance, tcp=4, udp=4) as traffic:
            traffic.echoes(10)
            traffic.mark()
            with report.case("a newer schema"):
                newer_schema(instance, traffic)
            with report.case("a database that cannot be opened"):
                unreachable(instance, traffic)
            for what, damage in (("no database at all", overwrite(0, b"not a database" * 300)),
                                 ("a damaged page", overwrite(4096, b"\xa5" * 4096)),
                                 ("half a file", cut_in_half)):
                with report.case(f"a broken database file: {what}"):
                    damaged(instance, traffic, damage)


checks.main(tests)
