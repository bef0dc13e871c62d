#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Completion by the shells themselves: bash, zsh and fish load the script that sluicectl prints
and are asked what could stand next; names come from a real daemon.

bash calls a completion function with COMP_LINE set; fish has `complete -C`; zsh has no way
to ask, so one runs on a terminal of its own, where a tab is typed.
"""

import os
import pty
import select
import subprocess
import tempfile
import time

import paths  # noqa: F401

import checks
from checks import equal
from instance import SLUICECTL, Instance

CASES = [  # what is typed, what it can become
    ("sluicectl ap", ["api", "apply"]),
    ("sluicectl interface ", ["list", "show", "update"]),
    ("sluicectl backend show web/", ["web/web-1", "web/web-2", "web/web-3"]),
    ("sluicectl virtual-server show ", ["web"]),
    ("sluicectl worker restart ", ["0", "1"]),
    ("sluicectl -o ", ["json", "table", "wide", "yaml"]),
    ("sluicectl virtual-server create v backendPool=", ["backendPool=web"]),
    ("sluicectl virtual-server create v backendPool=w", ["backendPool=web"]),
]

BASH = r"""
source <(sluicectl completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
_sluicectl 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"""


def by_bash(environment, line):
    done = subprocess.run(["bash", "--norc", "-c", BASH, "bash", line], env=environment,
                          capture_output=True, text=True, timeout=20, check=True)
    # bash puts back what stands before the last '=' itself
    word = line.rsplit(" ", 1)[-1]
    before = word[:word.rindex("=") + 1] if "=" in word else ""
    return sorted(before + candidate for candidate in done.stdout.split())


def by_fish(environment, line):
    script = f"sluicectl completion fish | source; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], env=environment,
                          capture_output=True, text=True, timeout=20, check=True)
    return sorted(row.split("\t")[0] for row in done.stdout.splitlines())


class Terminal:
    """A shell on a pseudo terminal."""

    def __init__(self, argv, environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment)
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, 9)
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, mark, seconds=20):
        """What it printed up to the mark."""
        until = time.monotonic() + seconds
        while mark.encode() not in self.said:
            left = until - time.monotonic()
            assert left > 0, f"no {mark!r} in {self.said[-300:]!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.said += os.read(self.fd, 65536)
        before, _, self.said = self.said.partition(mark.encode())
        return before.decode()


ZSH_SETUP = """
autoload -U compinit; compinit -D -u; source <(sluicectl completion zsh)
show() { print -r -- "<${BUFFER}>" }; zle -N show; bindkey '^X' show; bindkey '^I' complete-word
PS1='ready'; echo set'-'up
"""


def by_zsh(environment):
    """Words with one way to go on, completed on the line."""
    with Terminal(["zsh", "-f", "-i"], environment) as shell:
        for line in ZSH_SETUP.strip().splitlines():
            shell.type(line + "\n")
        shell.wait_for("set-up\r\n")
        for typed, becomes in (("sluicectl appl", "sluicectl apply "),
                               ("sluicectl pool show w", "sluicectl pool show web "),
                               ("sluicectl route create r pre", "sluicectl route create r prefix="),
                               ("sluicectl backend show w", "sluicectl backend show web/")):
            shell.type(typed + "\t\x18")
            shell.wait_for("<")
            equal(shell.wait_for(">"), becomes, f"zsh: {typed!r} becomes")
            shell.type("\x15")  # kill the line


def files(environment, directory):
    """Where a file is wanted, files."""
    with open(f"{directory}/only.yaml", "w", encoding="ascii"):
        pass
    line = f"sluicectl apply -f {directory}/on"
    equal(by_bash(environment, line), [f"{directory}/only.yaml"], "bash: a file")
    equal(by_fish(environment, line), [f"{directory}/only.yaml"], "fish: a file")


def tests(report):
    with Instance() as instance, tempfile.TemporaryDirectory() as home:
        environment = {"PATH": f"{os.path.dirname(SLUICECTL)}:/usr/bin:/bin", "HOME": home,
                       "TERM": "dumb", "LC_ALL": "C", "SLUICE_SOCKET": instance.socket_path}
        for shell, ask in (("bash", by_bash), ("fish", by_fish)):
            with report.case(shell):
                for line, wanted in CASES:
                    equal(ask(environment, line), wanted, f"{shell}: {line!r}")
        with report.case("zsh"):
            by_zsh(environment)
        with report.case("files"):
            files(environment, home)
        with report.case("no daemon, no names, in time"):
            began = time.monotonic()
            gone = dict(environment, SLUICE_SOCKET=f"{home}/missing.sock")
            equal(by_bash(gone, "sluicectl virtual-server show "), [], "names")
            assert time.monotonic() - began < 5


checks.main(tests)
