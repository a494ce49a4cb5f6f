"""Cases of the largest values and of where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, UNKNOWN, K, both, call, raw, refused

_R = np.random.default_rng(35)
_BF16 = tf.bfloat16.as_numpy_dtype
_KINDS: tuple[Any, ...] = (np.float16, _BF16, np.int32, np.int64)
_TIES = np.array([[1, 3, 3, 2, 3], [5, 5, 5, 5, 5]], np.float32)
_LONG = _R.permutation(2 * 5000).reshape(2, 5000).astype(np.float32)


def _n(*shape: int) -> Any:
    return _R.standard_normal(shape).astype(np.float32)


def _smaller_k(x: Any) -> Any:
    return list(tf.raw_ops.TopKV2(input=x, k=tf.minimum(3, tf.shape(x)[-1])))


def _topk() -> list[OpCase]:
    cases = [raw("TopKV2", _n(3, 7), K(k), id=str(k), case=c) for k in (0, 1, 4, 7) for c in (None, DYNAMIC)]
    cases += [raw("TopKV2", _n(2, 3, 5), K(1), sorted=False), raw("TopKV2", _n(2, 3, 5), K(2), index_type=tf.int64)]
    cases += [raw("TopKV2", (_n(2, 9) * 50).astype(t), K(3)) for t in (*_KINDS, np.int8)]
    cases += [raw("TopKV2", _n(7), K(2), case=c) for c in (None, DYNAMIC)]
    cases += [raw("TopKV2", _n(0, 5), K(2), case=c) for c in (None, DYNAMIC)]
    cases += [raw("TopKV2", _n(1, 2, 1, 2, 3, 4), K(2)), raw("TopKV2", _n(1, 1), K(1)), raw("TopKV2", _TIES, K(4))]
    cases += [
        raw("TopKV2", _LONG, K(3840), id="long"),
        raw("TopKV2", _LONG, K(3841), id="longer", case=refused("attribute")),
    ]
    cases += [raw("TopKV2", _n(3, 7), np.int32(3), id="fed", case=c) for c in (None, DYNAMIC)]
    cases += [OpCase(f"smaller-{size}", "TopKV2", _smaller_k, [_n(4, size)], dynamic=True) for size in (2, 5)]
    cases += both("TopKV2", lambda x: list(tf.raw_ops.TopKV2(input=x, k=2)))
    cases += [raw("TopKV2", _n(3, 7).astype(np.float64), K(1), case=refused("dtype"))]
    cases += [raw("TopKV2", _n(3, 7), K(1), case={**UNKNOWN, **refused("unknown-rank")})]
    return [*cases, raw("TopKV2", _n(3, 7), K(1), index_type=tf.int16, case=refused("dtype"))]


def _arg(op: str) -> list[OpCase]:
    cases = [raw(op, _n(2, 3, 4), K(a), id=str(a), case=c) for a in (0, 1, -1) for c in (None, DYNAMIC)]
    cases += [raw(op, (_n(4, 5) * 9).astype(t), K(1)) for t in (*_KINDS, np.int8)]
    cases += [raw(op, _TIES, K(a), id=f"ties-{a}") for a in (0, 1)]
    cases += [raw(op, np.array([[False, True, True], [False, False, False]]), K(1), case=c) for c in (None, DYNAMIC)]
    cases += [raw(op, _n(2, 3), K(1), output_type=t, case=c) for t in (tf.int32, tf.int64) for c in (None, DYNAMIC)]
    cases += [raw(op, _n(0, 3), K(1)), raw(op, _n(4), K(0)), raw(op, _n(4), K(0), case=DYNAMIC)]
    cases += [raw(op, _n(1, 1), K(np.array(1))), raw(op, _LONG, K(1), id="long"), raw(op, _n(3, 1, 2, 1, 2, 2), K(0))]
    cases += [raw(op, np.full((2, 3), v, np.float32), K(1), id=str(v)) for v in (np.inf, -np.inf)]
    cases += both(op, call(op, dimension=3)) + both(op, call(op, dimension=1, output_type=tf.int32), "height")
    cases += [raw(op, _n(2, 3), np.array(1), case=refused("not-constant"))]
    cases += [raw(op, _n(2, 3), K(1), case={**UNKNOWN, **refused("unknown-rank")})]
    return [*cases, raw(op, _n(2, 3).astype(np.float64), K(1), case=refused("dtype"))]


CASES = [*_topk(), *_arg("ArgMax"), *_arg("ArgMin")]
