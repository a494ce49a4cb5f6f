"""Image resizing."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(4)
_RAW = tf.raw_ops
_MODES: dict[str, dict[str, bool]] = {
    "legacy": {},
    "align": {"align_corners": True},
    "half": {"half_pixel_centers": True},
}


def _n(*shape: int, dtype: str = "float32") -> Any:
    return (_R.random(shape) * 9).astype(dtype)


_X = _n(2, 5, 7, 3)
_TARGETS = [(10, 14), (9, 5), (1, 1), (3, 20), (5, 7)]


def _resize(op: str, case: str, x: Any, size: Any, mode: str = "legacy", **more: Any) -> OpCase:
    return OpCase(
        case,
        op,
        lambda v: getattr(_RAW, op)(images=v, size=list(size), **_MODES[mode]),
        [x],
        **({"rtol": 1e-4, "atol": 1e-5} | more),
    )


def _fed(op: str, case: str, x: Any, size: Any, mode: str, **more: Any) -> OpCase:
    return OpCase(
        case,
        op,
        lambda v, s: getattr(_RAW, op)(images=v, size=s, **_MODES[mode]),
        [x, np.array(size, np.int32)],
        **({"rtol": 1e-4, "atol": 1e-5, "dynamic": True} | more),
    )


def _held(op: str) -> Any:
    k = np.eye(3, dtype="float32")[None, None]

    def build(v: Any) -> Any:
        y = getattr(_RAW, op)(images=tf.nn.conv2d(v, k, 1, "SAME"), size=[10, 14], half_pixel_centers=True)
        return tf.nn.conv2d(y, k, 1, "SAME")

    return build


_IMAGES = _n(3, 6, 8, 2)
_BOXES = np.array(
    [[0, 0, 1, 1], [0.1, 0.3, 0.7, 0.8], [0.9, 0.2, 0.1, 0.6], [-0.2, -0.1, 1.3, 0.9], [0.5, 0.5, 0.5, 0.5]], "float32"
)
_OF = np.array([0, 2, 1, 1, 0], "int32")


def _crop(case: str, size: Any, boxes: Any = _BOXES, of: Any = _OF, images: Any = _IMAGES, **more: Any) -> OpCase:
    attrs = more.pop("attrs", {})
    return OpCase(
        case,
        "CropAndResize",
        lambda v, b, i: _RAW.CropAndResize(image=v, boxes=b, box_ind=i, crop_size=list(size), **attrs),
        [images, boxes, of],
        **({"rtol": 1e-4, "atol": 1e-5} | more),
    )


_BOTH = ("ResizeBilinear", "ResizeNearestNeighbor")

CASES = [
    *(
        _resize(op, f"{mode}-{h}x{w}", _X, (h, w), mode)
        for op in (*_BOTH, "ResizeBicubic")
        for mode in _MODES
        for h, w in _TARGETS
    ),
    *(
        _fed(op, f"fed-{mode}-{h}x{w}", _X, (h, w), mode)
        for op in _BOTH
        for mode in _MODES
        for h, w in [(10, 14), (9, 5), (1, 4)]
    ),
    *(_resize("ResizeArea", f"{h}x{w}", _X, (h, w)) for h, w in [*_TARGETS, (2, 3)]),
    _resize("ResizeArea", "align", _X, (9, 4), "align"),
    *(_resize(op, "one-pixel", _n(1, 1, 1, 2), (4, 3), "half") for op in (*_BOTH, "ResizeBicubic")),
    *(
        _resize(op, "empty", _n(0, 5, 7, 3), (9, 5), "half", dynamic=((None, 5, 7, 3),))
        for op in (*_BOTH, "ResizeBicubic")
    ),
    *(_resize(op, "dynamic", _X, (11, 13), "half", dynamic=True) for op in _BOTH),
    *(OpCase("held", op, _held(op), [_X], rtol=1e-4, atol=1e-5) for op in (*_BOTH, "ResizeBicubic")),
    *(
        _resize(op, t, _n(1, 4, 5, 2, dtype=t), (7, 9), "half")
        for op in _BOTH
        for t in ("uint8", "int32", "int64", "float64", "int16")
    ),
    *(
        _resize("ResizeNearestNeighbor", f"twice-{t}", _n(1, 4, 5, 2, dtype=t), (8, 10))
        for t in ("uint8", "float64", "int32")
    ),
    _resize("ResizeBicubic", "uint8", _n(1, 4, 5, 2, dtype="uint8"), (7, 9), "half"),
    _resize("ResizeBilinear", "half-type", _n(1, 4, 5, 2, dtype="float16"), (7, 9)),
    *(
        _resize("ResizeNearestNeighbor", f"exact-{mode}-{n}-{m}", _n(1, n, 3, 1), (m, 7), mode)
        for mode in _MODES
        for n, m in [(100, 37), (37, 100), (49, 98), (64, 10), (3, 41)]
    ),
    _resize("ResizeBicubic", "larger", _n(1, 33, 21, 2), (50, 64), "half"),
    _resize("ResizeBicubic", "smaller", _n(1, 33, 21, 2), (12, 9), "legacy"),
    *(
        _resize(op, "dynamic", _X, (9, 9), dynamic=True, refusal="unknown-dim")
        for op in ("ResizeBicubic", "ResizeArea")
    ),
    *(_resize(op, "rank-unknown", _X, (9, 9), unknown_rank=True, refusal="unknown-dim") for op in ("ResizeArea",)),
    *(_crop(f"{h}x{w}", (h, w), dynamic=True) for h, w in [(4, 5), (1, 3), (9, 1)]),
    _crop("filled", (5, 4), attrs={"extrapolation_value": 7.5}),
    _crop("nearest", (5, 4), attrs={"method": "nearest"}),
    _crop("uint8", (5, 4), images=_IMAGES.astype("uint8")),
    _crop("no-boxes", (5, 4), _BOXES[:0], _OF[:0], dynamic=True),
    OpCase(
        "fed-size",
        "CropAndResize",
        lambda v, s: _RAW.CropAndResize(image=v, boxes=_BOXES, box_ind=_OF, crop_size=s),
        [_IMAGES, np.array([3, 3], np.int32)],
        refusal="not-constant",
    ),
]
