#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Connections end by their timeouts, and give back what they held. The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 2
bed_config "udp: 2" "tcp_time_wait: 2" "tcp_established: 3" "tcp_close: 1" >"$dir/short.yaml"
check "short timeouts can be applied" "${ctl[@]}" apply -f "$dir/short.yaml"

# Now and then: connections opened, closed, the difference is the gauge.
books_balance() {
	echo $(($(stat_of counter connections_opened) - $(stat_of counter connections_closed) -
		$(stat_of connections)))
}

traffic udp $peer --flows 300 >/dev/null
check_within "300 UDP flows are 300 connections" 290 300 "$(stat_of connections)"
check_equal "opened = closed + open" 0 "$(books_balance)"
until_equal 8 0 stat_of connections
check_equal "they are gone after their two seconds" 0 "$found"
check_equal "opened = closed + open, still" 0 "$(books_balance)"

traffic udp $peer --flows 4 --rounds 3 --seconds 5 >"$scratch/udp"
check_equal "a flow with traffic does not expire: one backend each" 0 \
	"$(field wrong <"$scratch/udp")"
check_within "and is one connection all the time" 4 304 "$(stat_of counter connections_opened)"

traffic tcp $peer --connections 200 --rounds 2 >"$scratch/tcp"
check_equal "200 TCP connections, all bytes echoed" 200 "$(field good <"$scratch/tcp")"
until_equal 10 0 stat_of connections
check_equal "their TIME_WAIT ends after two seconds" 0 "$found"

# One that stays silent: gone after tcp_established, and then what it sends is a stranger's.
before=$(stat_of drop no_connection)
"${client[@]}" bash -c "exec 3<>/dev/tcp/${peer/:/\/}
	echo ECHO >&3; sleep 6; echo late >&3; sleep 1" &
sleeper=$!
until_equal 5 1 stat_of connections
check_equal "a silent connection is there" 1 "$found"
until_equal 8 0 stat_of connections
check_equal "and is ended after three seconds" 0 "$found"
wait $sleeper
check_within "what it sends later is counted as no_connection" 1 1000 \
	$(($(stat_of drop no_connection) - before))

active=0
for backend in web/web-1 web/web-2 web/web-3 peer/peer-1 peer/peer-2; do
	active=$((active + $(stat_of backend $backend activeConnections)))
done
check_equal "no backend has an active connection" 0 "$active"
for server in web peer-tcp peer-udp; do
	active=$((active + $(stat_of server $server activeConnections)))
done
check_equal "nor any virtual server" 0 "$active"
finish
