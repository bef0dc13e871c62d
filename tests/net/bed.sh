# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The bed of the net tests, on top of tests/lib/check.sh: an appliance, servers behind it, traffic.
#
#   client namespace            appliance                       server namespace
#   192.0.2.2-9 ---- wan  tcp 192.0.2.80:80   -> web   lan ---- 198.51.100.101:80    nginx web-1
#                         wrr 2:1:1                             198.51.100.102:80    nginx web-2
#                                                               198.51.100.103:80    nginx web-3
#                         tcp 192.0.2.81:7000 -> peer           198.51.100.104:7000  peer.py
#                         udp 192.0.2.81:7000 -> peer           198.51.100.105:7000  peer.py
#                         rr
# shellcheck disable=SC2034,SC2154 # used by the tests; set by check.sh
# shellcheck disable=SC2119,SC2120,SC2317 # called from the tests, with arguments, and through check
net=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/check.sh
. "$net/../lib/check.sh"
# shellcheck source=tests/lib/servers.sh
. "$net/../lib/servers.sh"

web=192.0.2.80:80
peer=192.0.2.81:7000

# The configuration of the bed on standard output; arguments are lines for `timeouts:`.
bed_config() {
	cat <<'YAML'
interfaces:
  - {name: wan, addresses: [192.0.2.1/24]}
  - {name: lan, addresses: [198.51.100.1/24]}
local_address_pools:
  - {name: local, addresses: [198.51.100.10, 198.51.100.11]}
backend_pools:
  - name: web
    backends:
      - {name: web-1, address: 198.51.100.101, port: 80, weight: 2}
      - {name: web-2, address: 198.51.100.102, port: 80}
      - {name: web-3, address: 198.51.100.103, port: 80}
  - name: peer
    backends:
      - {name: peer-1, address: 198.51.100.104, port: 7000}
      - {name: peer-2, address: 198.51.100.105, port: 7000}
virtual_servers:
  - {name: web, address: 192.0.2.80, port: 80, protocol: tcp, scheduler: wrr,
     backend_pool: web, local_address_pool: local}
  - {name: peer-tcp, address: 192.0.2.81, port: 7000, protocol: tcp, scheduler: rr,
     backend_pool: peer, local_address_pool: local}
  - {name: peer-udp, address: 192.0.2.81, port: 7000, protocol: udp, scheduler: rr,
     backend_pool: peer, local_address_pool: local}
YAML
	(($#)) || return 0
	echo "timeouts:"
	printf '  %s\n' "$@"
}

# bed_up [options of appliance up]: all of the picture, ready.
bed_up() {
	local i
	appliance_up --name "n$$" --no-config "$@"
	bed_config | "${ctl[@]}" apply -f - >/dev/null || bail "apply: the configuration is refused"
	for i in 1 2 3; do
		start_nginx "$dir" "web-$i" "198.51.100.10$i:80" || bail "nginx: does not start"
	done
	"${server[@]}" "$net/peer.py" serve 198.51.100.104:7000 198.51.100.105:7000 \
		>"$dir/peer.log" 2>&1 &
	until_equal 10 ready tail -n 1 "$dir/peer.log" || bail "peer.py: does not start"
}

# Traffic from the client's side; results are JSON.
traffic() {
	"${client[@]}" "$net/peer.py" "$@"
}

# field NAME <JSON
field() {
	/usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin).get(sys.argv[1], 0))' "$1"
}

stat_of() {
	"$net/stat.py" "$dir/run/ctrl.sock" "$@"
}

# One request a connection, from as many sources as there are: what answered, counted.
requests() { # NUMBER
	# shellcheck disable=SC2016 # for the inner shell
	"${client[@]}" bash -c '
		for ((i = 0; i < $1; i++)); do
			curl -sS -m 10 --interface "192.0.2.$((2 + i % 8))" "http://$2/" || echo failed
		done' requests "$1" "$web" | sort | uniq -c | sed 's/^ *//'
}
