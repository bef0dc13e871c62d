#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Correctness does not depend on steering: with it packets arrive at their owner, without
# they are passed on to it, and all arrives whole either way. The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"

# transfers MODE: the same traffic each time; leaves what it took in $redirected and $received.
transfers() {
	local out
	out=$(stat_of counter redirect_out)
	traffic tcp $peer --connections 300 --rounds 5 --bytes 20000 >"$scratch/tcp"
	check_equal "steering $1: 300 TCP connections, all bytes echoed" 300 \
		"$(field good <"$scratch/tcp")"
	traffic udp $peer --flows 8 >/dev/null
	traffic udp $peer --flows 200 --rounds 10 >"$scratch/udp"
	check_equal "steering $1: 200 UDP flows, every datagram echoed" 2000 \
		"$(field good <"$scratch/udp")"
	check "steering $1: 30 MB up" traffic put $peer 30000000
	check "steering $1: 30 MB down" traffic get $peer 30000000
	redirected=$(($(stat_of counter redirect_out) - out))
	check_equal "steering $1: what one worker passes on another takes" \
		"$(stat_of counter redirect_out)" "$(stat_of counter redirect_in)"
	check_equal "steering $1: no redirect goes wrong" 0 \
		$(($(stat_of drop redirect_full) + $(stat_of drop redirect_loop)))
	for worker in 0 1; do
		check_within "steering $1: worker $worker owns its share" 150 100000 \
			"$(stat_of counter connections_opened $worker)"
	done
}

bed_up --workers 2 --steering none
check_equal "steering none is what the interfaces say" "none none" \
	"$("${ctl[@]}" interface list | awk 'NR > 1 {print $5}' | paste -sd' ')"
transfers none
# The kernel learns flows for its taps, but not so many: now packets arrive anywhere.
out=$(stat_of counter redirect_out)
traffic udp $peer --flows 6000 --rounds 4 >"$scratch/udp"
# A full queue of the kernel's may cost one in a thousand.
check_within "steering none: 6000 UDP flows are echoed" 23976 24000 \
	"$(field good <"$scratch/udp")"
check_equal "steering none: none of them wrong" 0 "$(field wrong <"$scratch/udp")"
check_within "steering none: many packets are passed on" 5000 100000000 \
	$((redirected + $(stat_of counter redirect_out) - out))
check_equal "steering none: and none is lost on the way" 0 \
	$(($(stat_of drop redirect_full) + $(stat_of drop redirect_loop)))
"$appliance" down "$dir"

bed_up --workers 2 --steering auto
check_equal "steering auto is an eBPF program on taps" "ebpf ebpf" \
	"$("${ctl[@]}" interface list | awk 'NR > 1 {print $5}' | paste -sd' ')"
transfers auto
check_within "steering auto: hardly any packet is passed on" 0 50 "$redirected"
"$appliance" down "$dir"

bed_up --workers 3 --steering auto
transfers "auto, 3 workers"
check_within "steering auto, 3 workers: hardly any packet is passed on" 0 50 "$redirected"
finish
