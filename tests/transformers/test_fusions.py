"""What transformers are written as becomes ONNX Runtime's kernels for it, near misses do not, and numbers stay."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf

from tests.cases.case import OpCase, graph_of
from tests.cases.onnx_engine import Dumping, op_converters, run, whole
from tests.int8.graphs import kernel, signed, unsigned, values
from tfgraft.converters.onnx.model import OnnxModel, cluster_to_onnx
from tfgraft.graph.graph import Graph

Build = Callable[..., Any]
_R = np.random.default_rng(0)
_ONNX_RUNTIME = frozenset({"com.microsoft"})


def _values(*shape: int) -> Any:
    return _R.standard_normal(shape, np.float32)


X, Y, Z = _values(2, 5, 12), _values(2, 5, 12), _values(2, 7, 12)
GAIN, SHIFT = 1 + _values(12), _values(12)
WEIGHTS = _values(12, 20)
EPSILON = 1e-3


def _converted(
    build: Build, inputs: list[Any], dynamic: Any = False, domains: frozenset[str] = _ONNX_RUNTIME
) -> tuple[Graph, OnnxModel, list[Any]]:
    graph, want = graph_of(OpCase("case", "", build, inputs, dynamic))
    return graph, cluster_to_onnx(whole(graph), graph, op_converters(), ("onnx",), domains=domains), want


def _ops(model: OnnxModel) -> Counter[str]:
    return Counter(node.op_type for node in model.model.graph.node)


def _check(
    build: Build, inputs: list[Any], op: str, count: int, dynamic: Any = False, without: tuple[str, ...] = ()
) -> None:
    """Check how many nodes of a type there are, that there are none of others, and the numbers."""
    graph, made, want = _converted(build, inputs, dynamic)
    ops = _ops(made)
    assert ops[op] == count, ops
    assert not any(ops[other] for other in without), ops
    for a, b in zip(run(graph, made, inputs), want, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


# Layer normalization -----------------------------------------------------------------------------------------------


def _moments(x: Any, axes: Any = (-1,)) -> tuple[Any, Any]:
    return tf.nn.moments(x, axes, keepdims=True)


def _keras(x: Any, scale: Any = GAIN, shift: Any = SHIFT) -> Any:
    """Normalize as Keras 3 does."""
    mean, variance = _moments(x)
    s = tf.math.rsqrt(variance + EPSILON)
    s = s if scale is None else s * scale
    moved = -mean * s
    return x * s + (moved if shift is None else moved + shift)


def _tf_keras(x: Any, scale: Any = GAIN, shift: Any = SHIFT, axes: Any = (-1,)) -> Any:
    return tf.nn.batch_normalization(x, *_moments(x, axes), shift, scale, EPSILON)


def _divided(x: Any, scale: Any = GAIN, shift: Any = SHIFT) -> Any:
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), -1, keepdims=True)
    return (x - mean) / tf.sqrt(variance + EPSILON) * scale + shift


def _rooted(x: Any, axes: Any = (-1,), other: Any = (-1,), plus: bool = False) -> Any:
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean((x - mean) * (x - mean), other, keepdims=True)
    return (x + mean if plus else x - mean) * tf.math.rsqrt(variance + EPSILON) * GAIN


NORMS: dict[str, Build] = {
    "keras": _keras,
    "keras-no-scale": lambda x: _keras(x, scale=None),
    "keras-no-shift": lambda x: _keras(x, shift=None),
    "keras-neither": lambda x: _keras(x, None, None),
    "keras-shaped": lambda x: _keras(x, GAIN.reshape(1, 1, 12), SHIFT.reshape(1, 12)),
    "tf-keras": _tf_keras,
    "tf-keras-no-scale": lambda x: _tf_keras(x, scale=None),
    "tf-keras-no-shift": lambda x: _tf_keras(x, shift=None),
    "divided": _divided,
    "divided-scalars": lambda x: _divided(x, 1.5, 0.25),
    "rooted": _rooted,
    "twice": lambda x: _tf_keras(_rooted(x)),
}

NOT_NORMS: dict[str, Build] = {
    "first-axis": lambda x: _tf_keras(x, axes=(1,)),
    "other-axes": lambda x: _rooted(x, (-1,), (1,)),
    "more-axes": lambda x: _rooted(x, (-1,), (1, 2)),
    "sign": lambda x: _rooted(x, plus=True),
    "scale-of-rows": lambda x: _keras(x, scale=_values(5, 1)),
    "scale-of-both": lambda x: _keras(x, scale=_values(5, 12)),
    "moments-of-another": lambda x: tf.nn.batch_normalization(x, *_moments(x * x), SHIFT, GAIN, EPSILON),
    "mean-of-another": lambda x: tf.nn.batch_normalization(x, _moments(x * x)[0], _moments(x)[1], SHIFT, GAIN, EPSILON),
    "other-scale-for-the-mean": lambda x: (
        x * tf.math.rsqrt(_moments(x)[1] + 1.0) - _moments(x)[0] * tf.math.rsqrt(_moments(x)[1] + 2.0)
    ),
    "float64": lambda x: _keras(tf.cast(x, tf.float64), GAIN.astype(np.float64), SHIFT.astype(np.float64)),
}


@pytest.mark.parametrize("dynamic", [False, ((None, None, 12),)], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", NORMS)
def test_layer_norms_are_fused(name: str, dynamic: Any) -> None:
    count = 2 if name == "twice" else 1
    _check(NORMS[name], [X], "LayerNormalization", count, dynamic, without=("ReduceMean", "Sqrt", "Mul", "Sub"))


@pytest.mark.parametrize("name", NOT_NORMS)
def test_what_is_almost_a_layer_norm_is_not(name: str) -> None:
    _check(NOT_NORMS[name], [X], "LayerNormalization", 0)


def test_a_layer_norm_may_be_over_several_dimensions() -> None:
    gain = _values(5, 12)
    _check(lambda x: _tf_keras(x, gain, None, (1, 2)), [X], "LayerNormalization", 1, ((None, 5, 12),))


def test_the_last_size_has_to_be_known() -> None:
    _check(lambda x: _keras(x, None, None), [X], "LayerNormalization", 0, dynamic=True)


def test_what_is_read_inside_stays() -> None:
    def build(x: Any) -> Any:
        mean, variance = _moments(x)
        return tf.nn.batch_normalization(x, mean, variance, SHIFT, GAIN, EPSILON), mean, variance

    _check(build, [X], "LayerNormalization", 1)


def test_a_layer_norm_with_a_large_mean_keeps_its_digits() -> None:
    graph, made, _ = _converted(_keras, [X + 100])
    (got,) = run(graph, made, [X + 100])
    exact = (X + 100).astype(np.float64)
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + EPSILON) * GAIN + SHIFT
    np.testing.assert_allclose(got, exact, rtol=1e-4, atol=1e-4)


def test_a_sum_in_front_stays_apart(tmp_path: Path) -> None:
    """ONNX Runtime's kernel for both takes the variance as a difference, which leaves few digits here."""
    x = X + 300
    graph, made, _ = _converted(lambda a: _keras(a + tf.nn.relu(a)), [x])
    path = tmp_path / "optimized.onnx"
    (got,) = run(graph, made, [x], Dumping(path=str(path)))
    assert [node.op_type for node in onnx.load(path).graph.node] == ["Relu", "Add", "LayerNormalization"]
    exact = (x + x).astype(np.float64)
    exact = (exact - exact.mean(-1, keepdims=True)) / np.sqrt(exact.var(-1, keepdims=True) + EPSILON) * GAIN + SHIFT
    np.testing.assert_allclose(got, exact, rtol=1e-4, atol=2e-4)


