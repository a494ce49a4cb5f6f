"""Cases of running sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, raw, refused

_R = np.random.default_rng(36)


def _n(*shape: int, dtype: Any = np.float32) -> Any:
    return (_R.standard_normal(shape) * 5).astype(np.float32).astype(dtype)


def _cumsum() -> list[OpCase]:
    cases = [
        raw("Cumsum", _n(2, 3, 4), K(a), id=str(a), exclusive=e, reverse=r)
        for a in (0, -1)
        for e in (False, True)
        for r in (False, True)
    ]
    kinds = (np.float16, tf.bfloat16.as_numpy_dtype, np.int32, np.int64)
    cases += [raw("Cumsum", _n(3, 4, dtype=t), K(1), exclusive=e) for t in kinds for e in (False, True)]
    cases += [raw("Cumsum", _n(2, 3), K(np.array(1)), id="long", reverse=True, case=c) for c in (None, DYNAMIC)]
    cases += [raw("Cumsum", _n(0, 3), K(a), id=f"empty-{a}") for a in (0, 1)]
    cases += [raw("Cumsum", _n(5), K(0)), raw("Cumsum", _n(1, 1), K(1), exclusive=True)]
    cases += [raw("Cumsum", _n(1, 2, 3, 1, 2, 2), K(2))]
    cases += [raw("Cumsum", _n(2, 3), np.array(0), case=refused("not-constant"))]
    cases += [raw("Cumsum", _n(2, 3), K(0), case={**UNKNOWN, **refused("unknown-rank")})]
    cases += [raw("Cumsum", _n(2, 3, dtype=np.float64), K(0), case=refused("dtype"))]
    return cases + both("Cumsum", lambda x: tf.cumsum(x, 2)) + both("Cumsum", lambda x: tf.cumsum(x, -1), "last")


CASES = _cumsum()
