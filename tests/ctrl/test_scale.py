#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A hundred thousand backends: what an operator waits for, and what others wait meanwhile.

The figures are printed; the bounds are far above them, for machines that do other things too."""

import paths  # noqa: F401

import json
import os
import socket
import time

import checks
from checks import equal
from instance import Instance
from large import BACKENDS, OPTIONS, SERVERS, Meanwhile, config, pool

def timed(instance, what, method, message):
    """Milliseconds to the answer, and the longest that somebody else waited for his."""
    body = json.dumps(message).encode()
    with Meanwhile(instance.api) as other:
        began = time.monotonic()
        answer = instance.api.raw(method, body, headers={"Connect-Timeout-Ms": "60000"})
        took = (time.monotonic() - began) * 1e3
    equal(answer.status, 200, answer.body[:300])
    print(f"    {what}: {len(body)} bytes, {took:.0f} ms; others waited {other.longest:.0f} ms "
          f"at most in {len(other.waits)} calls", flush=True)
    return took, other.longest, json.loads(answer.body)


def abandoned(instance, body):
    """Say it all and leave: the daemon is still decoding then."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(instance.socket_path)
        client.sendall(b"POST /sluice.v1.ConfigService/ApplyConfig HTTP/1.1\r\nHost: x\r\n"
                       b"Content-Type: application/json\r\n"
                       b"Content-Length: %d\r\n\r\n" % len(body) + body)


def unlucky(report, instance):
    """Large requests that come to nothing: carried out, they would leave no virtual server."""
    body = json.dumps({"config": dict(config(), virtual_servers=[])}).encode()
    method = "ConfigService/ApplyConfig"
    with report.case("a large request with a mistake at its end"):
        answer = instance.api.raw(method, body[:-2])
        equal(answer.status, 400, answer.body[:300])
    with report.case("a large request whose deadline comes first"):
        answer = instance.api.raw(method, body, headers={"Connect-Timeout-Ms": "1"})
        equal(answer.status, 504, answer.body[:300])
    with report.case("neither was carried out"):
        time.sleep(2)  # it would have been by now
        listed = instance.api.call("VirtualServerService/ListVirtualServers", {"page_size": 1})
        equal(len(listed["virtualServers"]), 1, "virtual servers listed")
    with report.case("clients that leave while their request is decoded"):
        for _ in range(3):
            abandoned(instance, body)  # what they asked for may yet happen
        pid = instance.pid("ctrl")
        time.sleep(2)
        instance.api.call("WorkerService/ListWorkers")
        equal(instance.pid("ctrl"), pid, "pid of ctrl")


def weight(value):
    return {"backend_pool": "pool-05000", "backend": dict(
        pool(5000)["backends"][3], weight=value)}


def backed_up(report, instance):
    """The whole store, history and all, is more than a request holds: it comes back in parts."""
    file = f"{instance.dir}/backup.db"
    wanted = instance.api.call("ConfigService/GetConfig")["etag"]
    with report.case("a backup with its history"):
        done = instance.ctl("--timeout", "60", "backup", "--all", file)
        equal(done.returncode, 0, done.stderr)
        assert os.path.getsize(file) > 16 << 20, "it fits into a request"
    instance.api.call("VirtualServerService/DeleteVirtualServer", {"name": "server-00007"})
    with report.case("restored, while others are served"):
        with Meanwhile(instance.api) as other:
            done = instance.ctl("--timeout", "60", "restore", file)
        equal(done.returncode, 0, done.stderr)
        equal(instance.api.call("ConfigService/GetConfig")["etag"], wanted, "etag")
        assert other.longest < 1000, f"somebody else waited {other.longest:.0f} ms"
        print(f"    restore: others waited {other.longest:.0f} ms at most", flush=True)
    equal(os.path.exists(f"{instance.dir}/sluice.db.upload"), False, "the upload is left")


def tests(report):
    with Instance(*OPTIONS) as instance:
        with report.case("a configuration of 100,000 backends"):
            _, others, answer = timed(instance, "the whole", "ConfigService/ApplyConfig",
                                      {"config": config()})
            equal(answer["created"], SERVERS * (2 + BACKENDS) + 1, "created")
            assert others < 1000, f"somebody else waited {others:.0f} ms"
        with report.case("the same again changes nothing"):
            _, others, answer = timed(instance, "the same again", "ConfigService/ApplyConfig",
                                      {"config": config()})
            equal(answer["revision"], "1", "revision")
            assert others < 1000, f"somebody else waited {others:.0f} ms"
        for value in (50, 51, 52):
            with report.case(f"one weight becomes {value}"):
                took, _, answer = timed(instance, "one weight", "BackendPoolService/UpdateBackend",
                                        weight(value))
                equal(answer["weight"], value, "weight")
                assert took < 500, f"took {took:.0f} ms"
        backed_up(report, instance)
        unlucky(report, instance)


checks.main(tests)
