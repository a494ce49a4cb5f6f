"""Calibration graphs: what they observe, and what is said when they are not used as they must be."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.compat.models import engines, frozen_graph, images, run
from tfgraft.compat import tensorrt as trt
from tfgraft.compat.tensorrt.observers import Observers, find_observers, statistics_of


def calibration_graph(graph_def: Any = None, outputs: Any = ("output/Softmax",), **more: Any) -> Any:
    graph_def = frozen_graph() if graph_def is None else graph_def
    return trt.create_inference_graph(
        graph_def, list(outputs), 8, precision_mode="INT8", engine="onnxruntime", intra_op_threads=1, **more
    )


def observers_of(graph_def: Any) -> Observers:
    found = find_observers(graph_def)
    assert found is not None
    return found


def test_it_observes_what_calibrate_observes() -> None:
    """Bit for bit: the same extremes, and the same sample of elements in the histogram."""
    feeds = [images(4, seed) for seed in range(3)]
    graph = calibration_graph()
    for feed in feeds:
        run(graph, feed)
    table = observers_of(graph).table()
    wanted = tfgraft.calibrate(frozen_graph(), feeds, outputs=["output/Softmax"])
    assert table.samples == wanted.samples == 3
    assert table.names == wanted.names
    assert len(table.names) >= 4
    for name in table.names:
        assert table.statistics(name).to_dict() == wanted.statistics(name).to_dict()


def test_it_computes_what_the_model_does_by_the_same_names() -> None:
    x = images(2)
    graph = calibration_graph(outputs=["output/Softmax", "logits", "relu0"])
    for name in ("output/Softmax:0", "logits:0", "relu0:0"):
        np.testing.assert_allclose(run(graph, x, name), run(frozen_graph(), x, name), rtol=1e-6)


def test_only_what_is_run_is_observed() -> None:
    graph = calibration_graph(outputs=["output/Softmax", "relu0"])
    run(graph, images(2), "relu0:0")
    assert observers_of(graph).table().names == {"input:0"}


def test_sessions_may_run_it_from_several_threads() -> None:
    graph = calibration_graph()
    feeds = [images(2, seed) for seed in range(12)]
    with tf.Graph().as_default():
        (y,) = tf.graph_util.import_graph_def(graph, return_elements=["output/Softmax:0"], name="")
        with tf.compat.v1.Session() as session, ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda feed: session.run(y, {"input:0": feed}), feeds))
    table = observers_of(graph).table()
    assert table.samples == 12
    assert table.statistics("input:0").count == 12 * 2 * 24 * 24 * 3
    assert table.bound("input:0") == max(float(feed.max()) for feed in feeds)


def test_values_that_are_not_finite_count_for_nothing() -> None:
    values = np.array([[1, np.nan, -3], [np.inf, 2, -np.inf]], np.float32)
    seen = statistics_of(values, 0)
    assert (seen.count, seen.invalid, seen.lowest, seen.highest) == (6, 3, -3, 2)
    assert seen.histogram.total == 3
    assert statistics_of(values[:1, 1:2], 0).invalid == 1
    assert statistics_of(np.zeros((0, 4), np.float32), 0).count == 0


def test_one_that_saw_nothing() -> None:
    graph = calibration_graph()
    with pytest.raises(ValueError, match=r"has not seen any data. Run it in a Session on representative inputs"):
        trt.calib_graph_to_infer_graph(graph)
    run(graph, images(2))
    assert engines(trt.calib_graph_to_infer_graph(graph))  # the error did no harm


def test_one_that_is_converted_already() -> None:
    graph = calibration_graph()
    run(graph, images(2))
    trt.calib_graph_to_infer_graph(graph)
    with pytest.raises(ValueError, match="made in another process, or has been converted already"):
        trt.calib_graph_to_infer_graph(graph)


def test_what_is_no_calibration_graph() -> None:
    for graph in (frozen_graph(), trt.create_inference_graph(frozen_graph(), None, engine="onnxruntime")):
        with pytest.raises(ValueError, match=r"This is no calibration graph: .*precision_mode='INT8'"):
            trt.calib_graph_to_infer_graph(graph)


def test_two_at_once_do_not_mix() -> None:
    one, two = calibration_graph(), calibration_graph()
    run(one, images(2))
    run(two, 2 * images(2))
    assert observers_of(two).table().bound("input:0") == 2 * observers_of(one).table().bound("input:0")


def test_another_process_is_told_so(tmp_path: Path) -> None:
    """Neither the numbers nor the error may be silent about it."""
    graph = calibration_graph()
    run(graph, images(2))
    (tmp_path / "calibration.pb").write_bytes(graph.SerializeToString())
    code = f"""
import tensorflow as tf
from tests.compat.models import images, run
from tfgraft.compat import tensorrt as trt
graph = tf.compat.v1.GraphDef.FromString(open({str(tmp_path / "calibration.pb")!r}, "rb").read())
for call in (lambda: run(graph, images(2)), lambda: trt.calib_graph_to_infer_graph(graph)):
    try:
        call()
    except (ValueError, tf.errors.OpError) as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "no engine 'tfgraft_calibration_" in done.stdout
    assert "This calibration graph was made in another process" in done.stdout


def test_ranges_in_the_model_need_no_calibration() -> None:
    """use_calibration=False: what fake quantization has trained is used, and asked for if it is not there."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 4], "x")
        k = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype("f"))
        h = tf.quantization.fake_quant_with_min_max_args(x, 0, 1)
        h = tf.nn.conv2d(h, tf.quantization.fake_quant_with_min_max_args(k, -3, 3), 1, "SAME")
        tf.quantization.fake_quant_with_min_max_args(tf.nn.relu(h), 0, 12, name="y")
    more: Any = {"precision_mode": "INT8", "use_calibration": False, "engine": "onnxruntime", "minimum_segment_size": 1}
    converted = trt.create_inference_graph(graph.as_graph_def(), ["y"], **more)
    assert engines(converted)
    with pytest.raises(ValueError, match="precision='INT8' needs the ranges of activations: give calibration="):
        trt.create_inference_graph(frozen_graph(), ["output/Softmax"], **more)
