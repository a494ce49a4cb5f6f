"""Fake quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(7)
_RAW = tf.raw_ops
_X = (_R.standard_normal((3, 4, 5)) * 4).astype("float32")
_GRID = np.linspace(-8, 8, 1000, dtype="float32")
"""None of it is halfway between two quantized values of the ranges below, which FakeQuant alone rounds up."""
_TIED = np.arange(-600, 600, dtype="float32")
"""In half steps of a range of eight bits: every other one is such a value."""
_IMAGE = _R.standard_normal((2, 6, 7, 5)).astype("float32")


def _vars(low: Any, high: Any, **attrs: Any) -> Any:
    return lambda v: _RAW.FakeQuantWithMinMaxVars(inputs=v, min=low, max=high, **attrs)


def _held(v: Any) -> Any:
    y = tf.nn.conv2d(v, np.eye(5, dtype="float32")[None, None], 1, "SAME")
    low, high = np.linspace(-3, -1, 5, dtype="float32"), np.linspace(1, 6, 5, dtype="float32")
    y = _RAW.FakeQuantWithMinMaxVarsPerChannel(inputs=y, min=low, max=high)
    return tf.nn.relu(_RAW.FakeQuantWithMinMaxVars(inputs=y, min=-2.0, max=2.5))


def _q(op: str, low: Any, high: Any, **attrs: Any) -> Any:
    def build(v: Any) -> Any:
        given: dict[str, Any] = dict(attrs)
        if op.endswith("V3"):
            given.setdefault("num_bits", 8)
        given.setdefault("range_given", True)
        low_high = (np.asarray(p, v.dtype.as_numpy_dtype) for p in (low, high))
        return getattr(_RAW, op)(input=v, **dict(zip(("input_min", "input_max"), low_high, strict=True)), **given)

    return build


def _kernel(op: str, axis: int = -1, **attrs: Any) -> Any:
    """Convolve with a quantized constant, its channels' ranges as far apart as a factor of ten."""
    value = (_R.standard_normal((2, 2, 5, 4)) * np.logspace(-1, 0, 4)).astype("float32")
    bound = np.abs(value).max(axis=None if axis == -1 else tuple(d for d in range(4) if d != axis))

    def build(v: Any) -> Any:
        weights = tf.identity(_q(op, -bound, bound, axis=axis, **attrs)(tf.constant(value)))
        return tf.nn.conv2d(v, weights, 1, "SAME"), tf.nn.relu(weights)

    return build


def _depthwise(multiplier: int, axis: int = 2) -> Any:
    value = _R.standard_normal((3, 3, 5, multiplier)).astype("float32")
    bound = np.abs(value).max(axis=tuple(d for d in range(4) if d != axis))

    def build(v: Any) -> Any:
        weights = _q(_V3, -bound, bound, axis=axis, narrow_range=True)(tf.constant(value))
        return tf.nn.depthwise_conv2d(v, weights, [1, 1, 1, 1], "SAME")

    return build


def _fake_kernel(low: Any, high: Any, **attrs: Any) -> Any:
    value = _R.standard_normal((1, 1, 5, 4)).astype("float32")

    def build(v: Any) -> Any:
        op = _RAW.FakeQuantWithMinMaxVarsPerChannel if np.ndim(low) else _RAW.FakeQuantWithMinMaxVars
        return tf.nn.conv2d(v, op(inputs=value, min=low, max=high, **attrs), 1, "SAME")

    return build


def _product(transpose: bool) -> Any:
    value = _R.standard_normal((7, 5) if transpose else (5, 7)).astype("float32")
    axis = 0 if transpose else 1
    bound = np.abs(value).max(axis=1 - axis)

    def build(v: Any) -> Any:
        weights = _q(_V3, -bound, bound, axis=axis, narrow_range=True)(tf.constant(value))
        return tf.matmul(v, weights, transpose_b=transpose)

    return build


_V2, _V3, _V4 = (f"QuantizeAndDequantizeV{i}" for i in (2, 3, 4))
_PER_CHANNEL = "FakeQuantWithMinMaxVarsPerChannel"
_BOUNDS = np.array([1.1, 0.9, 2.0, 1.7], "float32")
_PER = [-1.0, -2.0, 0.0, -3.0], [2.0, 1.0, 3.0, 0.5]

