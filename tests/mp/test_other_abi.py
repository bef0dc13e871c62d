#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A build whose shared memory is laid out otherwise: a restart of a worker refuses it by name and
changes nothing; a full restart changes over to it and keeps the connections. A checkpoint of
another format is set aside.
"""

import glob
import os
import re
import signal
import struct

import paths  # noqa: F401

import checks
import instance as bed
from checks import equal, eventually
from instance import ROOT, Instance, alive
from programs import Programs
from traffic import CONFIG, Traffic

OTHER = 99
SILENCE = 15  # seconds, the longest: TCP waits longer and longer before it sends again
FORMAT_AT, HEADER = 8, 64  # of a checkpoint; its last four bytes are the header's CRC32C


def other_abi(programs):
    """From the same objects but for those that know the number."""
    include = f"{programs.dir}/include"
    os.makedirs(f"{include}/sluice")
    with open(f"{ROOT}/include/sluice/shm.h", encoding="utf-8") as file:
        text, n = re.subn(r"(#define SL_ABI_VERSION +)(\d+)", rf"\g<1>{OTHER}", file.read())
    equal(n, 1, "places that say the ABI number")
    with open(f"{include}/sluice/shm.h", "w", encoding="utf-8") as file:
        file.write(text)
    knowing = [os.path.relpath(path, ROOT)[:-2] + ".o"
               for path in glob.glob(f"{ROOT}/[psc]*/**/*.c", recursive=True)
               if "SL_ABI_VERSION" in open(path, encoding="utf-8").read()]
    assert "secondary/shm_attach.o" in knowing, knowing
    return programs.build(
        "abi", f"CPPFLAGS=-I. -I{include} -Iinclude -I{programs.dir}/abi/gen -D_GNU_SOURCE "
        "-DSL_VERSION='\"other\"'", without=knowing)


def crc32c(data):
    """Castagnoli's, as the checkpoint has it: begins with 0 and is not inverted."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc


def said(instance):
    with open(f"{instance.dir}/primary.log", encoding="utf-8") as log:
        return log.read()


def refused(instance, traffic):
    before = eventually(5, "standbys", instance.with_standbys)
    answer = instance.ctl("worker", "restart", "0")
    equal(answer.returncode, 1, "exit code")
    assert "another shared-memory ABI: restart the primary" in answer.stderr, answer.stderr
    found = re.search(r"shared-memory ABI (\d+), this program has ABI (\d+)", said(instance))
    assert found and int(found[2]) == OTHER != int(found[1]), said(instance)[-500:]
    after = eventually(5, "standbys", instance.with_standbys)
    equal(after[0]["pid"], before[0]["pid"], "the worker")
    traffic.echoes()
    equal(sum(f.lost for f in traffic.flows), 0, "echoes lost")


def end_all(instance):
    primary, ctrl = instance.pid("primary"), instance.pid("ctrl")
    os.kill(primary, signal.SIGTERM)
    for pid in (primary, ctrl):
        eventually(15, f"the end of {pid}", lambda p=pid: not alive(p))


def changed_over(instance, traffic, program):
    end_all(instance)
    instance.appliance("start-all")
    inode = os.stat(program).st_ino
    for pid in (instance.pid("primary"), *(w["pid"] for w in instance.workers().values())):
        equal(os.stat(f"/proc/{pid}/exe").st_ino, inode, f"program of process {pid}")
    traffic.echoes(SILENCE)
    equal([f.error for f in traffic.flows if f.error], [], "broken connections")
    instance.api.call("WorkerService/RestartWorker", {"id": 0})
    traffic.echoes()


def other_format(instance):
    """The same connections, written by somebody who means something else by them."""
    end_all(instance)
    files = sorted(glob.glob(f"{instance.dir}/run/checkpoint/worker-?"))
    equal(len(files), 2, "checkpoints")
    for name in files:
        with open(name, "r+b") as file:
            header = bytearray(file.read(HEADER))
            equal(crc32c(header[:-4]), struct.unpack("<I", header[-4:])[0], "the header's CRC")
            header[FORMAT_AT:FORMAT_AT + 4] = struct.pack("<I", 77)
            header[-4:] = struct.pack("<I", crc32c(header[:-4]))
            file.seek(0)
            file.write(header)
    instance.appliance("start-all")
    for n, name in enumerate(files):
        assert os.path.exists(f"{name}.refused"), f"{name} is not set aside"
        wanted = f"worker {n}: {name} refused: it is of another version's format"
        assert wanted in said(instance), said(instance)[-1000:]
    equal(instance.connections(), [], "connections")


def tests(report):
    with Programs() as programs:
        other = other_abi(programs)
        equal(programs.version(other), "sluice other", "version of the second build")
        bed.PROGRAMS["SLUICE"] = programs.installed
        with Instance("--no-config") as instance:
            instance.api.call("ConfigService/ApplyConfig", {"config": CONFIG})
            with Traffic(instance, tcp=24, udp=0) as traffic:
                traffic.echoes()
                programs.install(other)
                with report.case("a restart of a worker refuses it, and says why"):
                    refused(instance, traffic)
                with report.case("a full restart changes over and keeps the connections"):
                    changed_over(instance, traffic, programs.installed)
                traffic.stop()
            with report.case("a checkpoint of another format is set aside"):
                other_format(instance)


checks.main(tests)
