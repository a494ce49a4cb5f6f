"""The table of built-in decompositions: ops with inputs that meet their corners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(0)
_X = _R.standard_normal((3, 4)).astype("f")
_Y = _R.standard_normal((3, 4)).astype("f")
_SMALL = np.array([0, 1e-8, -1e-8, 1e-4, -1e-4, 0.3, -0.3, 0.5, 2, 30, -0.9], "f")
_ZEROS = np.array([[0, 1, -2, 0], [3, 0, 0.5, 0], [1, 2, 3, 4]], "f")
_WILD = np.array([[np.inf, 2, np.nan, 0], [1, np.inf, 4, 1], [5, 6, 7, 8]], "f")
_POSITIVE = np.abs(_Y) + 0.1
_I = _R.integers(-9, 9, (3, 4)).astype("i4")
_J = np.array([[1, 2, 3, -4], [-1, -2, 5, 7], [2, 2, 2, -3]], "i4")
_M = _R.standard_normal((2, 3, 5)).astype("f")
_S = _R.standard_normal((2, 4, 4)).astype("f")
_V = _R.standard_normal((2, 4)).astype("f")
r = tf.raw_ops


def _part(k: Any, align: str = "RIGHT_LEFT") -> Callable[[Any], Any]:
    return lambda x: tf.linalg.diag_part(x, k=k, align=align, padding_value=9.0)


def _diag(k: Any, rows: int, columns: int, align: str = "RIGHT_LEFT") -> Callable[[Any], Any]:
    return lambda x: tf.linalg.diag(x, k=k, num_rows=rows, num_cols=columns, align=align, padding_value=9.0)


CASES = [
    OpCase("gelu", "Erfc", lambda x: tf.math.erfc(x), [_X]),
    OpCase("dynamic", "Erfc", lambda x: tf.math.erfc(x), [_X], dynamic=True),
    OpCase("small", "Expm1", lambda x: tf.math.expm1(x), [_SMALL], atol=0),
    OpCase("dynamic", "Expm1", lambda x: tf.math.expm1(x), [_X], dynamic=True),
    OpCase("small", "Log1p", lambda x: tf.math.log1p(x), [_SMALL], atol=0),
    OpCase("ends", "Log1p", lambda x: tf.math.log1p(x), [np.array([-1, -2, np.inf, 3e38], "f")]),
    OpCase("x", "Inv", lambda x: r.Inv(x=x), [_POSITIVE]),
    OpCase("x", "Reciprocal", lambda x: tf.math.reciprocal(x), [_POSITIVE]),
    OpCase("float", "Square", lambda x: tf.square(x), [_X]),
    OpCase("int", "Square", lambda x: tf.square(x), [_I]),
    OpCase("x", "SquaredDifference", lambda x, y: tf.math.squared_difference(x, y), [_X, _Y]),
    OpCase("broadcast", "SquaredDifference", lambda x, y: tf.math.squared_difference(x, y), [_X, _Y[0]], dynamic=True),
    OpCase("halves", "Rint", lambda x: tf.math.rint(x), [np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4], "f")]),
    OpCase("x", "ClipByValue", lambda x: r.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.5), [_X]),
    OpCase("crossed", "ClipByValue", lambda x: r.ClipByValue(t=x, clip_value_min=0.5, clip_value_max=-0.5), [_X]),
    OpCase("near", "ApproximateEqual", lambda x: r.ApproximateEqual(x=x, y=_X + 0.01, tolerance=0.02), [_X]),
    OpCase("far", "ApproximateEqual", lambda x: r.ApproximateEqual(x=x, y=_Y, tolerance=0.5), [_X]),
    OpCase("signs", "TruncateMod", lambda x: tf.truncatemod(x, 3), [_I]),
    OpCase("signs", "Mod", lambda x: r.Mod(x=x, y=-4), [_I]),
    OpCase("three", "AccumulateNV2", lambda x, y: r.AccumulateNV2(inputs=[x, y, x], shape=[3, 4]), [_X, _Y]),
    OpCase("zeros", "Xlogy", lambda x, y: tf.math.xlogy(x, y), [_ZEROS, _POSITIVE]),
    OpCase("wild", "Xlogy", lambda x, y: tf.math.xlogy(x, y), [_ZEROS, _WILD]),
    OpCase("zeros", "Xlog1py", lambda x, y: tf.math.xlog1py(x, y), [_ZEROS, _POSITIVE]),
    OpCase("wild", "Xdivy", lambda x, y: tf.math.xdivy(x, y), [_ZEROS, _WILD]),
    OpCase("zeros", "DivNoNan", lambda x, y: tf.math.divide_no_nan(x, y), [_X, _ZEROS]),
    OpCase("wild", "DivNoNan", lambda x, y: tf.math.divide_no_nan(x, y), [_WILD, _ZEROS], dynamic=True),
    OpCase("wild", "MulNoNan", lambda x, y: tf.math.multiply_no_nan(x, y), [_WILD, _ZEROS]),
    OpCase("band", "MatrixBandPart", lambda x: tf.linalg.band_part(x, 1, 0), [_M]),
    OpCase("upper", "MatrixBandPart", lambda x: tf.linalg.band_part(x, 0, -1), [_S]),
    OpCase("dynamic", "MatrixBandPart", lambda x: tf.linalg.band_part(x, -1, 1), [_M], dynamic=True),
    OpCase("fed", "MatrixBandPart", lambda x, n: tf.linalg.band_part(x, n, n), [_M, np.int32(1)]),
    OpCase("x", "MatrixDiag", lambda x: r.MatrixDiag(diagonal=x), [_V]),
    OpCase("dynamic", "MatrixDiag", lambda x: r.MatrixDiag(diagonal=x), [_V], dynamic=True),
    OpCase("padding", "MatrixDiagV3", lambda x: tf.linalg.diag(x, padding_value=7.0), [_V]),
    OpCase("ints", "MatrixDiagV3", lambda x: tf.linalg.diag(x), [_I]),
    OpCase("x", "Diag", lambda x: tf.linalg.tensor_diag(x), [_V[0]]),
    OpCase("wide", "MatrixDiagPart", lambda x: r.MatrixDiagPart(input=x), [_M]),
    OpCase("tall", "MatrixDiagPart", lambda x: r.MatrixDiagPart(input=x), [_M.transpose(0, 2, 1)]),
    OpCase("wild", "MatrixDiagPart", lambda x: r.MatrixDiagPart(input=x), [_WILD]),
    OpCase("dynamic", "MatrixDiagPartV3", lambda x: tf.linalg.diag_part(x), [_M], dynamic=True),
    OpCase("x", "MatrixSetDiag", lambda x, d: r.MatrixSetDiag(input=x, diagonal=d), [_S, _V]),
    OpCase("x", "MatrixSetDiagV3", lambda x, d: tf.linalg.set_diag(x, d), [_S, _V]),
    *(
        OpCase(f"{k}-{align}", "MatrixDiagPartV3", _part(k, align), [_M])
        for k in (1, -2, (0, 0), (-1, 2), (-2, -1), (1, 4))
        for align in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT")
    ),
    OpCase("batch", "MatrixDiagPartV3", _part((-1, 1), "RIGHT_LEFT"), [_M], dynamic=((None, 3, 5),)),
    OpCase("v2", "MatrixDiagPartV2", lambda x: r.MatrixDiagPartV2(input=x, k=(-1, 1), padding_value=9.0), [_M]),
    OpCase("flags", "MatrixDiagPartV3", lambda x: tf.linalg.diag_part(x > 0, k=1), [_M]),
    *(
        OpCase(f"{k}-{m}-{n}", "MatrixDiagV3", _diag(k, m, n), [_V])
        for k, m, n in ((1, -1, -1), (-2, -1, -1), (0, 4, 6), (0, 5, -1), (0, -1, 7), (1, 4, 9), (-1, 6, 4))
    ),
    *(
        OpCase(f"band-{align}", "MatrixDiagV3", _diag((-1, 1), -1, -1, align), [_M])
        for align in ("RIGHT_LEFT", "LEFT_RIGHT")
    ),
    OpCase(
        "band",
        "MatrixDiagV2",
        lambda x: r.MatrixDiagV2(diagonal=x, k=(-2, 0), num_rows=5, num_cols=5, padding_value=3.0),
        [_M],
    ),
    OpCase("batch", "MatrixDiagV3", _diag(1, -1, -1), [_V], dynamic=((None, 4),)),
    OpCase("batches", "MatrixDiagV3", _diag(1, -1, -1), [_V[None]], dynamic=((None, None, 4),)),
    OpCase("nothing", "MatrixDiagV3", _diag(1, -1, -1), [_V[:, :0]], dynamic=((None, 0),)),
    OpCase("wide", "MatrixSetDiagV3", lambda x, d: tf.linalg.set_diag(x, d), [_M, _V[:, :3]]),
    OpCase("above", "MatrixSetDiagV3", lambda x, d: tf.linalg.set_diag(x, d, k=1), [_S, _V[:, :3]]),
    OpCase("band", "MatrixSetDiagV3", lambda x, d: tf.linalg.set_diag(x, d, k=(-1, 1)), [_S, _M[:, :, :4]]),
    OpCase(
        "band", "MatrixSetDiagV2", lambda x, d: r.MatrixSetDiagV2(input=x, diagonal=d, k=(0, 2)), [_S, _M[:, :, :4]]
    ),
    *(
        OpCase(
            f"{a}-{e}-{b}",
            op,
            lambda x, op=op, a=a, e=e, b=b: getattr(r, op)(x=x, axis=a, exclusive=e, reverse=b),
            [_M],
        )
        for op in ("Cumprod", "CumulativeLogsumexp")
        for a, e, b in ((0, False, False), (1, True, False), (-1, False, True), (2, True, True))
    ),
    OpCase("ints", "Cumprod", lambda x: tf.math.cumprod(x, 1), [_I]),
    OpCase("one", "Cumprod", lambda x: tf.math.cumprod(x, 1, exclusive=True), [_X[:, :1]]),
    OpCase("batch", "Cumprod", lambda x: tf.math.cumprod(x, 1), [_X], dynamic=((None, 4),)),
    OpCase(
        "wild",
        "CumulativeLogsumexp",
        lambda x: tf.math.cumulative_logsumexp(x, 1),
        [np.array([[-np.inf, -np.inf, 1, 90], [3e38, 3e38, 0, np.inf]], "f")],
    ),
    OpCase("one", "Roll", lambda x: tf.roll(x, 1, 1), [_X]),
    OpCase("two", "Roll", lambda x: tf.roll(x, [-2, 5], [0, 1]), [_X]),
    OpCase("same-twice", "Roll", lambda x: tf.roll(x, [1, 1], [1, 1]), [_X]),
    OpCase("x", "L2Loss", lambda x: tf.nn.l2_loss(x), [_X]),
    OpCase("keep", "EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x, 1, True), [_X]),
    OpCase("all", "EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x), [_X]),
    OpCase("floats", "Bucketize", lambda x: r.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]), [_ZEROS]),
    OpCase("nan", "Bucketize", lambda x: r.Bucketize(input=x, boundaries=[-1.0, 0.0, 5.0]), [_WILD]),
    OpCase("ints", "Bucketize", lambda x: r.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]), [_I], dynamic=True),
    OpCase("x", "InvertPermutation", lambda x: tf.math.invert_permutation(x), [np.array([2, 0, 3, 1], "i4")]),
    OpCase("x", "Cross", lambda a, b: tf.linalg.cross(a, b), [_X[:, :3], _Y[:, :3]]),
    # What a decomposition does not take.
    OpCase("float", "TruncateMod", lambda x, y: tf.truncatemod(x, y), [_X, _Y], refusal="dtype"),
    OpCase("off", "MatrixDiagV3", lambda x: tf.linalg.diag(x, k=1), [_V], dynamic=True, refusal="unknown-dim"),
    OpCase("k-fed", "MatrixDiagV3", lambda x, k: tf.linalg.diag(x, k=k), [_V, np.int32(0)], refusal="not-constant"),
    OpCase("off", "MatrixDiagPartV3", _part(1), [_M], dynamic=True, refusal="unknown-dim"),
    OpCase("flags", "MatrixDiagPartV3", lambda x: tf.linalg.diag_part(x > 0), [_M], dynamic=True, refusal="dtype"),
    OpCase("flags", "MatrixDiagPart", lambda x: r.MatrixDiagPart(input=x > 0), [_M], refusal="dtype"),
    OpCase("rank", "MatrixDiagPartV3", _part(1), [_M], unknown_rank=True, refusal="unknown-rank"),
    *(
        OpCase(
            "axis-fed", op, lambda x, a, op=op: getattr(r, op)(x=x, axis=a), [_X, np.int32(1)], refusal="not-constant"
        )
        for op in ("Cumprod", "CumulativeLogsumexp")
    ),
    *(
        OpCase("size", op, lambda x, op=op: getattr(r, op)(x=x, axis=1), [_X], dynamic=True, refusal="unknown-dim")
        for op in ("Cumprod", "CumulativeLogsumexp")
    ),
    *(
        OpCase(
            "rank", op, lambda x, op=op: getattr(r, op)(x=x, axis=1), [_X], unknown_rank=True, refusal="unknown-rank"
        )
        for op in ("Cumprod", "CumulativeLogsumexp")
    ),
    OpCase(
        "k-fed",
        "MatrixDiagPartV3",
        lambda x, k: r.MatrixDiagPartV3(input=x, k=k, padding_value=0.0),
        [_S, np.int32(0)],
        refusal="not-constant",
    ),
    OpCase("rank", "Diag", lambda x: tf.linalg.tensor_diag(x), [_X], refusal="rank"),
    OpCase("unranked", "Diag", lambda x: r.Diag(diagonal=x), [_V[0]], unknown_rank=True, refusal="unknown-rank"),
    OpCase("size", "MatrixSetDiagV3", lambda x: tf.linalg.set_diag(x, _V), [_S], dynamic=True, refusal="unknown-dim"),
    OpCase(
        "wide", "MatrixSetDiag", lambda x: r.MatrixSetDiag(input=x, diagonal=_M[:, :, 0]), [_M], refusal="unknown-dim"
    ),
    OpCase(
        "unranked",
        "MatrixSetDiag",
        lambda x, d: r.MatrixSetDiag(input=x, diagonal=d),
        [_S, _V],
        unknown_rank=True,
        refusal="unknown-rank",
    ),
    OpCase("fed", "Roll", lambda x, s: tf.roll(x, s, 1), [_X, np.int32(1)], refusal="not-constant"),
    OpCase("dynamic", "Roll", lambda x: tf.roll(x, 1, 1), [_X], dynamic=True, refusal="unknown-dim"),
    OpCase("unranked", "Roll", lambda x: tf.roll(x, 1, 1), [_X], unknown_rank=True, refusal="unknown-rank"),
    OpCase("ints", "EuclideanNorm", lambda x: tf.math.reduce_euclidean_norm(x), [_I], refusal="dtype"),
    OpCase("double", "Bucketize", lambda x: r.Bucketize(input=x, boundaries=[0.0]), [_X.astype("d")], refusal="dtype"),
]
