# SPDX-License-Identifier: BSD-3-Clause
"""Talks in the forwarding modes in which a backend sees the client."""

import copy

from bed import CONFIG, Talk, endpoints, mac_of, same, translated


def config(mode, **backend):
    """The bed's configuration with every backend in this mode, no local addresses."""
    made = copy.deepcopy(CONFIG)
    made.pop("local_address_pools")
    ports = {"web": 80, "dns": 53, "drained": 9}
    for pool in made["backend_pools"]:
        pool["forwarding_mode"] = mode
        for one in pool["backends"]:
            one.update(backend)
            if mode != "nat":
                one["port"] = ports[pool["name"]]
    for server in made["virtual_servers"]:
        server.pop("local_address_pool")
    return made


class NatTalk(Talk):
    """The backend sees the client, and answers to it by way of us."""

    def reply(self, payload=b"", ip=None, **l4):
        return self._frame((mac_of(self.backend[0]), self.bed.mac["lan"]), self.backend,
                           self.client, payload, ip, l4)

    def judge_up(self, frame, found):
        if not self.backend:
            self.backend = endpoints(found)[1]
        wanted = translated(frame, (self.bed.mac["lan"], mac_of(self.backend[0])),
                            (self.client[0], self.backend[0]), (self.client[1], self.backend[1]))
        same(found, wanted, "to the backend")
        return found


class DrTalk(Talk):
    """The backend gets the packet as it came."""

    def judge_up(self, frame, found):
        mac = found[:6].hex(":")
        hosts = {mac_of(a): a for a in self.bed.hosts["lan"] if "." in a}
        assert mac in hosts, f"to {mac}, which is no backend's"
        self.backend = (hosts[mac], self.virtual[1])
        wanted = translated(frame, (self.bed.mac["lan"], mac),
                            (self.client[0], self.virtual[0]), (self.client[1], self.virtual[1]))
        same(found, wanted, "to the backend")
        return found
