"""Cases of transposed convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases import nchw_cases, transposed_conv_cases
from tests.cases.case import OpCase
from tests.cases.raw import K, raw

_R = np.random.default_rng(32)
_TYPES = ("float16", tf.bfloat16.as_numpy_dtype)
_LOOSE: dict[str, Any] = {"rtol": 2e-2, "atol": 5e-2}


def _n(*shape: int, dtype: Any = "float32") -> Any:
    return _R.standard_normal(shape).astype(dtype)


_K, _X = _n(3, 3, 4, 5), _n(2, 4, 3, 5)
_KG, _RAW = _n(3, 3, 2, 6), tf.raw_ops.Conv2DBackpropInput
_STEPS: dict[str, Any] = {"strides": [1, 2, 2, 1], "padding": "SAME"}
_K3, _X3 = _n(2, 3, 3, 4, 5), _n(1, 3, 3, 4, 5)


def _back(id: str, size: Any, k: Any, x: Any, s: int = 2, padding: str = "SAME", **more: Any) -> OpCase:
    fields: dict[str, Any] = {"atol": 1e-5}
    fields |= {name: more.pop(name) for name in ("dynamic", "refusal", "rtol", "atol", "truth") if name in more}
    op = "Conv2DBackpropInput" if x.ndim == 4 else "Conv3DBackpropInputV2"
    strides = [1, *[s] * (x.ndim - 2), 1]
    return raw(op, size, k, x, id=id, case=fields, strides=strides, padding=padding, **more)


def _grouped(x: Any) -> Any:
    parts = zip(tf.split(_KG, 2, -1), tf.split(x, 2, -1), strict=True)
    return tf.concat([_RAW(input_sizes=[2, 8, 6, 2], filter=k, out_backprop=v, **_STEPS) for k, v in parts], -1)


def _inflated(x: Any) -> Any:
    """Put the zeros between the elements of a kernel that a dilation stands for."""
    kernel = np.zeros((5, 7, 4, 5), "float32")
    kernel[::2, ::3] = _K
    return _RAW(input_sizes=[2, 4, 3, 4], filter=kernel, out_backprop=x, strides=[1] * 4, padding="SAME")


CASES: list[OpCase] = [
    *transposed_conv_cases.CASES,
    *(c for c in nchw_cases.CASES if c.op == "Conv2DBackpropInput"),
    *(_back("type", K([2, 8, 6, 4]), K(_K.astype(t)), _X.astype(t), **_LOOSE) for t in _TYPES),
    *(_back("kernel-fed", K([2, 8, 6, 4]), _K.astype(t), _X.astype(t), **_LOOSE) for t in _TYPES),
    *(_back("type", K([1, 6, 5, 7, 4]), K(_K3.astype(t)), _X3.astype(t), **_LOOSE) for t in _TYPES),
    _back("long-size", K(np.array([1, 6, 5, 7, 4])), K(_K3), _X3),
    _back("beyond", K([2, 9, 8, 4]), K(_n(2, 2, 4, 5)), _n(2, 3, 3, 5), 3, "VALID"),
    _back("beyond-unknown", K([9, 8]), K(_n(1, 1, 4, 5)), _n(2, 3, 3, 5), 3, dynamic=((None, None, None, 5),)),
    _back(
        "explicit", K([2, 8, 6, 4]), K(_K), _n(2, 5, 5, 5), 2, "EXPLICIT", explicit_paddings=[0, 0, 2, 1, 4, 1, 0, 0]
    ),
    _back("one", K([1, 1, 1, 1]), K(_n(1, 1, 1, 1)), _n(1, 1, 1, 1), 1),
    _back("no-batch", K([0, 6, 5, 7, 4]), K(_K3), _n(0, 3, 3, 4, 5)),
    _back("groups", K([2, 8, 6, 4]), K(_KG), _n(2, 4, 3, 6), truth=_grouped),
    _back("dilated", K([2, 4, 3, 4]), K(_K), _X, 1, dilations=[1, 2, 3, 1], truth=_inflated),
    _back("kernel-unknown", K([2, 8, 6, 4]), _K, _X, dynamic=True, refusal="unknown-dim"),
    _back("dilated", K([2, 8, 6, 4]), K(_K), _X, dilations=[1, 2, 2, 1], refusal="attribute"),
    _back("no-rows", K([2, 0, 6, 4]), K(_K), _n(2, 0, 3, 5), refusal="engine-rejected"),
    _back("no-channels", K([2, 8, 6, 0]), K(_n(3, 3, 0, 5)), _X, refusal="engine-rejected"),
    _back("double", K([1, 6, 5, 7, 4]), K(_K3.astype("float64")), _X3.astype("float64"), refusal="dtype"),
]
