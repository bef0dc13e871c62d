# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/lib importable; `import paths` comes first."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
