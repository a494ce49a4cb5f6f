"""Transposed convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(1)
_ODD = ((None, None, None, 5),)


def _n(*shape: int) -> Any:
    return _R.standard_normal(shape, np.float32)


def _out(size: int, kernel: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "SAME" else (size - kernel) // stride + 1


def _case(h: int, w: int, k: int, s: int, padding: str, **more: Any) -> OpCase:
    """Back from images of h x w."""
    kernel = _n(k, k, 4, 5)
    x = _n(2, _out(h, k, s, padding), _out(w, k, s, padding), 5)
    kind = "dynamic" if more else "static"
    return OpCase(
        f"{h}x{w}-k{k}-s{s}-{padding}-{kind}",
        "Conv2DBackpropInput",
        lambda v: tf.nn.conv2d_transpose(v, kernel, [2, h, w, 4], s, padding),
        [x],
        atol=1e-5,
        **more,
    )


def _twice(padding: str, k: int) -> Any:
    kernel = _n(k, k, 4, 5)

    def build(v: Any) -> Any:
        shape = tf.shape(v)
        size = tf.stack([shape[0], shape[1] * 2, shape[2] * 2, 4])
        return tf.nn.conv2d_transpose(v, kernel, size, 2, padding)

    return build


_KE = _n(3, 3, 4, 5)
_EXPLICIT = [[0, 0], [1, 0], [2, 1], [0, 0]]


def _fed_size(padding: Any, stride: int, k: Any) -> Any:
    def build(v: Any, size: Any) -> Any:
        full = tf.concat([size, [4]], 0)
        full.set_shape([4])
        return tf.nn.conv2d_transpose(v, k, tf.stack([full[0], full[1], full[2], 4]), stride, padding)

    return build


def _raw(x: Any, size: Any, kernel: Any, **more: Any) -> Any:
    attrs: dict[str, Any] = {"strides": [1, 2, 2, 1], "padding": "SAME"} | more
    return tf.raw_ops.Conv2DBackpropInput(input_sizes=size, filter=kernel, out_backprop=x, **attrs)


_X3, _K3 = _n(1, 3, 3, 4, 5), _n(2, 3, 3, 4, 5)

CASES = [
    *(
        _case(h, w, k, s, "SAME")
        for h, w, k, s in [(8, 7, 3, 2), (8, 8, 2, 2), (7, 9, 1, 2), (9, 8, 5, 3), (6, 5, 3, 1)]
    ),
    *(_case(h, w, k, s, "VALID") for h, w, k, s in [(9, 8, 3, 2), (8, 8, 2, 2), (7, 8, 1, 3)]),
    *(
        _case(h, w, k, s, p, dynamic=_ODD)
        for h, w, k, s, p in [(8, 7, 3, 2, "SAME"), (9, 8, 3, 2, "VALID"), (8, 7, 1, 3, "SAME")]
    ),
    _case(8, 8, 4, 2, "SAME", dynamic=((None, 4, 4, 5),)),
    OpCase(
        "explicit",
        "Conv2DBackpropInput",
        lambda v: tf.nn.conv2d_transpose(v, _KE, [2, 8, 6, 4], 2, _EXPLICIT),
        [_n(2, 4, 4, 5)],
    ),
    OpCase(
        "sizes-fed",
        "Conv2DBackpropInput",
        _fed_size("SAME", 2, _n(3, 3, 4, 5)),
        [_n(2, 4, 4, 5), np.array([2, 8, 7], np.int32)],
        dynamic=((None, None, None, 5), (3,)),
    ),
    OpCase("twice-valid-dynamic", "Conv2DBackpropInput", _twice("VALID", 2), [_n(2, 4, 3, 5)], dynamic=_ODD),
    OpCase("twice-same-dynamic", "Conv2DBackpropInput", _twice("SAME", 3), [_n(2, 4, 3, 5)], dynamic=_ODD),
    OpCase("spatial-sizes", "Conv2DBackpropInput", lambda v: _raw(v, [8, 7], _KE), [_n(2, 4, 4, 5)]),
    OpCase("empty-batch", "Conv2DBackpropInput", lambda v: _raw(v, [0, 8, 8, 4], _KE), [_n(0, 4, 4, 5)]),
    OpCase(
        "kernel-fed", "Conv2DBackpropInput", lambda v, k: _raw(v, [2, 8, 8, 4], k), [_n(2, 4, 4, 5), _n(3, 3, 4, 5)]
    ),
    OpCase(
        "channels-unknown",
        "Conv2DBackpropInput",
        lambda v, size: _raw(v, size, _KE),
        [_n(2, 4, 4, 5), np.array([2, 8, 7, 4], np.int32)],
        refusal="unknown-dim",
    ),
    OpCase(
        "double",
        "Conv2DBackpropInput",
        lambda v: _raw(v, [2, 8, 8, 4], _KE.astype("float64")),
        [_n(2, 4, 4, 5).astype("float64")],
        refusal="dtype",
    ),
    *(
        OpCase(
            f"{padding}-{s}-{'dynamic' if dynamic else 'static'}",
            "Conv3DBackpropInputV2",
            lambda v, shape=shape, s=s, padding=padding: tf.nn.conv3d_transpose(v, _K3, shape, s, padding),
            [_X3],
            dynamic=((None, None, None, None, 5),) if dynamic else False,
        )
        for padding, s, shape in [
            ("SAME", 2, [1, 6, 5, 7, 4]),
            ("VALID", 2, [1, 6, 7, 9, 4]),
            ("SAME", 1, [1, 3, 3, 4, 4]),
        ]
        for dynamic in (False, True)
    ),
]
