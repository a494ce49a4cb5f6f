"""Cases of image resizing and of crops."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, K, both, call, raw, refused
from tests.cases.resize_cases import CASES as SHARED

_TYPES = frozenset({"float32", "float16", "bfloat16", "int32", "int64", "int8", "uint8"})
_X = (np.random.default_rng(7).random((2, 5, 7, 3)) * 9).astype(np.float32)
_OPS = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
_TO = K([9, 5])


CASES: list[OpCase] = [
    *(case for case in SHARED if str(np.asarray(case.inputs[0]).dtype) in _TYPES),
    *(
        case
        for op in _OPS
        for case in (
            raw(op, _X.astype(tf.bfloat16.as_numpy_dtype), _TO),
            raw(op, _X.astype(np.float16), _TO, align_corners=True),
            raw(op, _X.astype(np.int8), _TO),
            raw(op, _X.astype(np.int64), _TO),
            raw(op, _X.astype(np.float64), _TO, id="refused", case=refused("dtype")),
            *(both(op, call(op, size=[10, 12])) if op in _OPS[:2] else ()),
        )
    ),
    *(raw(op, _X, np.array([1, 9], np.int32), case=DYNAMIC, align_corners=True) for op in _OPS[:2]),
    *(
        raw(op, _X[:, :1, :1], K([3, 1]), id="one", half_pixel_centers=half)
        for op in _OPS[:3]
        for half in (False, True)
    ),
    raw("ResizeBicubic", _X, np.array([3, 4], np.int32), case=refused("unknown-dim")),
    raw("ResizeNearestNeighbor", _X.astype(np.float16), K([10, 21]), id="whole", case=DYNAMIC),
    raw("ResizeNearestNeighbor", _X.astype(np.int8), np.array([8, 3], np.int32), id="fed", case=DYNAMIC),
    raw("ResizeNearestNeighbor", _X.astype(np.uint8), np.array([8, 3], np.int32), id="fed", case=DYNAMIC),
]
