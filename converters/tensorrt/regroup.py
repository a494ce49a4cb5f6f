"""Regrouping: splitting dimensions into parts, and merging the parts in another arrangement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from tfgraft.converters.tensorrt.context import TensorRtContext
from tfgraft.converters.tensorrt.dims import Dim, floor_div, product
from tfgraft.converters.tensorrt.emit import reshape
from tfgraft.converters.tensorrt.measure import dim_of


def regroup(
    ctx: TensorRtContext,
    tensor: Any,
    shape: Sequence[int],
    blocks: Mapping[str, int],
    before: Sequence[Sequence[str]],
    after: Sequence[Sequence[str]],
) -> Any:
    """Split dimensions into labelled parts, and merge these into other dimensions: reshape, transpose, reshape.

    Args:
        shape: what is known of the tensor's shape, -1 for what is not.
        blocks: the sizes of parts by label; one part of each dimension has what is left and is not named here.
        before: the labels of the parts of each dimension of the tensor.
        after: the labels of the parts of each dimension of the result; every label once.
    """
    sizes: dict[str, Dim] = dict(blocks)
    for axis, labels in enumerate(before):
        (rest,) = (label for label in labels if label not in blocks)
        whole = dim_of(ctx, tensor, axis, shape[axis])
        sizes[rest] = floor_div(ctx, whole, prod(blocks[label] for label in labels if label in blocks))
    flat = [label for labels in before for label in labels]
    order = [flat.index(label) for labels in after for label in labels]
    split = reshape(ctx, tensor, _inferred([sizes[label] for label in flat]))
    merged = _inferred([product(ctx, [sizes[label] for label in labels]) for labels in after])
    return reshape(ctx, ctx.transpose(split, order), merged)


def _inferred(dims: Sequence[Dim]) -> list[Dim]:
    """Return dimensions with the only computed one left to TensorRT, where no other is zero."""
    computed = [d for d in dims if not isinstance(d, int)]
    if len(computed) != 1 or 0 in [d for d in dims if isinstance(d, int)]:
        return list(dims)
    return [d if isinstance(d, int) else -1 for d in dims]
