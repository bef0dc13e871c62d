#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A worker is restarted, and one is killed, under traffic: the rest goes on and the one comes back.
# The topology is drawn in bed.sh.
# shellcheck disable=SC2317 # functions are called through check and until_equal
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 2

pids() {
	echo "$("$appliance" pid "$dir" primary) $("$appliance" pid "$dir" ctrl)"
}

running() {
	"${ctl[@]}" worker list | grep -cw running
}

# under_traffic WHAT COMMAND...: run it while downloads and short connections are under way.
under_traffic() {
	local what=$1 i downloads=()
	shift
	for i in 1 2 3 4 5 6; do
		"${client[@]}" curl -sS -m 60 --limit-rate 6M -o "$scratch/down-$i" \
			"http://$web/files/big" &
		downloads+=($!)
	done
	traffic tcp $peer --connections 20 --seconds 3 >"$scratch/tcp" &
	downloads+=($!)
	sleep 1
	check "$what" "$@"
	for i in "${downloads[@]}"; do
		wait "$i"
	done
	for i in 1 2 3 4 5 6; do
		check "$what: download $i goes on to its end, whole" \
			cmp "$dir/files/big" "$scratch/down-$i"
	done
	check_equal "$what: nothing arrived wrong" 0 "$(field wrong <"$scratch/tcp")"
	check_within "$what: short connections went on" 20 1000000 "$(field good <"$scratch/tcp")"
}

kill_worker() { # NUMBER
	local pid
	pid=$("$appliance" pid "$dir" worker "$1") && kill -KILL "$pid" &&
		until_equal 15 "$((${#dead[@]} + 1))" deaths
}

deaths() {
	"${ctl[@]}" worker list | awk 'NR > 1 {n += $8} END {print n + 0}'
}

head -c 20000000 /dev/urandom >"$dir/files/big"
before=$(pids)
dead=()

for worker in 0 1; do
	under_traffic "restart of worker $worker" "${ctl[@]}" worker restart $worker
	check_equal "restart of worker $worker: no short connection failed" 0 \
		"$(field failed <"$scratch/tcp")"
done
check_equal "a restart is not a death" 0 "$(deaths)"
under_traffic "kill -9 of worker 0" kill_worker 0
dead+=(0)
under_traffic "kill -9 of worker 1" kill_worker 1
dead+=(1)

until_equal 15 2 running
check_equal "both workers run again" 2 "$found"
check_equal "primary and ctrl are those of the start" "$before" "$(pids)"
check_equal "two deaths were counted" 2 "$(deaths)"
check_equal "requests afterwards all succeed" 0 \
	"$(requests 40 | awk '/failed/ {n = $1} END {print n + 0}')"
traffic udp $peer --flows 8 >/dev/null
traffic udp $peer --flows 100 --rounds 5 >"$scratch/udp"
check_equal "UDP afterwards: every datagram is echoed" 500 "$(field good <"$scratch/udp")"
check "the API answers" "${ctl[@]}" config show
finish