# Gelu --------------------------------------------------------------------------------------------------------------

_ROOT = math.sqrt(2 / math.pi)

GELUS: dict[str, tuple[Build, str]] = {
    "erf": (lambda x: 0.5 * x * (1.0 + tf.math.erf(x / np.float32(math.sqrt(2)))), "Gelu"),
    "erf-of-minus": (lambda x: (1.0 - tf.math.erf(-x * np.float32(math.sqrt(0.5)))) * (x / 2.0), "Gelu"),
    "cdf": (lambda x: x * (0.5 * (1.0 + tf.math.erf(x / np.float32(math.sqrt(2))))), "Gelu"),
    "halves": (lambda x: x * (0.5 * tf.math.erf(x * np.float32(math.sqrt(0.5))) + 0.5), "Gelu"),
    "tanh": (lambda x: tf.nn.gelu(x, approximate=True), "FastGelu"),
    "cube": (lambda x: 0.5 * x * (1.0 + tf.tanh(_ROOT * (x + 0.044715 * (x * x * x)))), "FastGelu"),
    "square": (lambda x: 0.5 * x * (1.0 + tf.tanh((0.044715 * (x * tf.square(x)) + x) * _ROOT)), "FastGelu"),
}

NOT_GELUS: dict[str, Build] = {
    "root": lambda x: 0.5 * x * (1.0 + tf.math.erf(x / 1.414)),
    "half": lambda x: 0.51 * x * (1.0 + tf.math.erf(x / np.float32(math.sqrt(2)))),
    "one": lambda x: 0.5 * x * (1.1 + tf.math.erf(x / np.float32(math.sqrt(2)))),
    "sign": lambda x: 0.5 * x * (1.0 - tf.math.erf(x / np.float32(math.sqrt(2)))),
    "another": lambda x: 0.5 * tf.abs(x) * (1.0 + tf.math.erf(x / np.float32(math.sqrt(2)))),
    "coefficient": lambda x: 0.5 * x * (1.0 + tf.tanh(_ROOT * (x + 0.0447 * tf.pow(x, 3.0)))),
    "power": lambda x: 0.5 * x * (1.0 + tf.tanh(_ROOT * (x + 0.044715 * tf.pow(x, 2.0)))),
    "tanh-of-minus": lambda x: 0.5 * x * (1.0 + tf.tanh(-_ROOT * (x + 0.044715 * tf.pow(x, 3.0)))),
    "float64": lambda x: tf.nn.gelu(tf.cast(x, tf.float64), approximate=True),
}


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", GELUS)
def test_gelus_are_fused(name: str, dynamic: bool) -> None:
    build, op = GELUS[name]
    _check(build, [X * 3], op, 1, dynamic, without=("Erf", "Tanh", "Mul"))


