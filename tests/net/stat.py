#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""One figure of GetStats, over all workers: stat.py SOCKET WHAT [ARGUMENT...]

    connections               open now
    buffers-used              not in the pools: in devices, rings, on their way
    redirect-queued           packets in redirect rings
    counter NAME [WORKER]     a counter of the workers
    drop NAME                 packets dropped for this reason; 0 if there is none
    backend POOL/NAME FIELD   such as connections, activeConnections
    server NAME FIELD         the same of a virtual server
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from api import Api, counters  # noqa: E402


def total(workers, field):
    return sum(int(w.get(field, 0)) for w in workers)


def of_flow(flows, name, field):
    return sum(int(f.get(field, 0)) for f in flows or () if f.get("name") == name)


def main():
    socket, what, *rest = sys.argv[1:]
    stats = Api(socket).call("StatsService/GetStats")
    workers = stats["workers"]
    if what == "connections":
        print(total(workers, "connections"))
    elif what == "buffers-used":
        print(total(workers, "buffersMax") - total(workers, "buffersFree"))
    elif what == "redirect-queued":
        print(total(workers, "redirectQueued"))
    elif what == "counter":
        some = workers if len(rest) == 1 else [workers[int(rest[1])]]
        print(sum(counters(w["counters"])[rest[0]] for w in some))
    elif what == "drop":
        print(counters(stats.get("drops")).get(rest[0], 0))
    elif what == "backend":
        print(of_flow(stats.get("backends"), *rest))
    elif what == "server":
        print(of_flow(stats.get("virtualServers"), *rest))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
