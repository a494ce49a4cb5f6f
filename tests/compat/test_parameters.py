"""TF-TRT's parameters: what each does here, and the errors for what they cannot be."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.compat.models import close, engines, frozen_graph, images, run, saved_model, saved_model_v1
from tests.load.models import Words, save
from tfgraft.compat import tensorrt as trt
from tfgraft.compat.tensorrt.engines import check_portable, default_engine
from tfgraft.compat.tensorrt.profiles import batch_profiles, cached_profiles, options_by
from tfgraft.errors import ModelError
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.runtime.node import read_metadata
from tfgraft.runtime.process import current

RTX: Any = {"engine": "tensorrt", "flavour": "tensorrt_rtx", "compute_capabilities": "8.9"}


def create(**given: Any) -> Any:
    return trt.create_inference_graph(frozen_graph(), ["output/Softmax"], **{"engine": "onnxruntime", **given})


def metadata(graph_def: Any) -> Any:
    (node,) = engines(graph_def)
    return read_metadata(node.attr["metadata"].s).metadata


def test_the_names_of_both_old_modules() -> None:
    from tfgraft.compat.tensorrt import trt_convert

    assert trt.trt_convert is trt_convert
    for name in trt_convert.__all__:
        assert getattr(trt, name) is getattr(trt_convert, name)
    assert trt.Converter is trt.TrtGraphConverterV2
    assert trt.ConversionParams is trt.TrtConversionParams


def test_precision_modes() -> None:
    assert trt.TrtPrecisionMode.supported_precision_modes() == ["FP32", "FP16", "INT8", "fp32", "fp16", "int8"]
    close("FP16", run(create(precision_mode="fp16"), images(2)), run(frozen_graph(), images(2)))


def test_default_parameters() -> None:
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS
    assert params == trt.TrtConversionParams()
    assert params.max_workspace_size_bytes == sys.maxsize - 512
    assert (params.precision_mode, params.minimum_segment_size, params.maximum_cached_engines) == ("FP32", 3, 1)
    assert params.use_calibration
    assert params.allow_build_at_runtime
    assert params._replace(precision_mode="FP16").precision_mode == "FP16"


@pytest.mark.parametrize(("given", "message"), [
    ({"precision_mode": "FP8"}, "precision_mode is one of FP32, FP16, INT8, fp32, fp16, int8, not 'FP8'."),
    ({"minimum_segment_size": 0}, "minimum_segment_size is positive, or -1 for no engine in the main graph, not 0."),
    ({"max_workspace_size_bytes": -1}, "max_workspace_size_bytes is a positive whole number, not -1."),
    ({"maximum_cached_engines": 0}, "maximum_cached_engines is a positive whole number, not 0."),
    ({"max_batch_size": None}, "max_batch_size is a positive whole number when is_dynamic_op is false, not None."),
    ({"cached_engine_batches": [1, 2], "is_dynamic_op": True}, "has 2 sizes, and maximum_cached_engines is 1."),
    ({"input_saved_model_dir": "m"}, "Both of input_graph_def and input_saved_model_dir are given"),
    ({"output_saved_model_dir": "m"}, "output_saved_model_dir is for a model that comes from input_saved_model_dir"),
    ({"engine": "tensort"}, "There is no engine 'tensort'; registered are:"),
    ({"providers": ()}, "option providers needs at least one execution provider"),
    ({"batch": (1, 2, 3)}, "engine onnxruntime has no option 'batch'"),
])  # fmt: skip
def test_what_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        create(**given)


@pytest.mark.parametrize(("given", "message"), [
    ({"input_graph_def": "model.pb"}, "input_graph_def is a frozen GraphDef, not a str."),
    ({"outputs": [3]}, "outputs are names of nodes or tensors, or tensors, not 3"),
    ({"cached_engine_batches": 8}, "cached_engine_batches is a list of batch sizes, not 8."),
])  # fmt: skip
def test_what_is_of_another_type(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        trt.create_inference_graph(
            **{"input_graph_def": frozen_graph(), "outputs": None, "engine": "onnxruntime", **given}
        )


def test_outputs_that_are_not_there_and_no_model() -> None:
    with pytest.raises(ModelError, match=r"has no node 'output/Softmx' .*Did you mean 'output/Softmax'"):
        trt.create_inference_graph(frozen_graph(), "output/Softmx", engine="onnxruntime")
    with pytest.raises(ValueError, match="Neither of input_graph_def and input_saved_model_dir are given: give one"):
        trt.create_inference_graph(None, None, engine="onnxruntime")


def test_small_clusters_stay_native() -> None:
    assert len(engines(create())) == 1
    assert engines(create(minimum_segment_size=100)) == []
    assert engines(create(minimum_segment_size=-1)) == []


def test_arguments_of_optimize_go_with_them() -> None:
    converted = create(denylist=["conv1"], strict=True)
    assert "conv1" in {node.name for node in converted.node}
    assert all(node.attr["strict"].b for node in engines(converted))


def test_the_engine_is_chosen_and_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tests run there is no GPU that TensorRT takes; if there is one, nothing has to be said."""
    monkeypatch.setattr(current()[0], "_warned", {})
    chosen = {default_engine() for _ in range(3)}
    assert chosen == ({"onnxruntime"} if caplog.records else {"tensorrt"})
    assert len(caplog.records) <= 1
    if chosen == {"onnxruntime"}:
        assert "Engines are built for ONNX Runtime, because TensorRT cannot run here: " in caplog.text
        assert "Give engine='onnxruntime' to say that this is wanted" in caplog.text
        (node,) = engines(trt.create_inference_graph(frozen_graph(), ["output/Softmax"]))
        assert node.attr["engine"].s == b"onnxruntime"