@pytest.mark.parametrize("name", NOT_GELUS)
def test_what_is_almost_a_gelu_is_not(name: str) -> None:
    for op in ("Gelu", "FastGelu"):
        _check(NOT_GELUS[name], [X * 3], op, 0)


# Products with weights ---------------------------------------------------------------------------------------------


def _tensordot(x: Any) -> Any:
    """Multiply as `tf.tensordot` does, its constants folded."""
    shape = tf.concat([tf.gather(tf.shape(x), [0, 1]), [20]], 0)
    return tf.reshape(tf.matmul(tf.reshape(x, [-1, 12]), tf.constant(WEIGHTS)), shape)


def _shaped(x: Any, order: tuple[int, int] = (0, 1)) -> Any:
    shape = tf.shape(x)
    result = tf.matmul(tf.reshape(x, [-1, 12]), tf.constant(WEIGHTS))
    return tf.reshape(result, [shape[order[0]], shape[order[1]], 20])


@pytest.mark.parametrize("dynamic", [False, ((None, None, 12),), ((None, 5, 12),), ((2, None, 12),)], ids=str)
@pytest.mark.parametrize("build", [_tensordot, _shaped])
def test_dense_layers_are_one_product(build: Build, dynamic: Any) -> None:
    _check(build, [X], "MatMul", 1, dynamic, without=("Reshape", "Shape", "Gather", "Concat"))


NOT_DENSE: dict[str, tuple[Build, list[Any], Any]] = {
    "transposed": (lambda x: _shaped(x, (1, 0)), [X], ((None, None, 12),)),
    "other-rows": (lambda x: tf.reshape(tf.reshape(x, [-1, 12]) @ tf.constant(WEIGHTS), [5, 2, 20]), [X], False),
    "other-columns": (lambda x: tf.reshape(tf.reshape(x, [10, 12]) @ tf.constant(WEIGHTS), [2, 10, 10]), [X], False),
    "first-dimensions": (lambda x: tf.tensordot(x, tf.constant(_values(2, 5, 3)), [[0, 1], [0, 1]]), [X], False),
    "no-weights": (lambda x, y: tf.tensordot(x, y, [[2], [0]]), [X, WEIGHTS], False),
}


