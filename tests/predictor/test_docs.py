"""The examples of docs/predictor.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "predictor"}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "predictor.md").read_text("utf-8"), re.DOTALL):
        exec(compile(block, "predictor.md", "exec"), names)
    assert names["predictor"].is_direct
    assert names["named"].popitem()[1].shape == (2, 8)
