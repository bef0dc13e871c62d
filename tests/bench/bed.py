# SPDX-License-Identifier: BSD-3-Clause
"""An appliance without devices for benchmarks: sluice-bench as primary, workers and ctrl.

Its ports are net_null devices, in whose place the generator stands (hook.c). Everything of a
bench is in one directory with its own hugetlbfs mount; leaving the `with` block undoes it.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
from api import JSON, PROTO, Api  # noqa: E402

BUILD = os.path.join(ROOT, os.environ.get("B") or "build")
PROGRAM = os.path.join(BUILD, "sluice-bench")
HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB"
PAGES = 384  # the largest case: two workers

# The worker that is measured has a CPU without the primary, ctrl and us, if there are two.
CPUS = sorted(os.sched_getaffinity(0))
OTHERS_CPU = CPUS[0]
WORKER_CPUS = CPUS[1:] + CPUS[:1]

LIMITS = {"connections": 1310720, "buffers": 16384, "local-addresses": 16,
          "persistence-templates": 131072}


class BenchError(Exception):
    """A run that gives no figure."""


def wait_for(seconds, what, condition, *processes):
    until = time.monotonic() + seconds
    while not (value := condition()):
        for process in processes:
            if process.poll() is not None:
                raise BenchError(f"{what}: {process.args[1]} ended with {process.returncode}: "
                                 f"{process.said()[-300:].strip()}")
        if time.monotonic() > until:
            raise BenchError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.01)
    return value


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def page_count(name):
    return int(read(f"{HUGE}/{name}"))


def set_pages(n):
    with open(f"{HUGE}/nr_hugepages", "w", encoding="ascii") as file:
        file.write(str(n))


@contextmanager
def hugepages():
    """Enough free pages; those that had to be added are taken away again. The lock is that of
    tests/lib/hugepages.sh."""
    with open("/run/lock/sluice-hugepages", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = page_count("nr_hugepages")
        missing = max(0, PAGES - page_count("free_hugepages"))
        if missing:
            set_pages(before + missing)
        added = page_count("nr_hugepages") - before
    try:
        if added < missing:
            raise BenchError(f"only {added} of {missing} hugepages of 2 MiB could be reserved")
        yield
    finally:
        with open("/run/lock/sluice-hugepages", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if added:
                set_pages(page_count("nr_hugepages") - added)


@contextmanager
def directory():
    """A new directory with hugetlbfs mounted at huge/."""
    path = f"/tmp/sluice-bench.{os.getpid()}"
    os.makedirs(f"{path}/huge")
    try:
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "sluice-bench",
                        f"{path}/huge"], check=True)
        try:
            yield path
        finally:
            subprocess.run(["umount", f"{path}/huge"], check=False)
    finally:
        shutil.rmtree(path, ignore_errors=True)


# By family. In LAN 1 is ours, local addresses stand from 10 on, backends from 101 on.
VIP = {4: "192.0.2.80", 6: "2001:db8:1::80"}
WAN = {4: "192.0.2.1/24", 6: "2001:db8:1::1/64"}
CLIENTS = {4: {"prefix": "10.0.0.0/8", "gateway": "192.0.2.254"},
           6: {"prefix": "2001:db8:f::/48", "gateway": "2001:db8:1::fe"}}
LAN = {4: ("198.51.100.", "/24"), 6: ("2001:db8:2::", "/64")}


def snat_config():
    """The generator's clients reach out to where the virtual server is otherwise."""
    lan, bits = LAN[4]
    return {
        "interfaces": [{"name": "wan", "addresses": [WAN[4]]},
                       {"name": "lan", "addresses": [f"{lan}1{bits}"]}],
        "routes": [{"name": "clients", **CLIENTS[4]},
                   {"name": "outside", "prefix": f"{VIP[4]}/32", "gateway": f"{lan}254"}],
        "local_address_pools": [{"name": "local", "addresses":
                                 [f"{lan}{10 + i}" for i in range(16)]}],
        "snat_policies": [{"name": "clients", "source_prefixes": [CLIENTS[4]["prefix"]],
                           "local_address_pool": "local"}],
    }


