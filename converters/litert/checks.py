"""What LiteRT asks of nodes besides types and ranks."""

from __future__ import annotations

import numpy as np

from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def has_ranks(view: NodeView) -> Support:
    """Refuse unknown ranks, and tensors known to be empty; codes unknown-rank, attribute."""
    tensors = [(f"input {i}", item.info) for i, item in enumerate(view.inputs)]
    # Of a batch normalization all but the first is for training, and of no known rank.
    outputs = view.outputs[:1] if "BatchNorm" in view.op else view.outputs
    tensors += [(f"output {i}", info) for i, info in enumerate(outputs)]
    for where, info in tensors:
        if info.shape is None:
            return Unsupported("unknown-rank", f"LiteRT needs the rank of {where}.", where, "Give input_shapes.")
        if 0 in info.shape:
            return Unsupported("attribute", "LiteRT is not given tensors without elements.", where)
    return SUPPORTED


def is_channels_last(view: NodeView) -> Support:
    """Refuse another order of dimensions than NHWC and NDHWC; code attribute."""
    order = view.attr("data_format", "NHWC")
    if order in ("NHWC", "NDHWC"):
        return SUPPORTED
    return Unsupported("attribute", f"LiteRT has channels last; {view.op} has {order}.", "attr data_format")


def is_convolution(view: NodeView) -> Support:
    """Refuse channels first, unknown channels, groups and dilations with strides."""
    if isinstance(refusal := is_channels_last(view), Unsupported):
        return refusal
    image, kernel = view.shape(0), view.shape(1)
    if image is None or kernel is None or image[-1] < 0 or min(kernel) < 0:
        return Unsupported("unknown-dim", f"LiteRT needs the channels of {view.op}.", "input 0", "Give input_shapes.")
    dilated = any(d != 1 for d in view.attr("dilations", ()) or ())
    if dilated and any(s != 1 for s in view.attr("strides", ()) or ()):
        return Unsupported("attribute", "LiteRT takes no convolution with dilations and strides.", "attr dilations")
    if view.attr("padding") == "EXPLICIT" and view.op != "Conv2D":
        return Unsupported("attribute", f"LiteRT takes {view.op} with padding SAME or VALID.", "attr padding")
    return SUPPORTED


def is_depthwise(view: NodeView) -> Support:
    """Refuse what `is_convolution` does, and strides that differ."""
    if isinstance(refusal := is_convolution(view), Unsupported):
        return refusal
    _, rows, columns, _ = view.attr("strides")
    if rows != columns:
        return Unsupported("attribute", "LiteRT takes depthwise convolutions with equal strides.", "attr strides")
    return SUPPORTED


def is_pool(view: NodeView) -> Support:
    """Refuse channels first, windows over batches or channels, and explicit padding."""
    if isinstance(refusal := is_channels_last(view), Unsupported):
        return refusal
    if view.attr("padding") == "EXPLICIT":
        return Unsupported("attribute", f"LiteRT takes {view.op} with padding SAME or VALID.", "attr padding")
    for name in ("ksize", "strides"):
        sizes = view.attr(name, (1,))
        if sizes[0] != 1 or sizes[-1] != 1:
            return Unsupported("attribute", f"LiteRT pools over images alone; {name} is {sizes}.", f"attr {name}")
    return SUPPORTED


def is_inference(view: NodeView) -> Support:
    """Refuse training mode, and other outputs than the first."""
    if view.attr("is_training", True):
        return Unsupported("attribute", f"LiteRT takes {view.op} for inference.", "attr is_training")
    return is_channels_last(view)


def is_plain_slice(view: NodeView) -> Support:
    """Refuse an ellipsis together with new dimensions, which the converter cannot place."""
    if view.attr("ellipsis_mask", 0) and view.attr("new_axis_mask", 0):
        return Unsupported("attribute", "LiteRT takes no slice with both an ellipsis and new dimensions.", "attr")
    return SUPPORTED


def has_safe_divisor(view: NodeView) -> Support:
    """Refuse integer divisors that are no constants, or 0 or -1: a kernel that fails ends the call."""
    if view.dtype() == "float32":
        return SUPPORTED
    divisor = view.const(1)
    if divisor is None:
        return Unsupported("not-constant", f"{view.op} of integers needs a constant divisor.", "input 1")
    if np.any(divisor == 0) or np.any(divisor == -1):
        return Unsupported("attribute", f"{view.op} of integers takes no divisor of 0 or -1.", "input 1")
    return SUPPORTED


def is_exact_resize(view: NodeView) -> Support:
    """Refuse what LiteRT's resize layers have no flag for."""
    if view.attr("align_corners", False) and view.attr("half_pixel_centers", False):
        return Unsupported("attribute", "LiteRT aligns corners or has half pixel centers.", "attr align_corners")
    return SUPPORTED


def has_axis(view: NodeView) -> Support:
    """Refuse a batch matrix product of ranks that LiteRT has no kernel for."""
    if max(view.known_rank(0), view.known_rank(1)) > 5:
        return Unsupported("rank", f"LiteRT takes {view.op} of rank 5 at most.", "input 0")
    return SUPPORTED


def is_product(view: NodeView) -> Support:
    """Refuse Einsums that are no product of two matrices, or of two batches of them; code attribute.

    The converter transposes and reshapes operands until it has a product; of others it makes one for some sizes alone.
    Where what is summed stands between what is kept the numbers were wrong (TensorFlow 2.21: `cbg,aeb->agce`).
    """
    equation = str(view.attr("equation", "")).replace(" ", "")
    operands, _, result = equation.partition("->")
    texts = operands.split(",")
    labels = [set(each) for each in texts]
    refusal = Unsupported(
        "attribute", f"LiteRT takes an Einsum that is a product of matrices, not {equation}.", "attr equation"
    )
    if "." in equation or sum(map(len, labels)) < len(operands.replace(",", "")):
        return refusal
    if len(labels) == 1:
        return SUPPORTED
    (left, right), kept = labels, set(result)
    summed = (left & right) - kept
    is_matrices = left - right and right - left and summed and left ^ right <= kept
    return refusal if not is_matrices or any(_is_inside(each, summed, left ^ right) for each in texts) else SUPPORTED


def _is_inside(labels: str, summed: set[str], own: set[str]) -> bool:
    """Tell whether a label that is summed over stands between two of the operand's own."""
    kinds = "".join("s" if label in summed else "o" for label in labels if label in summed | own)
    return "s" in kinds.strip("s")


def reverses_one(view: NodeView) -> Support:
    """Refuse to reverse another number of dimensions than one."""
    if view.known_const(1).size != 1:
        return Unsupported("attribute", "LiteRT reverses one dimension.", "input 1")
    return SUPPORTED
