#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The ipvsadm personality, against transcripts of the real ipvsadm (tests/ipvsadm).

What was typed there is typed here: standard output and exit code have to be the same, the size of
the table apart; a line of standard error has to begin as ipvsadm's and may say more.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import paths  # noqa: F401

import checks
from checks import equal, eventually
from instance import ROOT, SLUICECTL, Instance

sys.path.insert(0, f"{ROOT}/tests/ipvsadm")
import canned  # noqa: E402
import transcript  # noqa: E402

TRANSCRIPTS = f"{ROOT}/tests/ipvsadm"
SIZE = re.compile(r"\(size=\d+\)")


def environment(path):
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "SLUICE_SOCKET": path}


def without_size(lines):
    return [SIZE.sub("", line) for line in lines]


def replay(name, program, path):
    """Type a transcript; the first difference ends it."""
    for command in transcript.read(f"{TRANSCRIPTS}/{name}.txt"):
        if isinstance(command, str):
            continue
        found = command.run(program, environment(path))
        what = f"{name}: {' '.join(command.words)}"
        equal(found.code, command.code, f"{what}: exit code ({found.stderr})")
        equal(without_size(found.stdout), without_size(command.stdout), what)
        equal(len(found.stderr), len(command.stderr), f"{what}: lines on stderr {found.stderr}")
        for line, wanted in zip(found.stderr, command.stderr):
            assert line.startswith(wanted), f"{what}: wanted {wanted!r}, found {line!r}"


class Ipvsadm:
    """The program under its own name, talking to one daemon."""

    def __init__(self, program, path):
        self.program, self.path = program, path

    def run(self, *arguments, text=None):
        return subprocess.run([self.program, *arguments], env=environment(self.path), input=text,
                              capture_output=True, text=True, timeout=60, check=False)

    def done(self, line, text=None):
        result = self.run(*line.split(), text=text)
        equal((result.returncode, result.stderr), (0, ""), f"ipvsadm {line}")
        return result.stdout

    def refused(self, line, word, code=255, text=None):
        result = self.run(*line.split(), text=text)
        equal((result.returncode, result.stdout), (code, ""), f"ipvsadm {line}")
        assert word in result.stderr, f"ipvsadm {line}: {word!r} is not in {result.stderr!r}"


# ---- a daemon with numbers ----

def numbers(program, directory):
    path = f"{directory}/canned.sock"
    with canned.Server(path, f"{TRANSCRIPTS}/ip_vs_conn") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        replay("numbers", program, path)
        server.shutdown()


# ---- the appliance ----

def give_ipv6(instance):
    """Servers over IPv6 are on the link, too."""
    lan = instance.api.call("InterfaceService/GetInterface", {"name": "lan"})
    lan["addresses"].append("2001:db8:1::1/48")
    instance.api.call("InterfaceService/UpdateInterface", {"interface": lan})


FULLNAT = """\
-A -t 192.0.2.81:80 -s wrr
--add-laddr -t 192.0.2.81:80 --laddr 198.51.100.20
--add-laddr -t 192.0.2.81:80 --laddr 198.51.100.21
-a -t 192.0.2.81:80 -r 198.51.100.101:80 --fullnat -w 1
-a -t 192.0.2.81:80 -r 198.51.100.102:8080 --fullnat -w 3
"""


def fullnat(ipvsadm, instance):
    """DPVS's words for FullNAT, and the names that resources get."""
    for line in FULLNAT.splitlines():
        ipvsadm.done(line)
    config = instance.api.call("ConfigService/GetConfig")
    equal([v["name"] for v in config["virtualServers"]], ["tcp-192-0-2-81-80"], "servers")
    equal([b["name"] for p in config["backendPools"] for b in p["backends"]],
          ["198-51-100-101-80", "198-51-100-102-8080"], "backends")
    equal(ipvsadm.done("-S -n"), FULLNAT, "saved")
    assert "FullNat 3 " in ipvsadm.done("-Ln")
    assert "198.51.100.21" in ipvsadm.done("--get-laddr -n")
    ipvsadm.refused("--add-laddr -t 192.0.2.81:80 --laddr 198.51.100.20", "already exists")
    ipvsadm.refused("--del-laddr -t 192.0.2.81:80 --laddr 198.51.100.29", "No such")
    ipvsadm.refused("--del-laddr -t 192.0.2.99:80 --laddr 198.51.100.29", "No such service")
    ipvsadm.refused("--get-laddr -t 192.0.2.99:80", "No such service", code=1)
    ipvsadm.done("--del-laddr -t 192.0.2.81:80 --laddr 198.51.100.21")
    ipvsadm.done("-C")
    ipvsadm.done("-R", text=FULLNAT)
    equal(ipvsadm.done("-S -n"), FULLNAT, "restored")
    ipvsadm.done("-D -t 192.0.2.81:80")
    left = instance.api.call("ConfigService/GetConfig")
    equal([left.get(kind, []) for kind in ("virtualServers", "backendPools")], [[], []], "left")
    equal([p["name"] for p in left["localAddressPools"]], ["lan-local"], "local pools left")


