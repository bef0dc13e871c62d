# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What every net test begins with: `. "$(dirname "$0")/../lib/check.sh"`. Checks print one line
# each; the last line counts them; what on_exit was given is run however the test ends.
# shellcheck disable=SC2034 # what is set here is for the tests
set -uo pipefail

lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$lib/../.." && pwd)
appliance=$lib/appliance
scratch=$(mktemp -d /tmp/sluice-check.XXXXXX)
passed=0
failed=0
exit_actions=()

on_exit() { # COMMAND...: the last given runs first
	exit_actions=("$(printf '%q ' "$@")" "${exit_actions[@]}")
}

run_exit_actions() {
	local status=$? action
	trap - EXIT INT TERM
	for action in "${exit_actions[@]}"; do
		eval "$action"
	done
	rm -rf "$scratch"
	exit "$status"
}
trap run_exit_actions EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ok() { # NAME
	passed=$((passed + 1))
	echo "ok - $1"
}

not_ok() { # NAME WHY
	failed=$((failed + 1))
	echo "not ok - $1: $2"
}

# check NAME COMMAND...: it has to succeed. What it said last is the reason when it does not.
check() {
	local name=$1 status
	shift
	"$@" >"$scratch/said" 2>&1
	status=$?
	if ((status == 0)); then
		ok "$name"
	else
		not_ok "$name" "$(tail -n 1 "$scratch/said" | cut -c 1-200) (exit $status)"
	fi
	return "$status"
}

# check_equal NAME WANTED FOUND
check_equal() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "wanted '$2', found '$3'"
	fi
}

# check_within NAME MIN MAX FOUND
check_within() {
	if [[ $4 =~ ^-?[0-9]+$ ]] && (($4 >= $2 && $4 <= $3)); then
		ok "$1"
	else
		not_ok "$1" "wanted $2 to $3, found '$4'"
	fi
}

# until_equal SECONDS WANTED COMMAND...: poll what it prints; the last thing printed is left
# in $found for check_equal.
until_equal() {
	local polls=$(($1 * 5)) wanted=$2
	shift 2
	until found=$("$@" 2>/dev/null) && [[ $found == "$wanted" ]]; do
		((polls-- > 0)) || return 1
		sleep 0.2
	done
}

# The test cannot go on.
bail() {
	not_ok "${1%%:*}" "${1#*: }"
	finish
}

finish() {
	echo "$passed passed, $failed failed"
	((failed == 0 && passed > 0))
	exit
}

# appliance_up [options]: one for this test, ended with it. $ctl, $client and $server then run
# sluicectl, or something in a namespace.
appliance_up() {
	dir=/tmp/sluice-${0##*/}.$$
	ctl=("$appliance" ctl "$dir")
	client=("$appliance" exec "$dir" client)
	server=("$appliance" exec "$dir" server)
	on_exit "$appliance" down "$dir"
	"$appliance" up "$dir" "$@" || bail "appliance up: $*"
}
