"""Shapes of the values inside a model, with unknown sizes named, so that equal ones are seen to be equal.

TensorFlow's shapes forget that a size which was read from a tensor, and shapes another, is still the first one's.
ONNX's shape inference follows sizes through Shape, Gather and Concat into Reshape, but not through a -1 there, which
TensorFlow's does. What either sees to be equal is equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

from tfgraft.converters.onnx.context import OnnxContext

Dims = tuple[int, ...]


def inferred_shapes(
    ctx: OnnxContext,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    floats: Mapping[str, Dims],
    halves: Mapping[str, Dims],
    least: int,
) -> tuple[dict[str, Dims], dict[str, Dims]]:
    """Return the shapes of all values as far as known; sizes below -1 are unknown, equal ones the same.

    Args:
        inputs, outputs: value infos of the model.
        floats: shapes of float32 values as TensorFlow knows them, in the same form.
        halves: the same of float16 values, which are left out if there are none.
        least: the lowest number of an unknown size anywhere, so that sizes found here get lower ones.
    """
    known = {**floats, **halves}
    model = ctx.model(inputs, outputs)
    given = {info.name for info in (*inputs, *outputs)}
    model.graph.value_info.extend(
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT16 if name in halves else TensorProto.FLOAT, [d if d >= 0 else None for d in dims]
        )
        for name, dims in known.items()
        if name not in given
    )
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    sizes = _Sizes(least)
    shapes, half = dict(known), set(halves)
    types = (TensorProto.FLOAT, TensorProto.FLOAT16) if halves else (TensorProto.FLOAT,)
    for info in (*graph.input, *graph.value_info, *graph.output):
        tensor = info.type.tensor_type
        if tensor.elem_type in types and tensor.HasField("shape"):
            shapes[info.name] = tuple(sizes.of(dim) for dim in tensor.shape.dim)
            if tensor.elem_type == TensorProto.FLOAT16:
                half.add(info.name)
    for name, dims in known.items():
        if len(dims) == len(shapes[name]):
            for a, b in zip(dims, shapes[name], strict=True):
                sizes.equal(a, b)
    named = {name: tuple(map(sizes.named, dims)) for name, dims in shapes.items()}
    return {k: v for k, v in named.items() if k not in half}, {k: v for k, v in named.items() if k in half}


class _Sizes:
    """Sizes as numbers: themselves, or below -1 where they are unknown."""

    def __init__(self, least: int) -> None:
        """`least` is the lowest number that is taken."""
        self._next = min(least, -1) - 1
        self._numbers: dict[str, int] = {}
        self._same: dict[int, int] = {}

    def of(self, dim: Any) -> int:
        """Return the size of an ONNX dimension."""
        if dim.HasField("dim_value"):
            return int(dim.dim_value)
        if not dim.dim_param:
            return -1
        if dim.dim_param not in self._numbers:
            self._numbers[dim.dim_param] = self._next
            self._next -= 1
        return self._numbers[dim.dim_param]

    def equal(self, a: int, b: int) -> None:
        """Say that two sizes are one; -1 says nothing."""
        a, b = self.named(a), self.named(b)
        if a != b and -1 not in (a, b) and min(a, b) < 0:
            self._same[min(a, b)] = max(a, b)

    def named(self, size: int) -> int:
        """Return the one number of all sizes that are equal to this."""
        while size in self._same:
            size = self._same[size]
        return size
