"""Node views made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tfgraft.graph.attrs import Attrs
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Input, NodeView, Shape, TensorInfo


def view(
    op: str,
    inputs: Sequence[tuple[str, Shape]],
    outputs: Sequence[tuple[str, Shape]] | None = None,
    constants: dict[int, Any] | None = None,
    **attrs: Any,
) -> NodeView:
    """Return a view; outputs default to the first input's type and shape, `constants` are values by input."""
    made = []
    for i, (dtype, shape) in enumerate(inputs):
        info, ref = TensorInfo(dtype, shape), TensorRef(f"x{i}")
        if constants and i in constants:
            value = np.asarray(constants[i], dtype)
            made.append(Input(ref, TensorInfo(dtype, value.shape), True, partial(np.asarray, value)))
        else:
            made.append(Input(ref, info))
    results = tuple(TensorInfo(d, s) for d, s in (outputs if outputs is not None else inputs[:1]))
    return NodeView(Node("node", op, attrs=Attrs(attrs)), tuple(made), results)
