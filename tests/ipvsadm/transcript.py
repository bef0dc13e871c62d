# SPDX-License-Identifier: BSD-3-Clause
"""Transcripts of ipvsadm: what was typed, and what it said.

    # a comment
    $ ipvsadm -A -t 192.0.2.80:80 -s rr
    $ ipvsadm -R
    < a line of standard input
    a line of standard output
    ! a line of standard error
    ? the exit code, when it is not 0
"""

import subprocess


class Command:
    def __init__(self, words):
        self.words = words
        self.stdin, self.stdout, self.stderr, self.code = [], [], [], 0

    def run(self, program, environment):
        """The same, as `program` does it."""
        done = subprocess.run(self.words, executable=program, env=environment, text=True,
                              input="".join(f"{line}\n" for line in self.stdin),
                              capture_output=True, timeout=60, check=False)
        answer = Command(self.words)
        answer.stdin = self.stdin
        answer.stdout = done.stdout.splitlines()
        answer.stderr = [line for line in done.stderr.splitlines() if line]
        answer.code = done.returncode
        return answer

    def __str__(self):
        lines = ["$ " + " ".join(self.words), *(f"< {line}" for line in self.stdin),
                 *self.stdout, *(f"! {line}" for line in self.stderr)]
        return "\n".join(lines + ([f"? {self.code}"] if self.code else []))


def read(path):
    """Comments, as text, and commands, in their order."""
    things = []
    with open(path, encoding="ascii") as file:
        for line in file.read().splitlines():
            if line.startswith("#"):
                things.append(line)
            elif line.startswith("$ "):
                things.append(Command(line[2:].split()))
            elif line.startswith("< "):
                things[-1].stdin.append(line[2:])
            elif line.startswith("! "):
                things[-1].stderr.append(line[2:])
            elif line.startswith("? "):
                things[-1].code = int(line[2:])
            else:
                things[-1].stdout.append(line)
    return things
