"""Non-maximum suppression with a fixed number of results, as a loop that takes the best box of all rows at once.

TensorRT has a layer for it, which TensorRT-RTX cannot build ("has no runners that implement it").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import dims_of, times, vector
from tfgraft.converters.tensorrt.emit import (
    binary,
    cut,
    like,
    reduce,
    reshape,
    select,
    squeeze,
    unary,
    unsqueeze,
)
from tfgraft.converters.tensorrt.loops import Loop
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_INT = frozenset({"int32"})
_FLOAT = frozenset({"float32"})
_MOST = 3840
"""The largest k of TensorRT's TopK."""


@dataclass(frozen=True)
class _Chosen:
    """What was chosen, best first: tensors of shape [size, ...rows]; zeros where there was nothing left to choose."""

    indices: Any
    scores: Any
    valid: Any


@dataclass(frozen=True)
class _Boxes:
    """The sides of boxes, low before high, and their areas: tensors of shape [...rows, boxes]."""

    top: Any
    left: Any
    bottom: Any
    right: Any
    area: Any

    @classmethod
    def of(cls, ctx: TensorRtContext, sides: list[Any]) -> _Boxes:
        y, x, y2, x2 = sides
        top, bottom = binary(ctx, "MIN", y, y2), binary(ctx, "MAX", y, y2)
        left, right = binary(ctx, "MIN", x, x2), binary(ctx, "MAX", x, x2)
        area = binary(ctx, "PROD", binary(ctx, "SUB", bottom, top), binary(ctx, "SUB", right, left))
        return cls(top, left, bottom, right, area)

    def only(self, ctx: TensorRtContext, chosen: Any) -> _Boxes:
        """Return the one box of each row for which `chosen` is true."""
        axis = len(chosen.shape) - 1

        def one(side: Any) -> Any:
            return reduce(ctx, "SUM", select(ctx, chosen, side, like(ctx, side, 0.0)), [axis], keep=True)

        return _Boxes(*map(one, (self.top, self.left, self.bottom, self.right, self.area)))

    def overlap(self, ctx: TensorRtContext, other: _Boxes) -> Any:
        """Return the intersection over union, zero where a box has no area."""
        zero = like(ctx, self.area, 0.0)

        def along(low: Any, low2: Any, high: Any, high2: Any) -> Any:
            return binary(
                ctx, "MAX", binary(ctx, "SUB", binary(ctx, "MIN", high, high2), binary(ctx, "MAX", low, low2)), zero
            )

        both = binary(
            ctx,
            "PROD",
            along(self.top, other.top, self.bottom, other.bottom),
            along(self.left, other.left, self.right, other.right),
        )
        either = binary(ctx, "SUB", binary(ctx, "SUM", self.area, other.area), both)
        real = binary(ctx, "AND", binary(ctx, "GREATER", self.area, zero), binary(ctx, "GREATER", other.area, zero))
        return select(ctx, real, binary(ctx, "DIV", both, either), zero)


def _choose(
    ctx: TensorRtContext, sides: list[Any], scores: Any, size: int, most: Any, least: Any, sigma: float = 0.0
) -> _Chosen:
    """Add the loop.

    Args:
        sides: y1, x1, y2, x2 of the boxes, of shape [...rows, boxes]; rows may be of size one.
        scores: of shape [...rows, boxes].
        size: how many are chosen of each row.
        most: the overlap from which on the lesser box is dropped, of the scores' type and rank.
        least: only scores above it count, of the scores' type and rank.
        sigma: of the Gaussian by which overlap lowers scores; zero for none.
    """
    axis, rank = len(scores.shape) - 1, len(scores.shape)
    none = like(ctx, scores, float("-inf"))
    boxes = _Boxes.of(ctx, sides)
    place = count(ctx, dims_of(ctx, scores)[axis], "int32")
    place = unsqueeze(ctx, place, range(rank - 1))
    beyond = like(ctx, place, np.iinfo(np.int32).max)
    loop = Loop(ctx)
    loop.count(size)
    left = loop.carry(select(ctx, binary(ctx, "GREATER", scores, least), scores, none))
    best = reduce(ctx, "MAX", left, [axis], keep=True)
    # Of equal scores the first, as in TensorFlow.
    ties = binary(ctx, "EQUAL", left, best)
    index = reduce(ctx, "MIN", select(ctx, ties, place, beyond), [axis], keep=True)
    chosen = binary(ctx, "EQUAL", place, index)
    overlap = boxes.overlap(ctx, boxes.only(ctx, chosen))
    if sigma > 0:  # then no overlap drops a box, but by lowering its score
        exponent = binary(ctx, "PROD", binary(ctx, "PROD", overlap, overlap), like(ctx, overlap, -0.5 / sigma))
        lowered = binary(ctx, "PROD", left, unary(ctx, "EXP", exponent))
        after = select(ctx, binary(ctx, "GREATER", lowered, least), lowered, none)
    else:
        after = select(ctx, binary(ctx, "GREATER", overlap, most), none, left)
    after = select(ctx, chosen, none, after)
    loop.again(left, after)
    valid = binary(ctx, "GREATER", best, none)
    found = [valid, select(ctx, valid, index, like(ctx, index, 0)), select(ctx, valid, best, like(ctx, best, 0.0))]
    valid, index, best = (loop.stack(squeeze(ctx, value, [axis]), size) for value in found)
    return _Chosen(index, best, valid)


