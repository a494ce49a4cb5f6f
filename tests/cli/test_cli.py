"""The command line, in this process: every command, as text and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.load.models import Linear, Words, frozen_graph, save
from tfgraft.cli import main
from tfgraft.cli.parser import make_parser
from tfgraft.load import load


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "model.pb"
    path.write_bytes(frozen_graph().SerializeToString())
    return path


def run(capsys: pytest.CaptureFixture[str], *args: Any, code: int = 0) -> str:
    assert main([str(a) for a in args]) == code
    captured = capsys.readouterr()
    assert captured.err == "" or code
    return captured.out


def test_plan(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 clusters for onnxruntime" in run(capsys, "plan", graph)
    assert "relu (Relu): engine engine_0" in run(capsys, "plan", graph, "--nodes")
    data = json.loads(run(capsys, "plan", graph, "--json"))
    assert data["coverage"] > 0.5
    assert len(data["clusters"]) == 1
    assert list(graph.parent.iterdir()) == [graph]


def test_options_reach_the_conversion(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def engines(*options: str) -> int:
        return len(json.loads(run(capsys, "plan", graph, "--json", *options))["clusters"])

    assert engines() == 1
    assert engines("--min-segment", "50") == 0
    assert engines("--deny", "MatMul", "--deny", "BiasAdd", "--deny", "rel*") == 0
    assert engines("--outputs", "relu:0", "--min-segment", "4") == 0
    assert engines("--input-shape", "x=4,8", "--option", "intra_op_threads=1") == 1


@pytest.mark.parametrize("name", ["out.pb", "out"])
def test_optimize(name: str, graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / name
    text = run(capsys, "optimize", graph, "-o", out, "--strict")
    assert f"wrote {out}" in text
    nodes = load(out).graph_def.node
    assert "TfGraft>Engine" in {n.op for n in nodes}
    data = json.loads(run(capsys, "optimize", graph, "-o", out, "--json"))
    assert data["outputs"] == ["y:0", "z:0"]
    assert data["report"]["clusters"]


def test_optimize_saved_model_with_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(Words(tmp_path), tmp_path / "m")
    run(capsys, "optimize", path, "-o", tmp_path / "n")
    function = tf.saved_model.load(str(tmp_path / "n")).signatures["serving_default"]
    got = function(words=tf.constant(["blue"]))
    assert got["ids"].numpy().tolist() == [2]
    np.testing.assert_allclose(got["vectors"].numpy(), [np.sqrt([5, 6]) * 2 + 1], rtol=1e-5)


def test_signature(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = Linear()
    path = save(module, tmp_path / "m", first=module.__call__, second=module.double)
    run(capsys, "plan", path, "--signature", "second")
    assert run(capsys, "plan", path, code=1) == ""


@pytest.fixture
def switched(tmp_path: Path) -> Path:
    """`y` is the Relu of x [?, 8], times `scale` [8], where `training` is false, and else something random."""
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8], "x")
        training = tf.compat.v1.placeholder(tf.bool, [], "training")
        scale = tf.compat.v1.placeholder(tf.float32, [8], "scale")
        noise = tf.random.uniform([8])
        h = tf.cond(training, lambda: x * noise, lambda: tf.nn.relu(x) - 1.0)
        tf.tanh(h * scale, name="y")
    path = tmp_path / "switched.pb"
    path.write_bytes(made.as_graph_def().SerializeToString())
    return path


def test_constants(switched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    constants = ["--constant", "training=false", "--constant", "scale=[1,2,3,4,5,6,7,8]"]
    assert len(json.loads(run(capsys, "plan", switched, "--json", *constants))["clusters"]) == 1
    out = tmp_path / "out.pb"
    assert json.loads(run(capsys, "optimize", switched, "-o", out, "--json", *constants))["inputs"] == ["x:0"]
    assert load(out).input_names == ("x:0",)
    np.savez(tmp_path / "x.npz", x=np.ones((2, 8), np.float32))
    table = tmp_path / "table.json"
    run(capsys, "calibrate", switched, tmp_path / "x.npz", "-o", table, *constants)
    assert table.is_file()


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("0.5", 0.5), ("True", True), ("[1, 2]", [1, 2]), ('"a"', "a")])
def test_constants_are_read_as_values(text: str, value: Any) -> None:
    (given,) = make_parser().parse_args(["plan", "m.pb", "--constant", f"a:0={text}"]).constant
    assert given == ("a:0", value)
    assert type(given[1]) is type(value)


def test_tune_reaches_the_search(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []

    def optimize(model: Any, **options: Any) -> Any:
        found.append(options["search"])
        raise ValueError("enough")

    monkeypatch.setattr("tfgraft.api.optimize", optimize)
    command = ["optimize", graph, "-o", tmp_path / "out.pb", "--engine", "auto", "--search-seconds", "5"]
    run(capsys, *command, code=1)
    run(capsys, *command, "--tune", code=1)
    assert [(search.seconds, search.tune) for search in found] == [(5.0, False), (5.0, True)]


def test_explain(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "explain", graph, "relu:0").startswith("relu (Relu)")
    assert json.loads(run(capsys, "explain", graph, "mm", "--json"))["node"]["op"] == "MatMul"
    assert main(["explain", str(graph), "Relo"]) == 1
    assert "no node 'Relo'" in capsys.readouterr().err


def test_bench(graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "bench", graph, "--runs", "4", "--json"))
    assert data["runs"] == 4
    assert data["agrees"] is True
    assert data["fallbacks"] == {}
    assert [o["name"] for o in data["outputs"]] == ["y:0", "z:0"]
    assert data["ratio"] == pytest.approx(data["original_ms"] / data["grafted_ms"])
    arrays: dict[str, Any] = {"x:0": np.ones((5, 8))}
    np.savez(tmp_path / "feeds.npz", **arrays)
    assert "times as fast" in run(capsys, "bench", graph, "--runs", "3", "--input", tmp_path / "feeds.npz")


def test_bench_exits_with_3_when_numbers_differ(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # No finite difference is within a negative tolerance.
    assert "DIFFERS" in run(capsys, "bench", graph, "--runs", "3", "--tolerance=-1", code=3)


def test_engines_and_ops(capsys: pytest.CaptureFixture[str]) -> None:
    assert "onnxruntime" in run(capsys, "engines")
    rows = json.loads(run(capsys, "engines", "--json"))["engines"]
    assert {"engine", "available", "reason", "hint", "converters"} == set(rows[0])
    every = json.loads(run(capsys, "ops", "--json"))["ops"]
    assert {"converter", "decomposition"} == {row["kind"] for row in every}


def test_ops_prints_the_table_of_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "ops", "--engine", "tensorrt").splitlines()
    assert max(map(len, lines)) <= 120
    assert any(re.match(r"Conv2D +tensorrt +bfloat16, float16/32; inputs 0, 1: rank 4", line) for line in lines)
    assert not any(re.match(r"\S+ +onnx", line) for line in lines)
    assert any(
        re.match(r"\* \(any other\) +onnx", x) for x in run(capsys, "ops", "--engine", "onnxruntime").splitlines()
    )


def test_ops_prints_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = json.loads(run(capsys, "ops", "--engine", "tensorrt", "--json", "CropAndResize"))["ops"]
    assert row["ranks"] == {"0": [4], "1": [2], "2": [1]}
    assert row["constants"] == [3]
    assert row["attrs"] == {"method": ["bilinear", "nearest"]}
    assert row["source"] == "tfgraft.converters.tensorrt.crop"
    # The route through ONNX has other converters, one of which takes any op.
    (row,) = json.loads(run(capsys, "ops", "--engine", "tensorrt", "--option", "route=onnx", "--json", "Lgamma"))["ops"]
    assert (row["op"], row["converters"]) == ("*", "onnx")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--engine", "none"], "There is no engine 'none'; registered are: "),
        (["Conv2d"], "TensorFlow knows no op 'Conv2d', and no entry is registered for it. Did you mean Conv2D"),
        (["--engine", "tensorrt", "Lgamma"], "No converter of tensorrt and no decomposition takes Lgamma"),
        (["--engine", "tensorrt", "--option", "route=south"], "option route is one of"),
        (["--markdown", "ops.md"], "Give --engine"),
        (["--engine", "tensorrt", "--markdown", "nowhere/ops.md"], "No such file or directory (nowhere/ops.md)"),
    ],
)
def test_ops_says_what_is_wrong(args: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", *args]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["nonsense"],
        ["plan"],
        ["optimize", "m.pb"],
        ["plan", "m.pb", "--input-shape", "x"],
        ["plan", "m.pb", "--input-shape", "x=a,b"],
        ["plan", "m.pb", "--option", "threads"],
        ["plan", "m.pb", "--constant", "training"],
        ["plan", "m.pb", "--constant", "training=no"],
        ["plan", "m.pb", "--constant", 'training={"a": 1}'],
        ["optimize", "m.pb", "--output", "y:0", "-o", "out.pb"],
        ["plan", "m.pb", "--min-segment", "0"],
        ["plan", "m.pb", "--outputs", ","],
        ["bench", "m.pb", "--runs", "-1"],
        ["plan", "m.pb", "--jso"],
    ],
)
def test_wrong_usage_exits_with_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: tfgraft")


def test_help_says_what_exit_codes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "exit codes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["plan", "{dir}/missing.pb"], "no file or directory"),
        (["plan", "{dir}/random.pb"], "random.pb"),
        (["plan", "{dir}/empty.pb"], "is empty"),
        (["plan", "{dir}"], "holds no saved_model.pb"),
        (["plan", "{dir}/model.pb", "--outputs", "relo"], "Did you mean 'relu'"),
        (["plan", "{dir}/model.pb", "--input-shape", "x=1,9"], "does not fit input x:0"),
        (["plan", "{dir}/model.pb", "--constant", "x=1"], "The constant for input x:0"),
        (["plan", "{dir}/model.pb", "--constant", "x=1", "--constant", "x=2"], "given two constants"),
        (["optimize", "{dir}/model.pb", "--output", "y:0"], "Choose tensors with --outputs y:0, and a file with -o"),
        (["optimize", "{dir}/model.pb", "--output", "y:0,z:0"], "'y:0,z:0' is a tensor of the model"),
        (["calibrate", "{dir}/model.pb", "{dir}/empty.pb", "-o", "y:0"], "'y:0' is a tensor of the model"),
        (["plan", "{dir}/model.pb", "--engine", "none"], "no engine 'none'"),
        (["plan", "{dir}/model.pb", "--option", "nothing=1"], "no option 'nothing'"),
        (["plan", "{dir}/model.pb", "--signature", "a"], "has no signatures"),
        (["optimize", "{dir}/model.pb", "-o", "{dir}/out.onnx"], "ends in .pb"),
        (["optimize", "{dir}/model.pb", "-o", "{dir}"], "is not replaced"),
        (["optimize", "{dir}/random.pb", "-o", "{dir}/out.pb"], "random.pb"),
        (["bench", "{dir}/model.pb", "--input", "{dir}/missing.npz"], "no file"),
        (["bench", "{dir}/model.pb", "--input", "{dir}/random.pb"], "cannot be read as an .npz"),
    ],
)
def test_one_clear_line_for_bad_input(
    args: list[str], message: str, graph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = graph.parent
    (folder / "random.pb").write_bytes(np.random.default_rng(0).bytes(200))
    (folder / "empty.pb").touch()
    before = sorted(folder.iterdir())
    filled = [a.format(dir=folder) for a in args]
    assert main(filled) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tfgraft: error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert sorted(folder.iterdir()) == before

    assert main([*filled, "--json"]) == 1
    assert message in json.dumps(json.loads(capsys.readouterr().out)["error"], ensure_ascii=False)

    assert main([*filled, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
