"""What OpenVINO's CPU plugin computes otherwise than ONNX, whose converters it borrows: refused for every node.

It computes int64 and uint32 in int32, which cuts off the upper half of a number; float64 in float32; int8 and uint8
saturate; integers are divided and summed up in float32. It has no tensors of unknown rank. Its TopK does not give the
first of equal elements, and is slow.
"""

from __future__ import annotations

from tfgraft.converters.openvino.ops import is_short_vector
from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView, TensorInfo
from tfgraft.registry.entry import ANY, veto
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_NEVER = frozenset({"float64", "uint16", "uint32", "uint64"})
_SMALL = frozenset({"int8", "uint8", "int16"})
_WIDE = "int64"
_SHAPE_LIKE = 64
"""An int64 vector of at most so many elements is taken for sizes or positions, which are far below 2 ** 31."""
_MOVES = frozenset(
    {"Reshape", "Squeeze", "ExpandDims", "Transpose", "Concat", "ConcatV2", "Pack", "Unpack", "Split", "SplitV"}
    | {"Slice", "StridedSlice", "GatherV2", "Gather", "GatherNd", "Tile", "BroadcastTo", "Pad", "IdentityN"}
    | {"SpaceToDepth", "DepthToSpace", "ReverseV2", "Fill", "Cast", "Shape", "ShapeN", "Size", "Rank", "Select"}
    | {"SelectV2", "EnsureShape", "ZerosLike", "OnesLike"}
)
"""Ops that move small integers and compute nothing."""
_POSITIONS = {
    "Gather": (1,),
    "GatherV2": (1, 2),
    "GatherNd": (1,),
    "OneHot": (0, 1),
    "Shape": (0,),
    "ShapeN": (0, 1, 2, 3, 4, 5, 6, 7),
    "Size": (0,),
    "Rank": (0,),
    "ScatterNd": (0, 2),
    "TensorScatterUpdate": (1,),
    "TensorScatterAdd": (1,),
}
"""Inputs that are positions in another tensor, so no large numbers, or of which only the shape is read."""
_VALUE_SIZED = frozenset({"Where", "Unique", "UniqueV2"}) | {f"NonMaxSuppressionV{i}" for i in (2, 3, 4, 5)}
_IN_FLOAT = frozenset(
    {"Div", "FloorDiv", "TruncateDiv", "FloorMod", "Mod", "TruncateMod", "Sum", "Prod", "Mean", "Max", "Min"}
)
"""Ops of integers that are computed in float32, which keeps 24 bits of them."""
_REFUSED = {
    "LRN": "OpenVINO's LRN gives other numbers.",
    "CropAndResize": "OpenVINO's RoiAlign gives other numbers.",
    "TopKV2": "OpenVINO's TopK does not give the first of equal elements, and is slow.",
    "TopK": "OpenVINO's TopK does not give the first of equal elements, and is slow.",
}


@veto(
    ANY,
    engine="openvino",
    notes="float64, uint16/32/64 and unknown ranks are refused; int8, uint8 and int16 are moved and cast, not computed "
    "with; int64 is taken where it is a size or a position.",
)
def check_limits(view: NodeView) -> Support:
    """Refuse what OpenVINO computes otherwise; codes engine-rejected, unknown-rank, dtype, not-constant, attribute."""
    if view.op in _REFUSED:
        return Unsupported("engine-rejected", _REFUSED[view.op], view.op)
    if view.op in _VALUE_SIZED:
        return Unsupported(
            "engine-rejected", f"{view.op} may give nothing, and some of OpenVINO's layers crash on nothing.", view.op
        )
    if view.op == "PadV2" and not view.inputs[2].is_constant:
        return Unsupported("not-constant", "OpenVINO pads with constants alone.", "input 2")
    computed = [i for i in (1, 2) if view.op == "StridedSlice" and not view.inputs[i].is_constant]
    if computed and view.attr("shrink_axis_mask", 0):
        return Unsupported(
            "not-constant", "OpenVINO loses the ends of slices that are computed.", f"input {computed[0]}"
        )
    of_sizes = view.op == "Prod" and not isinstance(is_short_vector(view), Unsupported)
    if view.op in _IN_FLOAT and view.dtype() in INTS and not of_sizes:
        return Unsupported("dtype", f"OpenVINO computes {view.op} of integers in float32.", "input 0")
    named = [(f"input {i}", item.info) for i, item in enumerate(view.inputs)]
    # Of a batch normalization all but the first is for training, and of no known rank.
    outputs = view.outputs[:1] if "BatchNorm" in view.op else view.outputs
    for where, info in [*named, *((f"output {i}", info) for i, info in enumerate(outputs))]:
        if isinstance(refusal := _check_tensor(view, where, info), Unsupported):
            return refusal
    return _check_wide(view)


def _check_tensor(view: NodeView, where: str, info: TensorInfo) -> Support:
    if info.shape is None:
        return Unsupported("unknown-rank", f"OpenVINO needs the rank of {where}.", where, "Give input_shapes.")
    if 0 in info.shape:
        return Unsupported("attribute", "OpenVINO is not given tensors without elements.", where)
    if info.dtype in _NEVER and view.op != "Cast":
        return Unsupported("dtype", f"OpenVINO computes {info.dtype} with fewer digits.", where)
    if info.dtype in _SMALL and view.op not in _MOVES:
        return Unsupported("dtype", f"OpenVINO's {info.dtype} saturates where TensorFlow's wraps around.", where)
    return SUPPORTED


def _check_wide(view: NodeView) -> Support:
    """Refuse int64 that may be large: OpenVINO keeps the lower half of a number."""
    free = _POSITIONS.get(view.op, ())
    for i, item in enumerate(view.inputs):
        if item.info.dtype == _WIDE and i not in free and not item.is_constant and not _is_small(item.info):
            return Unsupported("dtype", "OpenVINO computes int64 in int32.", f"input {i}", "Use int32.")
    if view.op == "Cast":
        source, to = view.inputs[0].info, view.outputs[0]
        narrows = {source.dtype, to.dtype} & _NEVER
        if narrows - {"float64"} or (source.dtype == to.dtype == "float64"):
            return Unsupported("dtype", f"OpenVINO does not convert {source.dtype} to {to.dtype} as TensorFlow.", "")
        if to.dtype == _WIDE and source.dtype.startswith("float") and not _is_small(to):
            return Unsupported("dtype", "OpenVINO computes int64 in int32.", "output 0", "Use int32.")
        if to.dtype in _SMALL and source.dtype != "bool" and source.dtype not in _SMALL:
            return Unsupported("dtype", f"OpenVINO's Convert to {to.dtype} saturates.", "output 0")
    return SUPPORTED


def _is_small(info: TensorInfo) -> bool:
    shape = info.shape
    return shape is not None and (len(shape) == 0 or (len(shape) == 1 and 0 <= shape[0] <= _SHAPE_LIKE))
