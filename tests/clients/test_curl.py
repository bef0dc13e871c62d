#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""curl: the API as JSON, by either version of HTTP, on the unix socket and TLS."""

import json
import os
import socket
import subprocess

import paths  # noqa: F401

import checks
from appliance import served
from checks import equal

WORKERS = "sluice.v1.WorkerService/ListWorkers"
NOBODY = 65534


def curl(*arguments, user=None, timeout=30):
    return subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False, user=user)


def places(instance):
    keys = instance.certificates
    yield "unix", ["--unix-socket", instance.socket_path], "http://localhost"
    yield "TLS", ["--cacert", f"{keys}/ca.pem", "--cert", f"{keys}/viewer.pem",
                  "--key", f"{keys}/viewer.key"], f"https://{instance.tls}"


def calls(instance, report):
    post = ["-H", "content-type: application/json", "-d", "{}"]
    for where, how, base in places(instance):
        second = "--http2-prior-knowledge" if where == "unix" else "--http2"
        for version, option in (("1.1", "--http1.1"), ("2", second)):
            with report.case(f"curl, {where}, HTTP/{version}: a call"):
                done = curl(*how, option, *post, "-w", "\n%{http_version} %{content_type}",
                            f"{base}/{WORKERS}")
                body, said = done.stdout.decode().rsplit("\n", 1)
                equal(said, f"{version} application/json")
                equal(len(json.loads(body)["workers"]), 2, "workers")
            with report.case(f"curl, {where}, HTTP/{version}: an error is JSON"):
                done = curl(*how, option, *post, "-w", "\n%{http_code}", f"{base}/nothing")
                body, code = done.stdout.decode().rsplit("\n", 1)
                equal((code, json.loads(body)["code"]), ("404", "unimplemented"))


def refusals(instance, report):
    keys = instance.certificates
    with report.case("TLS: no certificate, no answer"):
        done = curl("--cacert", f"{keys}/ca.pem", f"https://{instance.tls}/")
        assert done.returncode != 0 and not done.stdout, done.stdout
    with report.case("TCP without TLS: no answer"):
        with socket.create_connection(("127.0.0.1", instance.port), 5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.settimeout(5)
            try:
                found = sock.recv(100)
            except ConnectionError:
                found = b""
            assert not found.startswith(b"HTTP/"), found
    with report.case("unix: who is not named has no role"):
        os.chmod(instance.socket_path, 0o666)
        os.chmod(os.path.dirname(instance.socket_path), 0o755)
        os.chmod(instance.dir, 0o755)
        done = curl("--unix-socket", instance.socket_path, "-H", "content-type: application/json",
                    "-d", "{}", f"http://localhost/{WORKERS}", user=NOBODY)
        equal(json.loads(done.stdout)["code"], "permission_denied")
        assert f"uid {NOBODY} has the role none" in done.stdout.decode(), done.stdout


def tests(report):
    with served() as instance:
        calls(instance, report)
        refusals(instance, report)


checks.main(tests)
