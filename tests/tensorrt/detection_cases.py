"""Cases of non-maximum suppression."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cases.case import OpCase
from tests.cases.detection_cases import CASES as SHARED
from tests.cases.raw import DYNAMIC, K, raw, refused

_R = np.random.default_rng(6)
_CORNERS = _R.random((40, 2)).astype(np.float32)
_BOXES = np.concatenate([_CORNERS, _CORNERS + _R.random((40, 2), np.float32) - np.float32(0.3)], 1)  # some swapped
_SCORES = np.round(_R.random(40).astype(np.float32), 1)  # with ties
# Overlap of exactly a half, and a score of exactly the threshold.
_EDGE = np.array([[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
_EDGE_SCORES = np.array([0.9, 0.8, 0.7, 0.5], np.float32)
_NO_BOXES = {"dynamic": ((None, 4), (None,))}


def _f(value: float) -> K:
    return K(value, "float32")


def _v4(boxes: Any, scores: Any, size: int = 30, iou: Any = 0.4, least: Any = 0.5, **more: Any) -> OpCase:
    thresholds = (t if isinstance(t, np.ndarray) else K(np.asarray(t, boxes.dtype)) for t in (iou, least))
    attrs = {"pad_to_max_output_size": True} | more.pop("attrs", {})
    return raw("NonMaxSuppressionV4", boxes, scores, K(size), *thresholds, **attrs, **more)


def _v5(sigma: float, least: Any, size: int = 30, case: Any = None, **attrs: Any) -> OpCase:
    return raw(
        "NonMaxSuppressionV5",
        _BOXES,
        _SCORES,
        K(size),
        _f(0.4),
        least if isinstance(least, np.ndarray) else _f(least),
        _f(sigma),
        id=f"{sigma}-{least}-{size}",
        case=case,
        **{"pad_to_max_output_size": True, **attrs},
    )


_MANY = _R.random((2, 12, 3, 4)).astype(np.float32) * np.float32(1.5)
_MANY_SCORES = _R.permutation(72).reshape(2, 12, 3).astype(np.float32) / 72  # no ties: TensorFlow's sort is not stable


def _combined(size: Any, total: Any, q: int = 1, least: Any = 0.3, id: str = "", **more: Any) -> OpCase:
    images = more.pop("images", slice(None))
    sizes = [n if isinstance(n, np.ndarray) else K(n) for n in (size, total)]
    boxes, scores = _MANY[images, :, :q], _MANY_SCORES[images]
    return raw(
        "CombinedNonMaxSuppression", boxes, scores, *sizes, _f(0.3), _f(least), id=f"{id}-{size}-{total}-{q}", **more
    )


_UNKNOWN_CLASSES = {"dynamic": ((2, 12, None, 4), (2, 12, None))}

CASES: list[OpCase] = [
    _v4(_BOXES, _SCORES),
    _v4(_BOXES, _SCORES, id="dynamic", case=DYNAMIC),
    _v4(_BOXES, _SCORES, 5, 0.2, -1.0, id="more-boxes"),
    _v4(_BOXES, _SCORES, least=float("-inf"), id="infinite"),
    _v4(_BOXES, _SCORES, least=5.0, id="nothing"),
    _v4(_BOXES, _SCORES, 0, id="no-size"),
    _v4(_EDGE, _EDGE_SCORES, 4, 0.5, 0.5, id="edge"),
    _v4(_EDGE, _EDGE_SCORES, 1, 0.5, 0.5, id="one"),
    _v4(_BOXES[:0], _SCORES[:0], 3, id="none", case=_NO_BOXES),
    _v4(_BOXES, _SCORES, 3, np.array(0.3, np.float32), np.array(0.1, np.float32), id="fed"),
    _v4(_BOXES[:1], _SCORES[:1], 2, id="one-box"),
    _v4((np.round(_BOXES * 8) / 8).astype(np.float16), _SCORES.astype(np.float16), iou=0.45, id="half"),
    _v4(_BOXES, _SCORES, attrs={"pad_to_max_output_size": False}, case=refused("attribute")),
    raw("NonMaxSuppressionV4", _BOXES, _SCORES, np.array(3, np.int32), _f(0.5), _f(0.5), case=refused("not-constant")),
    *(_v5(sigma, least) for sigma in (0.0, 0.5) for least in (0.0, 0.3)),
    _v5(0.0, float("-inf"), 7),
    _v5(0.1, 0.05, 50, DYNAMIC),
    _v5(0.0, 5.0, 3),
    _v5(0.0, np.array(0.2, np.float32), 3),
    _v5(0.5, float("-inf"), 7, refused("attribute")),
    _v5(0.5, np.array(0.2, np.float32), 7, refused("attribute")),
    _v5(0.0, 0.3, 7, refused("attribute"), pad_to_max_output_size=False),
    *(_combined(size, total) for size, total in ((2, 4), (1, 5), (2, 10), (4, 30), (20, 5))),
    *(_combined(size, total, pad_per_class=True) for size, total in ((1, 5), (2, 10), (20, 5))),
    _combined(3, 6, 3),
    _combined(3, 6, 3, clip_boxes=False),
    _combined(3, 20, 3, id="dynamic", case={"dynamic": ((None, None, 3, 4), (None, None, 3))}),
    _combined(2, 4, least=2.0, id="nothing"),
    _combined(2, 4, id="no-image", images=slice(0), case={"dynamic": ((None, 12, 1, 4), (None, 12, 3))}),
    _combined(2, 4, id="classes", case=refused("unknown-dim", **_UNKNOWN_CLASSES)),
    _combined(2, 4000, case=refused("attribute")),
    _combined(np.array(2, np.int32), 4, case=refused("not-constant")),
    *(
        OpCase(case.id, case.op, case.build, case.inputs, refusal="unknown-dim")
        for case in SHARED
        if case.id == "plain" and case.op.startswith("NonMaxSuppression")
    ),
    next(
        OpCase(case.id, case.op, case.build, case.inputs, refusal="unknown-dim")
        for case in SHARED
        if case.op == "NonMaxSuppressionV3"
    ),
]