def named_by_others(ipvsadm, instance):
    """What sluicectl made can be seen and changed; a pool that two share cannot."""
    instance.appliance("ctl", "apply", "-f", f"{ROOT}/conf/lb.yaml")
    assert "198.51.100.103:80" in ipvsadm.done("-Ln -t 192.0.2.80:80")
    saved = ipvsadm.done("-S -n")
    assert "-A -t 192.0.2.80:80 -s wrr --laddr-pool lan-local\n" in saved, saved
    ipvsadm.done("-d -t 192.0.2.80:80 -r 198.51.100.103")
    ipvsadm.done("-a -t 192.0.2.80:80 -r 198.51.100.104 --fullnat")
    instance.api.call("VirtualServerService/CreateVirtualServer", {"virtual_server": {
        "name": "tls", "address": "192.0.2.80", "port": 443, "protocol": "tcp",
        "backend_pool": "web", "local_address_pool": "lan-local"}})
    ipvsadm.refused("-d -t 192.0.2.80:80 -r 198.51.100.104", "'web'")
    ipvsadm.done("-C")
    ipvsadm.done("-R", text=saved)
    equal(ipvsadm.done("-S -n"), saved, "restored")
    ipvsadm.done("-C")


def thresholds(ipvsadm, instance):
    """Saved and restored, and what they come to here."""
    ipvsadm.done("-A -t 192.0.2.81:80 -s sh -b sh-port")
    ipvsadm.done("-a -t 192.0.2.81:80 -r 198.51.100.101 -m -x 40 -y 10")
    ipvsadm.done("-a -t 192.0.2.81:80 -r 198.51.100.102 -m -x 40 -y 30")
    config = instance.api.call("ConfigService/GetConfig")
    equal([(b["maxConnections"], b["resumePercent"]) for b in config["backendPools"][0]["backends"]],
          [(40, 25), (40, 75)], "limits")
    equal(config["virtualServers"][0]["hashKey"], "HASH_KEY_SOURCE_IP_PORT", "key")
    saved = ipvsadm.done("-S -n")
    assert " -b sh-port\n" in saved and " -x 40 -y 10\n" in saved and " -x 40\n" in saved, saved
    ipvsadm.done("-C")
    ipvsadm.done("-R", text=saved)
    equal(ipvsadm.done("-S -n"), saved, "restored")
    ipvsadm.done("-C")


def active(ipvsadm, instance):
    """Established is active; before and after it, and of UDP, it is not."""
    ipvsadm.done("-A -t 192.0.2.80:80 -s rr")
    ipvsadm.done("-a -t 192.0.2.80:80 -r 198.51.100.101 --fullnat")
    ipvsadm.done("-A -u 192.0.2.80:53 -s rr")
    ipvsadm.done("-a -u 192.0.2.80:53 -r 198.51.100.101 --fullnat")

    def counted(service):
        return ipvsadm.done(f"-Ln {service}").splitlines()[-1].split()[-2:]

    with instance.socket("server", address=("198.51.100.101", 80)) as server, \
            instance.socket("client") as tcp, \
            instance.socket("client", socket.SOCK_DGRAM) as udp:
        server.listen()
        tcp.connect(("192.0.2.80", 80))
        udp.sendto(b"x", ("192.0.2.80", 53))
        eventually(5, "established", lambda: counted("-t 192.0.2.80:80") == ["1", "0"])
        eventually(5, "of UDP", lambda: counted("-u 192.0.2.80:53") == ["0", "1"])
        tcp.shutdown(socket.SHUT_WR)
        eventually(5, "no longer", lambda: counted("-t 192.0.2.80:80") == ["0", "1"])
    ipvsadm.done("-C")


