"""Cases of refused nodes that the tables of the families do not have, and the ops whose ranks TensorFlow fixes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase
from tests.cases.fused_cases import node
from tests.cases.raw import K, raw, refused


def _n(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def _f(value: float) -> K:
    return K(value, "float32")


_X, _X3, _MAPS = _n(1, 4, 4, 4), _n(1, 4, 4, 4, 4), _n(4, 2, 2, 1)
_K, _K3, _C = _n(2, 2, 4, 4), _n(2, 2, 2, 4, 4), _n(4)
_BOXES, _SCORES = _n(5, 4), _n(5)
_CONV: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "VALID"}
_CONV3: dict[str, Any] = {"strides": [1, 1, 1, 1, 1], "padding": "VALID"}
_SIZES = {"ksize": [1, 2, 2, 1], **_CONV}
_SIZES3 = {"ksize": [1, 2, 2, 2, 1], **_CONV3}
_UNKNOWN: dict[str, Any] = {"id": "rank", "case": refused("unknown-rank", unknown_rank=True)}
_BLOCKS = K([[0, 0], [0, 0]])
_SHAPE = np.array([1, 5, 5, 5, 4], np.int32)


def _fused(op: str, *fed: Any, **attrs: Any) -> OpCase:
    """Make a case of an op that Grappler alone makes, whose inputs are all fed; as many as `num_args` are beside."""
    texts = {key: value.encode() if isinstance(value, str) else value for key, value in attrs.items()}
    case = OpCase("rank", op, lambda *feeds: node(op, list(feeds), **texts), fed, unknown_rank=True)
    return replace(case, refusal="unknown-rank")


_FUSED: dict[str, Any] = {"fused_ops": [b"BiasAdd"], "num_args": 1}
_TYPED: dict[str, Any] = {**_FUSED, "TArgs": [tf.float32]}
_NORM: dict[str, Any] = {"is_training": False, "epsilon": 0.1, "U": tf.float32, "num_side_inputs": 0}
_NORM["activation_mode"] = "Relu"
_TEXT = {**_CONV, "padding": b"VALID"}

FIXED_RANKS: list[OpCase] = [
    *(raw(op, _X, _K, **_CONV, **_UNKNOWN) for op in ("Conv2D", "DepthwiseConv2dNative")),
    raw("Conv3D", _X3, _K3, **_CONV3, **_UNKNOWN),
    raw("Conv2DBackpropInput", np.array([1, 5, 5, 4], np.int32), _K, _X, **_CONV, **_UNKNOWN),
    *(raw(op, _X, **_SIZES, **_UNKNOWN) for op in ("AvgPool", "MaxPool")),
    *(raw(op, _X3, **_SIZES3, **_UNKNOWN) for op in ("AvgPool3D", "MaxPool3D")),
    raw("MaxPoolV2", _X, K([1, 2, 2, 1]), K([1, 1, 1, 1]), padding="VALID", **_UNKNOWN),
    raw("LRN", _X, **_UNKNOWN),
    *(
        raw(op, _X, _C, _C, _C, _C, is_training=False, **_UNKNOWN)
        for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
    ),
    *(raw(op, _X, block_size=2, **_UNKNOWN) for op in ("DepthToSpace", "SpaceToDepth")),
    raw("SpaceToBatch", _X, _BLOCKS, block_size=2, **_UNKNOWN),
    raw("BatchToSpace", _MAPS, _BLOCKS, block_size=2, **_UNKNOWN),
    *(
        raw(op, _X, K([3, 3]), **_UNKNOWN)
        for op in ("ResizeArea", "ResizeBicubic", "ResizeBilinear", "ResizeNearestNeighbor")
    ),
    raw("CropAndResize", _X, _n(2, 4), np.array([0, 0], np.int32), K([2, 2]), **_UNKNOWN),
    raw("InvertPermutation", np.array([1, 0], np.int32), **_UNKNOWN),
    *(raw(op, _X, _C, **_UNKNOWN) for op in ("BiasAdd", "BiasAddV1")),
    raw("NonMaxSuppressionV4", _BOXES, _SCORES, K(2), _f(0.5), _f(0), pad_to_max_output_size=True, **_UNKNOWN),
    raw("NonMaxSuppressionV5", _BOXES, _SCORES, K(2), _f(0.5), _f(0), _f(0), pad_to_max_output_size=True, **_UNKNOWN),
    raw("CombinedNonMaxSuppression", _n(1, 5, 1, 4), _n(1, 5, 2), K(2), K(2), _f(0.5), _f(0), **_UNKNOWN),
    _fused("_FusedConv2D", _X, _K, _C, **_CONV, **_TYPED),
    _fused("_FusedDepthwiseConv2dNative", _X, _K, _n(16), **_CONV, **_FUSED),
    _fused("_FusedConv3D", _X3, _K3, _C, **_CONV3, **_FUSED),
    _fused("_FusedMatMul", _n(2, 4), _n(4, 4), _C, **_FUSED),
    _fused("_FusedBatchNormEx", _X, _C, _C, _C, _C, **_NORM),
]
"""Ops on inputs of unknown rank, to be read and not run. TensorFlow lets no other rank through than the one that it
tells by the op itself, so that no node is refused for it."""

_DOUBLE: dict[str, Any] = {"id": "double", "case": refused("dtype")}
_CROPS = (_n(2, 4), np.array([0, 0], np.int32), K([2, 2]))
_BRAIN = [v.astype(tf.bfloat16.as_numpy_dtype) for v in (_X, _C, _C, _C, _C)]
_VOLUMES = (_SHAPE, _K3, _X3)
_X64, _K64 = _X.astype("float64"), _K.astype("float64")

CASES: list[OpCase] = [
    raw("Conv3DBackpropInputV2", *_VOLUMES, id="rank", case=refused("unknown-rank", unknown_rank=True), **_CONV3),
    raw("Conv3DBackpropInputV2", _SHAPE, _K3[None], _X3[None], id="more-ranks", case=refused("rank"), **_CONV3),
    raw("DataFormatVecPermute", np.array([[[1, 2, 3, 4]]], np.int32), id="ranks", case=refused("rank")),
    raw("CropAndResize", _X64, *_CROPS, **_DOUBLE),
    raw("MaxPoolV2", _X64, K([1, 2, 2, 1]), K([1, 1, 1, 1]), padding="VALID", **_DOUBLE),
    raw("FusedBatchNormV3", *_BRAIN, is_training=False, id="statistics", case=refused("dtype")),
    raw("Where", _C.astype("complex64"), id="complex", case=refused("dtype")),
    raw(
        "NonMaxSuppressionV5",
        *(_BOXES, _SCORES, np.array(2, np.int32), _f(0.5), _f(0), _f(0)),
        id="size",
        case=refused("not-constant"),
        pad_to_max_output_size=True,
    ),
    OpCase(
        "double",
        "_FusedDepthwiseConv2dNative",
        lambda x: node("_FusedDepthwiseConv2dNative", [x, _K64], fused_ops=[], num_args=0, **_TEXT),
        [_X64],
        refusal="dtype",
    ),
]
