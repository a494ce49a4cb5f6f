"""Int8 kernels and their zero points, which several nodes may share, given to each of them.

On processors whose instructions for uint8 times int8 saturate, ONNX Runtime makes uint8 of int8 kernels, node by node,
under the name of the initializer; a second one of that name it refuses, and with it the model.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from onnx import NodeProto, TensorProto

from tfgraft.converters.onnx.context import OnnxContext

_DATA, _ZERO = 0, 2


def own_integers(ctx: OnnxContext) -> None:
    """Give every reader of a dequantized int8 initializer a DequantizeLinear, integers and a zero point of its own."""
    integers = {t.name: t for t in ctx.initializers if t.data_type == TensorProto.INT8}
    readers: dict[str, list[tuple[Any, int]]] = defaultdict(list)
    for node in ctx.nodes:
        for i, name in enumerate(node.input):
            readers[name].append((node, i))
    nodes: list[Any] = []
    taken: set[str] = set()
    for node in ctx.nodes:
        nodes.append(node)
        if node.op_type != "DequantizeLinear" or node.input[_DATA] not in integers:
            continue
        copies = [node, *(_copy(ctx, node, *reader) for reader in readers[node.output[0]][1:])]
        nodes.extend(copies[1:])
        for copy in copies:
            for i in (_DATA, _ZERO):
                if copy.input[i] in taken:
                    copy.input[i] = _own(ctx, integers[copy.input[i]])
                taken.add(copy.input[i])
    ctx.nodes[:] = nodes


def _copy(ctx: OnnxContext, node: Any, reader: Any, i: int) -> Any:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = ctx.unique(node.name)
    copy.output[0] = f"{copy.name}:0"
    ctx.origins[copy.name] = ctx.origins[node.name]
    reader.input[i] = copy.output[0]
    return copy


def _own(ctx: OnnxContext, tensor: Any) -> str:
    """Return an initializer like `tensor`, which is the same weight if it is given when the model is loaded."""
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.name = ctx.unique(tensor.name)
    ctx.initializers.append(copy)
    ctx.weight_uses.extend([replace(use, name=copy.name) for use in ctx.weight_uses if use.name == tensor.name])
    return copy.name
