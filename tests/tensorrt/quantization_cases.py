"""Cases of fake quantization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import OpCase
from tests.cases.quantization_cases import CASES as ALL
from tests.cases.raw import DYNAMIC, K, both, call, raw, refused
from tests.tensorrt.reuse import taken

_ARGS, _VARS, _PER = (f"FakeQuantWithMinMax{kind}" for kind in ("Args", "Vars", "VarsPerChannel"))
_OPS = tuple(f"QuantizeAndDequantizeV{i}" for i in (2, 3, 4))
_X = (np.random.default_rng(5).standard_normal((2, 4, 3)) * 4).astype("f")
_LOW, _HIGH = K(np.float32(-6)), K(np.float32(6))
_LOWS, _HIGHS = K(np.array([-1, -2, -3], "f")), K(np.array([1, 2, 3], "f"))
_FOUR = np.array([1, 2, 3, 4], "f")
_UNKNOWN = refused("unknown-rank", unknown_rank=True)


def _fake() -> list[OpCase]:
    cases = []
    for dynamic in ({}, DYNAMIC):
        cases += [raw(_ARGS, _X, min=-4.0, max=4.0, case=dynamic), raw(_ARGS, _X, num_bits=4, case=dynamic)]
        cases += [raw(_VARS, _X, _LOW, _HIGH, narrow_range=n, case=dynamic) for n in (False, True)]
        cases += [raw(_PER, _X, _LOWS, _HIGHS, narrow_range=n, case=dynamic) for n in (False, True)]
    mixed = K(np.array([0, -2, -3], "f"))
    cases += [raw(_PER, _X, mixed, _HIGHS, id="mixed"), raw(_PER, _X[0, 0], _LOWS, _HIGHS), raw(_ARGS, np.float32(1.3))]
    for shape in ((), (0, 3), (1, 1)):
        cases += [raw(_VARS, np.full(shape, 1.3, "f"), _LOW, _HIGH)]
    cases += both(_PER, call(_PER, min=-_FOUR, max=_FOUR))
    cases += [
        raw(op, _X, *more, case=_UNKNOWN) for op, more in ((_ARGS, ()), (_VARS, (_LOW, _HIGH)), (_PER, (_LOWS, _HIGHS)))
    ]
    cases += [raw(_VARS, _X, np.float32(-6), _HIGH, case=refused("not-constant"))]
    return [*cases, raw(_PER, _X, np.array([-1, -2, -3], "f"), _HIGHS, case=refused("not-constant"))]


def _around_zero() -> list[OpCase]:
    cases = []
    for op in _OPS:
        bits: list[Any] = [K(8)] if op == _OPS[1] else []
        for given in ({"signed_input": True}, {"signed_input": False}, {"narrow_range": True}):
            cases += [
                raw(op, _X, _LOW, _HIGH, *bits, range_given=True, **given, case=c, id=next(iter(given)))
                for c in ({}, DYNAMIC)
            ]
        shapes = [(0, 3), (1, 1)] + [()] * (not bits)  # TensorFlow's V3 takes no scalars
        cases += [raw(op, np.full(s, 1.3, "f"), _LOW, _HIGH, *bits, range_given=True) for s in shapes]
        cases += [raw(op, _X, _LOW, _HIGH, *bits, range_given=False, case=refused("attribute"))]
        cases += [raw(op, _X, np.float32(-6), _HIGH, *bits, range_given=True, case=refused("not-constant"))]
        cases += [raw(op, _X, _LOW, _HIGH, *bits, range_given=True, case=_UNKNOWN)]
        wide = [K(np.float64(v)) for v in (-6, 6)]
        cases += [raw(op, _X.astype("float64"), *wide, *bits, range_given=True, case=refused("dtype"))]
    cases += [raw(_OPS[1], _X, _LOW, _HIGH, K(5), range_given=True, id="5")]
    cases += [raw(_OPS[1], _X, _LOW, _HIGH, np.int32(8), range_given=True, case=refused("not-constant"))]
    # TensorFlow's kernels take ranges along an axis in V3 only.
    per = [_LOWS, _HIGHS, K(8)]
    cases += [raw(_OPS[1], _X, *per, range_given=True, axis=2, case=c) for c in ({}, DYNAMIC)]
    along = call(_OPS[1], input_min=-_FOUR, input_max=_FOUR, num_bits=8, axis=3, range_given=True)
    return cases + both(_OPS[1], along)


_TIES = ("-6.0-6.0-8-False", "default")
"""Their grid has values halfway between two quantized ones, which Quantize layers round to even."""

CASES: list[OpCase] = [
    *(case for case in taken(ALL, (_ARGS, _VARS, _PER, *_OPS)) if case.id not in _TIES),
    *_fake(),
    *_around_zero(),
]
