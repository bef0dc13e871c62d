# SPDX-License-Identifier: BSD-3-Clause
"""Events that befall the control daemon, and the whole appliance."""

import http.client
import os
import signal
import threading
import time

from api import ApiError
from bed import kill
from checks import equal, eventually
from config import edition, edition_of, probed, stored_revision
from instance import alive

APPLY, GET = "ConfigService/ApplyConfig", "ConfigService/GetConfig"


class Applier(threading.Thread):
    """Applies one edition after the other, and knows which was acknowledged."""

    def __init__(self, api, acknowledged):
        super().__init__(daemon=True)
        self.api = api
        self.acknowledged = acknowledged
        self.tried = acknowledged
        self.busy = threading.Event()

    def run(self):
        try:
            while True:
                self.tried += 1
                self.busy.set()
                self.api.call(APPLY, {"config": edition(self.tried)})
                self.acknowledged = self.tried
        except (OSError, ApiError, ValueError, http.client.HTTPException):
            pass  # it was killed under our hands


def used(instance):
    """What each worker forwards by: generation, revision, its etag."""
    listed = instance.api.call("WorkerService/ListWorkers")
    return [(w.get("generation") == listed.get("generation"), w.get("revision"),
             w.get("configEtag")) for w in listed["workers"]]


def in_step(instance, config):
    return set(used(instance)) == {(True, config["revision"], config["etag"])}


def one_whole_revision(instance, acknowledged, tried):
    """Configuration, database and workers agree, from ctrl's first answer on, on what was acknowledged
    or on what came next. Returns the edition."""
    config, by = instance.api.call(GET), used(instance)
    equal(set(by), {(True, config["revision"], config["etag"])}, "what workers use")
    found = edition_of(config)
    assert acknowledged <= found <= tried, \
        f"edition {found}, acknowledged {acknowledged}, tried {tried}"
    equal(stored_revision(instance), int(config["revision"]), "revision in the database")
    equal(probed(instance), found % 2, "edition that the workers forward by")
    return found


def ctrl_kill(bed, _):
    """At a random instant of an apply."""
    ctrl = bed.instance.pid("ctrl")
    applier = Applier(bed.instance.api, bed.edition)

    def happen():
        applier.start()
        applier.busy.wait(5)
        time.sleep(bed.random.random() * 0.3)
        kill(ctrl)
        applier.join(20)
        assert not applier.is_alive(), "an apply is never answered"
        eventually(5, "ctrl's end", lambda: not alive(ctrl))
        bed.instance.appliance("start-ctrl")
    bed.event("ctrl_kill", "ctrl killed in an apply", happen)
    bed.edition = one_whole_revision(bed.instance, applier.acknowledged, applier.tried)


def filled(bed):
    """Connections of those that the generator's fill opens; none ends within a minute."""
    stats = bed.instance.api.call("StatsService/GetStats")
    return sum(int(v.get("activeConnections", 0)) for v in stats["virtualServers"]
               if v["name"].endswith("sink"))


def full_restart(bed, more):
    """With so many connections more. Returns how many of these there were, how many came back, and
    the seconds from the start of the new primary until its workers ran."""
    bed.load.fill(more)
    before, found = filled(bed), {}
    primary, ctrl = bed.instance.pid("primary"), bed.instance.pid("ctrl")

    def happen():
        os.kill(primary, signal.SIGTERM)
        for pid in (primary, ctrl):
            eventually(20, f"the end of {pid}", lambda p=pid: not alive(p))
        began = time.monotonic()
        bed.instance.appliance("start-all")
        found["seconds"] = time.monotonic() - began
        bed.way_back()
        bed.load.echo()
        config = bed.instance.api.call(GET)
        eventually(10, "workers in step", lambda: in_step(bed.instance, config))
        found["back"] = filled(bed)
    bed.event("full_restart", f"full restart, {before} connections", happen, rest=3)
    bed.everybody_talks()
    return before, found["back"], found["seconds"]
