"""unroll_loops: loops that run once become ordinary nodes, others stay, and the numbers are TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.graph.models import function
from tests.passes.graft import X, build, run, v1, x
from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.load import load
from tfgraft.passes.base import PassContext
from tfgraft.passes.fold_shapes import FoldShapes
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.unroll_loops import UnrollLoops
from tfgraft.registry.registry import Registry

FRAMES = frozenset({"Enter", "Exit", "NextIteration", "LoopCond"})
ARRAYS = frozenset(
    {"TensorArrayV3", "TensorArrayReadV3", "TensorArrayGatherV3", "TensorListStack", "TensorListGetItem"}
)


def unrolled(graph_def: Any, feeds: Mapping[str, Any], *fetches: str, keep: Sequence[str] = ()) -> Graph:
    """Run the pass, and compare the graph with what it was made of."""
    names = fetches or ("out:0",)
    graph = from_graph_def(
        graph_def,
        feeds=[TensorRef.parse(f) for f in feeds],
        fetches=[TensorRef.parse(f) for f in names],
        keep=keep,
    )
    Pipeline([InferShapes(), FoldShapes(), UnrollLoops()]).run(graph, PassContext(Registry()))
    assert graph.verify() == []
    for got, want in zip(run(to_graph_def(graph), names, feeds), run(graph_def, names, feeds), strict=True):
        np.testing.assert_array_equal(got, want)
    return graph


def ops(graph: Graph) -> set[str]:
    return {node.op for node in graph}


def emit(function: Callable[[], Any], control_flow_v1: bool) -> Any:
    return build(lambda: tf.identity(function(), name="out"), control_flow_v1=control_flow_v1)


both = pytest.mark.parametrize("old", [True, False], ids=["tensorflow 1", "tensorflow 2"])


@both
def test_a_map_over_one_becomes_its_body(old: bool) -> None:
    def model() -> Any:
        rows = x(1, 4)
        return tf.map_fn(lambda row: tf.nn.softmax(row * 2.0) + tf.reduce_sum(row), rows)

    graph = unrolled(emit(model, old), {"x:0": X[:1]})
    assert not ops(graph) & (FRAMES | ARRAYS | LOOPS)


@both
def test_several_inputs_and_outputs(old: bool) -> None:
    def model() -> Any:
        rows = x(1, 4)
        first, second = tf.map_fn(
            lambda pair: (pair[0] * pair[1], tf.cast(tf.argmax(pair[0]), tf.int32)),
            (rows, rows + 1.0),
            fn_output_signature=(tf.float32, tf.int32),
        )
        return first * tf.cast(second, tf.float32)[:, None]

    graph = unrolled(emit(model, old), {"x:0": X[:1]})
    assert not ops(graph) & (FRAMES | ARRAYS | LOOPS)


@both
@pytest.mark.parametrize("shape", [(3, 4), (None, 4)])
def test_a_map_over_more_stays(old: bool, shape: tuple[int | None, ...]) -> None:
    graph = unrolled(emit(lambda: tf.map_fn(lambda row: row * 2.0, x(*shape)), old), {"x:0": X})
    assert ops(graph) & (FRAMES | LOOPS)


@both
@pytest.mark.parametrize(("limit", "step", "stays"), [(5, 5, False), (5, 4, True), (0, 1, True), (1, 7, False)])
def test_only_what_surely_runs_once_is_unrolled(old: bool, limit: int, step: int, stays: bool) -> None:
    def model() -> Any:
        _, y = v1.while_loop(lambda i, _: i < limit, lambda i, y: (i + step, y * 2.0 + 1.0), (0, x()))
        return y

    graph = unrolled(emit(model, old), {"x:0": X})
    assert bool(ops(graph) & (FRAMES | LOOPS)) == stays


@both
def test_a_loop_that_asks_for_more_than_a_count_stays(old: bool) -> None:
    def model() -> Any:
        _, y = v1.while_loop(
            lambda i, y: tf.logical_and(i < 1, tf.reduce_sum(y) < 100.0), lambda i, y: (i + 1, y * 2.0), (0, x())
        )
        return y

    graph = unrolled(emit(model, old), {"x:0": X})
    assert ops(graph) & (FRAMES | LOOPS)


@both
def test_a_loop_in_a_loop(old: bool) -> None:
    """The inner one goes over as much as there is; the outer one, over one."""

    def model() -> Any:
        def body(row: Any) -> Any:
            _, y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5 + row), (0, row))
            return y

        return tf.map_fn(body, x(1, 4))

    graph = unrolled(emit(model, old), {"x:0": X[:1]})
    assert not ops(graph) & ARRAYS
    assert sum(node.op in ("LoopCond", *LOOPS) for node in graph) == 1


@both
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_branch_in_a_loop(old: bool, sign: float) -> None:
    def model() -> Any:
        return tf.map_fn(
            lambda row: v1.cond(tf.reduce_sum(row) > 0, lambda: row * 2.0, lambda: row - 1.0), x(1, 4) * sign
        )

    graph = unrolled(emit(model, old), {"x:0": np.abs(X[:1])})
    assert not ops(graph) & (FRAMES | ARRAYS | LOOPS)


def test_what_leaves_a_loop_keeps_its_name() -> None:
    def model() -> None:
        v1.while_loop(lambda i, _: i < 1, lambda i, y: (i + 1, y * 2.0), (0, x()), name="loop")

    graph_def = build(model, control_flow_v1=True)
    graph = unrolled(graph_def, {"x:0": X}, "loop/Exit_1:0", "loop/Exit:0", keep=["loop/Exit"])
    assert not ops(graph) & FRAMES


def test_effects_in_a_loop_of_tensorflow_2_stay() -> None:
    @function(tf.TensorSpec((1, 4), tf.float32, name="x"))
    def model(rows: Any) -> Any:
        def body(row: Any) -> Any:
            tf.print(row, output_stream="file:///dev/null")
            return row * 2.0

        return tf.map_fn(body, rows)

    report = tfgraft.plan(model)
    assert any(node.op in LOOPS and node.fate == "native" for node in report.nodes)


@pytest.mark.parametrize("more", ["read", "size", "second"])
def test_arrays_that_are_used_otherwise(more: str) -> None:
    def model() -> Any:
        row = tf.reshape(x(1, 4), [4])
        array = v1.TensorArray(tf.float32, 1, element_shape=[4], infer_shape=False, clear_after_read=False)

        def body(i: Any, flow: Any) -> tuple[Any, Any]:
            return i + 1, flow.write(i, row * 2.0)

        _, array = v1.while_loop(lambda i, _: i < 1, body, (0, array))
        if more == "read":
            return array.read(0) + 1.0
        if more == "size":
            return array.stack() * tf.cast(array.size(), tf.float32)
        return array.stack() + array.stack() * 2.0

    graph = unrolled(emit(model, control_flow_v1=True), {"x:0": X[:1]})
    assert not ops(graph) & FRAMES
    assert ("TensorArrayV3" in ops(graph)) == (more == "read")


def detector() -> Any:
    """Boxes and scores, and what non-maximum suppression leaves of each picture's: as frozen detectors end."""
    pictures = x(None, 8, 8, 3)
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 5)).astype(np.float32)
    features = tf.reshape(tf.nn.sigmoid(tf.nn.conv2d(pictures, kernel, 2, "SAME")), [tf.shape(pictures)[0], -1, 5])

    def best(each: Any) -> tuple[Any, Any]:
        boxes, scores = each
        chosen = tf.image.non_max_suppression(boxes, scores, 6, 0.5, 0.2)
        count = tf.shape(chosen)[0]
        padded = tf.pad(tf.gather(boxes, chosen), [[0, 6 - count], [0, 0]])
        return tf.reshape(padded, [6, 4]), count

    boxes, counts = tf.map_fn(best, (features[..., :4], features[..., 4]), fn_output_signature=(tf.float32, tf.int32))
    return tf.concat([tf.reshape(boxes, [-1]), tf.cast(counts, tf.float32)], 0)


@both
def test_a_detector_of_one_picture_becomes_one_engine(old: bool) -> None:
    graph_def = emit(detector, old)
    picture = np.random.default_rng(1).standard_normal((1, 8, 8, 3)).astype(np.float32)
    (want,) = run(graph_def, ["out:0"], {"x:0": picture})
    grafted = tfgraft.optimize(load(graph_def, outputs=["out"], input_shapes={"x": (1, 8, 8, 3)}), strict=True)
    assert len(grafted.report.clusters) == 1
    assert {node.op for node in grafted.graph_def.node} <= {"Placeholder", "Const", "TfGraft>Engine", "Identity"}
    (got,) = run(grafted.graph_def, ["out:0"], {"x:0": picture})
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
