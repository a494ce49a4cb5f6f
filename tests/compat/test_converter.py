"""`TrtGraphConverterV2`: convert, build, save, load elsewhere, summary."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.compat.models import Array, close, engines, images, saved_model
from tests.load.models import Words, save
from tfgraft.compat.tensorrt import trt_convert as trt
from tfgraft.errors import FeedError
from tfgraft.runtime.node import read_metadata

RTX: Any = {"engine": "tensorrt", "flavour": "tensorrt_rtx", "compute_capabilities": "8.9"}
Shape = tuple[int, int]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved_model(tmp_path_factory.mktemp("model") / "net"))


def inputs(*shapes: Shape) -> Any:
    """Return an input function that yields (image, prior) of some (batch, size)."""

    def input_fn() -> Iterator[tuple[Array, Array]]:
        for batch, size in shapes:
            yield images(batch, size=size), np.zeros((batch, 10), np.float32)

    return input_fn


def wanted(model: str, batch: int = 2, size: int = 24) -> tuple[list[Any], dict[str, Array]]:
    """Return inputs, and what the model makes of them."""
    values = [tf.constant(value) for value in next(inputs((batch, size))())]
    signature = tf.saved_model.load(model).signatures["serving_default"]
    return values, {key: t.numpy() for key, t in signature(image=values[0], prior=values[1]).items()}


@pytest.mark.parametrize("precision", ["FP32", "FP16", "INT8"])
def test_convert_build_save_load(precision: str, model: str, tmp_path: Path) -> None:
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(precision_mode=precision)
    converter = trt.TrtGraphConverterV2(model, conversion_params=params, engine="onnxruntime")
    function = converter.convert(calibration_input_fn=inputs((4, 24), (4, 24))) if precision == "INT8" else (
        converter.convert()
    )  # fmt: skip
    (image, prior), want = wanted(model)
    for got in (function(image, prior), function(image=image, prior=prior)):
        assert got.keys() == want.keys()
        for key in want:
            close(precision, got[key].numpy(), want[key])
    converter.build(input_fn=inputs((2, 24), (4, 32)))
    converter.save(str(tmp_path / "out"))
    loaded = tfgraft.runtime.load_saved_model(str(tmp_path / "out")).signatures["serving_default"]
    got = loaded(image=image, prior=prior)
    for key in want:
        close(precision, got[key].numpy(), want[key])
    assert len(engines(function.graph.as_graph_def())) == len(converter.grafted.report.clusters) >= 1


def test_a_new_process_loads_what_was_saved(model: str, tmp_path: Path) -> None:
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=model, engine="onnxruntime")
    converter.convert()
    converter.save(str(tmp_path / "out"), save_gpu_specific_engines=False)
    (image, prior), want = wanted(model)
    np.savez(tmp_path / "feed.npz", image=image, prior=prior)
    code = f"""
import numpy as np
import tensorflow as tf
import tfgraft.runtime
feed = dict(np.load({str(tmp_path / "feed.npz")!r}))
function = tf.saved_model.load({str(tmp_path / "out")!r}).signatures["serving_default"]
np.savez({str(tmp_path / "got.npz")!r}, **function(**{{k: tf.constant(v) for k, v in feed.items()}}))
print(tfgraft.runtime.counters().fallbacks)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "0\n"
    got = np.load(tmp_path / "got.npz")
    for key in want:
        close("FP32", got[key], want[key])


def built(model: str, *shapes: Shape, **given: Any) -> list[list[list[int]]]:
    """Convert and build for TensorRT; return (least, best, most) batch and size of each profile."""
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=model, **RTX, **given)
    converter.convert()
    converter.build(inputs(*shapes))
    lines: list[str] = []
    converter.summary(detailed=False, print_fn=lines.append)
    assert any("TfGraft/engine_0" in line for line in lines)
    (node,) = engines(converter.grafted.graph_def)
    found = read_metadata(node.attr["metadata"].s).metadata["profiles"]
    return [[list(dims[:2]) for dims in profile[0]] for profile in found]


def test_profiles_by_strategy(model: str) -> None:
    shapes = ((2, 24), (4, 32), (2, 24))
    dynamic: Any = {"use_dynamic_shape": True}
    assert built(model, *shapes, **dynamic) == [[[2, 24], [2, 24], [4, 32]]]
    assert built(model, *shapes, **dynamic, dynamic_shape_profile_strategy="range+optimal") == [
        [[2, 24], [2, 24], [2, 24]],
        [[4, 32], [4, 32], [4, 32]],
        [[2, 24], [2, 24], [4, 32]],
    ]


def test_static_engines_are_cached_by_shape(model: str, caplog: pytest.LogCaptureFixture) -> None:
    """As many as the cache holds, each for smaller batches too; what is left over is told; room is for the rest."""
    shapes = ((4, 24), (2, 24), (2, 32))
    assert built(model, *shapes) == [[[1, 24], [4, 24], [4, 24]]]
    assert "maximum_cached_engines=1: inputs of the shapes {'image:0': [2, 32, 32, 3]" in caplog.text
    assert built(model, *shapes, maximum_cached_engines=2) == [[[1, 24], [4, 24], [4, 24]], [[1, 32], [2, 32], [2, 32]]]
    *_, rest = built(model, *shapes, maximum_cached_engines=3)
    assert rest[0] == [1, 1]
    assert len(built(model, *shapes, maximum_cached_engines=3, allow_build_at_runtime=False)) == 2


