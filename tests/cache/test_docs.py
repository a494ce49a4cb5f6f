"""What the page about the cache and workers shows is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "farm.md"


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    names: dict[str, Any] = {"__name__": "farm"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, "farm.md", "exec"), names)
    assert capsys.readouterr().out.startswith("1 [('engine', ")
    assert [name for name, _ in names["grafted"].report.seconds] == ["cache"]
    assert (tmp_path / "user" / "tfgraft").is_dir()
