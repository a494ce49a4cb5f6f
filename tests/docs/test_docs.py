"""What the documents show is run, and what they list is complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cases.case import graph_of
from tests.tensorrt.run import build, interpret, network_of
from tfgraft.graph.views import node_view
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.support import CODES, Unsupported

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


def test_the_examples_of_int8_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "int8"}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "int8.md").read_text("utf-8"), re.DOTALL):
        exec(compile(block, "int8.md", "exec"), names)
    assert names["grafted"].report.precisions == {"INT8": 3}
    assert (tmp_path / "curve.png").is_file()


def test_the_examples_of_writing_a_converter_run(capsys: pytest.CaptureFixture[str]) -> None:
    """They run one after the other; then the cases that they make do, as those of the built-in converters."""
    page = (ROOT / "docs" / "writing_a_converter.md").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "writing_a_converter"}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "writing_a_converter.md", "exec"), names)
    assert "1 x ExtractImagePatches [no-converter]" in capsys.readouterr().out
    registry = names["registry"]
    assert {entry.source for row in names["CONVERTERS"] for entry in row} == {"writing_a_converter"}
    trt = find_flavour()[1]
    builder = trt.Builder(process_logger(trt))
    for case in names["CASES"]:
        graph, want = graph_of(case)
        view = next(node_view(graph, n.name) for n in graph if n.op == case.op)
        support = registry.resolve(view, ("tensorrt",)).support
        if case.refusal is not None:
            assert isinstance(support, Unsupported)
            assert support.code == case.refusal
            continue
        made = network_of(graph, registry, trt, builder)
        assert build(trt, builder, made.network, list(case.inputs)) == ""
        np.testing.assert_array_equal(interpret(trt, made, list(case.inputs))[0], want[0])


def test_every_refusal_code_is_documented() -> None:
    page = (ROOT / "docs" / "refusals.md").read_text("utf-8")
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, re.MULTILINE)) == CODES