@pytest.mark.parametrize("name", NOT_DENSE)
def test_other_shapes_around_products_stay(name: str) -> None:
    build, inputs, dynamic = NOT_DENSE[name]
    graph, made, want = _converted(build, inputs, dynamic)
    assert _ops(made)["Reshape"] >= 1
    np.testing.assert_allclose(run(graph, made, inputs)[0], want[0], rtol=1e-5, atol=1e-5)


# Attention ---------------------------------------------------------------------------------------------------------


def _heads(x: Any, heads: int = 3) -> Any:
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1], heads, x.shape[2] // heads])


def _einsum(q: Any, k: Any, v: Any) -> Any:
    """Attend as Keras does."""
    q, k, v = (_heads(x) for x in (q, k, v))
    weights = tf.nn.softmax(0.5 * tf.einsum("aecd,abcd->acbe", k, q))
    return tf.einsum("acbe,aecd->abcd", weights, v)


def _matmul(q: Any, k: Any, v: Any, scores: Callable[[Any], Any] = lambda s: s / 2.0, q_scale: Any = 1.0) -> Any:
    q, k, v = (tf.transpose(_heads(x), [0, 2, 1, 3]) for x in (q, k, v))
    weights = tf.nn.softmax(scores(tf.matmul(q * q_scale, k, transpose_b=True)))
    result = tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3])
    return tf.reshape(result, [tf.shape(q)[0], -1, 3 * v.shape[3]])


WIDE = _values(2, 7, 18)
ATTENTIONS: dict[str, tuple[Build, list[Any]]] = {
    "einsum": (_einsum, [X, Z, Z]),
    "matmul": (_matmul, [X, Z, Z]),
    "self": (lambda x: _matmul(x, x, x), [X]),
    "scaled-queries": (lambda q, k, v: _matmul(q, k, v, lambda s: s, 0.3), [X, Z, Z]),
    "scaled-twice": (lambda q, k, v: _matmul(q, k, v, lambda s: s / 3.0, -0.3), [X, Z, Z]),
    "unscaled": (lambda q, k, v: _matmul(q, k, v, lambda s: s), [X, Z, Z]),
    "wider-values": (_matmul, [X, Z, WIDE]),
}


def _masked(q: Any, k: Any, v: Any) -> Any:
    return _matmul(q, k, v, lambda s: s / 2.0 + tf.constant(_values(1, 1, 5, 7)))


def _read_twice(q: Any, k: Any, v: Any) -> Any:
    q, k, v = (tf.transpose(_heads(x), [0, 2, 1, 3]) for x in (q, k, v))
    weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True))
    return tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), weights


def _shared_head(q: Any, k: Any, v: Any) -> Any:
    q, k, v = (tf.transpose(_heads(x, h), [0, 2, 1, 3]) for x, h in ((q, 3), (k[..., :4], 1), (v[..., :4], 1)))
    return tf.transpose(tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True)), v), [0, 2, 1, 3])


def _log(q: Any, k: Any, v: Any) -> Any:
    q, k, v = (tf.transpose(_heads(x), [0, 2, 1, 3]) for x in (q, k, v))
    weights = tf.nn.log_softmax(tf.matmul(q, k, transpose_b=True))
    return tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3])


def _heads_stay_in_front(q: Any, k: Any, v: Any) -> Any:
    q, k, v = (tf.transpose(_heads(x), [0, 2, 1, 3]) for x in (q, k, v))
    return tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True)), v)


