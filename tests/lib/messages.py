# SPDX-License-Identifier: BSD-3-Clause
"""Python classes of our messages, made from the .proto files by protoc: an encoder not ours."""

import glob
import importlib
import os
import subprocess
import sys
import types

from instance import ROOT

PROTO = f"{ROOT}/proto"


def bindings(directory):
    """All that package sluice.v1 names, generated into `directory`."""
    files = [os.path.relpath(f, PROTO) for f in sorted(glob.glob(f"{PROTO}/sluice/v1/*.proto"))]
    subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={directory}", *files],
                   check=True)
    sys.path.insert(0, directory)
    names = types.SimpleNamespace()
    for file in files:
        module = importlib.import_module(file[:-len(".proto")].replace("/", ".") + "_pb2")
        vars(names).update(vars(module))
    return names
