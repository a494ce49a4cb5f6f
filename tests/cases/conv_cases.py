"""Convolutions. TensorFlow's CPU kernels take NHWC only; NCHW is compared in `test_onnx_nchw.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(0)


def _n(*shape: int, dtype: str = "float32") -> Any:
    return _R.standard_normal(shape).astype(dtype)


_X, _K, _K1 = _n(2, 9, 8, 6), _n(3, 3, 6, 4), _n(1, 1, 4, 3)
_TOL: dict[str, Any] = {"atol": 1e-5}  # sums of products cancel
_ODD = ((None, None, None, 6),)


def _conv(case: str, x: Any, k: Any, stride: Any = 1, padding: Any = "SAME", dilation: Any = 1, **more: Any) -> OpCase:
    return OpCase(
        case, "Conv2D", lambda v: tf.nn.conv2d(v, k, stride, padding, dilations=dilation), [x], **(_TOL | more)
    )


def _chain(x: Any) -> Any:
    first = tf.nn.conv2d(x, _K, 2, "SAME")
    return tf.nn.conv2d(tf.nn.leaky_relu(tf.nn.relu(first), 0.1), _K1, 1, "VALID")


def _depthwise(case: str, k: Any, stride: int, padding: Any, dilation: Any = None, **more: Any) -> OpCase:
    return OpCase(
        case,
        "DepthwiseConv2dNative",
        lambda v: tf.nn.depthwise_conv2d(v, k, [1, stride, stride, 1], padding, dilations=dilation),
        [_X],
        **(_TOL | more),
    )


def _native_depthwise(case: str, x: Any, k: Any, **more: Any) -> OpCase:
    return OpCase(
        case,
        "DepthwiseConv2dNative",
        lambda v: tf.raw_ops.DepthwiseConv2dNative(
            input=v, filter=k, strides=[1, 2, 2, 1], padding="SAME", dilations=[1, 1, 1, 1]
        ),
        [x],
        **more,
    )


def _conv3d(case: str, stride: int, padding: str, dilation: int = 1, **more: Any) -> OpCase:
    return OpCase(
        case,
        "Conv3D",
        lambda v: tf.nn.conv3d(v, _K3, [1, stride, stride, stride, 1], padding, dilations=[1, *[dilation] * 3, 1]),
        [_X3],
        **(_TOL | more),
    )


_X3, _K3 = _n(2, 5, 6, 7, 3), _n(3, 2, 3, 3, 4)
_EXPLICIT = [[0, 0], [2, 1], [0, 3], [0, 0]]

CASES = [
    _conv("same", _X, _K),
    _conv("chain", _X, _K, dynamic=_ODD),
    OpCase("held", "Conv2D", _chain, [_X], dynamic=_ODD),
    *(_conv(f"same-{n}-by-{s}", _n(1, n, n + 1, 6), _K, s, dynamic=d) for n, s, d in [(7, 2, False), (6, 3, _ODD)]),
    _conv("uneven-strides", _X, _K, [2, 3], dynamic=_ODD),
    _conv("valid", _X, _K, 2, "VALID", dynamic=_ODD),
    _conv("explicit", _X, _K, 2, _EXPLICIT, dynamic=_ODD),
    _conv("stride-skips", _X, _n(2, 2, 6, 4), 3, dynamic=_ODD),
    _conv("pointwise-stride", _X, _n(1, 1, 6, 4), 2, dynamic=_ODD),
    _conv("even-kernel", _X, _n(4, 2, 6, 4), 1, dynamic=_ODD),
    _conv("dilated", _X, _K, 1, "SAME", 2, dynamic=_ODD),
    _conv("dilated-static", _X, _K, 1, "SAME", [2, 3]),
    _conv("dilated-strided", _X, _K, 2, "SAME", 2),
    _conv("dilated-strided-dynamic", _X, _K, 2, "SAME", 2, dynamic=_ODD),
    _conv("groups", _X, _n(3, 3, 2, 9), 2),
    _conv("one-by-one-image", _n(1, 1, 1, 6), _K, 2, dynamic=_ODD),
    _conv("empty-batch", _n(0, 9, 8, 6), _K, dynamic=_ODD),
    _conv("half", _X.astype("float16"), _K.astype("float16"), rtol=2e-2, atol=2e-2),
    _conv("double", _X.astype("float64"), _K.astype("float64"), refusal="dtype"),
    _conv("channels-unknown", _X, _K, 2, dynamic=True),
    _conv("rank-unknown", _X, _K, unknown_rank=True),
    OpCase("kernel-fed", "Conv2D", lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), [_X, _K]),
    OpCase(
        "kernel-size-unknown",
        "Conv2D",
        lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"),
        [_X, _K],
        dynamic=True,
        refusal="unknown-dim",
    ),
    _depthwise("same", _n(3, 3, 6, 1), 1, "SAME", dynamic=_ODD),
    _depthwise("multiplier", _n(3, 2, 6, 2), 2, "VALID", dynamic=_ODD),
    _depthwise("explicit", _n(3, 3, 6, 1), 1, _EXPLICIT),
    _depthwise("strided", _n(3, 3, 6, 2), 2, "SAME", dynamic=_ODD),
    _native_depthwise("channels-unknown", _X, _n(3, 3, 6, 2), dynamic=True),
    OpCase(
        "kernel-fed",
        "DepthwiseConv2dNative",
        lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"),
        [_X, _n(2, 3, 6, 2)],
    ),
    _conv3d("same", 1, "SAME"),
    _conv3d("strided", 2, "SAME", dynamic=((None, None, None, None, 3),)),
    _conv3d("valid", 2, "VALID", dynamic=((None, None, None, None, 3),)),
    _conv3d("channels-unknown", 1, "SAME", dynamic=True),
]