def no_words(ipvsadm, instance):
    """What ipvsadm cannot say is kept by its changes; -S would lose it, and refuses."""
    ipvsadm.done("-A -t 192.0.2.80:8000 -s rr -p 60 -M 255.255.255.0")
    for field, value, none, what in (("portEnd", 8009, 0, "several ports"),
                                     ("persistence", {"timeoutSeconds": 5}, None, None),
                                     ("maxConnections", 5, 0, "max_connections"),
                                     ("expireQuiescent", True, False, "expire_quiescent"),
                                     ("maxMss", 1400, 0, "max_mss")):
        update(instance, field, value)
        listed = ipvsadm.done("-Ln")
        assert ("8000+ rr" in listed) == (field == "portEnd"), listed
        ipvsadm.done("-E -t 192.0.2.80:8000 -s rr")
        if what:
            ipvsadm.refused("-S -n", f"'tcp-192-0-2-80-8000' has {what}")
        else:
            ipvsadm.done("-S -n")
        update(instance, field, none)
    equal(ipvsadm.done("-S -n"), "-A -t 192.0.2.80:8000 -s rr\n", "saved")
    ipvsadm.done("-D -t 192.0.2.80:8000")
    equal(ipvsadm.done("-S -n"), "", "saved")


def update(instance, field, value):
    instance.api.call("VirtualServerService/UpdateVirtualServer", {
        "virtual_server": {"name": "tcp-192-0-2-80-8000", field: value}, "update_mask": field})


def all_ports(ipvsadm, instance):
    """A service of port 0 answers on each; a client's connections meet at one server."""
    ipvsadm.done("-A -t 192.0.2.80:0 -s rr -p 60")
    for server in ("198.51.100.101", "198.51.100.102"):
        ipvsadm.done(f"-a -t 192.0.2.80:0 -r {server} --fullnat")
    config = instance.api.call("ConfigService/GetConfig")
    equal([(v.get("port", 0), v["portEnd"], v["persistence"]["timeoutSeconds"])
           for v in config["virtualServers"]], [(0, 65535, 60)], "ports")
    with instance.socket("client", socket.SOCK_STREAM) as tcp:
        tcp.setblocking(False)
        tcp.connect_ex(("192.0.2.80", 7001))
        eventually(5, "a connection", lambda: "192.0.2.80:7001" in ipvsadm.done("-Lnc"))
    ipvsadm.done("-C")


def atomic(ipvsadm, _):
    """-R happens whole or not at all, and says which line is wrong."""
    ipvsadm.done("-A -t 192.0.2.82:80 -s rr")
    before = ipvsadm.done("-S -n")
    for last, word, code in (("-A -t 192.0.2.82:80 -s rr", "line 7: Service already exists", 255),
                             ("-A -t 192.0.2.83:80 -s xx", "line 7: Scheduler", 255),
                             ("-A -t 192.0.2.83:80 -w 4", "line 7: Illegal 'weight'", 2),
                             ("# a comment", "line 7: Try", 255), ("-L", "line 7: ", 255),
                             ("-a -t 192.0.2.81:80 -r 127.0.0.1 --fullnat", "address", 255)):
        ipvsadm.refused("-R", word, code, text=f"\n{FULLNAT}{last}\n")
        equal(ipvsadm.done("-S -n"), before, f"after a -R that ends in {last}")
    ipvsadm.done("-C")


GUE = "-a -t 192.0.2.81:80 -r 198.51.100.101 -i --tun-type gue --tun-port 6080"
GUE6 = "-a -t 192.0.2.81:80 -r [2001:db8:1::101]:80 -i --tun-type gue --tun-port 6080"


