#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whatever arrives on the socket: an answer with a reason, never a crash, nothing changed.

The binary messages are made by Google's Python library, a client that is not ours.
"""

import json
import os
import random
import socket
import sys
import tempfile

import paths  # noqa: F401

import checks
from api import JSON, PACKAGE, PROTO, Connection, error_of
from checks import equal, eventually
from instance import ROOT, Instance
from messages import bindings
from sample import CONFIG

GET, APPLY = "ConfigService/GetConfig", "ConfigService/ApplyConfig"
ROUTE = "RouteService/CreateRoute"
MIB = 1 << 20


def refused(instance, code, method, body, word="", statuses=(400,), **how):
    if not isinstance(body, bytes):
        body = body.encode()
    answer = instance.api.raw(method, body, **how)
    assert answer.status in statuses, f"status {answer.status}: {answer.body[:200]}"
    equal(answer.headers["Content-Type"].split(";")[0], JSON, "content type of the error")
    error = error_of(answer)
    equal(error.code, code, f"code of `{error.message}`")
    assert word in error.message, f"{word!r} is not in: {error.message}"


NO_ROUTE = '{"route": {"name": "x", "prefix": "10.0.0.0/8", "blackhole": true'
JSON_CASES = [  # what, method, body, word in the message
    ("an empty body", APPLY, "", ""),
    ("not JSON", APPLY, "interfaces: []", ""),
    ("half a message", ROUTE, NO_ROUTE, ""),
    ("something after it", ROUTE, NO_ROUTE + "}} {}", ""),
    ("a list", ROUTE, "[]", ""),
    ("null", ROUTE, "null", ""),
    ("a NaN", ROUTE, '{"route": NaN}', ""),
    ("an unknown field", ROUTE, NO_ROUTE + ', "metric": 5}}', "metric"),
    ("an unknown field at the top", ROUTE, NO_ROUTE + '}, "force": true}', "force"),
    ("an unknown field deep inside", APPLY,
     '{"config": {"backendPools": [{"name": "a", "backends": [{"wight": 1}]}]}}', "wight"),
    ("a field twice", ROUTE, NO_ROUTE + ', "name": "y"}}', "name"),
    ("a field in both spellings", APPLY, '{"validateOnly": true, "validate_only": false}', "alid"),
    ("text for a boolean", ROUTE, '{"route": {"name": "x", "blackhole": "yes"}}', "blackhole"),
    ("a number for a name", ROUTE, '{"route": {"name": 5}}', "name"),
    ("an object for a list", APPLY, '{"config": {"routes": {}}}', "routes"),
    ("a wrong escape", ROUTE, '{"route": {"name": "\\x"}}', ""),
    ("half a surrogate", ROUTE, '{"route": {"name": "\\ud800"}}', ""),
    ("a NUL in a name", ROUTE, '{"route": {"name": "a\\u0000b", "prefix": "10.0.0.0/8"}}', ""),
    ("invalid UTF-8", ROUTE, b'{"route": {"name": "\xff\xfe"}}', ""),
    ("100,000 brackets", ROUTE, "[" * 100000, ""),
    ("100,000 objects", APPLY, '{"config":' * 100000, ""),
    ("a number with 100,000 digits", APPLY, '{"config": {"timeouts": {"udp": 1%s}}}'
     % ("0" * 100000), ""),
]


def json_cases(instance, report):
    for what, method, body, word in JSON_CASES:
        with report.case(f"JSON: {what}"):
            refused(instance, "invalid_argument", method, body, word)
    with report.case("JSON: both spellings of a field's name"):
        for name in ("validateOnly", "validate_only"):
            answer = instance.api.raw(APPLY, json.dumps({"config": CONFIG, name: True}).encode())
            equal(answer.status, 200, "status")
    with report.case("JSON: null is absent"):
        answer = instance.api.raw(APPLY, json.dumps(
            {"config": {**CONFIG, "timeouts": None}, "validate_only": True}).encode())
        equal((answer.status, answer.headers["Content-Type"].split(";")[0]), (200, JSON), "answer")


def transport(instance, report):
    with report.case("an unknown method"):
        refused(instance, "unimplemented", "ConfigService/Destroy", "{}", "Destroy", (404,))
    with report.case("an unknown service"):
        refused(instance, "unimplemented", "Nothing/GetConfig", "{}", "Nothing", (404,))
    for path in ("", "ConfigService", "ConfigService/GetConfig/", "../etc/passwd",
                 "ConfigService/" + "A" * 4000):
        with report.case(f"the path {path[:30]!r}"):
            refused(instance, "unimplemented", path, "{}", statuses=(404,))
    with report.case("another content type"):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            equal(instance.api.raw(GET, b"{}", kind).status, 415, f"status for {kind}")
    with report.case("JSON with a charset"):
        equal(instance.api.raw(GET, b"{}", "application/json; charset=utf-8").status, 200, "status")
    with report.case("another verb"):
        for verb in ("GET", "PUT", "DELETE", "PATCH"):
            equal(instance.api.raw(GET, b"", verb=verb).status, 405, f"status for {verb}")
    with report.case("a compressed body"):
        refused(instance, "unimplemented", GET, "{}", statuses=(404, 501),
                headers={"Content-Encoding": "gzip"})
    with report.case("another protocol version"):
        refused(instance, "invalid_argument", GET, "{}", headers={"Connect-Protocol-Version": "2"})
        answer = instance.api.raw(GET, b"{}", headers={"Connect-Protocol-Version": "1"})
        equal(answer.status, 200, "status for version 1")


def raw_bytes(instance, data, seconds=5):
    """Bytes as they are; what comes back until the other side closes or says nothing more."""
    found = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(instance.socket_path)
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass  # it need not read all of it
        try:
            sock.shutdown(socket.SHUT_WR)
            while len(found) < MIB and (more := sock.recv(65536)):
                found += more
        except (OSError, TimeoutError):
            pass
    return found


def request(headers, body=b"", path=f"/{PACKAGE}.{GET}"):
    lines = [f"POST {path} HTTP/1.1", "Host: sluice", f"Content-Type: {JSON}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def oversized(instance):
    """17 MiB: refused with the reason, whether the length is announced or not."""
    body = b'{"comment": "' + b"x" * (17 * MIB) + b'"}'
    chunk = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    for sent in (request([f"Content-Length: {len(body)}"], body, f"/{PACKAGE}.{APPLY}"),
                 request([f"Content-Length: {1 << 40}"], b"", f"/{PACKAGE}.{APPLY}"),
                 request(["Transfer-Encoding: chunked"], chunk, f"/{PACKAGE}.{APPLY}")):
        found = raw_bytes(instance, sent)
        status = found.split(b"\r\n")[0]
        assert b" 413 " in status or b" 429 " in status, f"answer {found[:200]}"


def garbage(instance):
    """Requests that are none; afterwards it answers as before."""
    rng = random.Random(3)
    pieces = [b"\0" * 1000, b"\r\n" * 1000, b"GET", b"POST / HTTP/9.9\r\n\r\n",
              b"POST /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
              request(["X: " + "y" * (MIB)]), request([f"H{i}: v" for i in range(20000)]),
              request(["Content-Length: -1"]), request(["Content-Length: 99999999999999999999"]),
              request(["Content-Length: 10"], b"{}"),
              request(["Content-Length: 2", "Content-Length: 3"], b"{}x"),
              request(["Transfer-Encoding: chunked"], b"ffffffffffffffff\r\n"),
              request(["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n"),
              b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    pieces += [rng.randbytes(rng.randrange(1, 3000)) for _ in range(40)]
    good = request(["Content-Length: 2"], b"{}")
    for _ in range(60):
        at = rng.randrange(len(good))
        pieces.append(good[:at] + rng.randbytes(rng.randrange(4)) + good[at + rng.randrange(4):])
    for piece in pieces:
        raw_bytes(instance, piece, 0.3)
    equal(instance.api.raw(GET, b"{}").status, 200, "status afterwards")


def many_clients(instance):
    """Hundreds that connect and say nothing do not shut out the others for good."""
    idle = []
    try:
        for _ in range(500):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(1)
            idle.append(sock)
            try:
                sock.connect(instance.socket_path)
            except (BlockingIOError, TimeoutError, ConnectionError):
                break  # refused politely
    finally:
        for sock in idle:
            sock.close()
    eventually(5, "an answer once they are gone", lambda: answers(instance))


def answers(instance):
    try:
        return instance.api.raw(GET, b"{}").status == 200
    except BlockingIOError:  # no room to wait in
        return False


def keep_alive(instance):
    """Many calls over one connection."""
    connection = Connection(instance.socket_path, 10)
    try:
        for _ in range(50):
            connection.request("POST", f"/{PACKAGE}.{GET}", b"{}", {"Content-Type": JSON})
            answer = connection.getresponse()
            equal((answer.status, bool(json.loads(answer.read()))), (200, True), "answer")
    finally:
        connection.close()


# ---- binary ---------------------------------------------------------------------


def binary(instance, pb, report):
    from google.protobuf import json_format

    def call(method, message, answer):
        got = instance.api.raw(method, message.SerializeToString(), PROTO)
        equal((got.status, got.headers["Content-Type"]), (200, PROTO), f"answer to {method}")
        answer.ParseFromString(got.body)
        return answer

    with report.case("binary: GetConfig says what the JSON says"):
        found = call(GET, pb.GetConfigRequest(), pb.Config())
        equal(json_format.MessageToDict(found), instance.api.call(GET), "configuration")
    with report.case("binary: a configuration goes round"):
        config = call(GET, pb.GetConfigRequest(), pb.Config())
        config.ClearField("etag")
        config.backend_pools[0].backends[0].weight = 0
        done = call(APPLY, pb.ApplyConfigRequest(config=config), pb.ApplyConfigResponse())
        assert done.updated == 1 and done.revision > 1, done
        found = call(GET, pb.GetConfigRequest(), pb.Config()).backend_pools[0].backends[0]
        equal((found.weight, found.WhichOneof("optional_weight")), (0, "weight"), "weight")
        found = call(GET, pb.GetConfigRequest(), pb.Config())
        equal(json_format.MessageToDict(found), instance.api.call(GET), "configuration")
    with report.case("binary: statistics, workers and connections"):
        for method, message, answer in (
                ("StatsService/GetStats", pb.GetStatsRequest(), pb.GetStatsResponse()),
                ("ConnectionService/ListConnections", pb.ListConnectionsRequest(),
                 pb.ListConnectionsResponse())):
            call(method, message, answer)
        listed = call("WorkerService/ListWorkers", pb.ListWorkersRequest(),
                      pb.ListWorkersResponse())
        equal([w.state for w in listed.workers], ["running"] * 2, "states")
    with report.case("binary: a default is not sent"):
        equal(call(ROUTE, pb.CreateRouteRequest(validate_only=True, route=pb.Route(
            name="b", prefix="10.0.0.0/8", blackhole=True)), pb.Route()).gateway, "", "gateway")


def field(number, wire, payload=b""):
    return bytes([number << 3 | wire]) + payload


def counted(number, data):
    return field(number, 2, bytes([len(data)]) + data)


def binary_errors(instance, pb, report):
    good = pb.CreateRouteRequest(route=pb.Route(name="b", prefix="10.0.0.0/8", blackhole=True),
                                 validate_only=True).SerializeToString()
    equal(instance.api.raw(ROUTE, good, PROTO).status, 200, "the good message's status")
    cases = [
        ("an unknown field", good + field(9, 0, b"\1")),
        ("an unknown field inside", counted(1, counted(1, b"b") + counted(12, b"x"))),
        ("the wrong wire type", field(1, 0, b"\5")),
        ("a group", field(1, 3) + field(1, 4)),
        ("wire type 7", field(1, 7, b"\0")),
        ("field 0", b"\0\0"),
        ("a length beyond the end", field(1, 2, b"\x7f") + b"abc"),
        ("a length of 2^64 - 1", field(1, 2, b"\xff" * 9 + b"\1")),
        ("a varint that does not end", field(2, 0, b"\xff" * 11)),
        ("a NUL in a name", counted(1, counted(1, b"a\0b") + counted(2, b"10.0.0.0/8") +
                                    field(5, 0, b"\1"))),
        ("invalid UTF-8", counted(1, counted(1, b"\xff\xfe"))),
        ("JSON", b'{"route": {}}'),
        *((f"cut after {n} bytes", good[:n]) for n in range(1, len(good) - 2, 3)),
    ]
    for what, body in cases:
        with report.case(f"binary: {what}"):
            refused(instance, "invalid_argument", ROUTE, body, content_type=PROTO)


def binary_garbage(instance, pb):
    """Random changes of a good message: an answer each time, and never a crash."""
    rng = random.Random(4)
    config = pb.Config()
    config.ParseFromString(instance.api.raw(GET, b"", PROTO).body)
    good = pb.ApplyConfigRequest(config=config, validate_only=True).SerializeToString()
    for _ in range(400):
        body = bytearray(good)
        for _ in range(rng.choice((1, 2, 8))):
            body[rng.randrange(len(body))] = rng.randrange(256)
        # the flag again, last: whatever the change made of it, nothing is to be applied
        answer = instance.api.raw(APPLY, bytes(body) + field(2, 0, b"\1"), PROTO)
        assert answer.status in (200, 400, 404, 409, 429), f"{answer.status} {answer.body[:200]}"


def tests(report):
    with Instance("--no-config") as instance, tempfile.TemporaryDirectory() as directory:
        instance.api.call(APPLY, {"config": CONFIG})
        before = instance.api.call(GET)
        pid = instance.pid("ctrl")
        transport(instance, report)
        json_cases(instance, report)
        for name, run in (("bodies of 17 MiB", oversized), ("requests that are none", garbage),
                          ("many clients that say nothing", many_clients),
                          ("many calls over one connection", keep_alive)):
            with report.case(name):
                run(instance)
        pb = bindings(directory)
        binary_errors(instance, pb, report)
        with report.case("binary: 400 random changes"):
            binary_garbage(instance, pb)
        with report.case("nothing changed by all that"):
            equal(instance.api.call(GET), before, "configuration")
        binary(instance, pb, report)
        with report.case("the daemon is the same process"):
            equal(instance.pid("ctrl"), pid, "pid")
            assert os.path.exists(instance.socket_path)


checks.main(tests)
