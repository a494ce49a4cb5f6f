"""The command line's part of the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.load.models import frozen_graph
from tfgraft.cli import main


def run(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    assert main([str(a) for a in args]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_optimize_fills_it_and_the_command_lists_and_clears_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, cache = tmp_path / "model.pb", tmp_path / "cache"
    model.write_bytes(frozen_graph().SerializeToString())
    optimize = ("optimize", model, "-o", tmp_path / "out.pb", "--json", "--cache")
    first, second = (json.loads(run(capsys, *optimize, cache)) for _ in range(2))
    assert list(second["report"]["seconds"]) == ["cache"]
    assert first["report"]["clusters"] == second["report"]["clusters"]
    listed = json.loads(run(capsys, "cache", "ls", "--json", "--cache", cache))
    assert [entry["kind"] for entry in listed["entries"]] == ["conversion", "engine"]
    assert listed["bytes"] == sum(entry["size"] for entry in listed["entries"])
    text = run(capsys, "cache", "ls", "--cache", cache)
    assert "2 entries" in text
    assert "onnxruntime" in text
    cleared = json.loads(run(capsys, "cache", "clear", "--json", "--cache", cache))
    assert cleared == {"folder": str(cache), "freed_bytes": listed["bytes"]}
    assert "0 entries" in run(capsys, "cache", "ls", "--cache", cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    run(capsys, *optimize)
    assert "2 entries" in run(capsys, "cache", "ls").replace(f"{tmp_path}", "")
    assert len(list((tmp_path / "user" / "tfgraft").iterdir())) == 2


def test_a_cache_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["cache", "ls", "--cache", str(tmp_path / "file")]) == 1
    assert "Not a directory" in capsys.readouterr().err
    assert main(["cache", "drop"]) == 2
