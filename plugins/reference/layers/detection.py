"""Non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfgraft.plugins.reference.layers.base import LayerFunction, optional, wide
from tfgraft.plugins.reference.network import Array, Layer, dtype_of


def nms(layer: Layer, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Select boxes greedily by score, for each batch item and class.

    Inputs: boxes [batch, boxes, 4] or [batch, boxes, classes, 4], scores [batch, boxes, classes], the largest number
    of boxes for a class, the IoU above which a box is suppressed (0 without it), the score that a box must exceed (0).

    Returns:
        (batch, class, box) rows in order of batch item, then of falling score, and the number of rows, int32.
    """
    boxes, scores = inputs[0], inputs[1]
    if boxes is None or scores is None:
        raise ValueError("the layer has no boxes or no scores")
    limit, overlap, lowest = (optional(inputs, i) for i in (2, 3, 4))
    most = boxes.shape[1] if limit is None else int(limit.item())
    iou = 0.0 if overlap is None else float(overlap.item())
    threshold = 0.0 if lowest is None else float(lowest.item())
    corners = _corners(wide(boxes), layer.attrs["bounding_box_format"])
    rows = []
    for item, item_scores in enumerate(wide(scores)):
        candidates = _candidates(item_scores, threshold, layer.attrs["topk_box_limit"])
        found: list[tuple[float, int, int]] = []
        for label in range(item_scores.shape[1]):
            ranked = candidates[candidates[:, 1] == label, 0]
            own = corners[item] if corners.ndim == 3 else corners[item, :, label]
            found += [(-float(item_scores[b, label]), label, int(b)) for b in _select(own, ranked, most, iou)]
        rows += [(item, label, box) for _, label, box in sorted(found)]
    indices = np.array(rows, dtype_of(layer.attrs["indices_type"] or "int32")).reshape(-1, 3)
    return [indices, np.array(len(rows), np.int32)]


def _candidates(scores: Array, threshold: float, limit: int) -> Array:
    """Return (box, class) rows of the highest scores above the threshold, highest first."""
    pairs = np.argwhere(scores > threshold)
    order = np.argsort(-scores[pairs[:, 0], pairs[:, 1]], kind="stable")
    return pairs[order[: limit if limit > 0 else None]]


def _corners(boxes: Array, form: str) -> Array:
    if form == "CENTER_SIZES":
        half = boxes[..., 2:] / 2
        return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)
    return np.concatenate([np.minimum(boxes[..., :2], boxes[..., 2:]), np.maximum(boxes[..., :2], boxes[..., 2:])], -1)


def _select(boxes: Array, ranked: Array, most: int, iou: float) -> list[int]:
    """Return the boxes that survive, out of those ranked by score."""
    kept: list[int] = []
    area = np.prod(boxes[:, 2:] - boxes[:, :2], -1)
    while ranked.size and len(kept) < most:
        best, ranked = ranked[0], ranked[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[ranked, :2])
        high = np.minimum(boxes[best, 2:], boxes[ranked, 2:])
        common = np.prod(np.maximum(high - low, 0), -1)
        union = area[best] + area[ranked] - common
        ranked = ranked[np.where(union > 0, common / np.where(union > 0, union, 1), 0) <= iou]
    return kept


TABLE: dict[str, LayerFunction] = {"nms": nms}