SCALES = _values(3, 1, 1)
NOT_ATTENTIONS: dict[str, tuple[Build, list[Any]]] = {
    "masked": (_masked, [X, Z, Z]),
    "scale-for-each-head": (lambda q, k, v: _matmul(q, k, v, lambda s: s * tf.constant(SCALES)), [X, Z, Z]),
    "scale-of-zero": (lambda q, k, v: _matmul(q, k, v, lambda s: s * 0.0), [X, Z, Z]),
    "read-twice": (_read_twice, [X, Z, Z]),
    "shared-head": (_shared_head, [X, Z, Z]),
    "one-batch-of-queries": (_matmul, [X[:1], Z, Z]),
    "one-batch-of-values": (_matmul, [X, Z, Z[:1]]),
    "logarithms": (_log, [X, Z, Z]),
    "heads-stay-in-front": (_heads_stay_in_front, [X, Z, Z]),
}


@pytest.mark.parametrize("open_batch", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_is_one_kernel(name: str, open_batch: bool) -> None:
    build, inputs = ATTENTIONS[name]
    if open_batch:  # of one tensor: only so is it known to be one batch
        first, *rest = (x.shape[2] for x in inputs)
        parts = [first, *rest]
        merged = np.concatenate([np.resize(x, (2, 7, x.shape[2])) for x in inputs], axis=2)
        whole_build, dynamic = (lambda x: build(*tf.split(x, parts, axis=2))), ((None, None, merged.shape[2]),)
        _check(whole_build, [merged], "MultiHeadAttention", 1, dynamic, without=("Softmax", "Transpose"))
        return
    _check(build, inputs, "MultiHeadAttention", 1, without=("Softmax", "Transpose", "Einsum"))


@pytest.mark.parametrize("name", NOT_ATTENTIONS)
def test_what_is_almost_attention_is_not(name: str) -> None:
    _check(*NOT_ATTENTIONS[name], "MultiHeadAttention", 0)


def test_batches_that_may_differ_are_left() -> None:
    dynamic = tuple((None, *x.shape[1:]) for x in (X, Z, Z))
    _check(_matmul, [X, Z, Z], "MultiHeadAttention", 0, dynamic)


# Integers ----------------------------------------------------------------------------------------------------------


def _quantized_block(x: Any) -> Any:
    """Normalize, then attend and go through a Gelu, all that is multiplied being quantized."""
    x = _keras(x)
    q, k, v = (tf.linalg.matmul(signed(x, 4), kernel(values(12, 12), 1)) + values(12) for _ in range(3))
    q, k, v = (tf.transpose(signed(_heads(y), 8), [0, 2, 1, 3]) for y in (q, k, v))
    weights = unsigned(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 2.0), 1)
    y = tf.reshape(tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), [2, 5, 12])
    y = tf.nn.gelu(tf.linalg.matmul(signed(y, 4), kernel(values(12, 24), 1)) + values(24), approximate=True)
    return tf.linalg.matmul(signed(y, 4), kernel(values(24, 12), 1)) + values(12)


def test_integer_kernels_stay(tmp_path: Path) -> None:
    graph, made, (want,) = _converted(_quantized_block, [X])
    path = tmp_path / "optimized.onnx"
    (got,) = run(graph, made, [X], Dumping(path=str(path)))
    ops = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert (ops["LayerNormalization"], ops["FastGelu"], ops["MultiHeadAttention"]) == (1, 1, 0), ops
    assert ops["QGemm"] + ops["MatMulIntegerToFloat"] + ops["QLinearMatMul"] == 7, ops
    assert (ops["MatMul"], ops["Gemm"], ops["FusedMatMul"]) == (0, 0, 0), ops
    np.testing.assert_allclose(got, want, atol=0.1)


# Who loads the model -----------------------------------------------------------------------------------------------


def test_others_than_onnx_runtime_get_onnx_alone() -> None:
    def build(x: Any) -> Any:
        return tf.nn.gelu(_keras(_matmul(x, x, x)), approximate=True)

    _, made, _ = _converted(build, [X], domains=frozenset())
    assert {node.domain for node in made.model.graph.node} <= {""}
    assert _ops(made)["LayerNormalization"] == 1
    _, made, _ = _converted(build, [X])
    assert {node.op_type for node in made.model.graph.node if node.domain} == {"MultiHeadAttention", "FastGelu"}
