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

_MOST = 2**30
"""The largest bias: the sum that it is added to is below 2 ** 30 for kernels of up to 30,000 elements."""
_MOVES = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "MaxPool", "Pad", "Slice", "Gather")
"""Ops between a DequantizeLinear and a product whose results have the steps of their first input: ONNX Runtime moves
the DequantizeLinear behind them."""


@dataclass(frozen=True)
class _Product:
    """A Conv, Gemm or MatMul of quantized values.

    Args:
        node: the ONNX node.
        step: of its first input.
        steps: of its kernel: one, or one for each output channel. The unit of its sums is the product of both.
        channels: how many output channels it has.
        axis: the dimension of the channels in its result.
        rank: of its result, which a MatMul that becomes a Gemm needs.
    """

    node: Any
    step: np.float32
    steps: NDArray[Any]
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
    place = 1 if node.op_type == "Conv" else len(shape) - 1
    return _Product(node, np.float32(step.reshape(())), steps.reshape(-1), dims[axis], place, len(shape))


def _dequantizer(rewriter: Rewriter, value: str) -> Any | None:
    while (move := rewriter.maker(value, *_MOVES)) is not None:
        value = move.input[0]
    return rewriter.maker(value, "DequantizeLinear")


def _own_bias(rewriter: Rewriter, product: _Product) -> int:
    ctx, node = rewriter.ctx, product.node
    bias = rewriter.array(node.input[2])
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[node.name])
    inputs = _integers(rewriter, product, bias) if bias is not None else None
    if inputs is None:
        return 0
    rewriter.insert(node, start)
    node.input[1:] = inputs
    return 1


def _added_bias(rewriter: Rewriter, product: _Product) -> int:
    ctx, node = rewriter.ctx, product.node
    add = rewriter.only_reader(node.output[0])
    parts = rewriter.split(add) if add is not None and add.op_type == "Add" else None
    bias = rewriter.array(parts[1]) if parts is not None else None
    if add is None or bias is None or not _is_per_channel(bias, product):
        return 0
    start = len(ctx.nodes)
    ctx.begin(ctx.origins[node.name])
    inputs = _integers(rewriter, product, bias)
    if inputs is None:
        return 0
    if node.op_type == "MatMul":
        _gemm(rewriter, product, [node.input[0], *inputs])
    else:
        ctx.node(node.op_type, [node.input[0], *inputs])
        ctx.nodes[-1].attribute.extend(node.attribute)
    rewriter.replace([node, add], add, start)
    return 1


def _is_per_channel(bias: NDArray[Any], product: _Product) -> bool:
    """Tell whether a constant that is added to a product's result has at most one value for each channel."""
    dims = (1,) * (product.rank - bias.ndim) + bias.shape
    rest = [d for k, d in enumerate(dims) if k != product.axis]
    return len(dims) == product.rank and all(d == 1 for d in rest) and dims[product.axis] in (1, product.channels)


def _integers(rewriter: Rewriter, product: _Product, bias: NDArray[Any]) -> list[str] | None:
    """Return the kernel and the bias, both dequantized, or None if there is no int32 for the bias.

    A channel whose kernel is next to nothing has a unit in which its bias has too many digits. With a larger step the
    channel's result is the same in all digits that float32 has.
    """
    ctx, kernel, steps = rewriter.ctx, product.node.input[1], product.steps
    bias = np.broadcast_to(bias.reshape(-1), product.channels).astype(np.float64)
    least = np.abs(bias) / (_MOST * float(product.step))
    if np.any(steps < least):
        given = least if steps.size > 1 else least.max(keepdims=True)
        wide = ctx.widened(kernel, given) if np.all(np.isfinite(least)) else None
        if wide is None:
            return None
        kernel, steps = wide
    unit = np.broadcast_to(product.step * steps, product.channels)
    values = np.rint(bias / unit.astype(np.float64)).astype(np.int32)
    parts = [ctx.const(part) for part in (values, unit, np.zeros(product.channels, np.int32))]
    return [kernel, ctx.node("DequantizeLinear", parts, axis=0)]


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
