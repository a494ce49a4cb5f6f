"""Cases of data formats as values."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, raw, refused

_INTS = ("int32", "int64")
_VECTORS: tuple[Any, ...] = (
    (np.array([8, 7, 6, 5]), "NHWC", "NCHW"),
    (np.array([[8, 1], [7, 2], [6, 3], [5, 4]]), "NCHW", "NHWC"),
    (np.array([7, 6]), "NHWC", "HWNC"),
    (np.array([7, 6]), "NHWC", "NCWH"),
    (np.array([8, 7, 6, 5, 4]), "NDHWC", "NCDHW"),
)


def _shape(x: Any) -> Any:
    wanted = tf.raw_ops.DataFormatVecPermute(x=tf.shape(x), src_format="NHWC", dst_format="NCHW")
    return tf.reshape(x, wanted)


def _axis(x: Any) -> Any:
    return tf.raw_ops.DataFormatDimMap(x=x, src_format="NDHWC", dst_format="NCDHW")


CASES: list[OpCase] = [
    *(raw("DataFormatVecPermute", x.astype(t), src_format=a, dst_format=b) for x, a, b in _VECTORS[:3] for t in _INTS),
    *(
        raw(
            "DataFormatVecPermute",
            x,
            id="pairs-unknown",
            src_format=a,
            dst_format=b,
            case={"dynamic": ((len(x), *[None] * (x.ndim - 1)),)},
        )
        for x, a, b in _VECTORS[:2]
    ),
    OpCase("shape", "DataFormatVecPermute", _shape, [np.ones((2, 3, 1, 5), "f")], dynamic=True),
    raw("DataFormatVecPermute", _VECTORS[0][0], case=refused("unknown-dim", **DYNAMIC)),
    raw("DataFormatVecPermute", _VECTORS[0][0], case=refused("unknown-rank", **UNKNOWN)),
    *(raw("DataFormatDimMap", np.array(x, t), id=str(x)) for x in (0, -1, [1, 3, -4], [[2], [-2]], []) for t in _INTS),
    raw("DataFormatDimMap", np.array([1, 3]), src_format="NCHW", dst_format="NHWC", case=DYNAMIC),
    OpCase("three", "DataFormatDimMap", _axis, [np.arange(-5, 5, dtype="int32")]),
    raw("DataFormatDimMap", np.array([1, 3]), case=refused("unknown-rank", **UNKNOWN)),
]
