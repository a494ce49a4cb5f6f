"""Putting by index. TensorRT's scatter overwrites, so that what meets at one index is taken in rounds."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.tensorrt.context import BOOL, INTS, NUMERIC, PLAIN, TensorRtContext
from tfgraft.converters.tensorrt.counting import count
from tfgraft.converters.tensorrt.dims import Dim, dims_of, product, times
from tfgraft.converters.tensorrt.emit import binary, concat, cut, like, reduce, reshape, select, unsqueeze
from tfgraft.converters.tensorrt.fill import filled
from tfgraft.converters.tensorrt.gather import ERROR_POLICY, RANGE, check_depth, depth_of
from tfgraft.converters.tensorrt.loops import Loop
from tfgraft.converters.tensorrt.measure import held_dims, values_of
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter
from tfgraft.registry.support import Support, Unsupported

_MOST = 4096
"""How many computed indices are compared with each other, at most, to find those that meet."""
_UNROLLED = 8
"""How many rounds of constant indices are taken without a loop."""
_COMBINED = {
    "ScatterNd": "SUM",
    "TensorScatterAdd": "SUM",
    "TensorScatterSub": "SUB",
    "TensorScatterMax": "MAX",
    "TensorScatterMin": "MIN",
}
"""How values that meet are combined, a member of `ElementWiseOperation`."""


def _put(ctx: TensorRtContext, data: Any, indices: Any, updates: Any) -> Any:
    return ctx.add("scatter", data, indices, updates, ctx.trt.ScatterMode.ND)


def _take(ctx: TensorRtContext, data: Any, indices: Any) -> Any:
    return ctx.add("gather_v2", data, indices, ctx.trt.GatherMode.ND)


@converter(
    "TensorScatterUpdate",
    engine="tensorrt",
    spec=OpSpec(dtypes=PLAIN, input_dtypes={1: INTS}, known_ranks=(0, 1, 2), attrs=ERROR_POLICY),
    check=check_depth(1),
    notes=RANGE,
)
def tensor_scatter_update(ctx: TensorRtContext, view: NodeView) -> None:
    """TF TensorScatterUpdate -> scatter ND; which of several values for one index stays is not defined."""
    ctx.set(view, 0, _put(ctx, *(ctx.get(view, i) for i in range(3))))


def _tuples(view: NodeView, i: int) -> int:
    """Return how many index tuples input `i` has, -1 if it is not known."""
    counts = (view.shape(i) or (-1, 0))[:-1]
    return prod(counts) if all(d >= 0 for d in counts) else -1


def _check_meeting(indices: int) -> Any:
    """Return a check that indices that may meet are few enough to be compared with each other."""
    depth = check_depth(indices)

    def check(view: NodeView) -> Support:
        known = view.const(indices)
        many = _tuples(view, indices) > _MOST
        if many and (known is None or _rounds(known).max(initial=0) >= _UNROLLED):
            return Unsupported(
                "inefficient",
                f"{view.op} compares each index with every other, which is too much work for more than {_MOST}.",
                f"input {indices}",
                "Give the indices as a constant, each once.",
            )
        support: Support = depth(view)
        return support

    return check


@converter(
    "ScatterNd",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC | BOOL, input_dtypes={0: INTS, 2: INTS}, known_ranks=(0, 1), attrs=ERROR_POLICY),
    check=_check_meeting(0),
    notes=RANGE,
)
def scatter_nd(ctx: TensorRtContext, view: NodeView) -> None:
    """TF ScatterNd -> scatter ND onto zeros, in rounds; bools are combined by or."""
    rank = view.known_rank(1) - view.known_rank(0) + 1 + depth_of(view, 0)
    known = view.outputs[0].shape or (-1,) * rank
    dims = [d if d >= 0 else value for d, value in zip(known, values_of(ctx, view, 2, rank), strict=True)]
    zeros = filled(ctx, dims, np.zeros(1, view.dtype(1)))
    operation = "OR" if view.dtype(1) == "bool" else "SUM"
    ctx.set(view, 0, _combine(ctx, operation, zeros, dims, view, 0, ctx.get(view, 1)))


@converter(
    "TensorScatterAdd",
    "TensorScatterSub",
    "TensorScatterMax",
    "TensorScatterMin",
    engine="tensorrt",
    spec=OpSpec(dtypes=NUMERIC, input_dtypes={1: INTS}, known_ranks=(0, 1, 2), attrs=ERROR_POLICY),
    check=_check_meeting(1),
    notes=RANGE,
)
def tensor_scatter_reduce(ctx: TensorRtContext, view: NodeView) -> None:
    """TF TensorScatterAdd, Sub, Max, Min -> gather ND, elementwise, scatter ND, in rounds."""
    data = ctx.get(view, 0)
    dims = held_dims(ctx, view, 0, data, None)
    ctx.set(view, 0, _combine(ctx, _COMBINED[view.op], data, dims, view, 1, ctx.get(view, 2)))


def _combine(
    ctx: TensorRtContext, operation: str, data: Any, dims: list[Dim], view: NodeView, i: int, updates: Any
) -> Any:
    """Combine updates into data at the index tuples of input `i`, one round after the other.

    A round takes updates no two of which are for one index, in the updates' order, as TensorFlow adds them up.
    """
    depth = depth_of(view, i)
    rest = dims[depth:]
    known = view.const(i)
    if known is None and _tuples(view, i) in (0, 1):
        indices = ctx.get(view, i)
        return _put(ctx, data, indices, binary(ctx, operation, _take(ctx, data, indices), updates))
    if known is None or (rounds := _rounds(known)).max(initial=0) >= _UNROLLED:
        return _in_a_loop(ctx, operation, data, dims, ctx.get(view, i), updates, depth)
    tuples = known.reshape(-1, depth)
    flat = reshape(ctx, updates, [len(tuples), *rest])
    for number in range(rounds.max(initial=-1) + 1):
        (chosen,) = np.nonzero(rounds == number)
        indices = ctx.const(tuples[chosen])
        part = flat if len(chosen) == len(tuples) else ctx.add("gather", flat, ctx.const(chosen), 0)
        data = _put(ctx, data, indices, binary(ctx, operation, _take(ctx, data, indices), part))
    return data


def _rounds(indices: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each index tuple how many equal ones come before it."""
    seen: Counter[tuple[int, ...]] = Counter()
    numbers = []
    for index in map(tuple, indices.reshape(-1, indices.shape[-1]).tolist()):
        numbers.append(seen[index])
        seen[index] += 1
    return np.array(numbers, np.int64)


