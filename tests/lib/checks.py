# SPDX-License-Identifier: BSD-3-Clause
"""What every test written in Python ends and begins with.

    def tests(report):
        with report.case("a thing holds"):
            assert ...

    checks.main(tests)

Each case prints one line, `ok - name` or `not ok - name: why`; the last line counts them.
"""

import signal
import sys
import time
import traceback
from contextlib import contextmanager


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    @contextmanager
    def case(self, name):
        """Count what happens inside; a failure ends the case, not the program."""
        try:
            yield
        except Exception as error:  # whatever it is, it is this case that failed
            self.failed += 1
            print(f"not ok - {name}: {reason(error)}", flush=True)
        else:
            self.passed += 1
            print(f"ok - {name}", flush=True)


def reason(error):
    """One line; for an assertion without a sentence, the line of the source that it is on."""
    text = " ".join(str(error).split())
    if isinstance(error, AssertionError) and text:
        return text[:400]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {text[:300]} at {frame.name}:{frame.lineno} `{frame.line}`"


def equal(found, wanted, what="value"):
    assert found == wanted, f"{what}: wanted {wanted!r}, found {found!r}"


def eventually(seconds, what, condition, pause=0.02):
    """Poll until the condition is true and return what it gave."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(pause)


def main(tests):
    """Run tests(report); a failure outside any case, a set-up's, counts as one."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `with` blocks clean up
    report = Report()
    with report.case("set up and clean up"):
        tests(report)
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    sys.exit(report.failed > 0)
