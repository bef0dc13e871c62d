# SPDX-License-Identifier: BSD-3-Clause
"""What is measured of the whole appliance: latency, a large configuration, an idle worker.

Each function returns its result as it stands in bench.json.
"""

import ipaddress
import os
import time
from statistics import median

from bed import Appliance, BenchError, config_of
from api import ApiError
from messages import bindings

SERVERS, BACKENDS_EACH = 10000, 10
LARGE = {"virtual-servers": 16384, "backends": 131072, "snapshot": "64MiB", "connections": 131072}
CHANGES = 5
PROFILES, PROFILE_MS = 100, 5  # ms: about what the kernel gives somebody else at a time

IDLE_RATE = 500  # requests a second: the worker sleeps between two of them
IDLE_S = 2       # and then without any, for its CPU time

ATTEMPTS = 3  # of idle runs
LATENCY_RUNS, LATENCY_MS = 3, 300


def latency_run(path, ms, rate):
    with Appliance(f"{path}/run", {"load": "steady", "proto": "udp", "flows": 100000, "ms": ms,
                                   "rate": rate}) as appliance:
        appliance.apply(config_of())
        return appliance.results(30 + ms / 1000)[0]


def latency(path, mpps):
    """Request and answer through the worker at half of what it can do, from when each was due:
    medians over windows (hook.c), of some runs the one whose worker had its CPU most."""
    rate = int(mpps * 1e6 / 2 / 2)  # two packets each
    best = max((latency_run(path, LATENCY_MS, rate) for _ in range(LATENCY_RUNS)),
               key=lambda r: (r["cpu_share"], -r["latency_us"]["p99"]))
    if best["cpu_share"] < 0.8:
        raise BenchError(f"the worker had its CPU for {best['cpu_share']:.0%} of the time")
    return {"name": "latency", "flows": 100000, "workers": 1, "requests_per_second": rate,
            "p50_us": best["latency_us"]["p50"], "p99_us": best["latency_us"]["p99"]}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def idle_run(path):
    with Appliance(f"{path}/run", {"load": "steady", "proto": "udp", "flows": 1000,
                                   "ms": IDLE_S * 1000, "rate": IDLE_RATE},
                   idle="adaptive") as appliance:
        appliance.apply(config_of())
        result, = appliance.results(30)
        pid = appliance.api.call("WorkerService/ListWorkers")["workers"][0]["pid"]
        before, begun = cpu_seconds(pid), time.monotonic()
        time.sleep(IDLE_S)
        share = (cpu_seconds(pid) - before) / (time.monotonic() - begun)
    return {"name": "idle", "workers": 1, "cpu_percent": round(share * 100, 2),
            "requests_per_second": IDLE_RATE, "p50_us": result["latency_us"]["p50"],
            "p99_us": result["latency_us"]["p99"]}


def idle(path):
    """A worker with `idle: adaptive`: what a rare request waits, then its CPU without any. Of
    some runs the one whose requests waited least: the others woke up to a busy CPU."""
    return min((idle_run(path) for _ in range(ATTEMPTS)), key=lambda r: r["p99_us"])


def large_config():
    """The generator's own virtual servers, and SERVERS more with a pool of their own each."""
    config = config_of()
    config["routes"].append({"name": "far", "prefix": "172.16.0.0/12",
                             "gateway": "198.51.100.254"})
    virtual = ipaddress.ip_address("100.64.0.0")
    backend = ipaddress.ip_address("172.16.0.0")
    for i in range(SERVERS):
        config["backend_pools"].append({"name": f"p{i}", "backends": [
            {"name": f"b{j}", "address": str(backend + i * BACKENDS_EACH + j), "port": 80}
            for j in range(BACKENDS_EACH)]})
        config["virtual_servers"].append({
            "name": f"v{i}", "address": str(virtual + i), "port": 80,
            "protocol": "PROTOCOL_TCP", "scheduler": "SCHEDULER_WRR",
            "backend_pool": f"p{i}", "local_address_pool": "local"})
    return config


def packets_of(profile):
    return max(int(s.get("packets", 0)) for s in profile["stages"])


