# SPDX-License-Identifier: BSD-3-Clause
"""Builds beside the one under test: another version, another ABI, installed as packages are."""

import os
import shutil
import subprocess

from instance import BUILD, ROOT, SLUICE

# Objects that hold the version: make writes its own, so they must not be the build's.
VERSIONED = ("primary/main.o", "primary/shm_create.o", "ctrl/client/main.o")


class Programs:
    """A directory of programs; `sluice` in it is the installed one. Removed with the `with` block."""

    def __init__(self):
        self.dir = f"/tmp/sluice-programs.{os.getpid()}"
        self.installed = f"{self.dir}/sluice"

    def __enter__(self):
        os.mkdir(self.dir)
        self.install(SLUICE)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def install(self, program):
        """As a package manager does: the new file takes the old one's name."""
        shutil.copy(program, f"{self.dir}/.installing")
        os.rename(f"{self.dir}/.installing", self.installed)

    def build(self, name, *variables, without=()):
        """This tree made with these variables, from the same objects but for some. Its path."""
        made = f"{self.dir}/{name}"
        for part in ("obj", "gen"):
            shutil.copytree(f"{BUILD}/{part}", f"{made}/{part}", copy_function=os.link)
        for stale in {*VERSIONED, *without}:
            os.unlink(f"{made}/obj/{stale}")
        subprocess.run(["make", "-s", f"B={made}", *variables, f"{made}/sluice"], cwd=ROOT,
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return f"{made}/sluice"

    def version(self, program):
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        return said.stdout.strip()
