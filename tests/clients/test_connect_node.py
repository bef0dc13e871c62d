#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""connect-node, unmodified, against the API: see connect.cjs."""

import paths  # noqa: F401

import checks
from appliance import node, served


def tests(report):
    with served() as instance:
        node(instance, "connect.cjs", report)


checks.main(tests)