def profile(appliance):
    """None when the worker was not on its CPU in that time."""
    try:
        return appliance.api.call("WorkerService/ProfileWorker",
                                  {"id": 0, "milliseconds": PROFILE_MS})
    except ApiError as error:
        if error.code != "unavailable":
            raise
        return None


def stages(path):
    """The worker's own account of its time; `receive`, `forward` and `transmit` contain the
    generator. Of many short profiles the fastest: in the others somebody had the CPU."""
    with Appliance(f"{path}/run", {"load": "steady", "proto": "udp", "flows": 100000,
                                   "ms": 0}) as appliance:
        appliance.apply(config_of())
        time.sleep(0.3)  # the generator's flows are open
        profiles = [p for _ in range(PROFILES) if (p := profile(appliance)) and packets_of(p)]
    if not profiles:
        raise BenchError("the worker was never on its CPU")
    best = min(profiles, key=lambda p: int(p["cycles"]) / packets_of(p))
    ns = 1e9 / int(best["cyclesPerSecond"]) / packets_of(best)
    return {"name": "stages", "flows": 100000, "workers": 1, "ns_per_packet_by_stage": {
        s["name"]: round(int(s.get("cycles", 0)) * ns, 2) for s in best["stages"]}}


def change_one(appliance):
    """One weight of all of them, some times over; milliseconds a call."""
    return median(appliance.timed("BackendPoolService/UpdateBackend", {
        "backend_pool": f"p{i}",
        "backend": {"name": "b0", "port": 80, "weight": 2,
                    "address": str(ipaddress.ip_address("172.16.0.0") + i * BACKENDS_EACH)}})
        for i in range(CHANGES))


def encoded(directory, config, **fields):
    """The request of ApplyConfig in binary, by Google's library from our .proto."""
    from google.protobuf import json_format
    return json_format.ParseDict({"config": config, **fields},
                                 bindings(directory).ApplyConfigRequest()).SerializeToString()


STEPS = ("resolve", "enter", "compile", "commit", "publish")


def steps(appliance):
    """Seconds that each step of changes took so far: see ctrl/steps.h."""
    return {step: float(appliance.metric(f'sluice_change_step_seconds_total{{step="{step}"}}'))
            for step in STEPS}


def config_apply(path):
    """Whole calls, from the request sent to the answer received, with traffic meanwhile. Checked:
    decode, validate, compile. Applied: also committed to the disk, published, acknowledged."""
    config = large_config()
    check = encoded(path, config, validate_only=True)
    apply = encoded(path, config)
    with Appliance(f"{path}/run", {"load": "steady", "proto": "udp", "flows": 1000, "ms": 0,
                                   "pauses": 1},
                   limits=LARGE) as appliance:
        appliance.apply(config_of())
        time.sleep(0.3)  # the generator's flows are open
        ctrl = appliance.processes[-1].pid
        cpu = [cpu_seconds(ctrl)]
        checked = appliance.timed("ConfigService/ApplyConfig", check)
        cpu.append(cpu_seconds(ctrl))
        before = steps(appliance)
        applied = appliance.timed("ConfigService/ApplyConfig", apply)
        part = {s: round((now - before[s]) * 1000, 1) for s, now in steps(appliance).items()}
        cpu.append(cpu_seconds(ctrl))
        changed = change_one(appliance)
        appliance.stop()
        result, = appliance.results(1)
    if result["drops"]:
        raise BenchError(f"{result['drops']} packets were dropped meanwhile")
    pause = result["pause_us"]
    return {"name": "config_apply", "virtual_servers": SERVERS,
            "backends": SERVERS * BACKENDS_EACH, "validate_ms": round(checked, 1),
            "validate_cpu_ms": round((cpu[1] - cpu[0]) * 1000),
            "apply_ms": round(applied, 1), "apply_steps_ms": part,
            "compile_publish_ms": round(part["enter"] + part["compile"] + part["publish"], 1),
            "apply_cpu_ms": round((cpu[2] - cpu[1]) * 1000),
            "change_one_ms": round(changed, 1),
            "pause_us": pause["switch"], "pause_other_us": pause["other"],
            "snapshots": pause["switches"]}
