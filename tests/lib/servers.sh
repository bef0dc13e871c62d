# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Real servers in an appliance's server namespace. They end with it: `appliance down` ends
# whatever runs in its namespaces.

# start_nginx DIR NAME ADDRESS[:PORT]: one nginx that answers NAME on every path but /files/, where
# it serves DIR/files. Ready when it returns.
start_nginx() {
	local home=$1/nginx-$2
	mkdir -p "$home/temp" "$1/files"
	cat >"$home/nginx.conf" <<CONF
daemon on;
worker_processes 1;
user root;
pid $home/pid;
error_log $home/error.log;
events { worker_connections 4096; }
http {
	access_log off;
	sendfile on;
	client_body_temp_path $home/temp;
	server {
		listen $3 reuseport backlog=4096;
		location / { return 200 "$2\n"; }
		location /files/ { alias $1/files/; }
	}
}
CONF
	"$root/tests/lib/appliance" exec "$1" server \
		nginx -p "$home/" -e "$home/error.log" -c "$home/nginx.conf" 9>&-
}
