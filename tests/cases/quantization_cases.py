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


_V2, _V3, _V4 = (f"QuantizeAndDequantizeV{i}" for i in (2, 3, 4))
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
