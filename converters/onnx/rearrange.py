"""Ops that move elements between space, depth, batch and time."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.dims import Dim, dim_of, reshape, scaled
from tfgraft.converters.orders import Perm
from tfgraft.converters.windows import Format
from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter

_DEPTH_TYPES = frozenset({"float16", "float32", "float64", "int8", "uint8"})
_PAD_TYPES = frozenset({"float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint32", "uint64", "bool"})
_INDEX = frozenset({"int32", "int64"})


@converter("DepthToSpace", "SpaceToDepth", engine="onnx", spec=OpSpec(dtypes=_DEPTH_TYPES, ranks={0: (4,)}))
def depth_space(ctx: OnnxContext, view: NodeView) -> None:
    """TF DepthToSpace, SpaceToDepth -> the ONNX op of the same name, mode DCR."""
    perm = Format.of(view).perm
    ctx.set(view, 0, ctx.node(view.op, [ctx.get(view, 0, perm)], blocksize=view.attr("block_size")), perm)


def _order(ctx: OnnxContext, view: NodeView) -> Perm:
    return ctx.perm_of(view, 0) or tuple(range(view.known_rank(0)))


def _ends(view: NodeView, i: int) -> list[list[int]] | None:
    """Return paddings or crops, (before, after) for each spatial dimension, or None if they are computed."""
    value = view.const(i)
    return None if value is None else [[int(n) for n in pair] for pair in value]


def _columns(ctx: OnnxContext, view: NodeView, i: int) -> tuple[str, str]:
    """Return computed paddings or crops: all that come before, and all that come after."""
    pairs = ctx.cast(ctx.get(view, i), "int64")
    before, after = (ctx.node("Gather", [pairs, ctx.const(k, "int64")], axis=1) for k in (0, 1))
    return before, after


def _pad(ctx: OnnxContext, view: NodeView, value: str, order: Perm, count: int, pads: list[list[int]] | None) -> str:
    """Emit the padding of the first `count` spatial dimensions of a value held in an order."""
    result: str
    if pads is not None:
        if not any(p for pair in pads for p in pair):
            return value
        ends = [[pads[d - 1][end] if 0 < d <= count else 0 for d in order] for end in (0, 1)]
        result = ctx.node("Pad", [value, ctx.ints(ends[0] + ends[1])])
        return result
    zero, rest = ctx.ints([0]), ctx.ints([0] * (len(order) - 1 - count))
    held = []
    for column in _columns(ctx, view, len(view.inputs) - 1):
        everywhere = ctx.node("Concat", [zero, column, rest], axis=0)
        held.append(ctx.node("Gather", [everywhere, ctx.ints(order)]))
    result = ctx.node("Pad", [value, ctx.node("Concat", held, axis=0)])
    return result


def _crop(ctx: OnnxContext, view: NodeView, value: str, order: Perm, count: int, crops: list[list[int]] | None) -> str:
    """Emit the cropping of the first `count` spatial dimensions of a value held in an order."""
    places = [order.index(d + 1) for d in range(count)]
    if crops is not None:
        cropped = [(k, before, after) for k, (before, after) in zip(places, crops, strict=True) if before or after]
        if not cropped:
            return value
        # An end counted from the back cannot be zero: none is a number above any size.
        starts = ctx.ints([before for _, before, _ in cropped])
        ends = ctx.ints([-after if after else 2**62 for _, _, after in cropped])
        axes = ctx.ints([k for k, _, _ in cropped])
    else:
        starts, after = _columns(ctx, view, len(view.inputs) - 1)
        sizes = ctx.node("Gather", [ctx.node("Shape", [value]), ctx.ints(places)])
        ends, axes = ctx.node("Sub", [sizes, after]), ctx.ints(places)
    result: str = ctx.node("Slice", [value, starts, ends, axes])
    return result


def _space_to_batch(ctx: OnnxContext, view: NodeView, blocks: list[int], pads: list[list[int]] | None) -> None:
    order, shape = _order(ctx, view), view.shape(0) or ()
    value = ctx.get(view, 0, order)
    # In the held order: the block of each spatial dimension (TensorFlow's dimensions 1, 2, ...) or None.
    block = {d: blocks[d - 1] for d in order if 0 < d <= len(blocks)}
    value = _pad(ctx, view, value, order, len(blocks), pads)
    sizes = {d: shape[d] for d in order}
    for d in block:
        sizes[d] = -1 if pads is None or shape[d] < 0 else shape[d] + sum(pads[d - 1])
    split: list[Dim] = []
    where: dict[int, int] = {}
    inner: dict[int, int] = {}
    dims: dict[int, Dim] = {}
    for k, d in enumerate(order):
        dim = dim_of(ctx, value, k, sizes[d])
        where[d] = len(split)
        if d in block:
            dims[d] = scaled(ctx, dim, "Div", block[d])
            split += [dims[d], block[d]]
            inner[d] = len(split) - 1
        else:
            dims[d] = dim
            split.append(dim)
    rest = [d for d in order if d != 0]
    # The batch goes around the blocks' positions: block 1, block 2, ..., batch.
    moved = ctx.transpose(
        reshape(ctx, value, split), [*(inner[d] for d in sorted(inner)), where[0], *(where[d] for d in rest)]
    )
    batch = dims[0]
    for b in blocks:
        batch = scaled(ctx, batch, "Mul", b)
    ctx.set(view, 0, reshape(ctx, moved, [batch, *(dims[d] for d in rest)]), (0, *rest))


def _batch_to_space(ctx: OnnxContext, view: NodeView, blocks: list[int], crops: list[list[int]] | None) -> None:
    order, shape = _order(ctx, view), view.shape(0) or ()
    value = ctx.get(view, 0, order)
    block = {d: blocks[d - 1] for d in order if 0 < d <= len(blocks)}
    dims = {d: dim_of(ctx, value, k, shape[d]) for k, d in enumerate(order)}
    batch = dims[0]
    for b in blocks:
        batch = scaled(ctx, batch, "Div", b)
    split: list[Dim] = []
    where: dict[int, int] = {}
    for d in order:
        if d == 0:
            split += blocks
        where[d] = len(split)
        split.append(batch if d == 0 else dims[d])
    rest = [d for d in order if d != 0]
    perm = [where[0]]
    merged: list[Dim] = [batch]
    for d in rest:
        perm.append(where[d])
        merged.append(dims[d])
        if d in block:
            perm.append(where[0] - len(blocks) + d - 1)
            merged[-1] = scaled(ctx, dims[d], "Mul", block[d])
    value = reshape(ctx, ctx.transpose(reshape(ctx, value, split), perm), merged)
    value = _crop(ctx, view, value, (0, *rest), len(blocks), crops)
    ctx.set(view, 0, value, (0, *rest))


_ND = OpSpec(dtypes=_PAD_TYPES, input_dtypes={1: _INDEX, 2: _INDEX}, known_ranks=(0,), constants=(1,))
_2D = OpSpec(dtypes=_PAD_TYPES, input_dtypes={1: _INDEX}, ranks={0: (4,)})


@converter("SpaceToBatchND", engine="onnx", spec=_ND)
def space_to_batch_nd(ctx: OnnxContext, view: NodeView) -> None:
    """TF SpaceToBatchND (constant blocks) -> Pad, Reshape, Transpose, Reshape."""
    _space_to_batch(ctx, view, view.known_const(1).tolist(), _ends(view, 2))


@converter("BatchToSpaceND", engine="onnx", spec=_ND)
def batch_to_space_nd(ctx: OnnxContext, view: NodeView) -> None:
    """TF BatchToSpaceND (constant blocks) -> Reshape, Transpose, Reshape, Slice."""
    _batch_to_space(ctx, view, view.known_const(1).tolist(), _ends(view, 2))


@converter("SpaceToBatch", engine="onnx", spec=_2D)
def space_to_batch(ctx: OnnxContext, view: NodeView) -> None:
    """TF SpaceToBatch -> as SpaceToBatchND with equal blocks."""
    _space_to_batch(ctx, view, [view.attr("block_size")] * 2, _ends(view, 1))


@converter("BatchToSpace", engine="onnx", spec=_2D)
def batch_to_space(ctx: OnnxContext, view: NodeView) -> None:
    """TF BatchToSpace -> as BatchToSpaceND with equal blocks."""
    _batch_to_space(ctx, view, [view.attr("block_size")] * 2, _ends(view, 1))


@converter(
    "ReverseSequence",
    engine="onnx",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: _INDEX}, known_ranks=(0,)),
)
def reverse_sequence(ctx: OnnxContext, view: NodeView) -> None:
    """TF ReverseSequence -> ReverseSequence, batch and time brought to the first two dimensions."""
    rank, time, batch = view.known_rank(0), view.attr("seq_dim"), view.attr("batch_dim", 0)
    time, batch = time % rank, batch % rank
    perm: Perm | None = None
    if {time, batch} != {0, 1}:
        perm = (batch, time, *(d for d in range(rank) if d not in (batch, time)))
        batch, time = 0, 1
    inputs = [ctx.get(view, 0, perm), ctx.cast(ctx.get(view, 1), "int64")]
    ctx.set(view, 0, ctx.node("ReverseSequence", inputs, batch_axis=batch, time_axis=time), perm)


CONVERTERS = (depth_space, space_to_batch_nd, batch_to_space_nd, space_to_batch, batch_to_space, reverse_sequence)
