#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Full load for a while (SOAK_SECONDS, 20; `make test` of a release: 120), then silence: memory is
# flat and every gauge is back where it began. The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
seconds=${SOAK_SECONDS:-20}
bed_up --workers 2
bed_config "udp: 2" "tcp_time_wait: 2" "tcp_close: 2" "tcp_fin_wait: 4" "tcp_close_wait: 4" \
	"tcp_last_ack: 2" "tcp_syn_sent: 4" "tcp_syn_recv: 4" "tcp_established: 10" >"$dir/short.yaml"
check "short timeouts can be applied" "${ctl[@]}" apply -f "$dir/short.yaml"

memory_of() { # ROLE [N]: KiB of its own, shared regions and hugepages left out
	awk '/^RssAnon:/ {print $2}' "/proc/$("$appliance" pid "$dir" "$@")/status"
}

all_memory() {
	local i
	for i in primary ctrl "worker 0" "worker 1"; do
		# shellcheck disable=SC2086 # two words
		memory_of $i
	done | paste -sd' '
}

load() { # SECONDS
	local jobs=()
	traffic tcp $peer --connections 100 --rounds 20 --bytes 30000 --seconds "$1" >"$scratch/tcp" &
	jobs+=($!)
	traffic tcp $peer --connections 20 --bytes 10 --seconds "$1" >"$scratch/short" &
	jobs+=($!)
	traffic udp $peer --flows 50 --seconds "$1" >"$scratch/udp" &
	jobs+=($!)
	wait "${jobs[@]}"
}

# Short first: what is allocated once is there, what a device holds is in its rings.
load 3
until_equal 20 0 stat_of connections
check_equal "after a warm-up no connection is left" 0 "$found"
buffers=$(stat_of buffers-used)
memory=$(all_memory)

echo "# $seconds s of load"
opened=$(stat_of counter connections_opened)
load "$seconds"
for kind in tcp short; do
	check_equal "nothing arrived wrong, $kind" 0 "$(field wrong <"$scratch/$kind")"
	check_equal "no connection failed, $kind" 0 "$(field failed <"$scratch/$kind")"
done
check_equal "nothing arrived wrong, udp" 0 "$(field wrong <"$scratch/udp")"
check_within "there was load" $((seconds * 50)) 1000000000 \
	$(($(stat_of counter connections_opened) - opened))

until_equal 30 0 stat_of connections
check_equal "connections are back to 0" 0 "$found"
until_equal 10 "$buffers" stat_of buffers-used
check_equal "buffers in use are back to where they were" "$buffers" "$found"
until_equal 5 0 stat_of redirect-queued
check_equal "nothing is left in the redirect rings" 0 "$found"
read -ra start <<<"$memory"
read -ra now <<<"$(all_memory)"
who=(primary ctrl "worker 0" "worker 1")
for i in 0 1 2 3; do
	check_within "the memory of ${who[i]} is flat (KiB more)" -100000 512 $((now[i] - start[i]))
done
check_equal "no worker died" "0 0" \
	"$("${ctl[@]}" worker list | awk 'NR > 1 {print $8}' | paste -sd' ')"
finish