def config_of(count=16, mode="fullnat", clients=4, backends=4, **server):
    """What the generator's clients and backends, of these families, expect (gen.c). `server`:
    more about the virtual servers, as in the API."""
    lan, bits = LAN[backends]
    if mode == "snat":
        return snat_config()
    return {
        "interfaces": [{"name": "wan", "addresses": [WAN[clients]]},
                       {"name": "lan", "addresses": [f"{lan}1{bits}"]}],
        "routes": [{"name": "clients", **CLIENTS[clients]}],
        "local_address_pools": [{"name": "local", "addresses":
                                 [f"{lan}{10 + i}" for i in range(16)]}],
        "backend_pools": [{"name": "bench",
                           "forwarding_mode": f"FORWARDING_MODE_{mode.upper()}", "backends": [
            {"name": f"b{i}", "address": f"{lan}{101 + i}", "port": 80}
            for i in range(count)]}],
        "virtual_servers": [{"name": f"bench-{p}", "address": VIP[clients], "port": 80,
                             "protocol": f"PROTOCOL_{p.upper()}",
                             "scheduler": "SCHEDULER_RR", "backend_pool": "bench",
                             "local_address_pool": "local", **server} for p in ("udp", "tcp")],
    }


class Appliance:
    """One start of the appliance with one task for its generators."""

    def __init__(self, path, bench, workers=1, idle="spin", limits=None,
                 cpu_from=0):
        self.path = path  # in the bench's directory
        self.run = f"{path}/run"
        self.out = f"{path}/out"
        self.cpus = (WORKER_CPUS[cpu_from:] + WORKER_CPUS[:cpu_from])[:workers]
        self.workers = workers
        self.bench = " ".join(f"{k}={v}" for k, v in {**bench, "out": self.out}.items())
        self.boot = {"idle": idle, "limits": {**LIMITS, **(limits or {})}}
        self.processes = []
        self.api = Api(f"{self.run}/ctrl.sock", timeout=60)

    def write_boot(self):
        ports = [{"name": name, "device": f"net_null{i}", "steering": "none"}
                 for i, name in enumerate(("wan", "lan"))]
        bench, own = os.path.split(self.path)
        boot = {"instance": f"bench{os.getpid()}-{own}",
                "runtime-directory": self.run, "hugepages": {"directory": f"{bench}/huge"},
                "ports": ports, "workers": [{"cpu": c} for c in self.cpus],
                **self.boot}
        with open(f"{self.path}/boot.yaml", "w", encoding="ascii") as file:
            json.dump(boot, file)  # JSON is YAML
        return boot["instance"]

    def start(self, role, *arguments):
        log = f"{self.path}/{role}.log"
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [PROGRAM, role, *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env={**os.environ, "SLUICE_BENCH": self.bench}, start_new_session=True)
        process.said = lambda: read(log)
        self.processes.append(process)
        return process

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        os.makedirs(self.run)
        instance = self.write_boot()
        primary = self.start("primary", "-c", f"{self.path}/boot.yaml")
        wait_for(20, "start", lambda: "ready" in primary.said(), primary)
        for task in os.listdir(f"/proc/{primary.pid}/task"):
            os.sched_setaffinity(int(task), {OTHERS_CPU})
        ctrl = self.start("ctrl", "--instance", instance, "--runtime-dir", self.run,
                          "--database", f"{self.path}/bench.db")
        wait_for(20, "start", lambda: os.path.exists(f"{self.run}/ctrl.sock"), ctrl, primary)
        wait_for(20, "workers", self.workers_run, ctrl, primary)

    def workers_run(self):
        try:
            workers = self.api.call("WorkerService/ListWorkers")["workers"]
        except ConnectionError:
            return False
        return all(w.get("state") == "running" for w in workers)

    def apply(self, config):
        """Make it the whole configuration; milliseconds that the call took."""
        return self.timed("ConfigService/ApplyConfig", {"config": config})

    def timed(self, method, message):
        """A call in JSON, or, when the message is bytes, in binary; milliseconds."""
        binary = isinstance(message, bytes)
        body = message if binary else json.dumps(message).encode()
        begun = time.monotonic()
        answer = self.api.raw(method, body, PROTO if binary else JSON)
        took = (time.monotonic() - begun) * 1000
        if answer.status != 200:
            raise BenchError(f"{method}: {answer.body.decode()[:200]}")
        return took

    def metric(self, sample):
        """Value of one sample of /metrics, as text."""
        lines = self.api.get("/metrics").body.decode().splitlines()
        return next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{sample} "))

    def results(self, seconds):
        """What each worker measured."""
        files = [f"{self.out}.{worker}" for worker in range(self.workers)]
        wait_for(seconds, "measuring", lambda: all(map(os.path.exists, files)), *self.processes)
        return [json.loads(read(name)) for name in files]

    def stop(self):
        """In order: ctrl, then the primary with its workers."""
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for pid in self.stragglers():
            os.kill(pid, signal.SIGKILL)
        self.processes = []

    def stragglers(self):
        """Workers whose primary had to be killed: their arguments name our directory."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.run.encode() in file.read().split(b"\0"):
                        yield int(pid)
            except OSError:
                continue

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.path, ignore_errors=True)
