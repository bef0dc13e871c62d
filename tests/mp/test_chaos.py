#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A short run of tests/chaos: events of every kind at random instants, accounted for from outside.

At a rate that any machine carries, so that what is lost is the events' doing.
"""

import os
import time

import paths  # noqa: F401

import checks
import control
import workers
from account import Account
from bed import Bed
from checks import equal

RATE, CONNECTIONS = 2000, 100
BURST = 64  # packets: a receive burst and a transmit burst
COLD = 5 * RATE  # whoever dies young is started after a back-off
MORE = 5000
EVENTS = ((workers.graceful, 2, 0), (workers.kill_one, 2, BURST), (workers.kill_both, 1, 2 * BURST),
          (workers.kill_in_apply, 2, BURST), (workers.kill_in_takeover, 2, COLD),
          (workers.kill_in_init, 1, COLD), (workers.kill_twice, 1, COLD),
          (workers.kill_standby_first, 1, COLD), (workers.hang, 1, RATE),
          (control.ctrl_kill, 2, 0))


def events(bed, account, happen, times, limit):
    for n in range(times):
        happen(bed, n % 2)
    bed.account_for_buffers()
    kind, looks = list(account.kinds.items())[-1]
    print(list(account.table())[-1], flush=True)
    equal(sum(k["connections_lost"] for k in looks), 0, "connections lost")
    worst = max(k["lost"] for k in looks)
    assert worst <= limit, f"{kind}: lost {worst} datagrams, at most {limit}"


def all_of_it(bed):
    before, after, _ = control.full_restart(bed, MORE)
    assert after == before > 0.9 * MORE, f"{after} of {before} connections are back"
    equal(bed.account.looks["full_restart"][-1]["connections_lost"], 0, "connections lost")
    bed.account_for_buffers()


def tests(report):
    account, seed = Account(), int(os.environ.get("SEED") or time.time_ns() % 10**9)
    print(f"seed {seed}", flush=True)
    with Bed(account, seed, connections=CONNECTIONS, rate=RATE) as bed:
        for happen, times, limit in EVENTS:
            with report.case(f"{times} x {happen.__name__}"):
                events(bed, account, happen, times, limit)
        with report.case("full restart"):
            all_of_it(bed)
        with report.case("every connection is open and answered"):
            bed.everybody_talks()


checks.main(tests)
