# SPDX-License-Identifier: BSD-3-Clause
"""What tests could leave behind: an inventory before, and what is new afterwards.

Processes are those of the appliance and of the servers that tests start; everything
else is known by its name.
"""

import glob
import os
import time

PROGRAMS = {"sluice", "sluicectl", "nginx"}
HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-*"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def processes():
    """pid and command of each process that runs one of PROGRAMS."""
    for link in glob.glob("/proc/[0-9]*/exe"):
        try:
            program = os.readlink(link)
            command = open(os.path.dirname(link) + "/cmdline", "rb").read()
        except OSError:
            continue  # it ended meanwhile, or is a kernel thread
        if os.path.basename(program.removesuffix(" (deleted)")) in PROGRAMS:
            pid = link.split("/")[2]
            yield f"process {pid}: {command.replace(bytes(1), b' ').decode(errors='replace')}"


def taps():
    for path in glob.glob("/sys/class/net/*/tun_flags"):
        yield f"tap {path.split('/')[4]}"


def namespaces():
    for path in glob.glob("/run/netns/*"):
        yield f"network namespace {os.path.basename(path)}"


def files():
    for pattern in ("/var/run/dpdk/*", "/dev/hugepages/*", "/run/sluice*", "/tmp/sluice*", "/tmp/sl-*"):
        for path in glob.glob(pattern):
            yield f"file {path}"


def mounts():
    for line in read("/proc/mounts").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "hugetlbfs":
            yield f"mount {place}"


def hugepages_used():
    """Pages in use, by size; a mapping without a file has no name."""
    for pool in glob.glob(HUGEPAGES):
        used = int(read(pool + "/nr_hugepages")) - int(read(pool + "/free_hugepages"))
        yield os.path.basename(pool), used


def inventory():
    things = {*processes(), *taps(), *namespaces(), *files(), *mounts()}
    return things, dict(hugepages_used())


def new_things(before):
    things_before, pages_before = before
    things, pages = inventory()
    found = sorted(things - things_before)
    for size, used in pages.items():
        more = used - pages_before.get(size, 0)
        if more > 0:
            found.append(f"{more} pages in use of {size}")
    return found


def wait_until_gone(before, seconds=5):
    """The kernel frees what a process held a little after it ended."""
    until = time.monotonic() + seconds
    while (found := new_things(before)) and time.monotonic() < until:
        time.sleep(0.1)
    return found
