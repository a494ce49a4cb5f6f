"""Convolutions."""

from __future__ import annotations

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.layout import NCHW
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import OpSpec, converter


@converter("Conv2D", engine="onnx", spec=OpSpec(dtypes=FLOATS, ranks={0: (4,), 1: (4,)}, constants=(1,)))
def conv2d(ctx: OnnxContext, view: NodeView) -> None:
    """TF Conv2D (kernel HWIO) -> Conv (kernel OIHW)."""
    nhwc = view.attr("data_format", "NHWC") == "NHWC"
    spatial = slice(1, 3) if nhwc else slice(2, 4)
    padding = view.attr("padding")
    explicit = view.attr("explicit_paddings", ())
    pads = None
    if padding == "EXPLICIT":
        pairs = [explicit[2 * d : 2 * d + 2] for d in range(4)][spatial]
        pads = [p[0] for p in pairs] + [p[1] for p in pairs]
    kernel = view.shape(1)
    channels = (view.shape(0) or ())[3 if nhwc else 1]
    assert kernel is not None
    result = ctx.node(
        "Conv",
        [ctx.get(view, 0, NCHW if nhwc else None), ctx.get(view, 1, (3, 2, 0, 1))],
        kernel_shape=kernel[:2],
        strides=list(view.attr("strides"))[spatial],
        dilations=list(view.attr("dilations", (1, 1, 1, 1)))[spatial],
        auto_pad={"SAME": "SAME_UPPER", "VALID": "VALID"}.get(padding),
        pads=pads,
        group=channels // kernel[2],
    )
    ctx.set(view, 0, result, NCHW if nhwc else None)


CONVERTERS = (conv2d,)