@pytest.mark.parametrize(
    ("capability", "chosen"), [((8, 9), "tensorrt"), ((12, 0), "tensorrt"), ((9, 0), "onnxruntime")]
)
def test_tensorrt_is_chosen_for_gpus_that_it_takes(
    capability: tuple[int, int], chosen: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU is a stand-in, TensorRT-RTX is what is installed."""
    monkeypatch.setattr(current()[0], "_warned", {})
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [tf.config.PhysicalDevice("0", kind)])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"compute_capability": capability})
    assert find_flavour()[0] == "tensorrt_rtx"
    assert default_engine() == chosen
    assert ("TensorRT-RTX has no kernels for compute capability 9.0" in caplog.text) == (chosen == "onnxruntime")


@pytest.mark.parametrize("engine", ["reference", "tensorrt"])
def test_int8_for_tensorrt(engine: str) -> None:
    """Its ranges are used by TensorRT's networks: built by TensorRT-RTX, and computed by the reference engine."""
    more: Any = {**RTX, "engine": engine, "precision_mode": "INT8", "strict": engine == "reference"}
    graph = create(**more, max_batch_size=8)
    run(graph, images(8))
    x = images(3)
    converted = trt.calib_graph_to_infer_graph(graph)
    assert len(engines(converted)) == 1
    close("INT8", run(converted, x), run(frozen_graph(), x))


def test_batch_and_workspace_of_tensorrt() -> None:
    """`max_batch_size` is the largest batch that an engine takes, the workspace a limit of its options."""
    found = metadata(create(**RTX, max_batch_size=16, max_workspace_size_bytes=1 << 25))
    assert found["profiles"] == [[[[1, 24, 24, 3], [16, 24, 24, 3], [16, 24, 24, 3]]]]
    assert found["options"]["workspace_bytes"] == 1 << 25
    assert metadata(create(**RTX))["options"]["workspace_bytes"] is None


def test_batches_of_dynamic_engines() -> None:
    more: Any = {"is_dynamic_op": True, "max_batch_size": None, "maximum_cached_engines": 4}
    found = metadata(create(**RTX, **more, cached_engine_batches=[8, 1]))
    assert [profile[0] for profile in found["profiles"]] == [
        [[1, 24, 24, 3], [1, 24, 24, 3], [1, 24, 24, 3]],
        [[1, 24, 24, 3], [8, 24, 24, 3], [8, 24, 24, 3]],
    ]
    close("FP32", run(create(**more), images(5)), run(frozen_graph(), images(5)))


def test_profiles_by_strategy() -> None:
    seen = [{"x:0": (2, 8)}, {"x:0": (4, 8)}, {"x:0": (2, 8)}]
    two, four = (2, 8), (4, 8)
    assert options_by("Range", seen) == {"observed": tuple(seen)}
    optimal = ({"x:0": (two, two, two)}, {"x:0": (four, four, four)})
    assert options_by("Optimal", seen) == {"profiles": optimal}
    assert options_by("Range+Optimal", seen) == {"profiles": optimal, "observed": tuple(seen)}
    assert options_by("ImplicitBatchModeCompatible", seen) == {
        "profiles": ({"x:0": ((1, 8), two, two)}, {"x:0": ((1, 8), four, four)})
    }


def test_what_a_cache_of_static_engines_holds() -> None:
    seen = [{"x:0": (4, 8)}, {"x:0": (2, 8)}, {"x:0": (2, 9)}, {"x:0": (8, 8)}]
    profiles, left = cached_profiles(seen, 2)
    assert profiles == [{"x:0": ((1, 8), (4, 8), (4, 8))}, {"x:0": ((1, 9), (2, 9), (2, 9))}]
    assert left == [{"x:0": (8, 8)}]
    assert batch_profiles({"x:0": (-1, 3)}, [4, 2])[0] == {"x:0": ((1, 3), (2, 3), (2, 3))}
    assert cached_profiles([{"n:0": (), "x:0": (0, 3)}], 1)[0] == [
        {"n:0": ((), (), ()), "x:0": ((0, 3), (0, 3), (0, 3))}
    ]


def test_engines_for_one_gpu_alone_are_told_from_others() -> None:
    check_portable(create())
    check_portable(create(**RTX))
    graph = create()
    (node,) = engines(graph)
    node.attr["metadata"].s = node.attr["metadata"].s.replace(b'"metadata": {', b'"metadata": {"flavour": "tensorrt", ')
    with pytest.raises(ValueError, match=r"was built by TensorRT for this GPU, and engines are not built again"):
        check_portable(graph)


@pytest.mark.parametrize("write", [saved_model, saved_model_v1])
def test_a_saved_model(write: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    target = tmp_path / "target"
    graph = trt.create_inference_graph(
        None, None, 8, input_saved_model_dir=source, input_saved_model_tags=["serve"],
        output_saved_model_dir=target, engine="onnxruntime",
    )  # fmt: skip
    assert len(engines(graph)) == 1
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:  # as a program of TensorFlow 1 loads it
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(target))
        signature = meta.signature_def["serving_default"]
        named = {"image": images(2), "x": images(2), "prior": np.zeros((2, 10), "f")}
        feed = {info.name: named[key] for key, info in signature.inputs.items()}
        got = session.run({key: info.name for key, info in signature.outputs.items()}, feed)
    wanted = run(frozen_graph(), images(2))
    close("FP32", got["y"] if "y" in got else got["probabilities"], wanted)


def test_a_saved_model_in_int8_is_written_when_it_is_calibrated(tmp_path: Path) -> None:
    source, target = saved_model_v1(tmp_path / "source"), tmp_path / "target"
    graph = trt.create_inference_graph(
        None, None, precision_mode="INT8", input_saved_model_dir=source, output_saved_model_dir=target,
        engine="onnxruntime",
    )  # fmt: skip
    assert not target.exists()
    run(graph, images(8))
    trt.calib_graph_to_infer_graph(graph)
    loaded = tf.saved_model.load(str(target)).signatures["serving_default"]
    close("INT8", loaded(x=tf.constant(images(2)))["y"].numpy(), run(frozen_graph(), images(2)))


def test_what_a_graph_def_cannot_hold(tmp_path: Path) -> None:
    words = save(Words(tmp_path), tmp_path / "words")
    with pytest.raises(ValueError, match=r"needs resources outside its graph.*Use TrtGraphConverterV2"):
        trt.create_inference_graph(None, None, input_saved_model_dir=words, engine="onnxruntime")


def test_the_report_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tfgraft"):
        create()
    assert "1 clusters for onnxruntime" in caplog.text
