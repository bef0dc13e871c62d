# SPDX-License-Identifier: BSD-3-Clause
"""Makes tests/lib and tests/chaos importable; `import paths` comes first."""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[0:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../chaos")]
