# SPDX-License-Identifier: BSD-3-Clause
"""The API as a client without our code sees it: the Connect protocol over a unix socket."""

import http.client
import json
import socket
from types import SimpleNamespace

JSON = "application/json"
PROTO = "application/proto"
PACKAGE = "sluice.v1"


class ApiError(Exception):
    """An answer that says no: the protocol's code and the sentence."""

    def __init__(self, status, code, message):
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("sluice", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """api.call("RouteService/GetRoute", {"name": "default"}); one connection a call."""

    def __init__(self, path, timeout=20):
        self.path = path
        self.timeout = timeout

    def raw(self, method, body=b"", content_type=JSON, verb="POST", headers=None):
        """Whatever is asked, as it is: status, headers, body."""
        return self._ask(self.timeout, verb, f"/{PACKAGE}.{method}", body,
                         {"Content-Type": content_type, **(headers or {})})

    def get(self, path, timeout=None):
        """A page that is no method's, as /metrics; in the same form."""
        return self._ask(timeout or self.timeout, "GET", path)

    def _ask(self, timeout, *request):
        connection = Connection(self.path, timeout)
        try:
            connection.request(*request)
            answer = connection.getresponse()
            return SimpleNamespace(status=answer.status, headers=answer.headers,
                                   body=answer.read())
        finally:
            connection.close()

    def call(self, method, message=None, **headers):
        answer = self.raw(method, json.dumps(message or {}).encode(), headers=headers)
        if answer.status != 200:
            raise error_of(answer)
        return json.loads(answer.body)


def error_of(answer):
    """Errors are JSON whatever the content type of the request was."""
    said = json.loads(answer.body)
    return ApiError(answer.status, said["code"], said.get("message", ""))


def counters(listed):
    """Name -> value of a repeated Counter; 64-bit numbers are strings in JSON."""
    return {c["name"]: int(c.get("value", 0)) for c in listed or ()}
