"""Cases of tensors made from shapes and bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, K, both, call, raw, refused

_BF16 = tf.bfloat16.as_numpy_dtype
_TYPES: tuple[Any, ...] = ("float32", "float16", _BF16, "int32", "int64", "int8", "uint8", "bool")
_UNKNOWN = refused("unknown-rank", unknown_rank=True)
_X = np.ones((2, 3), "f")


def _like() -> list[OpCase]:
    cases = []
    for op in ("ZerosLike", "OnesLike"):
        cases += [raw(op, np.ones((2, 3), t)) for t in _TYPES]
        cases += [raw(op, np.ones(shape, "f"), case=DYNAMIC) for shape in ((2, 3), (), (0, 3), (1, 1, 1))]
        cases += [raw(op, np.ones((2, 1), t), case=DYNAMIC) for t in ("int64", "bool", "uint8")]
        cases += both(op, call(op))
        cases += [raw(op, np.ones(2, "float64"), case=refused("dtype")), raw(op, _X, case=_UNKNOWN)]
    return cases


def _fill() -> list[OpCase]:
    cases = [raw("Fill", K([2, 3]), np.array(1, t)) for t in _TYPES]
    cases += [
        raw("Fill", K(np.array(shape, "int64")), np.float32(2.5), id=str(shape)) for shape in ([], [0, 2], [1, 1, 4])
    ]
    cases += [raw("Fill", np.array(shape, t), K(np.float32(7))) for shape in ([2, 3], [1]) for t in ("int32", "int64")]
    shaped = {
        "shape": lambda x: tf.fill(tf.shape(x), 2.0),
        "known": lambda x: tf.fill(tf.stack([tf.shape(x)[0], 4]), 3),
        "value": lambda x: tf.fill(tf.shape(x), tf.reduce_max(x)),
    }
    cases += [OpCase(name, "Fill", build, [_X], dynamic=True) for name, build in shaped.items()]
    cases += [OpCase("zero", "Fill", shaped["shape"], [_X[:0]], dynamic=((None, 3),))]
    cases += [raw("Fill", K([2]), np.float64(1), case=refused("dtype"))]
    return [*cases, raw("Fill", np.array([2, 3], "int32"), np.float32(1), case=refused("unknown-rank", dynamic=True))]


def _range() -> list[OpCase]:
    def upto(build: Any, name: str) -> OpCase:
        return OpCase(name, "Range", lambda x: build(tf.shape(x)[0]), [np.ones((7, 2), "f")], dynamic=True)

    def constant(b: tuple[int, ...], t: str) -> OpCase:
        def build(x: Any) -> Any:
            values = tf.range(*(tf.constant(v, t) for v in b))
            return x + tf.cast(tf.reduce_sum(values), tf.float32)

        return OpCase(f"constant-{b}-{t}", "Range", build, [_X])

    bounds = [(0, 7, 1), (2, 11, 3), (9, -4, -4), (3, 3, 1)]
    cases = [raw("Range", *(np.array(v, t) for v in b), id=f"fed-{b}") for b in bounds for t in ("int32", "int64")]
    cases += [raw("Range", np.array(b[0]), K(np.array(b[1])), K(np.array(b[2])), id=str(b)) for b in bounds]
    cases += [constant(b, t) for b in bounds for t in ("int32", "int64", "float32")]
    cases += [
        upto(lambda n: tf.range(n), "dynamic"),
        upto(lambda n: tf.range(1, n, 2), "dynamic-steps"),
        upto(lambda n: tf.range(n, 0, -3), "dynamic-down"),
        upto(lambda n: tf.range(tf.cast(n, tf.int64)), "dynamic-int64"),
        upto(lambda n: tf.range(0.0, tf.cast(n, tf.float32), 0.75), "dynamic-float"),
        OpCase("float", "Range", lambda x: x + tf.range(0.1, 0.95, 0.3), [_X]),
        raw("Range", np.float64(0), np.float64(1), np.float64(0.5), case=refused("dtype")),
    ]
    return cases


def _linspace() -> list[OpCase]:
    def points(n: Any, k: str = "int32") -> OpCase:
        return raw("LinSpace", K(np.float32(-1)), np.float32(2.5), K(np.array(n, k)), id=f"{n}-{k}")

    def constant(x: Any) -> Any:
        return x * tf.raw_ops.LinSpace(start=0.5, stop=2.0, num=3)

    return [
        *(points(n) for n in (1, 2, 8)),
        points(5, k="int64"),
        OpCase("constant", "LinSpace", constant, [_X]),
        raw("LinSpace", np.float32(1), np.float32(3), np.int32(5)),
        OpCase(
            "dynamic", "LinSpace", lambda x: tf.raw_ops.LinSpace(start=0.0, stop=1.0, num=tf.shape(x)[0]),
            [np.ones((6, 1), "f")], dynamic=True,
        ),
        raw("LinSpace", K(np.float64(1)), np.float64(3), K(5), case=refused("dtype")),
    ]  # fmt: skip


CASES: list[OpCase] = [*_like(), *_fill(), *_range(), *_linspace()]
