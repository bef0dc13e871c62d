# SPDX-License-Identifier: BSD-3-Clause
"""A second reference: dpdk-testpmd over net_null ports on the CPU of the measured worker.

Not the bed that the worker is measured on, and no frame of it is IPv4, so 5tswap does not get
beyond the Ethernet header: what is compared by ratio is the reference in slices.c.
"""

import os
import re
import shutil
import subprocess
import time

from bed import OTHERS_CPU, WORKER_CPUS

PROGRAM = "dpdk-testpmd"
CYCLES = re.compile(r"CPU cycles/packet=([\d.]+) .* at (\d+) MHz")


def available():
    return shutil.which(PROGRAM) is not None


def measure(path, mode, seconds):
    """ns per packet; None when it did not say."""
    found = CYCLES.search(run(path, mode, seconds))
    return round(float(found[1]) / int(found[2]) * 1000, 2) if found else None


def run(path, mode, seconds):
    """What testpmd says after forwarding for a while."""
    argv = [PROGRAM, "-l", f"{OTHERS_CPU},{WORKER_CPUS[0]}", "--no-pci", "--no-telemetry",
            f"--file-prefix={os.path.basename(path)}", "--huge-dir", f"{path}/huge", "-m", "256",
            "--vdev=net_null0", "--vdev=net_null1", "--log-level=error",
            "--", "-i", f"--forward-mode={mode}", "--nb-cores=1", "--total-num-mbufs=16384",
            "--record-core-cycles"]
    # EAL's files go where they are removed with everything else.
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, RUNTIME_DIRECTORY=path)) as process:
        try:
            process.stdin.write("start\n")
            process.stdin.flush()
            time.sleep(1 + seconds)  # it takes most of the first second to start
            return process.communicate("stop\nquit\n", timeout=20)[0]
        except (subprocess.TimeoutExpired, BrokenPipeError):
            process.kill()
            return ""
