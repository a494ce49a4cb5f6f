"""Channels-first nodes. TensorFlow's CPU kernels lack most of them: the truth is computed channels-last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(9)
_RAW = tf.raw_ops


def _n(*shape: int) -> Any:
    return _R.standard_normal(shape, np.float32)


_X, _X3 = _n(2, 4, 7, 6), _n(1, 4, 3, 4, 5)
_K, _KD, _K3, _KT = _n(3, 3, 4, 5), _n(3, 3, 4, 2), _n(2, 2, 2, 4, 3), _n(3, 3, 3, 4)
_S, _O, _M, _V = np.abs(_n(4)) + 0.5, _n(4), _n(4), np.abs(_n(4)) + 0.5


def _last(op: Callable[..., Any]) -> Callable[..., Any]:
    """Compute an op channels-last between transposes."""

    def build(v: Any) -> Any:
        rank = v.shape.rank
        y = op(tf.transpose(v, [0, *range(2, rank), 1]), True)
        return tf.transpose(y, [0, rank - 1, *range(1, rank - 1)])

    return build


def _case(case: str, op: str, build: Callable[[Any, bool], Any], x: Any, dynamic: Any = False) -> OpCase:
    """Compare `build(x, channels last or not)` with itself."""
    return OpCase(case, op, lambda v: build(v, False), [x], dynamic=dynamic, truth=_last(build), atol=1e-5)


def _format(last: bool, rank: int = 4) -> str:
    return {4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}[rank][last]


def _all(last: bool, *spatial: int) -> list[int]:
    return [1, *spatial, 1] if last else [1, 1, *spatial]


def _pads(last: bool, *pads: int) -> list[int]:
    return [0, 0, *pads, 0, 0] if last else [0, 0, 0, 0, *pads]


def _conv(padding: str, *pads: int) -> Any:
    return lambda v, last: _RAW.Conv2D(
        input=v,
        filter=_K,
        strides=_all(last, 2, 1),
        padding=padding,
        data_format=_format(last),
        explicit_paddings=_pads(last, *pads) if pads else [],
    )


def _deconv(v: Any, last: bool) -> Any:
    shape = [2, 14, 12, 3] if last else [2, 3, 14, 12]
    return _RAW.Conv2DBackpropInput(
        input_sizes=shape,
        filter=_KT,
        out_backprop=v,
        strides=_all(last, 2, 2),
        padding="SAME",
        data_format=_format(last),
    )


def _pool(op: str) -> Any:
    name = "input" if op == "MaxPool" else "value"
    return lambda v, last: getattr(_RAW, op)(
        ksize=_all(last, 3, 2), strides=_all(last, 2, 2), padding="SAME", data_format=_format(last), **{name: v}
    )


def _depth(op: str) -> Any:
    return lambda v, last: getattr(_RAW, op)(input=v, block_size=2, data_format=_format(last))


def _vectorized(op: str) -> Any:
    return lambda v: getattr(_RAW, op)(input=v, block_size=2, data_format="NCHW_VECT_C")


_ODD = ((None, 4, None, None),)

CASES = [
    *(
        _case(f"first-{p}{'-dynamic' if d else ''}", "Conv2D", _conv(p), _X, d)
        for p, d in [("SAME", False), ("SAME", _ODD), ("VALID", _ODD)]
    ),
    _case("first-explicit", "Conv2D", _conv("EXPLICIT", 1, 0, 2, 1), _X),
    _case(
        "first",
        "DepthwiseConv2dNative",
        lambda v, last: _RAW.DepthwiseConv2dNative(
            input=v, filter=_KD, strides=_all(last, 1, 1), padding="SAME", data_format=_format(last)
        ),
        _X,
        True,
    ),
    _case(
        "first",
        "Conv3D",
        lambda v, last: _RAW.Conv3D(
            input=v, filter=_K3, strides=_all(last, 1, 2, 1), padding="SAME", data_format=_format(last, 5)
        ),
        _X3,
    ),
    _case("first", "Conv2DBackpropInput", _deconv, _X),
    *(_case("first", op, _pool(op), _X, True) for op in ("MaxPool", "AvgPool")),
    _case(
        "first",
        "MaxPool3D",
        lambda v, last: _RAW.MaxPool3D(
            input=v,
            ksize=_all(last, 2, 2, 2),
            strides=_all(last, 1, 2, 2),
            padding="VALID",
            data_format=_format(last, 5),
        ),
        _X3,
    ),
    _case(
        "first",
        "FusedBatchNormV3",
        lambda v, last: (
            _RAW.FusedBatchNormV3(
                x=v, scale=_S, offset=_O, mean=_M, variance=_V, is_training=False, data_format=_format(last)
            ).y
        ),
        _X,
        True,
    ),
    *(
        _case(
            "first",
            op,
            _depth(op),
            _n(2, 4, 2, 6),
            True,
        )
        for op in ("DepthToSpace", "SpaceToDepth")
    ),
    *(
        OpCase(
            "vectorized",
            op,
            _vectorized(op),
            [np.zeros((1, 4, 2, 2, 4), "int8")],
            refusal="rank",
        )
        for op in ("DepthToSpace", "SpaceToDepth")
    ),
]
