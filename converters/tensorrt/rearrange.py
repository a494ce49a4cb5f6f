"""Ops that move elements between space, depth, batch and time."""

from __future__ import annotations

from tfgraft.converters.orders import Perm
from tfgraft.converters.tensorrt.context import INTS, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, minus
from tfgraft.converters.tensorrt.emit import cut
from tfgraft.converters.tensorrt.measure import dim_of, held_dims, held_shape
from tfgraft.converters.tensorrt.pad import Pairs, padded, pairs_of
from tfgraft.converters.tensorrt.regroup import regroup
from tfgraft.converters.windows import Format
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_NOTES = "Computed paddings and crops must be computed from shapes and integer inputs."


def _order(ctx: TensorRtContext, view: NodeView) -> Perm:
    return ctx.perm_of(view, 0) or tuple(range(view.known_rank(0)))


@converter("DepthToSpace", "SpaceToDepth", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, ranks={0: (4,)}))
def depth_space(ctx: TensorRtContext, view: NodeView) -> None:
    """TF DepthToSpace, SpaceToDepth -> reshape, transpose, reshape, in the order in which the input is held."""
    form, order, block = Format.of(view), _order(ctx, view), int(view.attr("block_size"))
    rows, columns = form.spatial
    apart = {0: ["n"], rows: ["h", "y"], columns: ["w", "x"], form.channel: ["c"]}
    deep = {0: ["n"], rows: ["h"], columns: ["w"], form.channel: ["y", "x", "c"]}
    before, after = (deep, apart) if view.op == "DepthToSpace" else (apart, deep)
    result = regroup(
        ctx,
        ctx.get(view, 0, order),
        held_shape(view, 0, order),
        {"y": block, "x": block},
        [before[d] for d in order],
        [after[d] for d in order],
    )
    ctx.set(view, 0, result, order)


def _labels(order: Perm, count: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return the parts of a value's dimensions with blocks in space, and with blocks in the batch."""
    blocks = [f"block{d}" for d in range(1, count + 1)]
    space = [[f"size{d}", *([f"block{d}"] if 0 < d <= count else [])] for d in order]
    batch = [[*(blocks if d == 0 else []), f"size{d}"] for d in order]
    return space, batch


def _blocks(blocks: list[int]) -> dict[str, int]:
    return {f"block{d}": b for d, b in enumerate(blocks, 1)}


def _by_order(pairs: Pairs, order: Perm) -> Pairs:
    """Return pairs of the spatial dimensions 1, 2, ... as pairs of all dimensions, in an order."""
    return [pairs[d - 1] if 0 < d <= len(pairs) else (0, 0) for d in order]


def _space_to_batch(ctx: TensorRtContext, view: NodeView, blocks: list[int], pairs: Pairs) -> None:
    order = _order(ctx, view)
    tensor, shape = ctx.get(view, 0, order), held_shape(view, 0, order)
    ends = _by_order(pairs, order)
    tensor = padded(ctx, tensor, held_dims(ctx, view, 0, tensor, order), ends)
    known = [
        d + before + after if d >= 0 and isinstance(before, int) and isinstance(after, int) else -1
        for d, (before, after) in zip(shape, ends, strict=True)
    ]
    space, batch = _labels(order, len(blocks))
    ctx.set(view, 0, regroup(ctx, tensor, known, _blocks(blocks), space, batch), order)


def _batch_to_space(ctx: TensorRtContext, view: NodeView, blocks: list[int], crops: Pairs) -> None:
    order = _order(ctx, view)
    space, batch = _labels(order, len(blocks))
    tensor = regroup(ctx, ctx.get(view, 0, order), held_shape(view, 0, order), _blocks(blocks), batch, space)
    ends = _by_order(crops, order)
    if any(pair != (0, 0) for pair in ends):
        dims = [dim_of(ctx, tensor, k) for k in range(len(order))]
        sizes: list[Dim] = [minus(ctx, minus(ctx, d, a), b) for d, (a, b) in zip(dims, ends, strict=True)]
        tensor = cut(ctx, tensor, [before for before, _ in ends], sizes)
    ctx.set(view, 0, tensor, order)


def _check_blocks(view: NodeView) -> Support:
    # One dimension becomes two for each block, and TensorRT has eight at most.
    if view.known_rank(0) + view.known_const(1).size > 8:
        return Unsupported("rank", f"{view.op} takes tensors whose rank and number of blocks are 8 at most.", "input 0")
    return SUPPORTED


_ND = OpSpec(dtypes=PLAIN, input_dtypes={1: INTS, 2: INTS}, known_ranks=(0,), constants=(1,))
_2D = OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, ranks={0: (4,)})


@converter("SpaceToBatchND", engine="tensorrt", spec=_ND, check=_check_blocks, notes=_NOTES)
def space_to_batch_nd(ctx: TensorRtContext, view: NodeView) -> None:
    """TF SpaceToBatchND (constant blocks) -> slice beyond the edges, reshape, transpose, reshape."""
    blocks = view.known_const(1).tolist()
    _space_to_batch(ctx, view, blocks, pairs_of(ctx, view, 2, len(blocks)))


@converter("BatchToSpaceND", engine="tensorrt", spec=_ND, check=_check_blocks, notes=_NOTES)
def batch_to_space_nd(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BatchToSpaceND (constant blocks) -> reshape, transpose, reshape, slice."""
    blocks = view.known_const(1).tolist()
    _batch_to_space(ctx, view, blocks, pairs_of(ctx, view, 2, len(blocks)))


@converter("SpaceToBatch", engine="tensorrt", spec=_2D, notes=_NOTES)
def space_to_batch(ctx: TensorRtContext, view: NodeView) -> None:
    """TF SpaceToBatch -> as SpaceToBatchND with equal blocks."""
    _space_to_batch(ctx, view, [int(view.attr("block_size"))] * 2, pairs_of(ctx, view, 1, 2))


@converter("BatchToSpace", engine="tensorrt", spec=_2D, notes=_NOTES)
def batch_to_space(ctx: TensorRtContext, view: NodeView) -> None:
    """TF BatchToSpace -> as BatchToSpaceND with equal blocks."""
    _batch_to_space(ctx, view, [int(view.attr("block_size"))] * 2, pairs_of(ctx, view, 1, 2))


@converter("ReverseSequence", engine="tensorrt", spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0,)))
def reverse_sequence(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ReverseSequence -> reverse_sequence, in the order in which the input is held."""
    order = _order(ctx, view)
    batch, time = (order.index(int(view.attr(a, 0)) % len(order)) for a in ("batch_dim", "seq_dim"))
    result = ctx.add(
        "reverse_sequence", ctx.get(view, 0, order), ctx.get(view, 1), batch_axis=batch, sequence_axis=time
    )
    ctx.set(view, 0, result, order)


CONVERTERS = (depth_space, space_to_batch_nd, batch_to_space_nd, space_to_batch, batch_to_space, reverse_sequence)
