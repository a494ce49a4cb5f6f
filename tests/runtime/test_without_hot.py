"""The hot path in Python: a process that has no `_hot` passes the same tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfgraft.runtime.hot import hot_module

_RUN = """
import sys
sys.modules["tfgraft.runtime._hot"] = None
import pytest
from tfgraft.runtime.hot import hot_module
assert hot_module() is None
sys.exit(pytest.main(["-q", "tests/runtime/test_engine_op.py", "tests/runtime/test_fallback.py"]))
"""


@pytest.mark.skipif(hot_module() is None, reason="the other tests run without _hot already")
def test_the_same_without_it() -> None:
    result = subprocess.run([sys.executable, "-c", _RUN], capture_output=True, text=True, timeout=500)
    assert result.returncode == 0, result.stdout + result.stderr