def _in_a_loop(
    ctx: TensorRtContext, operation: str, data: Any, dims: list[Dim], indices: Any, updates: Any, depth: int
) -> Any:
    """Combine by rounds whose number is found when the engine runs.

    Data gets one row more, past its end, where each round puts the updates of other rounds.
    """
    rows, rest = product(ctx, dims[:depth]), dims[depth:]
    places, number = _linear(ctx, indices, dims[:depth])
    updates = reshape(ctx, updates, [number, *rest])
    spare = filled(ctx, [1, *rest], np.zeros(1, ctx.dtype(data)))
    flat = concat(ctx, [reshape(ctx, data, [rows, *rest]), spare], 0)
    past = ctx.const(np.array([rows])) if isinstance(rows, int) else rows
    earlier = _earlier(ctx, places, number)
    # Minus one, so that there is a largest of no indices, too.
    least = ctx.const(np.array([-1], np.int32))
    most = reduce(ctx, "MAX", concat(ctx, [earlier, least], 0), [0], keep=False)

    loop = Loop(ctx)
    step, value = loop.carry(ctx.const(np.array(0, np.int32))), loop.carry(flat)
    one = like(ctx, step, 1)
    loop.run_while(binary(ctx, "LESS", step, binary(ctx, "SUM", most, one)))
    mine = binary(ctx, "EQUAL", earlier, unsqueeze(ctx, step, [0]))
    targets = unsqueeze(ctx, select(ctx, mine, places, past), [1])
    loop.again(value, _put(ctx, value, targets, binary(ctx, operation, _take(ctx, value, targets), updates)))
    loop.again(step, binary(ctx, "SUM", step, one))
    result = loop.last(value)
    return reshape(ctx, cut(ctx, result, [0] * (1 + len(rest)), [rows, *rest]), dims)


def _linear(ctx: TensorRtContext, indices: Any, dims: list[Dim]) -> tuple[Any, Dim]:
    """Return index tuples as positions in row-major order, an int64 vector, and how many there are."""
    number = product(ctx, dims_of(ctx, indices)[:-1])
    columns = reshape(ctx, ctx.cast(indices, "int64"), [number, len(dims)])
    places = None
    stride: Dim = 1
    for k in range(len(dims) - 1, -1, -1):
        column = reshape(ctx, cut(ctx, columns, [0, k], [number, 1]), [number])
        column = times(ctx, column, stride)
        places = column if places is None else binary(ctx, "SUM", places, column)
        stride = times(ctx, stride, dims[k])
    return places, number


def _earlier(ctx: TensorRtContext, places: Any, number: Dim) -> Any:
    """Return for each place how many equal ones come before it, an int32 vector."""
    equal = binary(ctx, "EQUAL", unsqueeze(ctx, places, [1]), unsqueeze(ctx, places, [0]))
    before = binary(ctx, "LESS", count(ctx, number, "int32", 2, 1), count(ctx, number, "int32", 2, 0))
    return reduce(ctx, "SUM", ctx.cast(binary(ctx, "AND", equal, before), "int32"), [1], keep=False)


CONVERTERS = (tensor_scatter_update, scatter_nd, tensor_scatter_reduce)
