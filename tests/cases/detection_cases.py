"""The largest elements, and non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tests.cases.case import OpCase

_R = np.random.default_rng(6)
_RAW = tf.raw_ops
_CORNERS = _R.random((40, 2)).astype("float32")
_BOXES = np.concatenate([_CORNERS, _CORNERS + _R.random((40, 2), np.float32) - 0.3], 1)  # some with corners swapped
_SCORES = np.round(_R.random(40).astype("float32"), 1)  # with ties
_TIES = np.array([[1, 3, 3, 2, 3], [5, 5, 5, 5, 5]], "float32")


def _top(case: str, x: Any, k: int, dtype: Any = tf.int32, **more: Any) -> OpCase:
    return OpCase(case, "TopKV2", lambda v: list(_RAW.TopKV2(input=v, k=k, index_type=dtype)), [x], **more)


def _held_top(v: Any) -> Any:
    y = tf.nn.conv2d(v, np.eye(6, dtype="float32")[None, None], 1, "SAME")
    return tf.nn.relu(_RAW.TopKV2(input=y, k=3).values), tf.math.top_k(y, 2).indices


def _nms(version: str, case: str, boxes: Any, scores: Any, call: Callable[[Any, Any], Any], **more: Any) -> OpCase:
    return OpCase(case, f"NonMaxSuppression{version}", lambda b, s: _flat(call(b, s)), [boxes, scores], **more)


def _flat(result: Any) -> Any:
    return list(result) if isinstance(result, tuple) else result


def _v1(b: Any, s: Any) -> Any:
    return _RAW.NonMaxSuppression(boxes=b, scores=s, max_output_size=7, iou_threshold=0.3)


def _v2(b: Any, s: Any) -> Any:
    return _RAW.NonMaxSuppressionV2(boxes=b, scores=s, max_output_size=50, iou_threshold=0.3)


def _v3(score: float) -> Any:
    return lambda b, s: _RAW.NonMaxSuppressionV3(
        boxes=b, scores=s, max_output_size=20, iou_threshold=0.4, score_threshold=score
    )


def _v4(pad: bool, score: float = 0.5) -> Any:
    return lambda b, s: _RAW.NonMaxSuppressionV4(
        boxes=b, scores=s, max_output_size=30, iou_threshold=0.4, score_threshold=score, pad_to_max_output_size=pad
    )


def _v5(pad: bool, sigma: float = 0.0, score: float = 0.3) -> Any:
    return lambda b, s: _RAW.NonMaxSuppressionV5(
        boxes=b,
        scores=s,
        max_output_size=30,
        iou_threshold=0.4,
        score_threshold=score,
        soft_nms_sigma=sigma,
        pad_to_max_output_size=pad,
    )


def _fed(b: Any, s: Any, size: Any, iou: Any, score: Any) -> Any:
    return _RAW.NonMaxSuppressionV3(boxes=b, scores=s, max_output_size=size, iou_threshold=iou, score_threshold=score)


# Overlap of exactly a half, and a score of exactly the threshold.
_EDGE = np.array([[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]], "float32")
_EDGE_SCORES = np.array([0.9, 0.8, 0.7, 0.5], "float32")
_NONE = np.zeros((0, 4), "float32"), np.zeros(0, "float32")

CASES = [
    _top("ties", _TIES, 4, dynamic=True),
    _top("one", _TIES, 1),
    _top("none", _TIES, 0),
    _top("all-int64", _TIES, 5, tf.int64),
    _top("vector", _TIES[0], 2, dynamic=True),
    _top("cube", _R.standard_normal((3, 2, 40)).astype("float32"), 7, dynamic=True),
    _top("int16-index", _TIES, 2, tf.int16, refusal="dtype"),
    *(
        _top(t, (_TIES * 7).astype(t), 3)
        for t in ("float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint32")
    ),
    _top("uint64", _TIES.astype("uint64"), 2, refusal="dtype"),
    _top("rank-unknown", _TIES, 2, unknown_rank=True, refusal="unknown-rank"),
    _top("empty", np.zeros((0, 5), "float32"), 2, dynamic=True),
    OpCase("fed-k", "TopKV2", lambda v, k: list(_RAW.TopKV2(input=v, k=k)), [_TIES, np.int32(3)], dynamic=True),
    OpCase("held", "TopKV2", _held_top, [_R.standard_normal((1, 2, 3, 6)).astype("float32")]),
    _nms("", "plain", _BOXES, _SCORES, _v1, dynamic=True),
    _nms("V2", "plain", _BOXES, _SCORES, _v2, dynamic=True),
    _nms("V2", "none", *_NONE, _v2, dynamic=((None, 4), (None,))),
    *(_nms("V3", f"score-{score}", _BOXES, _SCORES, _v3(score), dynamic=True) for score in (-1.0, 0.5, 2.0)),
    _nms("V3", "score-minus-infinity", _BOXES, _SCORES, _v3(float("-inf")), dynamic=True),
    _nms("V3", "edge", _EDGE, _EDGE_SCORES, lambda b, s: _fed(b, s, 4, 0.5, 0.5)),
    OpCase(
        "fed",
        "NonMaxSuppressionV3",
        _fed,
        [_BOXES, _SCORES, np.int32(5), np.float32(0.2), np.float32(0.1)],
        dynamic=True,
    ),
    OpCase(
        "half",
        "NonMaxSuppressionV3",
        lambda b, s: _RAW.NonMaxSuppressionV3(
            boxes=b,
            scores=s,
            max_output_size=3,
            iou_threshold=tf.constant(0.5, "float16"),
            score_threshold=tf.constant(0, "float16"),
        ),
        [_BOXES.astype("float16"), _SCORES.astype("float16")],
        refusal="dtype",
    ),
    *(_nms("V4", f"pad-{pad}", _BOXES, _SCORES, _v4(pad), dynamic=True) for pad in (False, True)),
    _nms("V4", "nothing", _BOXES, _SCORES, _v4(True, 5.0)),
    *(_nms("V5", f"pad-{pad}", _BOXES, _SCORES, _v5(pad), dynamic=True) for pad in (False, True)),
    _nms("V5", "nothing", _BOXES, _SCORES, _v5(False, score=5.0)),
    _nms("V5", "soft", _BOXES, _SCORES, _v5(False, 0.5), refusal="attribute"),
    OpCase(
        "fed-sigma",
        "NonMaxSuppressionV5",
        lambda b, s, sigma: _RAW.NonMaxSuppressionV5(
            boxes=b, scores=s, max_output_size=3, iou_threshold=0.4, score_threshold=0.3, soft_nms_sigma=sigma
        ),
        [_BOXES, _SCORES, np.float32(0)],
        refusal="not-constant",
    ),
]
