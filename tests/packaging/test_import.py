"""What importing costs, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "onnx", "onnxruntime", "tf2onnx", "tensorrt", "openvino", "ai_edge_litert")


def modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter and return the names of the modules that are loaded then."""
    script = f"{code}\nimport json, sys\nsys.stderr.write('modules:' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stderr.rpartition("modules:")[2]))


def test_importing_tfgraft_loads_no_framework_and_no_plugin() -> None:
    loaded = modules_after("import tfgraft")
    assert "tfgraft" in loaded
    assert loaded.isdisjoint(HEAVY)
    assert not any(name.startswith("tfgraft.plugins.") for name in loaded)


def test_importing_the_runtime_loads_tensorflow() -> None:
    """The counterpart: the test above would see a framework if one were loaded."""
    assert "tensorflow" in modules_after("import tfgraft.runtime")


@pytest.mark.parametrize("module", ["tfgraft.registry.support", "tfgraft.cli"])
def test_light_modules_stay_light(module: str) -> None:
    assert modules_after(f"import {module}").isdisjoint(HEAVY)


def test_public_functions_stay_functions() -> None:
    """`tfgraft.optimize` is a function, and a module of that name is imported to get it."""
    accesses = "; ".join(f"assert callable(tfgraft.{name})" for name in ("plan", "optimize", "plan", "optimize"))
    assert "tfgraft.api" in modules_after(f"import tfgraft; {accesses}")
