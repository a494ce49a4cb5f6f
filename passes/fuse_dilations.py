"""fuse_dilations: SpaceToBatchND, a convolution, BatchToSpaceND -> one dilated convolution.

TensorFlow's Python API writes a dilated convolution as an undilated one on interleaved blocks. Padding by `paddings`,
convolving with dilation, and cropping by `crops` gives the same; where `paddings - crops` is a constant, though both
depend on the input's size, it is the convolution's padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.graph.attrs import Attrs
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source, const_value
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.passes.prune import Prune
from tfgraft.passes.symbolic import symbolic

_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative"})


@dataclass(frozen=True)
class _Match:
    """A found pattern: `first` (SpaceToBatchND) ... `convolution` ... `last` (BatchToSpaceND)."""

    first: str
    expand: str
    convolution: str
    squeeze: str
    last: str
    dilations: tuple[int, ...]
    paddings: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FuseDilations:
    """Fuses the pattern for two-dimensional convolutions in NHWC, and for one-dimensional ones written through them.

    Shapes must have been inferred; they are inferred anew if anything changed.
    """

    name: ClassVar[str] = "fuse_dilations"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Fuse, in function bodies too."""
        count = ctx.rewrite(graph, _fuse)
        if count:
            Prune().run(graph, ctx)
            InferShapes().run(graph, ctx)
        return PassResult(count > 0, f"fused {count} dilated convolutions")


def _fuse(graph: Graph) -> int:
    found = [m for node in list(graph) if node.op == "BatchToSpaceND" and (m := _match(graph, node.name))]
    for match in found:
        _rewrite(graph, match)
    return len(found)


def _match(graph: Graph, last: str) -> _Match | None:
    inner = graph.inputs(last)[0].node
    squeeze = inner if graph.node(inner).op == "Squeeze" else ""
    convolution = graph.inputs(squeeze)[0].node if squeeze else inner
    if graph.node(convolution).op not in _CONVOLUTIONS or not _plain(graph, convolution):
        return None
    before = graph.inputs(convolution)[0].node
    expand = before if graph.node(before).op == "ExpandDims" else ""
    first = graph.inputs(expand)[0].node if expand else before
    if graph.node(first).op != "SpaceToBatchND" or bool(expand) != bool(squeeze):
        return None
    chain = [name for name in (first, expand, convolution, squeeze) if name]
    if any(_readers(graph, name) != 1 for name in chain):
        return None
    blocks = [_constant(graph, graph.inputs(name)[1]) for name in (first, last)]
    if blocks[0] is None or blocks[0] != blocks[1] or len(blocks[0]) != (1 if expand else 2):
        return None
    if expand and not _inserts_height(graph, expand, squeeze):
        return None
    paddings, crops = symbolic(graph, graph.inputs(first)[2]), symbolic(graph, graph.inputs(last)[2])
    if paddings is None or crops is None or paddings.shape != crops.shape:
        return None
    pads = paddings - crops
    if any(p.atoms or p.constant < 0 for p in pads.ravel()):
        return None
    pairs = [(int(a.constant), int(b.constant)) for a, b in pads]
    dilations = tuple(blocks[0])
    if expand:
        dilations, pairs = (1, *dilations), [(0, 0), *pairs]
    return _Match(first, expand, convolution, squeeze, last, dilations, tuple(pairs))


def _plain(graph: Graph, convolution: str) -> bool:
    attrs = graph.node(convolution).attrs
    ones = all(v == 1 for key in ("strides", "dilations") for v in attrs.get(key, ()))
    return ones and attrs.get("padding") == b"VALID" and attrs.get("data_format", b"NHWC") == b"NHWC"


def _readers(graph: Graph, name: str) -> int:
    pinned = name in graph.keep or name in graph.fed or any(ref.node == name for ref in graph.fetches)
    return len(graph.consumers(name)) + len(graph.control_consumers(name)) + pinned


def _constant(graph: Graph, ref: TensorRef) -> list[int] | None:
    const = const_source(graph, ref)
    return None if const is None else [int(v) for v in const_value(const).ravel()]


def _inserts_height(graph: Graph, expand: str, squeeze: str) -> bool:
    """Tell whether a [batch, width, channels] tensor is made [batch, 1, width, channels] and back."""
    axis = _constant(graph, graph.inputs(expand)[1])
    axes: Any = graph.node(squeeze).attrs.get("squeeze_dims", ())
    return axis in ([1], [-3]) and tuple(axes) in ((1,), (-3,))


def _rewrite(graph: Graph, match: _Match) -> None:
    node = graph.node(match.convolution)
    flat = [p for pair in match.paddings for p in pair]
    changes: dict[str, Any] = {"dilations": (1, *match.dilations, 1)}
    if any(flat):
        changes |= {"padding": b"EXPLICIT", "explicit_paddings": (0, 0, *flat, 0, 0)}
    fused = Attrs({**{k: node.attrs.proto(k) for k in node.attrs}, **changes})
    source = graph.inputs(match.first)[0]
    result = TensorRef(match.squeeze or match.convolution)
    with graph.edit() as edit:
        edit.replace(type(node)(node.name, node.op, node.device, fused, node.extra))
        edit.set_input(match.expand or match.convolution, 0, source)
        edit.rewire(TensorRef(match.last), result)
        last = graph.node(match.last)
        kept = any(ref.node == match.last for ref in graph.fetches) or match.last in graph.keep
        if kept or graph.control_consumers(match.last):
            edit.replace(type(last)(last.name, "Identity", last.device, Attrs({"T": last.attrs.proto("T")})))
            edit.set_inputs(match.last, [result], ())
