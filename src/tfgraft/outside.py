"""Weights outside of a graph: a message of protobuf holds 2 GiB, and a graph in Python may hold more.

Wherever TensorFlow is handed a graph it is a message. What is too large is handed over without its large constants:
they become variables that a function reads or, where only types and shapes matter, zeros that take no room.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tfgraft.graph import dtypes
from tfgraft.graph.graphdef import node_from_def
from tfgraft.graph.node import Node
from tfgraft.load.check import RUNTIME_OP

LIMIT = 2**31 - 1
"""The largest protobuf message, in bytes."""
_MARGIN = 1 << 26
"""Bytes below the limit that are left for what TensorFlow adds."""
_LARGE = 1 << 14
"""Bytes from which on a constant is a weight."""
_HOLLOW = dtypes.NUMERIC
"""Types of weights."""


def graph_bytes(graph_def: Any, enough: int = 0) -> int:
    """Return how large a graph is as a message, which may be more than a message can be.

    Args:
        graph_def: the graph.
        enough: what may be too much by an estimate is not looked at closer if it is no more than this.
    """
    rest = graph_def.library.ByteSize()
    estimate = rest + sum(_const_bytes(n) if n.op == "Const" else n.ByteSize() for n in graph_def.node)
    if estimate <= enough:
        return int(estimate)
    return int(rest + sum(node_def.ByteSize() + 6 for node_def in graph_def.node))


def _const_bytes(node_def: Any) -> int:
    """Return what a constant takes at most, without a look at its value."""
    shape = node_def.attr["value"].tensor.tensor_shape
    kind = dtypes.name_of(node_def.attr["dtype"].type)
    if kind not in _HOLLOW:
        return int(node_def.ByteSize())
    return math.prod(dim.size for dim in shape.dim) * np.dtype(kind).itemsize + 512


def weights_outside(graph_def: Any, limit: int = LIMIT) -> tuple[Any, dict[str, Node]]:
    """Return a graph that fits into a message, and the constants that became placeholders, by name.

    A graph that fits comes back as it is, with no constants. Else the weights of engines leave; the other large
    constants too if that is not enough, though TensorFlow could have folded them. Constants in functions stay.

    Args:
        graph_def: the graph; it is not changed.
        limit: how many bytes fit.
    """
    fits = max(limit - _MARGIN, limit // 2)
    size = graph_bytes(graph_def, fits)
    if size <= fits:
        return graph_def, {}
    leaving = {n.name: n.ByteSize() for n in graph_def.node if _is_large(n)}
    leaving = {name: taken for name, taken in leaving.items() if taken >= _LARGE}  # many equal elements take one
    others = {
        text.partition(":")[0] for n in graph_def.node if n.op != RUNTIME_OP for text in n.input if text[:1] != "^"
    }
    if size - sum(taken for name, taken in leaving.items() if name not in others) <= fits:
        leaving = {name: taken for name, taken in leaving.items() if name not in others}
    outside: dict[str, Node] = {}
    small = type(graph_def)(versions=graph_def.versions, library=graph_def.library)
    for node_def in graph_def.node:
        if node_def.name not in leaving:
            small.node.append(node_def)
            continue
        outside[node_def.name] = node_from_def(node_def)
        given = small.node.add(name=node_def.name, op="Placeholder", device=node_def.device)
        given.attr["dtype"].CopyFrom(node_def.attr["dtype"])
        given.attr["shape"].shape.CopyFrom(node_def.attr["value"].tensor.tensor_shape)
    return small, outside


def with_hollow_weights(graph_def: Any) -> Any:
    """Return a graph with zeros in the place of its weights: TensorFlow infers the same shapes, but sooner."""
    if not any(_is_large(node_def) for node_def in graph_def.node):
        return graph_def
    hollow = type(graph_def)(versions=graph_def.versions, library=graph_def.library)
    for node_def in graph_def.node:
        if not _is_large(node_def):
            hollow.node.append(node_def)
            continue
        # A tensor without a value is one of zeros.
        constant = hollow.node.add(name=node_def.name, op="Const", device=node_def.device)
        constant.input.extend(node_def.input)
        constant.attr["dtype"].CopyFrom(node_def.attr["dtype"])
        tensor = constant.attr["value"].tensor
        tensor.dtype = node_def.attr["value"].tensor.dtype
        tensor.tensor_shape.CopyFrom(node_def.attr["value"].tensor.tensor_shape)
    return hollow


def _is_large(node_def: Any) -> bool:
    if node_def.op != "Const" or dtypes.name_of(node_def.attr["dtype"].type) not in _HOLLOW:
        return False
    return _const_bytes(node_def) >= _LARGE
