# SPDX-License-Identifier: BSD-3-Clause
"""An appliance whose API is on TCP, too: certificates of the test's own, a free port, roles."""

import json
import os
import socket
import subprocess
import tempfile
from contextlib import contextmanager

from instance import BUILD, ROOT, Instance

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO = f"{ROOT}/proto"
PACKAGES = f"{BUILD}/clients/node_modules"

CTRL_YAML = """\
listen:
  - address: 127.0.0.1:{port}
certificate: {dir}/server.pem
key: {dir}/server.key
client-ca: {dir}/ca.pem
roles:
  - role: admin
    certificate: CN=admin,O=Sluice Test
  - role: operator
    certificate: uri:spiffe://example.test/operator
  - role: viewer
    certificate: dns:viewer.example.test
"""

NAMES = {  # subject, alternative name
    "server": ("/CN=localhost", "DNS:localhost,IP:127.0.0.1"),
    "admin": ("/O=Sluice Test/CN=admin", None),
    "operator": ("/CN=someone", "URI:spiffe://example.test/operator"),
    "viewer": ("/CN=someone", "DNS:viewer.example.test"),
    "stranger": ("/CN=stranger", None),
}


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


def make_certificates(directory):
    """An authority and who it knows; and an impostor, of an authority of the same name."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for ca in ("ca", "other"):
        openssl("req", "-x509", *key, "-subj", "/CN=Sluice Test CA",
                "-keyout", f"{directory}/{ca}.key", "-out", f"{directory}/{ca}.pem")
    for name, (subject, other) in {**NAMES, "impostor": NAMES["admin"]}.items():
        more = ("-addext", f"subjectAltName={other}") if other else ()
        ca = "other" if name == "impostor" else "ca"
        openssl("req", "-x509", *key, "-subj", subject, "-addext", "basicConstraints=CA:FALSE",
                *more, "-CA", f"{directory}/{ca}.pem", "-CAkey", f"{directory}/{ca}.key",
                "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def served(*options, extra=""):
    """An instance with `extra` in its ctrl.yaml, with .tls ("localhost:port") and .certificates (a directory)."""
    with tempfile.TemporaryDirectory(prefix="sl-clients-") as directory:
        make_certificates(directory)
        port = free_port()
        with open(f"{directory}/ctrl.yaml", "w", encoding="utf-8") as file:
            file.write(CTRL_YAML.format(dir=directory, port=port) + extra)
        with Instance("--ctrl-config", f"{directory}/ctrl.yaml", *options) as instance:
            instance.tls = f"localhost:{port}"
            instance.port = port
            instance.certificates = directory
            yield instance


def node(instance, program, report, timeout=120):
    """Run a program of node's; its cases are cases of ours."""
    at = {"build": BUILD, "proto": PROTO, "socket": instance.socket_path, "tls": instance.tls,
          "certificates": instance.certificates,
          "virtualServers": len(instance.api.call("ConfigService/GetConfig")["virtualServers"])}
    done = subprocess.run(["node", f"{HERE}/{program}"], stdin=subprocess.DEVNULL, text=True,
                          env=dict(os.environ, CLIENTS_AT=json.dumps(at), NODE_NO_WARNINGS="1"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                          check=False)
    lines = done.stdout.splitlines()
    for line in lines:
        report.passed += line.startswith("ok - ")
        report.failed += line.startswith("not ok - ")
        if not line.endswith(" failed"):
            print(line, flush=True)
    assert lines and lines[-1].endswith("failed"), f"{program} did not get to its end"
