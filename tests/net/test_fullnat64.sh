#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# FullNAT64 between kernel stacks: a client that speaks IPv6, servers that speak IPv4 alone.
#
#   client namespace                 appliance                              server namespace
#   2001:db8:1::2 ---- wan  tcp [2001:db8:1::81]:7000 -> peer    lan ---- 198.51.100.104:7000  peer.py
#                           udp [2001:db8:1::81]:7000 -> peer             198.51.100.105:7000  peer.py
#                           rr, one pool for both families
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 2
six=2001:db8:1::81:7000 # peer.py takes the last colon

{
	bed_config | sed 's|192.0.2.1/24|192.0.2.1/24, "2001:db8:1::1/64"|'
	for protocol in tcp udp; do
		echo "  - {name: six-$protocol, address: \"2001:db8:1::81\", port: 7000, protocol: $protocol,"
		echo "     scheduler: rr, backend_pool: peer, local_address_pool: local}"
	done
} >"$scratch/six.yaml"
check "the configuration with a server over IPv6 is taken" "${ctl[@]}" apply -f "$scratch/six.yaml"

tap=n$$-wan
"${client[@]}" sysctl -qw "net.ipv6.conf.$tap.disable_ipv6=0"
"${client[@]}" ip -6 address add 2001:db8:1::2/64 dev "$tap" nodad
until_equal 10 answers "${client[@]}" bash -c 'ping -6 -qc 1 -W 1 2001:db8:1::81 >/dev/null && echo answers'
check_equal "the virtual server answers ping" answers "$found"

traffic udp $six --flows 8 >/dev/null # makes the neighbours known
traffic udp $six --flows 200 --rounds 10 --bytes 200 >"$scratch/udp"
check_equal "200 flows of 10 datagrams: every one is echoed" 2000 "$(field good <"$scratch/udp")"
check_equal "none of them wrong" 0 "$(field wrong <"$scratch/udp")"

# 1500 bytes over IPv6 with both headers; the server puts its address and a blank in front.
traffic udp $six --flows 8 --rounds 4 --bytes 1437 >"$scratch/udp"
check_equal "datagrams as large as fit" 32 "$(field good <"$scratch/udp")"
traffic udp $six --flows 8 --rounds 4 --bytes 1438 >/dev/null # servers learn what fits, with DF
for bytes in 1438 8000 60000; do
	traffic udp $six --flows 8 --rounds 4 --bytes $bytes >"$scratch/udp"
	check_equal "datagrams of $bytes bytes, in fragments" 32 "$(field good <"$scratch/udp")"
done

traffic tcp $six --connections 200 --rounds 4 --bytes 8192 >"$scratch/tcp"
check_equal "200 connections at once, all bytes echoed" 200 "$(field good <"$scratch/tcp")"
check "50 MB down arrive whole" traffic get $six 50000000
check "50 MB up arrive whole" traffic put $six 50000000
traffic tcp $peer --connections 50 --bytes 8192 >"$scratch/tcp"
check_equal "clients over IPv4 are served by the same pool" 50 "$(field good <"$scratch/tcp")"

check_equal "both workers had some, translated" "0 1" "$("${ctl[@]}" api call \
	ConnectionService/ListConnections '{"page_size": 10000}' | /usr/bin/python3 -c '
import json, sys
found = json.load(sys.stdin)["connections"]
print(*sorted({c.get("worker", 0) for c in found if c["mode"] == "fullnat64"}))')"
finish
