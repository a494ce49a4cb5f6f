"""Biases of integer convolutions and products: as int32 in the unit of their accumulators.

ONNX Runtime makes an integer kernel of a Conv or Gemm between DequantizeLinears and a QuantizeLinear. A bias that is
added behind it would stand in between, so it becomes the node's own: `round(bias / (step of x * step of the kernel))`.
The error is at most half such a unit, far below the step of any result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.fusions.rewriter import Rewriter

_MOST = 2**31 - 1
_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "MaxPool", "Pad", "Slice", "Gather")
"""Ops between a DequantizeLinear and a product whose results have the steps of their first input: ONNX Runtime moves
the DequantizeLinear behind them."""


@dataclass(frozen=True)
class _Product:
    """A Conv, Gemm or MatMul of quantized values.

    Args:
        node: the ONNX node.
        unit: the step of its integer sums: one, or one for each output channel.
        channels: how many output channels it has.
        axis: the dimension of the channels in its result.
        rank: of its result, which a MatMul that becomes a Gemm needs.
    """

    node: Any
    unit: NDArray[Any]
    channels: int
    axis: int
    rank: int


def fuse_integer_bias(rewriter: Rewriter) -> int:
    """Make constant biases of quantized products int32, and parts of the products; return how many there were."""
    count = 0
    for node in list(rewriter.ctx.nodes):
        product = _product(rewriter, node) if node.op_type in ("Conv", "Gemm", "MatMul") else None
        if product is not None:
            count += _own_bias(rewriter, product) if len(node.input) == 3 else _added_bias(rewriter, product)
    return count


def _product(rewriter: Rewriter, node: Any) -> _Product | None:
    x, kernel = _dequantizer(rewriter, node.input[0]), rewriter.maker(node.input[1], "DequantizeLinear")
    if x is None or kernel is None:
        return None
    step, steps = (rewriter.array(maker.input[1]) for maker in (x, kernel))
    dims, shape = rewriter.dims(kernel.input[0]), rewriter.dims(node.input[0])
    if step is None or steps is None or step.size != 1 or dims is None or shape is None:
        return None
    along = next((a.i for a in kernel.attribute if a.name == "axis"), 1)
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    axis = 0 if node.op_type == "Conv" or transposed else 1
    if (len(dims) != 2 and node.op_type != "Conv") or (steps.size > 1 and along != axis):
        return None
    if any(a.name == "transA" and a.i for a in node.attribute):
        return None
    unit = np.float32(step.reshape(())) * steps.reshape(-1)
    return _Product(node, unit, dims[axis], 1 if node.op_type == "Conv" else len(shape) - 1, len(shape))


def _dequantizer(rewriter: Rewriter, value: str) -> Any | None:
    while (move := rewriter.maker(value, *_MOVES)) is not None:
        value = move.input[0]
    return rewriter.maker(value, "DequantizeLinear")


def _own_bias(rewriter: Rewriter, product: _Product) -> int:
    bias = rewriter.array(product.node.input[2])
    integers = _integers(rewriter, product, bias) if bias is not None else None
    if integers is None:
        return 0
    start = len(rewriter.ctx.nodes)
    rewriter.ctx.begin(rewriter.ctx.origins[product.node.name])
    dequantized = rewriter.ctx.node("DequantizeLinear", integers, axis=0)
    rewriter.insert(product.node, start)
    product.node.input[2] = dequantized
    return 1


def _added_bias(rewriter: Rewriter, product: _Product) -> int:
    add = rewriter.only_reader(product.node.output[0])
    parts = rewriter.split(add) if add is not None and add.op_type == "Add" else None
    bias = rewriter.array(parts[1]) if parts is not None else None
    if add is None or bias is None or not _is_per_channel(bias, product):
        return 0
    integers = _integers(rewriter, product, bias)
    if integers is None:
        return 0
    ctx, node = rewriter.ctx, product.node
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[node.name])
    inputs = [*node.input, ctx.node("DequantizeLinear", integers, axis=0)]
    if node.op_type == "MatMul":
        _gemm(rewriter, product, inputs)
    else:
        ctx.node(node.op_type, inputs)
        ctx.nodes[-1].attribute.extend(node.attribute)
    rewriter.replace([node, add], add, start)
    return 1


def _is_per_channel(bias: NDArray[Any], product: _Product) -> bool:
    """Tell whether a constant that is added to a product's result has at most one value for each channel."""
    dims = (1,) * (product.rank - bias.ndim) + bias.shape
    rest = [d for k, d in enumerate(dims) if k != product.axis]
    return len(dims) == product.rank and all(d == 1 for d in rest) and dims[product.axis] in (1, product.channels)


def _integers(rewriter: Rewriter, product: _Product, bias: NDArray[Any]) -> list[str] | None:
    """Return int32 values, steps and zero points of a bias, or None if it does not fit."""
    values = np.rint(np.broadcast_to(bias.reshape(-1), product.channels) / product.unit.astype(np.float64))
    if not np.all(np.abs(values) <= _MOST):
        return None
    unit = np.broadcast_to(product.unit, product.channels)
    parts = (values.astype(np.int32), unit, np.zeros(product.channels, np.int32))
    return [rewriter.ctx.const(part) for part in parts]


def _gemm(rewriter: Rewriter, product: _Product, inputs: list[str]) -> None:
    """Emit a MatMul with a bias as a Gemm, which is one of matrices: leading dimensions become one, and come back."""
    ctx = rewriter.ctx
    if product.rank == 2:
        ctx.node("Gemm", inputs)
        return
    x, *rest = inputs
    shape = rewriter.dims(x) or ()
    rows = ctx.node("Reshape", [x, ctx.ints([-1, shape[-1]])])
    result = ctx.node("Gemm", [rows, *rest])
    if sum(d < 0 for d in shape[:-1]) <= 1:
        back = ctx.ints([*(max(d, -1) for d in shape[:-1]), product.channels])
    else:
        back = ctx.node("Concat", [ctx.node("Shape", [x], end=-1), ctx.ints([product.channels])], axis=0)
    ctx.node("Reshape", [result, back])
