"""Pooling."""

from __future__ import annotations

from tfgraft.converters.tensorrt.context import FLOATS, SMALL, TensorRtContext
from tfgraft.converters.tensorrt.windows import padding, same_upper_is_wrong
from tfgraft.converters.windows import check_pooled, pooling_window
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec, converter
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _check(view: NodeView) -> Support:
    if isinstance(refusal := check_pooled(view), Unsupported):
        return refusal
    window, _ = pooling_window(view)
    if same_upper_is_wrong(window):
        return Unsupported(
            "unknown-dim",
            f"{view.op} with SAME padding and strides above its window's sizes needs the spatial sizes.",
            "input 0",
            "Give input_shapes.",
        )
    pads, half = window.pads() or [0], len(window.kernel)
    if any(p >= window.kernel[d % half] for d, p in enumerate(pads)):
        return Unsupported(
            "attribute", f"{view.op} is taken with padding below its window's size.", "attr explicit_paddings"
        )
    return SUPPORTED


def _pool(op: str, kind: str, spec: OpSpec) -> tuple[Converter, ...]:
    @converter(op, engine="tensorrt", spec=spec, check=_check)
    def convert(ctx: TensorRtContext, view: NodeView) -> None:
        window, form = pooling_window(view)
        value = ctx.get(view, 0, form.perm)
        given = ctx.dtype(value)
        result = ctx.add(
            "pooling_nd",
            value if given in FLOATS else ctx.cast(value, "float32"),
            getattr(ctx.trt.PoolingType, kind),
            window.kernel,
            stride_nd=window.strides,
            # An average does not count padding, which is TensorRT's default.
            **padding(ctx, window),
        )
        ctx.set(view, 0, ctx.cast(result, given), form.perm)

    return convert


_INT32 = frozenset({"int32"})
_MAX_TYPES = FLOATS | SMALL
"""Maxima of bytes are taken in float32, which holds them exactly."""
_SPECS: tuple[tuple[str, str, OpSpec], ...] = (
    ("MaxPool", "MAX", OpSpec(dtypes=_MAX_TYPES, ranks={0: (4,)})),
    (
        "MaxPoolV2",
        "MAX",
        OpSpec(dtypes=_MAX_TYPES, input_dtypes={1: _INT32, 2: _INT32}, ranks={0: (4,)}, constants=(1, 2)),
    ),
    ("MaxPool3D", "MAX", OpSpec(dtypes=FLOATS, ranks={0: (5,)})),
    ("AvgPool", "AVERAGE", OpSpec(dtypes=FLOATS, ranks={0: (4,)})),
    ("AvgPool3D", "AVERAGE", OpSpec(dtypes=FLOATS, ranks={0: (5,)})),
)
"""TF op, TensorRT's `PoolingType`, what is taken."""

CONVERTERS = tuple(_pool(*row) for row in _SPECS)
