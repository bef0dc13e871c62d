# SPDX-License-Identifier: BSD-3-Clause
"""A daemon with the numbers of the stand-in (standin.c), so that listings can be compared."""

import http.server
import ipaddress
import json
import socketserver


def written(address):
    """An address as it is in /proc/net/ip_vs_conn, as people write it."""
    return str(ipaddress.ip_address(address if ":" in address else int(address, 16)))


class Canned(http.server.BaseHTTPRequestHandler):
    """As much of the API as ipvsadm asks for, with the numbers of the stand-in."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(getattr(self, self.path.rsplit("/", 1)[1])(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def GetConfig(self, _):
        return self.server.config

    def ApplyConfig(self, request):
        self.server.config = request["config"]
        return {}

    def GetStats(self, _):
        def flow(name, n):
            return {"name": name, "connections": str(1234 * n), "activeConnections": "21",
                    "establishedConnections": "17",
                    "inPackets": str(56789 * n), "outPackets": str(45678901 * n),
                    "inBytes": str(7890123456 * n), "outBytes": str(123456789012345 * n)}
        pools = {p["name"]: p.get("backends", []) for p in self.server.config["backendPools"]}
        return {"virtualServers": [flow(v["name"], len(pools[v["backendPool"]]))
                                   for v in self.server.config["virtualServers"]],
                "backends": [flow(f"{pool}/{b['name']}", 1)
                             for pool, backends in pools.items() for b in backends]}

    def ListConnections(self, _):
        """The stand-in's: hexadecimal addresses and ports, a state, the seconds left."""
        lasts = {"ESTABLISHED": 900, "FIN_WAIT": 120, "UDP": 300, "SYN_RECV": 60}
        listed = []
        with open(self.server.connections, encoding="ascii") as file:
            for protocol, *ends, state, left in (row.split() for row in list(file)[1:]):
                listed.append({"protocol": f"PROTOCOL_{protocol}", "state": state.lower(),
                               "idleSeconds": lasts[state] - int(left)})
                for end, address, port in zip(("client", "virtual", "backend"), ends[::2],
                                              ends[1::2]):
                    listed[-1].update({f"{end}Address": written(address),
                                       f"{end}Port": int(port, 16)})
        return {"connections": listed}


class Server(socketserver.ThreadingUnixStreamServer):
    """At a socket; its connections are those of a file like /proc/net/ip_vs_conn."""

    daemon_threads = True

    def __init__(self, path, connections):
        super().__init__(path, Canned)
        self.connections = connections
        self.config = {"timeouts": {"udp": 300}}

    def get_request(self):
        request, _ = super().get_request()
        return request, ("unix", 0)
