#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# UDP between kernel stacks: many flows, sizes up to the MTU. The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 2

# The first datagrams of a new path wait for a neighbour; this one makes it known.
traffic udp $peer --flows 8 >/dev/null

traffic udp $peer --flows 400 --rounds 10 --bytes 200 >"$scratch/udp"
check_equal "400 flows of 10 datagrams: every one is echoed" 4000 "$(field good <"$scratch/udp")"
check_equal "none of them wrong" 0 "$(field wrong <"$scratch/udp")"
check_equal "each flow stays with one backend, and rr shares them out" 2 \
	"$(/usr/bin/python3 -c '
import json, sys
servers = json.load(sys.stdin)["servers"]
print(sum(190 <= flows <= 210 for flows in servers.values()))' <"$scratch/udp")"
for worker in 0 1; do
	check_within "worker $worker opened its share" 120 280 \
		"$(stat_of counter connections_opened $worker)"
done

# The server puts its address and a blank in front: 1457 bytes are the most whose answer fits in a
# packet. What does not goes in fragments, both ways.
for bytes in 8 9 63 512 1456 1457 1458 1473 8000 65000; do
	traffic udp $peer --flows 8 --rounds 4 --bytes $bytes >"$scratch/udp"
	check_equal "datagrams of $bytes bytes" 32 "$(field good <"$scratch/udp")"
done
check_equal "no fragment was dropped" 0 "$(($(stat_of drop fragment_timeout) + $(stat_of drop fragment_overlap)))"
finish
