#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# TCP between kernel stacks: transfers, parallel connections on both workers, distribution.
# The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 2

check "the appliance answers ping on its interface" "${client[@]}" ping -qc 3 -i 0.2 -W 2 192.0.2.1
check "the appliance answers ping on a virtual server" "${client[@]}" ping -qc 3 -i 0.2 -W 2 192.0.2.80
check "the appliance answers ping from the backends" "${server[@]}" ping -qc 3 -i 0.2 -W 2 198.51.100.1

# 100 MB each way. Down from nginx through curl, so that one pair of ends is nobody's but theirs.
head -c 100000000 /dev/urandom >"$dir/files/big"
sum=$(sha256sum <"$dir/files/big")
"${client[@]}" curl -sS -m 60 -o "$scratch/big" "http://$web/files/big"
check_equal "100 MB down from nginx arrive whole" "$sum" "$(sha256sum <"$scratch/big")"
check "100 MB down from the peer arrive whole" traffic get $peer 100000000
check "100 MB up arrive whole" traffic put $peer 100000000

# Ten cycles of four. The workers go round on their own, each exact over its own cycles.
count_of() { # NAME <answers
	sed -n "s/^\([0-9]*\) $1$/\1/p"
}
answers=$(requests 80)
check_within "wrr 2:1:1 gives web-1 half of 80 requests" 38 42 "$(count_of web-1 <<<"$answers")"
check_within "wrr 2:1:1 gives web-2 a quarter" 18 22 "$(count_of web-2 <<<"$answers")"
check_within "wrr 2:1:1 gives web-3 a quarter" 18 22 "$(count_of web-3 <<<"$answers")"
check_equal "no request failed" "" "$(count_of failed <<<"$answers")"

opened=()
for worker in 0 1; do
	opened[worker]=$(stat_of counter connections_opened $worker)
done
traffic tcp $peer --connections 600 --rounds 4 --bytes 8192 >"$scratch/tcp"
check_equal "600 connections at once, all bytes echoed" 600 "$(field good <"$scratch/tcp")"
check_equal "none of them failed" 0 "$(field failed <"$scratch/tcp")"
for worker in 0 1; do
	check_within "worker $worker opened its share of them" 200 400 \
		$(($(stat_of counter connections_opened $worker) - opened[worker]))
done
# Two workers: each one's cycle is exact, and may stand in its middle.
check_within "rr gives both peers the same" -4 4 \
	$(($(stat_of backend peer/peer-1 connections) - $(stat_of backend peer/peer-2 connections)))

"${ctl[@]}" backend update web/web-3 weight=0 >/dev/null
answers=$(requests 12)
check_equal "weight 0 takes a backend out" "" "$(count_of web-3 <<<"$answers")"
check_within "the others go on by their weights" 7 9 "$(count_of web-1 <<<"$answers")"

"${client[@]}" curl -sS -m 2 http://192.0.2.80:81/ >/dev/null 2>"$scratch/refused"
check_within "an unserved port is counted as no_service" 1 100 "$(stat_of drop no_service)"
check_equal "the workers are those of the start" "0 0" \
	"$("${ctl[@]}" worker list | awk 'NR > 1 {print $8}' | paste -sd' ')"
finish
