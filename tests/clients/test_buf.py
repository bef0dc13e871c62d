#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""buf: the API's rules, its compatibility, and calls by reflection alone.

api.binpb is the API that clients may rely on: `make api-baseline` takes it at a release.
"""

import json
import subprocess

import paths  # noqa: F401

import checks
from appliance import HERE, PACKAGES, PROTO, served
from checks import equal

BUF = f"{PACKAGES}/@bufbuild/buf-linux-x64/bin/buf"
WORKERS = "sluice.v1.WorkerService/ListWorkers"


def buf(*arguments, timeout=60):
    return subprocess.run([BUF, *arguments], cwd=PROTO, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


def quiet(*arguments):
    done = buf(*arguments)
    assert done.returncode == 0, (done.stdout + done.stderr)[:2000]


def unix(instance):
    return ["--unix-socket", instance.socket_path, "--http2-prior-knowledge"], "http://localhost"


def tls(instance):
    keys = instance.certificates
    return ["--cacert", f"{keys}/ca.pem", "--cert", f"{keys}/viewer.pem",
            "--key", f"{keys}/viewer.key"], f"https://{instance.tls}"


def curl(to, method, *options, data=None):
    more, base = to
    body = ["--data", json.dumps(data)] if data is not None else []
    return buf("curl", *more, *options, *body, f"{base}/{method}")


def call(to, method, *options, data):
    done = curl(to, method, *options, data=data)
    assert done.returncode == 0, done.stderr[:1000]
    return done.stdout


def stream(to, method, data):
    """The first two messages; they are printed with an indentation."""
    more, base = to
    argv = ["timeout", "20", BUF, "curl", *more, "--protocol", "grpc", "--data", json.dumps(data),
            f"{base}/{method}"]
    found = []
    with subprocess.Popen(argv, cwd=PROTO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True) as process:
        text = ""
        for line in process.stdout:
            text += line
            if line == "}\n":
                found.append(json.loads(text))
                text = ""
            if len(found) == 2:
                break
        process.terminate()  # timeout passes it on
    return found


def reflection(instance, report):
    for where, to in (("unix", unix(instance)), ("TLS", tls(instance))):
        with report.case(f"buf curl, {where}: the services are listed"):
            done = buf("curl", *to[0], "--list-services", to[1])
            for service in ("sluice.v1.ConfigService", "grpc.health.v1.Health"):
                assert service in done.stdout.split(), done.stdout + done.stderr
        for protocol in ("connect", "grpc"):
            for version in ("grpc-v1", "grpc-v1alpha"):
                with report.case(f"buf curl, {where}, {protocol}, reflection by {version}"):
                    said = call(to, WORKERS, "--protocol", protocol, "--reflect-protocol", version,
                                data={})
                    equal([w["state"] for w in json.loads(said)["workers"]], ["running"] * 2)
        with report.case(f"buf curl, {where}: a stream"):
            first, second = stream(to, "sluice.v1.StatsService/WatchStats", {"intervalMs": 100})
            equal((first["complete"], second["complete"]), (True, True))
        with report.case(f"buf curl, {where}: what reflection does not know"):
            done = curl(to, "sluice.v1.NothingService/Nothing", data={})
            assert done.returncode != 0


def tests(report):
    with report.case("buf lint"):
        quiet("lint")
    with report.case("buf breaking"):
        quiet("breaking", "--against", f"{HERE}/api.binpb")
    with served() as instance:
        reflection(instance, report)


checks.main(tests)