def test_the_reference_engine_runs_what_tensorrt_would(model: str) -> None:
    converter = trt.TrtGraphConverterV2(
        input_saved_model_dir=model, use_dynamic_shape=True, engine="reference", strict=True, flavour="tensorrt_rtx"
    )
    converter.convert()
    converter.build(inputs((2, 24), (3, 28)))
    (image, prior), want = wanted(model, 3, 28)
    got = converter.function(image, prior)
    for key in want:
        close("FP32", got[key].numpy(), want[key])


def test_inputs_may_be_dicts_or_tensors(model: str) -> None:
    def input_fn() -> Iterator[Any]:
        yield {"prior": tf.zeros((2, 10)), "image": tf.constant(images(2))}
        yield [images(2), np.zeros((2, 10))]

    converter = trt.TrtGraphConverterV2(input_saved_model_dir=model, precision_mode="INT8", engine="onnxruntime")
    converter.convert(input_fn)
    converter.build(input_fn)


def test_tables_are_saved_too(tmp_path: Path) -> None:
    """What no GraphDef holds: a lookup table."""
    source = str(save(Words(tmp_path), tmp_path / "words"))
    converter = trt.TrtGraphConverterV2(source, minimum_segment_size=2, engine="onnxruntime")
    converter.convert()
    converter.save(str(tmp_path / "out"))
    words = tf.constant(["green", "blue", "violet"])
    got = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"](words)
    np.testing.assert_array_equal(got["ids"], [1, 2, -1])
    assert converter.grafted.report.clusters


def test_summary(model: str) -> None:
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=model, engine="onnxruntime")
    converter.convert()
    lines: list[str] = []
    converter.summary(print_fn=lines.append)
    text = "\n".join(lines)
    columns = "Engine Name Device # Nodes # Inputs # Outputs Input DTypes Output DTypes Input Shapes Output Shapes"
    assert " ".join(lines[0].split()) == columns
    row = next(line for line in lines if line.startswith("TfGraft/engine_0"))
    assert row.split()[1:3] == ["device:CPU:0", str(converter.grafted.report.clusters[0].size)]
    assert "(?, ?, ?, 3)" in row
    assert len(row) <= 160
    assert "\t- Conv2D: 2x" in lines
    assert "[*] Total number of engines (onnxruntime): 1" in text
    assert "[*] % of OPs Converted: " in text
    short: list[str] = []
    converter.summary(detailed=False, print_fn=short.append)
    assert len(short) < len(lines)
    with pytest.raises(ValueError, match="line_length is at least 160, not 80"):
        converter.summary(line_length=80)


def test_what_is_called_out_of_turn(model: str) -> None:
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=model, engine="onnxruntime")
    for call, what in (
        (lambda: converter.build(inputs((1, 8))), "build"),
        (lambda: converter.save("x"), "save"),
        (converter.summary, "summary"),
        (lambda: converter.grafted, "reading it"),
    ):
        with pytest.raises(RuntimeError, match=rf"Call convert\(\) before {what}"):
            call()
    converter.convert()
    with pytest.raises(RuntimeError, match=r"convert\(\) was called already"):
        converter.convert()
    with pytest.raises(RuntimeError, match=r"build\(\) needs input_fn"):
        converter.build(None)  # type: ignore[arg-type]
    converter.build(inputs((1, 8)))
    with pytest.raises(NotImplementedError, match=r"build\(\) was called already"):
        converter.build(inputs((1, 8)))


def test_parameters_by_position(model: str) -> None:
    """As TensorFlow 2.0 to 2.3 take them; the same place has another parameter since."""
    params = trt.TrtConversionParams(precision_mode="INT8", use_calibration=True)
    converter = trt.TrtGraphConverterV2(model, ["serve"], "serving_default", params, engine="onnxruntime")
    converter.convert(inputs((2, 24)))
    assert converter.grafted.report.precisions["INT8"] >= 2


def test_calibration_must_fit_the_precision(model: str) -> None:
    with pytest.raises(ValueError, match="calibration_input_fn is needed for precision_mode='INT8'"):
        trt.TrtGraphConverterV2(model, precision_mode="INT8", engine="onnxruntime").convert()
    with pytest.raises(ValueError, match="calibration_input_fn is given, and no calibration is needed"):
        trt.TrtGraphConverterV2(model, engine="onnxruntime").convert(inputs((1, 8)))


def test_a_conversion_that_failed_can_be_tried_again(model: str) -> None:
    converter = trt.TrtGraphConverterV2(model, precision_mode="INT8", engine="onnxruntime")
    with pytest.raises(FeedError, match="inputs"):
        converter.convert(lambda: iter([(images(1),)]))
    converter.convert(inputs((2, 24)))


@pytest.mark.parametrize(("given", "message"), [
    ({"input_saved_model_dir": None}, "input_saved_model_dir is needed"),
    ({"precision_mode": "FP8"}, "precision_mode is one of"),
    ({"use_dynamic_shape": True, "dynamic_shape_profile_strategy": "Best"},
     "dynamic_shape_profile_strategy is one of Range, Optimal, Range+Optimal, ImplicitBatchModeCompatible, not 'Best'"),
])  # fmt: skip
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        trt.TrtGraphConverterV2(**{"input_saved_model_dir": "m", "engine": "onnxruntime", **given})


def test_options_for_saved_models(model: str, tmp_path: Path) -> None:
    converter = trt.TrtGraphConverterV2(model, engine="onnxruntime")
    converter.convert()
    options = tf.saved_model.SaveOptions(save_debug_info=True)
    converter.save(str(tmp_path / "out"), options=options)
    assert (tmp_path / "out" / "debug" / "saved_model_debug_info.pb").exists()
    assert not options.namespace_whitelist  # the caller's own are as they were


def test_the_log_says_nothing_unasked(model: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tfgraft"):
        trt.TrtGraphConverterV2(model, engine="onnxruntime").convert()
    assert caplog.text == ""
