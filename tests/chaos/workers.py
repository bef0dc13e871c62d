# SPDX-License-Identifier: BSD-3-Clause
"""Events that befall workers: restarted, killed in every company, stopped."""

import signal
import threading
import time

from bed import kill
from checks import equal, eventually

def graceful(bed, n):
    bed.event("graceful", "graceful restart", lambda: bed.instance.api.call(
        "WorkerService/RestartWorker", {"id": n}))


def killed(bed, n):
    before = bed.instance.workers()[n]
    kill(before["pid"])
    equal(bed.replaced(n, {before["pid"]})["pid"], before["standbyPid"], "who goes on")


def kill_one(bed, n):
    bed.event("kill", "kill -9, standby", lambda: killed(bed, n))


def kill_both(bed, _):
    def happen():
        before = bed.instance.workers()
        for worker in before.values():
            kill(worker["pid"])
        for n in before:
            bed.replaced(n, {before[n]["pid"]})
    bed.event("kill", "kill -9, both workers", happen, events=2)


def kill_in_apply(bed, n):
    """While a configuration is validated, stored, published or taken up."""
    def happen():
        bed.edition += 1
        apply = threading.Thread(target=bed.apply)
        apply.start()
        time.sleep(bed.random.random() * 0.15)
        killed(bed, n)
        apply.join(20)
        assert not apply.is_alive(), "the apply is never answered"
    bed.event("kill", "kill -9, during an apply", happen)


def kill_in_takeover(bed, n):
    """The standby, too, at a moment in which it takes over: the next one starts cold."""
    def happen():
        before = bed.instance.workers()[n]
        kill(before["pid"])
        time.sleep(bed.random.random() ** 2 * 0.003)
        kill(before["standbyPid"])
        bed.replaced(n, {before["pid"], before["standbyPid"]})
    bed.event("kill_cold", "kill -9, and who takes over", happen, events=2)


def kill_in_init(bed, n):
    """A process that starts, at any moment of the library's initialisation, then the worker."""
    def happen():
        old = set(bed.slot(n))
        before = bed.whole()[n]  # after it: a standby that was replaced on its own is none of these
        old |= {before["pid"], before["standbyPid"]}
        kill(before["standbyPid"])
        fresh = eventually(15, "a new standby", lambda: set(bed.slot(n)) - old)
        time.sleep(bed.random.random() * 0.04)
        for pid in fresh:
            kill(pid)
        kill(before["pid"])
        bed.replaced(n, {before["pid"], *fresh})
    bed.event("kill_cold", "kill -9, of one that starts", happen, events=3)


def kill_twice(bed, n):
    """The one that took over, before there is another standby."""
    def happen():
        before = set()
        for _ in range(2):
            pid = bed.instance.workers()[n]["pid"]
            before.add(pid)
            kill(pid)
            bed.replaced(n, before)
    bed.event("kill_cold", "kill -9, twice in a row", happen, events=2)


def kill_standby_first(bed, n):
    def happen():
        before = bed.instance.workers()[n]
        kill(before["standbyPid"])
        kill(before["pid"])
        bed.replaced(n, {before["pid"]})
    bed.event("kill_cold", "kill -9, the standby first", happen, events=2)


def hang(bed, n):
    pid = bed.instance.workers()[n]["pid"]

    def happen():
        kill(pid, signal.SIGSTOP)
        bed.replaced(n, {pid})
    bed.event("hang", "hang", happen)
    last = bed.instance.workers()[n]["lastEnd"]
    assert last.startswith("hung for"), last


MIXED = (kill_one, kill_both, kill_in_apply, kill_in_takeover, kill_in_init, kill_twice,
         kill_standby_first)
