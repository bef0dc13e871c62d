#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# One worker, so one cycle: wrr and rr are exact over each cycle. The topology is drawn in bed.sh.
# shellcheck source=tests/net/bed.sh
. "$(dirname "$0")/bed.sh"
bed_up --workers 1

for cycle in 1 2 3 4 5; do
	check_equal "wrr 2:1:1, cycle $cycle" "2 web-1 1 web-2 1 web-3" \
		"$(requests 4 | paste -sd' ')"
done

check "the scheduler can be changed" "${ctl[@]}" virtual-server update web scheduler=rr
for cycle in 1 2; do
	check_equal "rr, cycle $cycle" "2 web-1 2 web-2 2 web-3" "$(requests 6 | paste -sd' ')"
done

check "the weights can be changed" "${ctl[@]}" virtual-server update web scheduler=wrr
check "to 1:3:5" "${ctl[@]}" backend update web/web-1 weight=1
"${ctl[@]}" backend update web/web-2 weight=3 >/dev/null
"${ctl[@]}" backend update web/web-3 weight=5 >/dev/null
check_equal "wrr 1:3:5 over two cycles" "2 web-1 6 web-2 10 web-3" "$(requests 18 | paste -sd' ')"
finish