def refusals(ipvsadm, _):
    """What is not done here is refused by its name."""
    ipvsadm.done("-A -t 192.0.2.81:80 -s rr")
    for line, word in (("-A -f 5 -s rr", "firewall marks"),
                       ("-A --sctp-service 192.0.2.82:80 -s rr", "SCTP"),
                       ("-A -t 192.0.2.82:80 -s lblc", "lblc"),
                       ("-A -t 192.0.2.82:80 -s rr -b flag-1", "scheduler flags"),
                       ("-A -t 192.0.2.82:80 -s sh -b sh-port,sh-fallback", "sh-fallback"),
                       ("-a -t 192.0.2.81:80 -r 198.51.100.101 -m -x 1000 -y 333", "percentage"),
                       ("-A -t 192.0.2.82:80 -s rr --pe sip", "persistence engines"),
                       ("-A -t 192.0.2.82:80 -s rr -p -M 255.0.255.0", "netmask 255.0.255.0"),
                       ("-A -t 192.0.2.82:80 -s rr -p -M 0.0.0.0", "netmask 0.0.0.0"),
                       ("-A -t 192.0.2.82:80 -s rr -p 86401", "86401"),
                       ("-A -u 192.0.2.82:53 -s rr -o", "one-packet scheduling"),
                       (f"{GUE} --tun-csum", "tun-csum: GUE over IPv4"),
                       (f"{GUE6} --tun-nocsum", "tun-nocsum: GUE over IPv6"),
                       (f"{GUE} --tun-remcsum", "checksums of tunnels (tun-remcsum)"),
                       ("-a -t 192.0.2.81:80 -r 198.51.100.101 -i --tun-type gre --tun-csum", "GRE"),
                       ("-Z", "counters"), ("-Z -t 192.0.2.81:80", "counters"),
                       ("--start-daemon master", "synchronisation"),
                       ("-L --daemon", "synchronisation"),
                       ("-a -t 192.0.2.81:80 -r 198.51.100.101 --fullnat -w 65536", "weight")):
        ipvsadm.refused(line, word)
    ipvsadm.refused("-A -t 192.0.2.82:80 -s rr -M 255.255.255.0", "'persistent'", code=2)
    ipvsadm.done("-C")


def together(ipvsadm, _):
    """Many at once: each waits for nobody, none undoes another's."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda port: ipvsadm.done(f"-A -t 192.0.2.81:{port} -s rr"),
                      range(8001, 8009)))
    equal(len(ipvsadm.done("-S -n").splitlines()), 8, "services")
    ipvsadm.done("-C")


def no_daemon(program, directory):
    ipvsadm = Ipvsadm(program, f"{directory}/missing.sock")
    for line in ("-L", "-S", "-C", "--set 1 2 3", "-L --timeout", "-Lc", "--get-laddr"):
        ipvsadm.refused(line, "Can't initialize ipvs", code=2)
    assert "SERVICE" in ipvsadm.done("-h")
    replay("usage", program, ipvsadm.path)


def tests(report):
    with tempfile.TemporaryDirectory() as directory:
        program = f"{directory}/ipvsadm"
        os.symlink(SLUICECTL, program)
        with report.case("the real ipvsadm still says what was recorded"):
            subprocess.run([f"{TRANSCRIPTS}/record", "--check"], check=True, timeout=60)
        with report.case("wrong usage, nobody there"):
            no_daemon(program, directory)
        with report.case("numbers"):
            numbers(program, directory)
        with Instance() as instance:
            ipvsadm = Ipvsadm(program, instance.socket_path)
            ipvsadm.done("-C")
            give_ipv6(instance)
            for name in ("services", "timeouts", "servers-nat", "servers-dr", "servers-mixed",
                         "restore", "limits", "persistence", "ipv6", "tunnels"):
                with report.case(name):
                    replay(name, program, instance.socket_path)
            for name, run in (("FullNAT", fullnat), ("made by others", named_by_others),
                              ("thresholds", thresholds), ("active connections", active), ("what has no words", no_words),
                              ("all ports", all_ports),
                              ("-R whole or not", atomic), ("refused by name", refusals),
                              ("many at once", together)):
                with report.case(name):
                    run(ipvsadm, instance)
            with report.case("by way of sluicectl"):
                equal(instance.appliance("ctl", "ipvsadm", "-L", "--timeout") + "\n",
                      ipvsadm.done("-L --timeout"), "sluicectl ipvsadm")


checks.main(tests)
