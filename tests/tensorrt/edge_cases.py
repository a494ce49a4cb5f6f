"""Cases at the edges that the tables of the families leave open: no row, one row, unknown sizes, rarer types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.raw import DYNAMIC, K, raw

_RAW = tf.raw_ops
_BRAIN = tf.bfloat16.as_numpy_dtype
_HALF = np.float16
_NO_ROWS = """
_FusedBatchNormEx _FusedConv2D _FusedConv3D _FusedDepthwiseConv2dNative _FusedMatMul BatchToSpace
FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVarsPerChannel FusedBatchNormV2 IdentityN Invert MaxPoolV2
PartitionedCall Rank ResizeArea SpaceToBatch SplitV StatefulPartitionedCall While
"""
_ONE_ROW = """
_FusedBatchNormEx _FusedConv2D _FusedDepthwiseConv2dNative _FusedMatMul ClipByValue DepthwiseConv2dNative ExpandDims
FakeQuantWithMinMaxArgs FusedBatchNorm FusedBatchNormV2 IdentityN Invert MaxPoolV2 OneHot Pack PadV2 PartitionedCall
Rank ResizeArea ReverseV2 Shape Size Slice Split SplitV StatefulPartitionedCall StatelessWhile Tile Transpose While
"""


def rows(cases: Iterable[OpCase]) -> list[OpCase]:
    """Return cases of no row, and of one, made of the first case of an op that has one fed input; rows are unknown."""
    first: dict[str, OpCase] = {}
    for case in cases:
        if case.refusal is None and len(case.inputs) == 1 and np.ndim(case.inputs[0]):
            first.setdefault(case.op, case)
    wanted = [(op, 0) for op in _NO_ROWS.split()] + [(op, 1) for op in _ONE_ROW.split()]
    return [_cut(first[op], count) for op, count in wanted]


def _cut(case: OpCase, count: int) -> OpCase:
    x = np.asarray(case.inputs[0])
    return replace(case, id=f"{case.id}-rows-{count}", inputs=[x[:count]], dynamic=((None, *x.shape[1:]),))


def _n(*shape: int, dtype: Any = np.float32) -> Any:
    values = np.random.default_rng(sum(shape)).standard_normal(shape) * 4
    return values.astype(dtype)


def _i(*shape: int, dtype: Any = np.int32) -> Any:
    return np.random.default_rng(sum(shape)).integers(1, 9, shape).astype(dtype)


def _branches(op: str) -> Callable[..., Any]:
    """Make a conditional with two functions of floats of any number of rows."""

    def build(p: Any, x: Any) -> Any:
        spec = tf.TensorSpec([None, 3], x.dtype)
        then, other = (
            tf.function(f, autograph=False).get_concrete_function(spec) for f in (lambda v: v + v, lambda v: v * v)
        )
        function = getattr(_RAW, op)
        return function(cond=p, input=[x], then_branch=then, else_branch=other, Tout=[x.dtype])

    return build


def _branch_cases() -> list[OpCase]:
    yes = np.array(True)
    sizes = [_n(2, 3), _n(1, 3), _n(0, 3)]
    fields: dict[str, Any] = {"dynamic": ((), (None, 3))}
    return [
        *(
            OpCase(f"{len(x)}-rows", op, _branches(op), [yes, x], **fields)
            for op in ("If", "StatelessIf")
            for x in sizes
        ),
        *(OpCase(str(np.dtype(t)), "If", _branches("If"), [yes, _n(2, 3, dtype=t)]) for t in (_HALF, _BRAIN, np.int64)),
    ]


def _boxes(count: int, dtype: Any = np.float32) -> OpCase:
    numbers = (K(np.array(v, dtype)) for v in (0.5, 0.0, 0.0))
    return raw(
        "NonMaxSuppressionV5",
        *(np.abs(_n(count, 4, dtype=dtype)), np.abs(_n(count, dtype=dtype)), K(3), *numbers),
        case={"dynamic": ((None, 4), (None,))},
        pad_to_max_output_size=True,
    )


def _widened(op: str, *fed: Any) -> OpCase:
    """Make a case whose truth is computed in float32, for TensorFlow has no CPU kernel of the type."""
    case = raw(op, *fed)

    def truth(*feeds: Any) -> Any:
        return tf.cast(case.build(*(tf.cast(x, tf.float32) for x in feeds)), feeds[0].dtype)

    return replace(case, truth=truth)


_X = _n(2, 3)
_CROP = (np.array([[0.1, 0.0, 0.7, 1.0]], np.float32), np.array([0], np.int32), K([2, 2]))
_BLOCKS = K([[0, 0], [0, 0]])

CASES: list[OpCase] = [
    *_branch_cases(),
    *(raw("BiasAddV1", _n(2, 3, dtype=t), _n(3, dtype=t), case=DYNAMIC) for t in (_HALF, _BRAIN, np.int32, np.int64)),
    *(raw("BiasAddV1", _n(k, 3), _n(3), case=DYNAMIC) for k in (0, 1)),
    raw("BiasAdd", _n(2, 3, dtype=np.int64), _n(3, dtype=np.int64)),
    *(raw("Concat", K(0), [_n(k, 3), _X], case=DYNAMIC) for k in (0, 1)),
    raw("ApproximateEqual", _n(1, 1), _n(1, 1), tolerance=0.5),
    *(raw("CropAndResize", _i(1, 1, 5, 1, dtype=t), *_CROP) for t in (_HALF, np.int8, np.int64)),
    *(_boxes(k) for k in (0, 1)),
    *(raw("Gather", _n(1, 3), np.zeros(k, np.int32), case=DYNAMIC) for k in (0, 1)),
    raw("GatherNd", _n(1, 3), np.array([[0, 2]], np.int32)),
    *(raw("BatchMatMul", _n(k, 2, 3), _n(k, 3, 1), case=DYNAMIC) for k in (0, 1, 2)),
    raw("BatchMatMul", _i(2, 2, 3), _i(2, 3, 1)),
    *(raw("BatchMatMulV2", _n(0, 2, 3), _n(3, 4), case=c) for c in (None, DYNAMIC)),
    raw("BatchMatMulV2", _n(2, 0, 3), _n(3, 4)),
    raw("BatchMatMulV2", _i(2, 2, 3, dtype=np.int64), _i(2, 3, 1, dtype=np.int64)),
    *(
        raw("BatchMatMulV3", _i(1, 2, 3, dtype=t), _i(3, 4, dtype=t), Tout=t, case=DYNAMIC)
        for t in (np.int32, np.int64)
    ),
    raw("BatchToSpace", _n(4, 1, 1, 1), _BLOCKS, block_size=2, case=DYNAMIC),
    *(
        raw("ShapeN", [_i(k, 3, dtype=t), _i(2, dtype=t)])
        for k in (0, 1)
        for t in (np.bool_, _HALF, np.int64, np.uint8)
    ),
    *(
        raw("EnsureShape", _i(k, 3, dtype=t), shape=[None, 3], case=DYNAMIC)
        for k in (0, 1)
        for t in (np.bool_, _HALF, np.int32, np.int8)
    ),
    *(_widened(op, _X.astype(t), _i(2, 3, dtype=t)) for op in ("Mod", "TruncateMod") for t in (_HALF, _BRAIN)),
    *(_widened("Rint", _X.astype(t)) for t in (_HALF, _BRAIN)),
    raw("AddN", [_X.astype(_HALF)] * 3),
    raw("ClipByValue", _X.astype(_BRAIN), K(np.array(-1, _BRAIN)), K(np.array(1, _BRAIN))),
    raw("Xlog1py", _X.astype(_BRAIN), _i(2, 3, dtype=_BRAIN)),
    *(
        raw("MaxPoolV2", _i(1, 4, 4, 2, dtype=t), K([1, 2, 2, 1]), K([1, 2, 2, 1]), padding="SAME")
        for t in (_BRAIN, np.uint8)
    ),
    *(
        raw(op, _i(1, 4, 4, 2, dtype=t), K([3, 6]))
        for op in ("ResizeArea", "ResizeBicubic")
        for t in (np.int32, np.uint8)
    ),
    *(
        raw(op, _n(4, 2, dtype=t), np.array([[0], [2]], np.int32), _n(2, 2, dtype=t))
        for op, types in (
            ("TensorScatterUpdate", (np.int8, np.uint8)),
            ("TensorScatterAdd", (_HALF,)),
            ("TensorScatterSub", (_HALF,)),
            ("TensorScatterMax", (_HALF,)),
            ("TensorScatterMin", (_HALF,)),
        )
        for t in types
    ),
    *(raw(op, _i(2, 5, dtype=np.uint8), K(1)) for op in ("ArgMax", "ArgMin")),
    raw("TopKV2", np.array([[3, 200, 7], [9, 1, 255]], np.uint8), K(2)),
]
