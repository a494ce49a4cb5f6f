"""Pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(3)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return (_R.standard_normal(shape) * 9).astype(dtype)


_X, _X3 = _n(2, 7, 6, 3), _n(1, 5, 6, 7, 2)
_RAW = tf.raw_ops


def _pool(op: str, case: str, x: Any, k: Any, s: Any, padding: str = "SAME", **more: Any) -> OpCase:
    extra = more.pop("attrs", {})
    rank = x.ndim - 2
    ksize = [1, *([k] * rank if isinstance(k, int) else k), 1]
    strides = [1, *([s] * rank if isinstance(s, int) else s), 1]

    def build(v: Any) -> Any:
        name = "value" if op == "AvgPool" else "input"
        return getattr(_RAW, op)(ksize=ksize, strides=strides, padding=padding, **{name: v}, **extra)

    return OpCase(case, op, build, [x], **more)


def _v2(v: Any) -> Any:
    return _RAW.MaxPoolV2(input=v, ksize=tf.constant([1, 3, 3, 1]), strides=tf.constant([1, 2, 2, 1]), padding="SAME")


def _held(v: Any) -> Any:
    k = np.ones((1, 1, 3, 3), "float32") / 3
    y = tf.nn.max_pool2d(tf.nn.conv2d(v, k, 1, "SAME"), 2, 2, "SAME")
    return tf.nn.conv2d(tf.nn.avg_pool2d(y, 2, 1, "SAME"), k, 1, "SAME")


_EXPLICIT = {"explicit_paddings": [0, 0, 1, 0, 0, 1, 0, 0]}
_WIDE = {"explicit_paddings": [0, 0, 2, 0, 0, 1, 0, 0]}

CASES = [
    *(
        _pool(op, f"k{k}-s{s}-{padding}-{'dynamic' if dynamic else 'static'}", _X, k, s, padding, dynamic=dynamic)
        for op in ("MaxPool", "AvgPool")
        for k, s, padding in [
            (3, 2, "SAME"),
            (2, 2, "SAME"),
            (3, 1, "SAME"),
            (1, 2, "SAME"),
            (3, 2, "VALID"),
            (2, 3, "VALID"),
        ]
        for dynamic in (False, True)
    ),
    *(_pool(op, "skips", _n(1, 9, 9, 2), 2, 3) for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "skips-dynamic", _X, 2, 3, dynamic=True, refusal="unknown-dim") for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "uneven", _X, [3, 2], [2, 1], dynamic=True) for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "whole", _X, [7, 6], 1, "VALID") for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "larger-than-image", _n(1, 2, 1, 3), 5, 2) for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "empty", _n(0, 4, 4, 3), 2, 2, dynamic=True) for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "rank-unknown", _X, 2, 2, unknown_rank=True) for op in ("MaxPool", "AvgPool")),
    *(_pool(op, "half", _X.astype("float16"), 2, 2, rtol=2e-3, atol=1e-2) for op in ("MaxPool", "AvgPool")),
    *(_pool("MaxPool", t, _n(1, 5, 5, 2, dtype=t), 3, 2) for t in ("float64", "int8", "uint8")),
    *(_pool("MaxPool", t, _n(1, 5, 5, 2, dtype=t), 3, 2, refusal="dtype") for t in ("int32", "int16")),
    _pool("AvgPool", "double", _X.astype("float64"), 2, 2, refusal="dtype"),
    _pool("MaxPool", "explicit", _X, 2, 2, "EXPLICIT", attrs=_EXPLICIT),
    _pool("MaxPool", "explicit-wide", _X, 3, 2, "EXPLICIT", attrs=_WIDE),
    *(
        _pool(op, f"s{s}-{padding}-{'dynamic' if dynamic else 'static'}", _X3, 2, s, padding, dynamic=dynamic)
        for op in ("MaxPool3D", "AvgPool3D")
        for s, padding in [(2, "SAME"), (1, "SAME"), (2, "VALID")]
        for dynamic in (False, True)
    ),
    OpCase("held", "MaxPool", _held, [_X], dynamic=((None, None, None, 3),)),
    OpCase(
        "channels",
        "MaxPool",
        lambda v: _RAW.MaxPool(input=v, ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID"),
        [_n(1, 3, 3, 4)],
        refusal="attribute",
    ),
    OpCase("same", "MaxPoolV2", _v2, [_X], dynamic=True),
    OpCase(
        "fed-size",
        "MaxPoolV2",
        lambda v, k: _RAW.MaxPoolV2(input=v, ksize=k, strides=[1, 2, 2, 1], padding="SAME"),
        [_X, np.array([1, 2, 2, 1], np.int32)],
        refusal="not-constant",
    ),
    _pool("MaxPool", "explicit-too-wide", _X, 2, 2, "EXPLICIT", attrs=_WIDE, refusal="attribute"),
]
