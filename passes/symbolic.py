"""Symbolic values of small integer tensors: linear expressions over what cannot be known before the graph runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import PASS_THROUGH, const_source, const_value, tensor_info

_LARGEST = 64
"""Tensors of more elements are not shapes, paddings or indices."""


@dataclass(frozen=True)
class Linear:
    """An integer `constant + sum of count * atom`; an atom is a size, or an element of a tensor, that is not known."""

    constant: int = 0
    atoms: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: Linear) -> Linear:
        counts = dict(self.atoms)
        for atom, count in other.atoms:
            counts[atom] = counts.get(atom, 0) + count
        atoms = tuple(sorted((a, n) for a, n in counts.items() if n))
        return Linear(self.constant + other.constant, atoms)

    def __mul__(self, factor: int) -> Linear:
        return Linear(self.constant * factor, tuple((a, n * factor) for a, n in self.atoms if n * factor))

    def __sub__(self, other: Linear) -> Linear:
        return self + other * -1


Symbolic = NDArray[Any]
"""An array of `Linear` values."""


def symbolic(graph: Graph, ref: TensorRef) -> Symbolic | None:
    """Return what is known of an integer tensor's elements; None if its shape is not known or it is large."""
    const = const_source(graph, ref)
    if const is not None:
        value = const_value(const)
        if value.size > _LARGEST or not np.issubdtype(value.dtype, np.integer):
            return None
        return _map(value, lambda v: Linear(int(v)))
    info = tensor_info(graph, ref)
    if not info.is_static or np.prod(info.shape or (), dtype=int) > _LARGEST:
        return None
    computed = _compute(graph, ref)
    if computed is not None and computed.shape == info.shape:
        return computed
    flat = np.empty(int(np.prod(info.shape or (), dtype=int)), object)
    flat[:] = [Linear(0, ((f"{ref}[{i}]", 1),)) for i in range(len(flat))]
    return flat.reshape(info.shape or ())


def _map(value: Any, function: Any) -> Symbolic:
    result = np.empty(np.shape(value), object)
    for index in np.ndindex(result.shape):
        result[index] = function(value[index])
    return result


def _compute(graph: Graph, ref: TensorRef) -> Symbolic | None:
    node = graph.node(ref.node)
    inputs = graph.inputs(ref.node)
    op = node.op
    if node.name in graph.fed:
        return None
    if op in PASS_THROUGH:
        return symbolic(graph, inputs[0])
    if op in ("Add", "AddV2", "Sub"):
        a, b = symbolic(graph, inputs[0]), symbolic(graph, inputs[1])
        if a is None or b is None:
            return None
        return np.asarray(a + b if op != "Sub" else a - b, object)
    if op == "Pack":
        parts = [symbolic(graph, r) for r in inputs]
        return None if any(p is None for p in parts) else np.stack(parts, node.attrs.get("axis", 0))  # type: ignore[arg-type]
    if op == "ConcatV2":
        parts = [symbolic(graph, r) for r in inputs[:-1]]
        axis = _known(graph, inputs[-1])
        return None if axis is None or any(p is None for p in parts) else np.concatenate(parts, int(axis))  # type: ignore[arg-type]
    if op in ("ExpandDims", "Reshape"):
        data, how = symbolic(graph, inputs[0]), _known(graph, inputs[1])
        if data is None or how is None:
            return None
        return data.reshape(tuple(how)) if op == "Reshape" else np.expand_dims(data, int(how))
    if op == "Squeeze":
        data = symbolic(graph, inputs[0])
        axes = tuple(node.attrs.get("squeeze_dims", ()))
        return None if data is None else np.squeeze(data, axes or None)
    if op == "StridedSlice":
        return _strided_slice(graph, ref.node)
    if op == "GatherV2":
        data, which = symbolic(graph, inputs[0]), _known(graph, inputs[1])
        if data is None or which is None or data.ndim != 1 or np.any((which < 0) | (which >= data.size)):
            return None
        return _map(which, lambda i: data[i])
    if op == "Shape":
        return _shape(graph, inputs[0])
    return None


def _shape(graph: Graph, ref: TensorRef) -> Symbolic | None:
    info = tensor_info(graph, ref)
    sizes = info.shape
    if sizes is None or info.dtype == "variant":  # a variant may say another shape of itself
        return None
    # Equal numbers below -1 are equal sizes; one that is -1 may be anything.
    atoms = [f"size {d}" if d < -1 else f"size {i} of {ref}" for i, d in enumerate(sizes)]
    return _map(np.arange(len(sizes)), lambda i: Linear(sizes[i]) if sizes[i] >= 0 else Linear(0, ((atoms[i], 1),)))


def _known(graph: Graph, ref: TensorRef) -> NDArray[Any] | None:
    const = const_source(graph, ref)
    return None if const is None else const_value(const)


def _strided_slice(graph: Graph, name: str) -> Symbolic | None:
    node = graph.node(name)
    data = symbolic(graph, graph.inputs(name)[0])
    bounds = [_known(graph, r) for r in graph.inputs(name)[1:]]
    if data is None or any(b is None for b in bounds) or node.attrs.get("ellipsis_mask", 0):
        return None
    begin, end, stride = (np.asarray(b).tolist() for b in bounds)

    def masked(mask: str, i: int) -> bool:
        return bool(node.attrs.get(mask, 0) >> i & 1)

    index: list[Any] = []
    for i in range(len(begin)):
        if masked("new_axis_mask", i):
            index.append(None)
        elif masked("shrink_axis_mask", i):
            index.append(begin[i])
        else:
            first = None if masked("begin_mask", i) else begin[i]
            index.append(slice(first, None if masked("end_mask", i) else end[i], stride[i]))
    picked = data[tuple(index)]
    if isinstance(picked, np.ndarray):
        return picked
    scalar = np.empty((), object)
    scalar[()] = picked
    return scalar
