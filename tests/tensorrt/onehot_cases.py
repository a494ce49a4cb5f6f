"""Cases of one-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, raw, refused

_INDICES = np.array([[0, 2, -1], [5, 1, 3]], np.int32)
_ON, _OFF = K(2.5, "float32"), K(-1.0, "float32")


def _one_hot() -> list[OpCase]:
    cases = [raw("OneHot", _INDICES, K(4), _ON, _OFF, axis=a, case=c) for a in (-1, 0, 1) for c in (None, DYNAMIC)]
    kinds: tuple[Any, ...] = (np.float16, tf.bfloat16.as_numpy_dtype, np.int32, np.int64, np.bool_, np.int8, np.uint8)
    cases += [raw("OneHot", _INDICES, K(3), K(np.array(1, t)), K(np.array(0, t)), id=str(t)) for t in kinds]
    cases += [
        raw("OneHot", _INDICES.astype(np.int64), K(3), np.float32(5), np.float32(-5), case=c) for c in (None, DYNAMIC)
    ]
    cases += [raw("OneHot", _INDICES.astype(t), K(256), _ON, _OFF) for t in (np.int8, np.uint8)]
    cases += [raw("OneHot", _INDICES, np.int32(n), _ON, _OFF, id=f"fed-{n}", case=DYNAMIC) for n in (0, 1, 4)]
    cases += [raw("OneHot", _INDICES[0, 1], K(3), _ON, _OFF), raw("OneHot", _INDICES[:0], K(3), _ON, _OFF)]
    cases += [raw("OneHot", _INDICES, K(n), _ON, _OFF, id=str(n)) for n in (0, 1)]
    cases += [raw("OneHot", _INDICES, K(2), np.float64(1), np.float64(0), case=refused("dtype"))]
    cases += [raw("OneHot", _INDICES, K(2), _ON, _OFF, case={**UNKNOWN, **refused("unknown-rank")})]
    cases += [raw("OneHot", _INDICES.reshape((1,) * 6 + (2, 3)), K(2), _ON, _OFF, case=refused("rank"))]
    return cases


CASES = _one_hot()
