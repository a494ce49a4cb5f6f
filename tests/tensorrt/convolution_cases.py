"""Cases of convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases import conv_cases, nchw_cases
from tests.cases.case import OpCase
from tests.cases.raw import K, raw

_OPS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_R = np.random.default_rng(31)
_HALF, _BRAIN = "float16", tf.bfloat16.as_numpy_dtype
_LOOSE: dict[str, Any] = {"rtol": 2e-2, "atol": 5e-2}
_TIGHT: dict[str, Any] = {"atol": 1e-5}
_ODD = ((None, None, None, 6),)


def _n(*shape: int, dtype: Any = "float32") -> Any:
    return _R.standard_normal(shape).astype(dtype)


_X, _K = _n(2, 7, 8, 6), _n(3, 3, 6, 4)
_X3, _K3 = _n(1, 4, 5, 6, 2), _n(3, 2, 3, 2, 4)
_DW = _n(3, 3, 6, 2)
_RAW = tf.raw_ops
_STEPS: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "SAME"}


def _conv(id: str, x: Any = _X, k: Any = _K, s: Any = 1, padding: str = "SAME", **more: Any) -> OpCase:
    fields = {name: more.pop(name) for name in ("dynamic", "unknown_rank", "refusal", "rtol", "atol") if name in more}
    strides = [1, *([s, s] if isinstance(s, int) else s), 1]
    kernel = more.pop("fed", False) and k
    return raw(
        "Conv2D",
        x,
        K(k) if kernel is False else kernel,
        id=id,
        case=_TIGHT | fields,
        strides=strides,
        padding=padding,
        **more,
    )


def _line(x: Any) -> Any:
    return tf.nn.conv1d(tf.nn.relu(tf.nn.conv1d(x, _K[0], 2, "SAME")), _n(1, 4, 3), 1, "VALID")


def _volumes(x: Any, k: Any) -> Any:
    return _RAW.Conv3D(input=x, filter=k, strides=[1, 1, 2, 1, 1], padding="VALID")


def _grouped_volumes(x: Any) -> Any:
    halves = zip(tf.split(x, 2, -1), tf.split(_K3, 2, -1), strict=True)
    return tf.concat([_volumes(*half) for half in halves], -1)


def _wide(case: str, x: Any, k: Any, **more: Any) -> OpCase:
    """Make a case of a volume or depthwise convolution."""
    op = "Conv3D" if x.ndim == 5 else "DepthwiseConv2dNative"
    steps = [1] * x.ndim
    fields = {name: more.pop(name) for name in ("dynamic", "refusal", "rtol", "atol") if name in more}
    return raw(op, x, k, id=case, case=_TIGHT | fields, **({"strides": steps, "padding": "SAME"} | more))


CASES: list[OpCase] = [
    *(c for c in conv_cases.CASES if not c.unknown_rank and c.refusal != "unknown-dim"),
    *(c for c in nchw_cases.CASES if c.op in _OPS),
    *(_conv("type", _X.astype(t), _K.astype(t), 2, **_LOOSE) for t in (_HALF, _BRAIN)),
    *(_conv("fed", _X.astype(t), _K.astype(t), fed=True, **_LOOSE) for t in (_HALF, _BRAIN)),
    _conv("fed-groups", k=_n(3, 3, 2, 9), s=2, fed=True),
    _conv("groups", k=_n(3, 3, 2, 9), dynamic=_ODD),
    _conv("dilated-groups", k=_n(2, 2, 3, 4), dilations=[1, 2, 2, 1]),
    _conv("skips", k=_n(3, 3, 6, 2), s=4, dynamic=_ODD),
    _conv("skips-evenly", k=_n(3, 4, 6, 2), s=[5, 2], dynamic=_ODD),
    _conv("skips-one-way", k=_n(1, 3, 6, 2), s=2, dynamic=_ODD),
    _conv("skips", k=_n(3, 3, 6, 2), s=5),
    _conv("one-size-unknown", s=2, dynamic=((2, None, 8, 6),)),
    _conv("batch-unknown", s=2, dynamic=((None, 7, 8, 6),)),
    _conv("explicit-wide", s=2, padding="EXPLICIT", explicit_paddings=[0, 0, 4, 5, 0, 3, 0, 0], dynamic=_ODD),
    _conv("one-channel", _n(1, 1, 1, 1), _n(1, 1, 1, 1)),
    _conv("no-batch", _n(0, 7, 8, 6)),
    _conv("channels-unknown", dynamic=True),
    _conv("rank-unknown", unknown_rank=True),
    _conv("size-unknown", fed=True, dynamic=True, refusal="unknown-dim"),
    _conv("no-rows", _n(2, 0, 8, 6), refusal="engine-rejected"),
    _conv("no-filters", k=_n(3, 3, 6, 0), refusal="engine-rejected"),
    _conv("int", _X.astype("int32"), _K.astype("int32"), refusal="dtype"),
    *(_wide("type", _X.astype(t), K(_DW.astype(t)), **_LOOSE) for t in (_HALF, _BRAIN)),
    *(_wide("fed", _X.astype(t), _DW.astype(t), **_LOOSE) for t in (_HALF, _BRAIN)),
    _wide("fed-dynamic", _X, _DW, dynamic=((None, None, None, None), (3, 3, 6, 2))),
    OpCase(
        "dilated",
        "DepthwiseConv2dNative",
        lambda x: _RAW.DepthwiseConv2dNative(input=x, filter=_DW, **_STEPS, dilations=[1, 2, 3, 1]),
        [_X],
        dynamic=_ODD,
        truth=lambda x: tf.nn.depthwise_conv2d(x, _DW, **_STEPS, dilations=[2, 3]),
        **_TIGHT,
    ),
    _wide("skips", _X, K(_DW), strides=[1, 4, 4, 1], dynamic=_ODD),
    _wide("no-batch", _n(0, 7, 8, 6), K(_DW), padding="VALID"),
    _wide("size-unknown", _X, _DW, dynamic=True, refusal="unknown-dim"),
    _wide("no-channels", _n(2, 5, 8, 0), K(_n(3, 3, 0, 2)), refusal="engine-rejected"),
    _wide("double", _X.astype("float64"), K(_DW.astype("float64")), refusal="dtype"),
    *(_wide("type", _X3.astype(t), K(_K3.astype(t)), strides=[1, 2, 2, 2, 1], **_LOOSE) for t in (_HALF, _BRAIN)),
    _wide("fed", _X3, _K3),
    OpCase("groups", "Conv3D", lambda x: _volumes(x, _K3), [_n(1, 3, 4, 5, 4)], truth=_grouped_volumes, **_TIGHT),
    _wide("skips", _X3, K(_n(3, 1, 2, 2, 3)), strides=[1, 4, 2, 2, 1], dynamic=((None, None, None, None, 2),)),
    _wide("no-batch", _n(0, 4, 5, 6, 2), K(_K3), dynamic=((None, None, None, None, 2),)),
    _wide("double", _X3.astype("float64"), K(_K3.astype("float64")), refusal="dtype"),
    _wide("channels-unknown", _X3, K(_K3), dynamic=True),
    _wide("size-unknown", _X3, _K3, dynamic=True, refusal="unknown-dim"),
    _wide("no-rows", _n(1, 0, 5, 6, 2), K(_K3), refusal="engine-rejected"),
    OpCase("line", "Conv2D", _line, [_n(2, 7, 6)], **_TIGHT),
]
