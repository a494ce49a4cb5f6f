"""autocast: which nodes compute in half precision, where casts stand, and what stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import build, native, run, x
from tests.passes.half import Half, autocast
from tfgraft.calibration.statistics import Statistics
from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.views import const_value, tensor_info
from tfgraft.passes.autocast import Autocast
from tfgraft.registry.entry import OpSpec
from tfgraft.registry.registry import Registry

R = np.random.default_rng(0)
W = R.standard_normal((4, 4)).astype("f")
ROWS = R.standard_normal((3, 4)).astype("f")
IMAGES = R.standard_normal((2, 6, 5, 3)).astype("f")
KERNEL = R.standard_normal((3, 3, 3, 4)).astype("f") / 4


def product(value: Any, name: str, weight: Any = W) -> Any:
    """Multiply by a constant."""
    return tf.matmul(value, tf.constant(weight), name=name)


@pytest.fixture
def half(registry: Registry) -> Callable[..., Half]:
    """Build a graph with the output `out` and let it compute in half precision."""

    def make(model: Callable[[], Any], *, fetches: tuple[str, ...] = ("out:0",), **options: Any) -> Half:
        return autocast(build(model), fetches, registry, **options)

    return make


def test_a_chain_has_casts_at_its_ends_and_weights_of_the_half_type(half: Callable[..., Half]) -> None:
    def model() -> None:
        value = product(x(), "a")
        tf.nn.relu(tf.nn.bias_add(value, tf.constant(W[0]), name="b"), name="c")

    result = half(model, fetches=("c:0",))
    assert result.casts == {"c": "c/float16:0", "x/to_float16": "x:0"}
    assert [result.dtype(f"{t}:0") for t in ("x", "a", "b", "c/float16", "c")] == [
        *("float32", "float16", "float16", "float16", "float32")
    ]
    assert {n.dtype("dtype") for n in result.graph if n.op == "Const"} == {"float16"}
    assert result.precisions == {"a": "FP16", "b": "FP16", "c": "FP16"}
    (cluster,) = result.ctx.results["clusters"]
    assert [str(ref) for ref in (*cluster.inputs, *cluster.outputs)] == ["x:0", "c:0"]
    assert not result.graph.verify()
    shapes = [tensor_info(result.graph, ref).shape for ref in (*cluster.inputs, *cluster.outputs)]
    assert shapes[0] is not None
    assert shapes[0][0] < -1
    assert shapes[0] == shapes[1]
    assert result.said("autocast") == ["3 of 3 nodes compute in float16."]


def test_softmax_stays_in_float32_between_products(half: Callable[..., Half]) -> None:
    result = half(lambda: tf.identity(product(tf.nn.softmax(product(x(), "a"), name="s"), "b"), name="out"))
    assert result.casts == {
        "x/to_float16": "x:0",
        "a/to_float32": "a:0",
        "s/to_float16": "s:0",
        "b/to_float32": "b:0",
    }
    assert result.precisions == {"a": "FP16", "s": "FP32", "b": "FP16"}
    (reason,) = result.said("fp32-denied")
    assert reason.startswith("In float32: 1 Softmax. Exponentials")


def test_a_normalization_is_in_float32_as_a_whole(half: Callable[..., Half]) -> None:
    def model() -> None:
        value = product(x(), "a")
        mean, variance = tf.nn.moments(value, [1], keepdims=True)
        value = tf.nn.batch_normalization(value, mean, variance, tf.constant(W[0]), tf.constant(W[1]), 1e-6)
        tf.identity(product(value, "b") + product(value, "c"), name="out")

    result = half(model)
    # One cast into the normalization and one out of it, whatever reads them.
    assert sorted(result.casts.values()) == ["a:0", "add:0", "batchnorm/add_1:0", "x:0"]
    assert {op for name, op in result.nodes.items() if result.precisions.get(name) == "FP16"} == {"MatMul", "AddV2"}
    (reason,) = result.said("fp32-unsafe")
    assert reason == "In float32: 3 Mul, 2 AddV2, 1 Sub. It computes with what must not be rounded."


def test_what_only_products_read_is_not_rounded_before(half: Callable[..., Half]) -> None:
    result = half(lambda: tf.identity(product(tf.tanh(x() * 0.1, name="t"), "a"), name="out"))
    assert result.casts == {"t/to_float16": "t:0", "a/to_float32": "a:0"}
    assert result.precisions == {"mul": "FP32", "t": "FP32", "a": "FP16"}


def test_values_move_in_the_type_that_they_have(half: Callable[..., Half]) -> None:
    def model() -> None:
        value = tf.transpose(tf.nn.relu(product(x(), "a")), name="t")
        best = tf.argmax(value, 0, name="best")
        tf.cast(best, tf.int32, name="where")
        tf.identity(tf.concat([value, value * 2.0], 0), name="out")

    result = half(model, fetches=("where:0", "out:0"))
    assert result.casts == {"where": "best:0", "x/to_float16": "x:0", "concat/to_float32": "concat:0"}
    assert result.graph.node("best").dtype("T") == "float16"


def test_casts_of_integers_become_casts_to_half(half: Callable[..., Half]) -> None:
    def model() -> None:
        image = tf.compat.v1.placeholder(tf.uint8, (None, 6, 5, 3), "x")
        tf.identity(tf.nn.conv2d(tf.cast(image, tf.float32, name="float"), KERNEL, 1, "SAME", name="a"), name="out")

    result = half(model)
    assert result.casts == {"float/to_float16": "x:0", "a/to_float32": "a:0"}


def test_positions_are_not_rounded(half: Callable[..., Half]) -> None:
    def model() -> None:
        scores = product(x(), "a")
        best = tf.cast(tf.argmax(scores, 1), tf.float32, name="best")
        tf.add(scores[:, 0], best, name="sum")
        tf.identity(scores + tf.cast(scores > 0.5, tf.float32), name="out")

    result = half(model, fetches=("sum:0", "out:0"))
    assert result.precisions["sum"] == "FP32"  # of positions
    assert result.precisions["add"] == "FP16"  # of zeros and ones


def test_a_fetched_node_keeps_name_and_type(half: Callable[..., Half]) -> None:
    def model() -> None:
        tf.nn.relu(product(tf.nn.relu(product(x(), "a"), name="b"), "c"), name="out")

    result = half(model, fetches=("b:0", "out:0"))
    assert [result.dtype(f"{t}:0") for t in ("a", "b/float16", "b", "c", "out")] == [
        *("float16", "float16", "float32", "float16", "float32")
    ]
    assert str(result.graph.inputs("c")[0]) == "b/float16:0"
    graph_def = build(model)
    got = run(result.graph_def, ["b:0", "out:0"], {"x:0": ROWS})
    for g, w in zip(got, run(graph_def, ["b:0", "out:0"], {"x:0": ROWS}), strict=True):
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, w, rtol=2e-2, atol=2e-2)


def test_a_fetched_node_with_several_outputs_stays(half: Callable[..., Half]) -> None:
    result = half(lambda: tf.split(product(x(), "a"), 2, 1, name="s"), fetches=("s:0", "s:1"))
    assert result.precisions == {"a": "FP16", "s": "FP32"}
    assert result.said("fp32-fetched") == ["In float32: 1 Split. It is fetched, and has several outputs."]


def test_native_nodes_and_other_clusters_see_float32(half: Callable[..., Half]) -> None:
    def model() -> None:
        value = tf.nn.relu(product(x(), "a"), name="b")
        tf.add(product(native(value, "n"), "c"), product(value, "d"), name="out")

    result = half(model, engine="onnxruntime")
    graph_def = build(model)
    assert len(result.ctx.results["clusters"]) == 2
    assert {result.dtype(str(ref)) for c in result.ctx.results["clusters"] for ref in (*c.inputs, *c.outputs)} == {
        "float32"
    }
    want = run(graph_def, ["out:0"], {"x:0": ROWS})[0]
    np.testing.assert_allclose(run(result.graph_def, ["out:0"], {"x:0": ROWS})[0], want, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(1e6), "has values of 1e+06; float16 ends at 65504."),
        (np.float32(-1e9), "has values of 1e+09; float16 ends at 65504."),
        (np.float32(1e-12), "has no values above 1e-12; float16 is exact from 6.1e-05 on."),
    ],
)
def test_a_constant_that_does_not_fit(half: Callable[..., Half], value: Any, text: str) -> None:
    def model() -> None:
        tf.identity(product(tf.add(product(x(), "a"), tf.constant(value, name="k"), name="b"), "c"), name="out")

    result = half(model)
    assert result.precisions == {"a": "FP16", "b": "FP32", "c": "FP16"}
    assert result.said("fp32-constant") == [f"In float32: 1 AddV2. The constant k {text}"]
    assert half(model, precision="BF16").precisions["b"] == "BF16"


def test_infinities_and_zeros_fit(half: Callable[..., Half]) -> None:
    mask = np.array([0, -np.inf, 0, 0], "f")
    result = half(lambda: tf.identity(tf.maximum(product(x(), "a"), tf.constant(mask), name="b"), name="out"))
    assert result.precisions == {"a": "FP16", "b": "FP16"}


def test_a_weight_is_shared(half: Callable[..., Half]) -> None:
    def model() -> None:
        weight = tf.identity(tf.constant(W, name="w"), name="read")
        tf.identity(tf.matmul(tf.matmul(x(), weight), weight), name="out")

    result = half(model)
    (const,) = [n for n in result.graph if n.op == "Const"]
    assert const.name.endswith("/float16")
    np.testing.assert_array_equal(const_value(const), W.astype(np.float16))


def test_a_weight_that_must_stay_is_there_in_both_types(half: Callable[..., Half]) -> None:
    def model() -> None:
        weight = tf.constant(W, name="w")
        tf.identity(tf.exp(tf.matmul(x(), weight)) + weight[0], name="out")

    result = half(model)
    assert result.precisions == {"MatMul": "FP16", "Exp": "FP32", "add": "FP32"}


def test_kept_nodes_stay(half: Callable[..., Half]) -> None:
    result = half(
        lambda: tf.identity(product(tf.nn.relu(product(x(), "head/a")), "b"), name="out"), keep=("head/*", "none")
    )
    assert result.precisions == {"head/a": "FP32", "Relu": "FP32", "b": "FP16"}
    assert result.said("fp32-kept") == ["In float32: 1 MatMul. It is kept in float32."]


def test_ranges_that_do_not_fit_stay(half: Callable[..., Half]) -> None:
    def model() -> None:
        tf.identity(product(tf.nn.relu(product(product(x(), "a"), "b"), name="c"), "d"), name="out")

    def observed(**values: float) -> CalibrationTable:
        return CalibrationTable({f"{name}:0": Statistics.of(np.array(v, "f")) for name, v in values.items()})

    table = observed(a=9e3, b=4e4, c=1.0)
    result = half(model, table=table)
    # b is too large; so is what c reads. c itself is in range, and d may read it rounded.
    assert result.precisions == {"a": "FP16", "b": "FP32", "c": "FP32", "d": "FP16"}
    assert result.said("fp32-range") == [
        "In float32: 1 MatMul. The calibration saw 40000 at most in b:0; float16 is safe from 6.1e-05 to 32752."
    ]
    assert half(model, table=table, precision="BF16").precisions["b"] == "BF16"
    small = half(model, table=observed(a=1e-6, b=0.0))
    assert small.precisions == {"a": "FP32", "b": "FP32", "c": "FP32", "d": "FP16"}
    assert small.said("fp32-range") == [
        "In float32: 2 MatMul. The calibration saw 1e-06 at most in a:0; float16 is safe from 6.1e-05 to 32752."
    ]


@pytest.mark.parametrize("op", ["FusedBatchNorm", "FusedBatchNormV3"])
def test_the_statistics_of_a_batch_norm_stay(half: Callable[..., Half], op: str) -> None:
    vectors = [np.abs(R.standard_normal(4)).astype("f") for _ in range(4)]

    def model(training: bool = False) -> None:
        value = tf.nn.conv2d(x(None, 6, 5, 3), KERNEL, 1, "SAME", name="a")
        norm = getattr(tf.raw_ops, op)
        args = dict(zip(("scale", "offset", "mean", "variance"), vectors, strict=True))
        value = norm(x=value, **args, epsilon=1e-3, is_training=training, name="n").y
        tf.identity(value, name="out")

    result = half(model)
    assert result.precisions == {"a": "FP16", "n": "FP16"}
    node = result.graph.node("n")
    assert (node.op, node.dtype("T"), node.dtype("U")) == (
        op if op[-1] == "3" else "FusedBatchNormV2",
        "float16",
        "float32",
    )
    assert [result.dtype(str(ref)) for ref in result.graph.inputs("n")] == ["float16"] + ["float32"] * 4
    want = run(build(model), ["out:0"], {"x:0": IMAGES})[0]
    np.testing.assert_allclose(run(result.graph_def, ["out:0"], {"x:0": IMAGES})[0], want, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(("size", "precision"), [(8, "FP16"), (9, "FP32")])
def test_large_windows_stay(half: Callable[..., Half], size: int, precision: str) -> None:
    def model() -> None:
        value = tf.nn.conv2d(x(None, 9, 9, 3), KERNEL, 1, "SAME", name="a")
        tf.identity(tf.nn.avg_pool2d(value, (8, size), 1, "VALID", name="m"), name="out")

    result = half(model)
    assert result.precisions == {"a": "FP16", "m": precision}
    stays = ["In float32: 1 AvgPool. AvgPool adds up 72 elements; in half precision it may at most 64."]
    assert result.said("fp32-denied") == (stays if precision == "FP32" else [])


def test_what_tensorflow_has_no_kernel_for_stays(half: Callable[..., Half]) -> None:
    def model() -> None:
        volume = tf.nn.conv3d(x(None, 4, 4, 4, 2), R.standard_normal((1, 1, 1, 2, 2)).astype("f"), [1] * 5, "SAME")
        tf.identity(tf.nn.max_pool3d(volume, 2, 2, "SAME", name="p"), name="out")

    result = half(model)
    assert result.said("fp32-no-kernel") == [
        "In float32: 1 MaxPool3D. TensorFlow has no kernel of MaxPool3D for float16 on the CPU, for the native segment."
    ]
    assert half(model, precision="BF16").precisions["p"] == "BF16"


def test_what_the_engine_does_not_take_stays(registry: Registry) -> None:
    narrow = Registry()
    narrow.add_engine(registry.engines["reference"])
    for entry in registry.converters("tensorrt"):
        spec = OpSpec(dtypes=frozenset({"float32"})) if entry.op == "Tanh" else entry.spec
        narrow.add(replace(entry, spec=spec))
    result = autocast(build(lambda: tf.identity(tf.tanh(product(x(), "a"), name="t"), name="out")), ["out:0"], narrow)
    assert result.precisions == {"a": "FP16", "t": "FP32"}
    assert result.said("fp32-refused") == [
        "In float32: 1 Tanh. [dtype] Input 0 has type float16; taken are float32. (input 0)"
    ]


def test_what_tensorflow_declares_for_no_half_type_stays(half: Callable[..., Half]) -> None:
    def model() -> None:
        image = tf.nn.conv2d(x(None, 6, 5, 3), KERNEL, 1, "SAME", name="a")
        boxes = tf.constant([[0.1, 0.2, 0.8, 0.9]])
        tf.identity(tf.image.crop_and_resize(image, boxes, [0], [3, 3]), name="out")

    assert half(model).precisions == {"a": "FP16", "CropAndResize": "FP16"}
    result = half(model, precision="BF16")
    assert result.precisions == {"a": "BF16", "CropAndResize": "FP32"}
    assert result.said("fp32-no-kernel") == [
        "In float32: 1 CropAndResize. TensorFlow's CropAndResize takes no bfloat16."
    ]


def test_an_engine_without_the_type_says_so_once(half: Callable[..., Half]) -> None:
    def model() -> None:
        tf.identity(product(x(), "a"), name="out")

    result = half(model, engine="onnxruntime", precision="BF16")
    assert result.casts == {}
    (said,) = [d for d in result.ctx.diagnostics if d.origin == "autocast"]
    assert said.severity == "warning"
    assert said.message.startswith("Engine onnxruntime does not compute in bfloat16; all stays in float32.")
    assert said.hint


def test_the_same_graph_each_time(half: Callable[..., Half]) -> None:
    def model() -> None:
        value = product(x(), "a")
        mean, variance = tf.nn.moments(value, [1], keepdims=True)
        tf.identity(product(value, "b") + product(value - mean, "c") * variance, name="out")

    first, second = half(model), half(model)
    assert first.graph_def == second.graph_def
    assert [d.message for d in first.ctx.diagnostics] == [d.message for d in second.ctx.diagnostics]


def test_a_precision_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="precision must be one of FP16, BF16, not 'FP8'"):
        Autocast("FP8")


def test_a_graph_with_nothing_for_half_precision_is_not_changed(half: Callable[..., Half]) -> None:
    result = half(lambda: tf.identity(tf.exp(x() + 1.0), name="out"))
    assert result.casts == {}
    assert to_graph_def(result.graph).node[0].name == "x"
    assert result.precisions == {"add": "FP32", "Exp": "FP32"}
