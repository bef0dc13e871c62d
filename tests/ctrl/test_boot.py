#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Boot configuration errors through the real program: exit code 2, FILE:LINE: reason."""

import os
import re
import subprocess
import tempfile

import paths  # noqa: F401

import checks
from checks import equal
from instance import ROOT, SLUICE

GOOD = """\
instance: check
runtime-directory: RUNTIME
hugepages:
  directory: /dev/hugepages
ports:
  - name: wan
    device: net_tap0,iface=ck-wan
    mtu: 1500
    queue-descriptors: 512
    steering: auto
  - name: lan
    device: net_tap1,iface=ck-lan
workers:
  - cpu: 0
idle: adaptive
limits:
  connections: 4096
  buffers: 8192
  snapshot: 4MiB
"""

HERE = "# here"  # marks the line that has to be named
CASES = [  # what, the line's text, what stands there instead, a word of the reason
    ("an unknown key", "idle: adaptive", f"idel: adaptive {HERE}", "idel"),
    ("an unknown key of a port", "    mtu: 1500", f"    mtus: 1500 {HERE}", "mtus"),
    ("an unknown limit", "  connections: 4096", f"  conections: 4096 {HERE}", "conections"),
    ("a key twice", "idle: adaptive", f"idle: adaptive\nidle: spin {HERE}", "idle"),
    ("a word that is no choice", "idle: adaptive", f"idle: sometimes {HERE}", "adaptive"),
    ("steering by magic", "    steering: auto", f"    steering: magic {HERE}", "steering"),
    ("an MTU of 575", "    mtu: 1500", f"    mtu: 575 {HERE}", "576"),
    ("an MTU of 9001", "    mtu: 1500", f"    mtu: 9001 {HERE}", "9000"),
    ("a negative MTU", "    mtu: 1500", f"    mtu: -1500 {HERE}", "mtu"),
    ("an MTU in text", "    mtu: 1500", f"    mtu: big {HERE}", "mtu"),
    ("an MTU with a unit", "    mtu: 1500", f"    mtu: 1500KiB {HERE}", "mtu"),
    ("an MTU that is a list", "    mtu: 1500", f"    mtu: [1500] {HERE}", "mtu"),
    ("an MTU without a value", "    mtu: 1500", f"    mtu: {HERE}", "mtu"),
    ("a number over 64 bits", "    mtu: 1500", f"    mtu: 18446744073709553116 {HERE}", "mtu"),
    ("descriptors that are no power of two", "    queue-descriptors: 512",
     f"    queue-descriptors: 500 {HERE}", "power of two"),
    ("a size without a unit", "  snapshot: 4MiB", f"  snapshot: 4194304 {HERE}", "snapshot"),
    ("a size with another unit", "  snapshot: 4MiB", f"  snapshot: 4MB {HERE}", "MiB"),
    ("a size of nothing", "  snapshot: 4MiB", f"  snapshot: 0MiB {HERE}", "snapshot"),
    ("a size over the range", "  snapshot: 4MiB", f"  snapshot: 17179869184GiB {HERE}", "snapshot"),
    ("too few connections", "  connections: 4096", f"  connections: 1023 {HERE}", "1024"),
    ("too many connections", "  connections: 4096", f"  connections: 16777217 {HERE}", "16777216"),
    ("a CPU that is not there", "  - cpu: 0", f"  - cpu: 1000 {HERE}", "1000"),
    ("a port's name twice", "  - name: lan", f"  - name: wan {HERE}", "wan"),
    ("a bad name", "  - name: lan", f"  - name: L/N {HERE}", "name"),
    ("a long name", "  - name: lan", f"  - name: {'a' * 64} {HERE}", "name"),
    ("a device twice", "  - name: lan\n    device: net_tap1,iface=ck-lan",
     f"  - name: lan {HERE}\n    device: net_tap0,iface=ck-lan", "device"),
    ("a port without a device", "  - name: lan", f"  - name: dmz {HERE}\n  - name: lan", "device"),
    ("text where there are keys", "hugepages:\n  directory: /dev/hugepages",
     f"hugepages: big {HERE}", "hugepages"),
    ("text where there is a list", "workers:\n  - cpu: 0", f"workers: two {HERE}", "workers"),
    ("a long directory", "  directory: /dev/hugepages", f"  directory: /{'d' * 200} {HERE}",
     "directory"),
    ("too few buffers", "  buffers: 8192", f"  buffers: 1023 {HERE}", "1024"),
]

