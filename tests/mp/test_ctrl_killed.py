#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ctrl dies at each step of an apply, exactly there: a breakpoint that nobody waits for, written over
the first instruction of what does the step, is the end of the process.

    resolve -> compile -> commit -> model -> publish -> tell -> answer

Before the commit it is as if nobody had asked; from then on it is done, by the next ctrl before it answers
anybody. tests/chaos/run does the same at random instants.
"""

import os
import resource
import subprocess
import threading

import paths  # noqa: F401

import checks
from checks import equal, eventually
from config import edition
from control import APPLY, Applier, one_whole_revision, used
from instance import SLUICE, Instance, alive

BREAKPOINT = b"\xcc"  # int3 of x86
STEPS = (  # function, what has been done when it is called, whether the revision stands
    ("publish_prepare", "resolved", False),
    ("compile", "the other half is free", False),
    ("store_commit", "compiled", False),
    ("store_chain", "resources are written, in the transaction", False),
    ("change_settle", "committed", True),
    ("publish_go", "the model has it", True),
    ("primary_request", "published, workers told", True),
    ("rpc_reply", "acknowledged", True),
)


def addresses():
    listed = subprocess.run(["nm", SLUICE], capture_output=True, text=True, check=True).stdout
    return {name: int(at, 16) for at, kind, name in
            (line.split() for line in listed.splitlines() if line[0] != " ") if kind == "T"}


def loaded_at(pid):
    """Where the program begins in the process's memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        return min(int(line.split("-")[0], 16) for line in file
                   if line.rstrip().endswith(os.path.realpath(SLUICE)))


def end_at(pid, address):
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(loaded_at(pid) + address)
        memory.write(BREAKPOINT)


def first_answer(instance):
    """Start ctrl again; what the workers use as the first call says that it answers."""
    starting = threading.Thread(target=instance.appliance, args=("start-ctrl",))
    starting.start()

    def asked():
        try:
            return used(instance)
        except OSError:
            return None
    found = eventually(20, "an answer", asked, pause=0.0005)
    starting.join()
    return found


def dies(instance, address, acknowledged, stands):
    """Returns the edition that is there afterwards."""
    ctrl = instance.pid("ctrl")
    applier = Applier(instance.api, acknowledged)
    end_at(ctrl, address)
    applier.start()
    applier.join(20)
    assert not applier.is_alive(), "an apply is never answered"
    eventually(5, "ctrl's end", lambda: not alive(ctrl))
    equal(applier.acknowledged, acknowledged, "edition acknowledged")
    first = first_answer(instance)
    equal(first, used(instance), "what workers use, as first told and now")
    found = one_whole_revision(instance, acknowledged, applier.tried)
    equal(found, acknowledged + stands, "edition afterwards")
    # And the next one goes its way: there is room for it.
    instance.api.call(APPLY, {"config": edition(found + 1)})
    return one_whole_revision(instance, found + 1, found + 1)


def tests(report):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    at, n = addresses(), 1
    with Instance("--no-config") as instance:
        instance.api.call(APPLY, {"config": edition(n)})
        for function, done, stands in STEPS:
            with report.case(f"ctrl dies in {function}: {done}"):
                n = dies(instance, at[function], n, stands)


checks.main(tests)
