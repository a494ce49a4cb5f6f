"""Cases of batch normalization and local response normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases import nchw_cases, nn_cases
from tests.cases.case import OpCase
from tests.cases.raw import raw

_OPS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "LRN")
_R = np.random.default_rng(34)
_RAW = tf.raw_ops
_BRAIN = tf.bfloat16.as_numpy_dtype


def _n(*shape: int, dtype: Any = "float32") -> Any:
    return _R.standard_normal(shape).astype(dtype)


_X = _n(2, 3, 5, 4)
_ODD = ((None, None, None, 4),)
_PARAMETERS = [np.abs(_n(4)) + 0.5, _n(4), _n(4), np.abs(_n(4)) + 0.5]
_NAMES = ("scale", "offset", "mean", "variance")


def _norm(op: str = "FusedBatchNormV3", parameters: Any = None, **attrs: Any) -> Callable[..., Any]:
    def build(x: Any, *given: Any) -> Any:
        named = dict(zip(_NAMES, given or parameters or _PARAMETERS, strict=True))
        return getattr(_RAW, op)(x=x, **named, **({"is_training": False} | attrs)).y

    return build


def _case(id: str, x: Any, *given: Any, **more: Any) -> OpCase:
    attrs = {k: more.pop(k) for k in ("data_format", "epsilon", "is_training", "parameters") if k in more}
    op = more.pop("op", "FusedBatchNormV3")
    shape = f"{x.dtype}{list(x.shape)}"
    return OpCase(f"{id}-{shape}", op, _norm(op, **attrs), [x, *given], **({"atol": 1e-5} | more))


def _tiny(value: float) -> list[Any]:
    return [np.full(4, 3, "float32"), np.zeros(4, "float32"), np.zeros(4, "float32"), np.full(4, value, "float32")]


def _wide_truth(x: Any) -> Any:
    """Compute channels-first in float32, for which TensorFlow's CPU kernels are missing."""
    y = _norm(data_format="NDHWC")(tf.transpose(tf.cast(x, tf.float32), [0, 2, 3, 4, 1]))
    return tf.cast(tf.transpose(y, [0, 4, 1, 2, 3]), x.dtype)


_RESPONSES: tuple[dict[str, Any], ...] = (
    {"depth_radius": 2},
    {"depth_radius": 1, "bias": 0.0, "alpha": 0.3, "beta": 0.75},
)


def _brain_response(i: int) -> OpCase:
    """Make a case of bfloat16, for which TensorFlow has no CPU kernel."""

    def build(x: Any) -> Any:
        return _RAW.LRN(input=x, **_RESPONSES[i])

    def truth(x: Any) -> Any:
        return tf.cast(build(tf.cast(x, tf.float32)), x.dtype)

    return OpCase(f"bfloat16-{i}", "LRN", build, [_X.astype(_BRAIN)], truth=truth)


CASES: list[OpCase] = [
    *(c for c in (*nn_cases.CASES, *nchw_cases.CASES) if c.op in _OPS),
    *(_case("type", _X.astype(t), op=op) for op in _OPS[1:3] for t in ("float16", _BRAIN)),
    *(_case("fed-type", _X.astype(t), *_PARAMETERS, dynamic=True) for t in ("float16", _BRAIN)),
    _case("beyond-half", (_X / 100).astype("float16"), parameters=_tiny(1e-12), epsilon=1e-12),
    _case("one", _n(1, 1, 1, 4)),
    _case("no-rows", _n(2, 0, 3, 4), dynamic=_ODD),
    _case("no-channels", _n(2, 3, 3, 0), parameters=[_n(0)] * 4),
    _case("fed-no-channels", _n(2, 3, 3, 0), *[_n(0)] * 4, op="FusedBatchNorm"),
    _case("volume", _n(2, 3, 2, 1, 4), data_format="NDHWC", dynamic=True),
    *(
        _case("volume-first", _n(2, 4, 3, 2, 1, dtype=t), data_format="NCDHW", truth=_wide_truth)
        for t in ("float32", "float16")
    ),
    *(_case("training", _X, op=op, is_training=True, refusal="attribute") for op in _OPS[:2]),
    *(
        raw("LRN", _X.astype(t), id=str(i), case={"dynamic": bool(i)}, **attrs)
        for t in ("float32", "float16")
        for i, attrs in enumerate(_RESPONSES)
    ),
    *(_brain_response(i) for i in range(len(_RESPONSES))),
    raw("LRN", _n(1, 2, 2, 40), depth_radius=9, alpha=0.4, beta=0.6),
    raw("LRN", _X, beta=0.0),
    raw("LRN", _X, depth_radius=0, beta=-0.5),
    raw("LRN", _n(0, 2, 3, 4), depth_radius=2),
    raw("LRN", _n(1, 1, 1, 1), depth_radius=8),
]