def _sides(ctx: TensorRtContext, boxes: Any) -> list[Any]:
    """Cut boxes [..., 4] into four tensors [...]."""
    *rows, _ = dims_of(ctx, boxes)
    axis = len(rows)
    return [squeeze(ctx, cut(ctx, boxes, (0,) * axis + (k,), [*rows, 1]), [axis]) for k in range(4)]


_HARD = OpSpec(
    dtypes=frozenset({"float16", "float32"}),
    input_dtypes={2: _INT},
    output_dtypes={0: _INT, 1: _INT},
    ranks={0: (2,), 1: (1,)},
    constants=(2,),
    attrs={"pad_to_max_output_size": (True,)},
)
_SOFT = replace(_HARD, output_dtypes={0: _INT, 2: _INT}, constants=(2, 5))


def _suppress(ctx: TensorRtContext, view: NodeView, sigma: float = 0.0) -> _Chosen:
    boxes, scores = ctx.get(view, 0), ctx.get(view, 1)
    most, least = (reshape(ctx, ctx.get(view, i), (1,)) for i in (3, 4))
    return _choose(ctx, _sides(ctx, boxes), scores, int(view.known_const(2)), most, least, sigma)


def _count(ctx: TensorRtContext, valid: Any, axis: int) -> Any:
    return reduce(ctx, "SUM", ctx.cast(valid, "int32"), [axis], keep=False)


