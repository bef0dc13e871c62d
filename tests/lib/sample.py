# SPDX-License-Identifier: BSD-3-Clause
"""A small valid configuration, and changes to it by path."""

import copy

CONFIG = {
    "interfaces": [{"name": "lan", "addresses": ["198.51.100.1/24"]},
                   {"name": "wan", "addresses": ["192.0.2.1/24"]}],
    "routes": [{"name": "far", "prefix": "203.0.113.0/24", "gateway": "192.0.2.254"},
               {"name": "hole", "prefix": "203.0.113.64/26", "blackhole": True}],
    "local_address_pools": [{"name": "local", "addresses": ["198.51.100.10", "198.51.100.11"]}],
    "backend_pools": [{"name": "web", "backends": [
        {"name": "web-1", "address": "198.51.100.101", "port": 80, "weight": 2},
        {"name": "web-2", "address": "198.51.100.102", "port": 80}]}],
    "virtual_servers": [{"name": "web", "address": "192.0.2.80", "port": 80, "protocol": "tcp",
                         "scheduler": "wrr", "backend_pool": "web",
                         "local_address_pool": "local"}],
}
DELETE = object()


def changed(*changes, config=None):
    """A copy with changes (path, value): "routes.0.prefix"; an index after the last appends."""
    config = copy.deepcopy(CONFIG if config is None else config)
    for path, value in changes:
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        place = config
        for part in parents:
            place = place[part]
        if value is DELETE:
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return config