WHOLE = [  # files whose one wrong line cannot be named, or that are wrong as a whole
    ("an empty file", ""),
    ("a list", "- a\n- b\n"),
    ("not YAML", "ports: [\n"),
    ("a tab", "ports:\n\t- name: wan\n"),
    ("two documents", GOOD + "---\n" + GOOD),
    ("bytes", "\x00\x01\x02"),
    ("deep nesting", "ports: " + "[" * 50000),
    ("no ports", GOOD[:GOOD.index("ports:")] + GOOD[GOOD.index("workers:"):]),
    ("no workers", GOOD.replace("workers:\n  - cpu: 0\n", "")),
    ("five workers on taps", GOOD.replace("  - cpu: 0\n", "  - cpu: 0\n" * 5)),
    ("seventeen workers", GOOD.replace("  - cpu: 0\n", "  - cpu: 0\n" * 17)),
    ("nine ports", GOOD.replace("workers:", "".join(
        f"  - name: p{n}\n    device: net_tap{n},iface=p{n}\n" for n in range(2, 9)) + "workers:")),
]


def run(*arguments):
    return subprocess.run([SLUICE, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=30, check=False)


def check(path):
    done = run("primary", "-c", path, "--check")
    return done.returncode, (done.stdout + done.stderr).strip()


def write(directory, text):
    path = os.path.join(directory, "boot.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("RUNTIME", directory))
    return path


def refused(directory, text, word=""):
    path = write(directory, text)
    code, said = check(path)
    assert code == 2, f"exit code {code}: {said}"
    found = re.search(rf"{re.escape(path)}:(\d+): (.+)", said)
    assert found, f"no FILE:LINE: reason in {said!r}"
    assert word.lower() in found[2].lower(), f"{word!r} is not in {found[2]!r}"
    return int(found[1])


def usage(report):
    with report.case("--version and --help of every role"):
        with open(f"{ROOT}/VERSION", encoding="utf-8") as file:
            version = file.read().strip()
        done = run("--version")
        assert done.returncode == 0 and version in done.stdout, done
        for role in ((), ("primary",), ("worker",), ("ctrl",)):
            done = run(*role, "--help")
            assert done.returncode == 0 and "usage" in done.stdout.lower(), f"{role}: {done}"
    with report.case("wrong usage: exit code 2"):
        for wrong in ((), ("secondary",), ("primary",), ("primary", "--check", "--wrong"),
                      ("ctrl", "--wrong"), ("worker", "--wrong"), ("worker", "--id", "17")):
            done = run(*wrong)
            equal(done.returncode, 2, f"exit code of sluice {' '.join(wrong)}")
            assert done.stderr.strip(), f"sluice {' '.join(wrong)} says nothing"


def tests(report):
    usage(report)
    with tempfile.TemporaryDirectory(prefix="sluice-boot.") as directory:
        with report.case("a good file"):
            code, said = check(write(directory, GOOD))
            equal(code, 0, f"exit code ({said})")
        with report.case("the sample file"):
            code, said = check(f"{ROOT}/conf/sluice.yaml")
            equal(code, 0, f"exit code ({said})")
        for what, old, new, word in CASES:
            with report.case(f"refused: {what}"):
                assert GOOD.count(old + "\n") == 1, "the case changes nothing"
                text = GOOD.replace(old + "\n", new + "\n")
                wanted = next(n for n, line in enumerate(text.split("\n"), 1) if HERE in line)
                equal(refused(directory, text, word), wanted, "line")
        for what, text in WHOLE:
            with report.case(f"refused: {what}"):
                refused(directory, text)
        with report.case("a file that is not there"):
            code, said = check(f"{directory}/missing.yaml")
            equal(code, 2, f"exit code ({said})")
            assert "missing.yaml" in said, said
        with report.case("nothing is left in the runtime directory"):
            equal(os.listdir(directory), ["boot.yaml"], "files")


checks.main(tests)
