"""The examples of docs/xla.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "xla"}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "xla.md").read_text("utf-8"), re.DOTALL):
        exec(compile(block, "xla.md", "exec"), names)
    assert names["grafted"].report.clusters
    assert names["y"].shape == (2, 8)
    assert (tmp_path / "compiled" / "saved_model.pb").is_file()
