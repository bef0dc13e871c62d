#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""grpc-js, unmodified, against the API: see grpc.cjs."""

import paths  # noqa: F401

import checks
from appliance import node, served


def tests(report):
    with served() as instance:
        node(instance, "grpc.cjs", report)


checks.main(tests)