CASES = [
    *(
        OpCase(
            f"{low}-{high}-{bits}-{narrow}",
            "FakeQuantWithMinMaxVars",
            _vars(low, high, num_bits=bits, narrow_range=narrow),
            [_GRID],
        )
        for low, high in [(-6.0, 6.0), (0.0, 6.0), (-1.3, 2.7), (1.0, 3.0), (-3.0, -1.0), (-6.0, 0.0)]
        for bits, narrow in [(8, False), (8, True), (4, False), (16, False)]
    ),
    *(
        OpCase(
            f"ties-{low}-{high}", "FakeQuantWithMinMaxVars", _vars(low, high), [_TIED * (high - low) / 510], atol=step
        )
        for low, high in [(-6.0, 6.0), (0.0, 6.0), (-1.0, 1.0)]
        for step in [(high - low) / 255 * 1.01]
    ),
    OpCase("empty-range", "FakeQuantWithMinMaxVars", _vars(0.0, 0.0), [_GRID]),
    OpCase("rank-unknown", "FakeQuantWithMinMaxVars", _vars(-1.0, 1.0), [_X], unknown_rank=True),
    OpCase("empty", "FakeQuantWithMinMaxVars", _vars(-1.0, 1.0), [_X[:0]], dynamic=True),
    OpCase(
        "fed",
        "FakeQuantWithMinMaxVars",
        lambda v, low: _RAW.FakeQuantWithMinMaxVars(inputs=v, min=low, max=6.0),
        [_X, np.float32(-1)],
        refusal="not-constant",
    ),
    OpCase("default", "FakeQuantWithMinMaxArgs", lambda v: _RAW.FakeQuantWithMinMaxArgs(inputs=v), [_GRID]),
    OpCase(
        "range", "FakeQuantWithMinMaxArgs", lambda v: _RAW.FakeQuantWithMinMaxArgs(inputs=v, min=-1.0, max=4.0), [_GRID]
    ),
    OpCase("held", "FakeQuantWithMinMaxVarsPerChannel", _held, [_R.standard_normal((1, 3, 4, 5)).astype("float32")]),
    OpCase(
        "vector",
        "FakeQuantWithMinMaxVarsPerChannel",
        lambda v: _RAW.FakeQuantWithMinMaxVarsPerChannel(inputs=v, min=[-1.0, 0.0, 0.0], max=[0.5, 0.0, 3.0]),
        [np.array([0.3, 2.0, 1.7], "float32")],
    ),
    *(
        OpCase(
            f"{low}-{high}-{signed}-{mode}",
            op,
            _q(op, low, high, signed_input=signed, **({"round_mode": mode} if op != _V3 else {})),
            [_GRID],
        )
        for op in (_V2, _V3, _V4)
        for low, high in [(-4.0, 3.0), (-1.0, 5.0), (0.0, 6.0)]
        for signed in (True, False)
        for mode in ("HALF_TO_EVEN", "HALF_UP")
        if op != _V3 or mode == "HALF_TO_EVEN"
    ),
    OpCase("narrow", _V2, _q(_V2, -4.0, 3.0, narrow_range=True, num_bits=4), [_GRID]),
    OpCase("double", _V3, _q(_V3, -4.0, 3.0), [_GRID.astype("float64")], rtol=1e-12),
    OpCase("axis", _V3, _q(_V3, *_PER, axis=1), [_X], dynamic=True),
    OpCase("axis-rank-unknown", _V3, _q(_V3, *_PER, axis=1), [_X], unknown_rank=True, refusal="unknown-rank"),
    OpCase("kernel", _V3, _kernel(_V3, 3, narrow_range=True), [_IMAGE]),
    OpCase("kernel-of-inputs", _V3, _kernel(_V3, 2), [_IMAGE], dynamic=True),
    OpCase("kernel-one-range", _V2, _kernel(_V2, narrow_range=True), [_IMAGE]),
    OpCase("kernel-half-up", _V4, _kernel(_V4, round_mode="HALF_UP"), [_IMAGE]),
    OpCase("kernel-bits", _V2, _kernel(_V2, num_bits=5), [_IMAGE]),
    OpCase("kernel-many-bits", _V2, _kernel(_V2, num_bits=12), [_IMAGE]),
    OpCase("kernel-depthwise", _V3, _depthwise(1), [_IMAGE]),
    OpCase("kernel-multiplier", _V3, _depthwise(3), [_IMAGE]),
    OpCase("kernel-of-multipliers", _V3, _depthwise(3, axis=3), [_IMAGE]),
    OpCase("product", _V3, _product(False), [_X[0]], dynamic=True),
    OpCase("product-transposed", _V3, _product(True), [_X[0]]),
    OpCase("kernel", "FakeQuantWithMinMaxVars", _fake_kernel(-2.0, 2.0, narrow_range=True), [_IMAGE], atol=1e-5),
    OpCase("kernel-aside", "FakeQuantWithMinMaxVars", _fake_kernel(-1.0, 2.3), [_IMAGE], atol=1e-5),
    OpCase("kernel", _PER_CHANNEL, _fake_kernel(-_BOUNDS, _BOUNDS, narrow_range=True), [_IMAGE], atol=1e-5),
    OpCase("kernel-aside", _PER_CHANNEL, _fake_kernel(-_BOUNDS, _BOUNDS * [1, 2, 1, 3]), [_IMAGE], atol=1e-5),
    OpCase("kernel-no-range", _PER_CHANNEL, _fake_kernel(-_BOUNDS * [1, 0, 1, 1], _BOUNDS * [1, 0, 1, 1]), [_IMAGE]),
    OpCase("unsigned-axis", _V3, _q(_V3, *_PER, axis=1, signed_input=False), [_X]),
    OpCase("narrow-axis", _V3, _q(_V3, *_PER, axis=1, narrow_range=True), [_X]),
    OpCase("narrow-aside", "FakeQuantWithMinMaxVars", _vars(-1.0, 4.0, narrow_range=True), [_X]),
    OpCase("no-range", _V3, _q(_V3, 0.0, 0.0, range_given=False), [_X], refusal="attribute"),
    OpCase(
        "fed-range",
        _V2,
        lambda v, low: _RAW.QuantizeAndDequantizeV2(input=v, input_min=low, input_max=3.0, range_given=True),
        [_X, np.float32(-1)],
        refusal="not-constant",
    ),
    OpCase(
        "fed-bits",
        _V3,
        lambda v, bits: _RAW.QuantizeAndDequantizeV3(
            input=v, input_min=-1.0, input_max=3.0, num_bits=bits, range_given=True
        ),
        [_X, np.int32(8)],
        refusal="not-constant",
    ),
]
