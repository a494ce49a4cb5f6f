"""The page for those who come from TF-TRT, and that on TensorBoard: their examples run, and nothing is left out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from tests.load.models import frozen_graph
from tfgraft.compat import tensorrt as trt

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "migrating_from_tf_trt.md").read_text("utf-8")


def run_examples(page: str) -> dict[str, object]:
    """Run the Python of a page, one block after the other; return the names that it leaves."""
    names: dict[str, object] = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "page.md", "exec"), names)
    return names


def test_the_examples_of_migrating_run(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_examples(PAGE)
    scores = np.fromstring(re.sub(r"[\[\]\n]", " ", capsys.readouterr().out), sep=" ").reshape(8, 16)
    np.testing.assert_allclose(scores.sum(-1), 1, atol=1e-5)
    assert names["fraction"] == pytest.approx(0.67, abs=0.005)


@pytest.mark.parametrize("call", [trt.create_inference_graph, trt.TrtGraphConverterV2, trt.TrtGraphConverter])
def test_every_parameter_is_explained(call: object) -> None:
    table = PAGE[PAGE.index("## Parameters") : PAGE.index("## What is different")]
    obvious = ("input_", "output_saved_model_dir", "conversion_params", "options")
    names = [name for name in inspect.signature(call).parameters if not name.startswith(obvious)]  # type: ignore[arg-type]
    assert len(names) >= 9
    assert [name for name in names if f"`{name}" not in table] == []


def test_the_example_of_tensorboard_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pb").write_bytes(frozen_graph().SerializeToString())
    page = (DOCS / "tensorboard.md").read_text("utf-8")
    run_examples(page)
    assert sorted(path.name for path in Path("logs").iterdir()) == ["after", "before"]
    for picture in re.findall(r"\]\((images/.*?)\)", page):
        assert (DOCS / picture).stat().st_size > 10_000