@converter(
    "NonMaxSuppressionV4",
    engine="tensorrt",
    spec=_HARD,
    notes="How many boxes are chosen depends on the data, so the result must be padded.",
)
def non_max_suppression_v4(ctx: TensorRtContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV4 with padding -> a loop."""
    chosen = _suppress(ctx, view)
    ctx.set(view, 0, chosen.indices)
    ctx.set(view, 1, _count(ctx, chosen.valid, 0))


def _check_softness(view: NodeView) -> Support:
    least = view.const(4)
    if float(view.known_const(5)) <= 0 or (least is not None and float(least) >= 0):
        return SUPPORTED
    # TensorFlow lowers a score when it comes to the box, and what is below zero rises by that.
    return Unsupported(
        "attribute",
        f"{view.op} with soft_nms_sigma is taken where score_threshold is a constant of zero or more.",
        "input 4",
        "Give a score_threshold of 0.",
    )


@converter("NonMaxSuppressionV5", engine="tensorrt", spec=_SOFT, check=_check_softness)
def non_max_suppression_v5(ctx: TensorRtContext, view: NodeView) -> None:
    """TF NonMaxSuppressionV5 with padding, soft or not -> a loop."""
    chosen = _suppress(ctx, view, float(view.known_const(5)))
    ctx.set(view, 0, chosen.indices)
    ctx.set(view, 1, chosen.scores)
    ctx.set(view, 2, _count(ctx, chosen.valid, 0))


def _check_never(view: NodeView) -> Support:
    return Unsupported(
        "unknown-dim",
        f"How many boxes {view.op} chooses depends on the data. TensorRT's layer for that, NMS, has no runners that "
        "implement it in TensorRT-RTX.",
        "output 0",
        "Use tf.image.non_max_suppression_padded, or NonMaxSuppressionV4 with pad_to_max_output_size.",
    )


@converter(
    "NonMaxSuppression",
    "NonMaxSuppressionV2",
    "NonMaxSuppressionV3",
    engine="tensorrt",
    check=_check_never,
    notes="Never taken: how many boxes are chosen depends on the data. NonMaxSuppressionV4 is, with padding.",
)
def non_max_suppression(ctx: TensorRtContext, view: NodeView) -> None:
    """TF NonMaxSuppression, V2, V3: refused in any case."""
    raise NotImplementedError(view.op)


def _check_combined(view: NodeView) -> Support:
    classes, q = (view.shape(1) or ())[2], (view.shape(0) or ())[2]
    if classes < 0 or q < 0:
        return Unsupported("unknown-dim", f"{view.op} needs the number of classes, known.", "input 1")
    if int(view.known_const(3)) > _MOST:
        return Unsupported("attribute", f"TensorRT sorts at most {_MOST} boxes (max_total_size).", "input 3")
    return SUPPORTED


@converter(
    "CombinedNonMaxSuppression",
    engine="tensorrt",
    spec=OpSpec(
        dtypes=_FLOAT,
        input_dtypes={2: _INT, 3: _INT},
        output_dtypes={3: _INT},
        ranks={0: (4,), 1: (3,)},
        constants=(2, 3),
    ),
    check=_check_combined,
)
def combined_non_max_suppression(ctx: TensorRtContext, view: NodeView) -> None:
    """TF CombinedNonMaxSuppression -> a loop for all images and classes at once, then the best of each image."""
    boxes, scores = ctx.get(view, 0), ctx.get(view, 1)
    batch, count, q, _ = dims_of(ctx, boxes)
    classes = scores.shape[2]
    size, total = (int(view.known_const(i)) for i in (2, 3))
    width = min(total, size * classes) if view.attr("pad_per_class", False) else total
    size = max(1, min(size, count)) if isinstance(count, int) else size
    kept = min(width, size * classes)

    sides = [ctx.transpose(side, (0, 2, 1)) for side in _sides(ctx, boxes)]
    most, least = (reshape(ctx, ctx.get(view, i), (1, 1, 1)) for i in (4, 5))
    chosen = _choose(ctx, sides, ctx.transpose(scores, (0, 2, 1)), size, most, least)

    def by_image(value: Any) -> Any:
        """Turn [size, batch, classes] into [batch, classes * size]."""
        return reshape(ctx, ctx.transpose(value, (1, 2, 0)), [batch, classes * size])

    flat = by_image(chosen.scores)
    ranked = select(ctx, by_image(chosen.valid), flat, like(ctx, flat, float("-inf")))
    best, places = ctx.add("topk", ranked, ctx.trt.TopKOperation.MAX, kept, 1 << 1, outputs=2)
    index = ctx.add("gather_v2", by_image(chosen.indices), places, ctx.trt.GatherMode.ELEMENT, axis=1)
    kind = binary(ctx, "FLOOR_DIV", places, like(ctx, places, size))
    if q > 1:
        index = binary(ctx, "SUM", binary(ctx, "PROD", index, like(ctx, index, q)), kind)
    found = ctx.add(
        "gather_v2",
        reshape(ctx, boxes, [batch, times(ctx, count, q), 4]),
        unsqueeze(ctx, index, [2]),
        ctx.trt.GatherMode.ND,
        num_elementwise_dims=1,
    )
    if view.attr("clip_boxes", True):
        found = binary(ctx, "MAX", binary(ctx, "MIN", found, like(ctx, found, 1.0)), like(ctx, found, 0.0))
    valid = binary(ctx, "GREATER", best, like(ctx, best, float("-inf")))
    zero = like(ctx, best, 0.0)
    found = select(ctx, unsqueeze(ctx, valid, [2]), found, like(ctx, found, 0.0))
    results = [found, select(ctx, valid, best, zero), select(ctx, valid, ctx.cast(kind, "float32"), zero)]
    for port, result in enumerate(results):
        ctx.set(view, port, _widened(ctx, result, width))
    ctx.set(view, 3, _count(ctx, valid, 1))


def _widened(ctx: TensorRtContext, x: Any, width: int) -> Any:
    """Fill up the second dimension with zeros."""
    batch, have, *rest = dims_of(ctx, x)
    if have == width:
        return x
    shape = [batch, width, *rest]
    static = isinstance(batch, int)
    return ctx.add(
        "slice",
        x,
        (0,) * len(shape),
        tuple(shape) if static else (0,) * len(shape),
        (1,) * len(shape),
        inputs={} if static else {2: vector(ctx, shape)},
        mode=ctx.trt.SampleMode.FILL,
    )


CONVERTERS = (
    non_max_suppression,
    non_max_suppression_v4,
    non_max_suppression_v5,
    combined_non_max_suppression,
)
