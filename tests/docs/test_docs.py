"""What the documents show is run, and what they list is complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tfgraft.registry.support import CODES

ROOT = Path(__file__).parents[2]


def test_the_examples_of_the_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "grafted_model" / "saved_model.pb").is_file()
    assert names["grafted"].report.clusters  # type: ignore[attr-defined]


def test_every_refusal_code_is_documented() -> None:
    page = (ROOT / "docs" / "refusals.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)`", page, re.MULTILINE)) == set(CODES)
