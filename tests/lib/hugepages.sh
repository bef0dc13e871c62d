# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Hugepages for one appliance; sourced by `appliance`. Pages that are free already are used; what
# is missing is added to the kernel's number, noted in $DIR/state and taken away again. A lock
# keeps other appliances away from the look at the free pages until the primary has its own.
HUGE_SYS=/sys/kernel/mm/hugepages/hugepages-2048kB

hugepages_reserve() { # PAGES
	local free before added
	exec 9>/run/lock/sluice-hugepages
	flock -w 120 9 || { echo "another appliance is starting for two minutes" >&2; return 1; }
	free=$(<$HUGE_SYS/free_hugepages)
	before=$(<$HUGE_SYS/nr_hugepages)
	added=$(($1 > free ? $1 - free : 0))
	# Noted first: if this is interrupted, down takes them away.
	echo "HUGEPAGES=$added" >>"$DIR/state"
	((added)) || return 0
	echo $((before + added)) >$HUGE_SYS/nr_hugepages
	free=$(($(<$HUGE_SYS/nr_hugepages) - before))
	echo "HUGEPAGES=$free" >>"$DIR/state"
	((free >= added)) && return
	echo "only $free of $added hugepages of 2 MiB could be reserved: too little free memory" >&2
	return 1
}

# The primary has taken its pages: others may look.
hugepages_settled() {
	exec 9>&-
}

hugepages_release() {
	local added
	added=$(sed -n 's/^HUGEPAGES=//p' "$DIR/state" | tail -n 1)
	((${added:-0})) || return 0
	exec 9>/run/lock/sluice-hugepages
	flock -w 120 9 || return 1
	echo $(($(<$HUGE_SYS/nr_hugepages) - added)) >$HUGE_SYS/nr_hugepages
	exec 9>&-
}
