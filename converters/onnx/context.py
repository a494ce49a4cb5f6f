"""OnnxContext: what an ONNX op converter emits into, with layouts tracked so that transposes stay at the edges.

A TensorFlow tensor may be held by several ONNX values that differ in the order of their dimensions. A convolution asks
for its input as NCHW and gives its output as NCHW; an elementwise op takes its inputs in the order in which they are
held; only an op that must have TensorFlow's own order brings a transpose back. Constants are transposed by numpy when
the model is built (small ones) or when the engine is loaded (weights), never by the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tfgraft.converters.orders import UNIT, Perm, without_units
from tfgraft.converters.ranges import Integers
from tfgraft.converters.weights import Quantization, lay_out, steps_after
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView, TensorInfo

ONNX_TYPES: dict[str, int] = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
    "string": TensorProto.STRING,
    "complex64": TensorProto.COMPLEX64,
    "complex128": TensorProto.COMPLEX128,
}
"""ONNX element types by TensorFlow's type names."""

CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own ops."""
OPSET = 18
IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class WeightUse:
    """An initializer that is filled when the engine is loaded, from a weight input of the engine node.

    The value is what `lay_out` makes of the weight; None leaves a step out.
    """

    name: str
    ref: TensorRef
    perm: Perm | None
    shape: tuple[int, ...] | None
    quantization: Quantization | None = None


@dataclass(frozen=True, slots=True)
class _QuantizedWeight:
    """A constant input that is held as integers, what these stand for, and the axis of their steps (None: one step)."""

    view: NodeView
    integers: Integers
    axis: int | None


@dataclass
class OnnxContext:
    """Collects the ONNX nodes of one cluster.

    Args:
        weights: constants that are not baked into the model but given when it is loaded, with their types.
        quantized: the integer types that whoever loads the model takes between QuantizeLinear and DequantizeLinear.
    """

    weights: dict[TensorRef, TensorInfo] = field(default_factory=dict)
    quantized: frozenset[str] = frozenset()
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    weight_uses: list[WeightUse] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    """The TensorFlow node behind each ONNX node, by the ONNX node's name."""
    domains: dict[str, int] = field(default_factory=dict)
    _held: dict[TensorRef, dict[Perm | None, str]] = field(default_factory=dict)
    _quantized_weights: dict[TensorRef, _QuantizedWeight] = field(default_factory=dict)
    _dequantizers: dict[str, tuple[_QuantizedWeight, Perm | None, tuple[int, ...] | None]] = field(default_factory=dict)
    _constants: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _current: str = ""

    # What converters use -------------------------------------------------------------------------------------------

    def get(self, view: NodeView, i: int, perm: Perm | None = None) -> str:
        """Return the ONNX value of data input `i`, its dimensions in the order `perm` (None: TensorFlow's order).

        `value.shape[k] == tensor.shape[perm[k]]`, as with `numpy.transpose`, or 1 where `perm[k]` is `UNIT`.
        """
        item = view.inputs[i]
        if self.is_weight(view, i):
            if perm is None or UNIT not in perm:
                return self.weight(view, i, perm)
            shape = item.info.shape or ()
            return self.weight(view, i, without_units(perm), tuple(1 if d == UNIT else shape[d] for d in perm))
        return self.value(item.ref, perm)

    def is_weight(self, view: NodeView, i: int) -> bool:
        """Tell whether `weight` serves input `i`: a constant, or one that is quantized."""
        item = view.inputs[i]
        return item.ref not in self._held and (item.is_constant or item.ref in self._quantized_weights)

    def perm_of(self, view: NodeView, i: int) -> Perm | None:
        """Return the order in which data input `i` is held first, `UNIT` forms left out (None: TensorFlow's order)."""
        held = self._held.get(view.inputs[i].ref, {})
        return next((perm for perm in held if perm is None or UNIT not in perm), None)

    def form_of(self, view: NodeView, i: int) -> Perm | None:
        """Return the same as `perm_of`, for converters that can do with `UNIT` dimensions."""
        return next(iter(self._held.get(view.inputs[i].ref, {})), None)

    def set(self, view: NodeView, port: int, name: str, perm: Perm | None = None) -> None:
        """Say that the ONNX value `name` holds output `port` of the node, in the order `perm`."""
        self.hold(TensorRef(view.name, port), name, perm)

    def node(
        self, op: str, inputs: Sequence[str], *, outputs: int = 1, domain: str = "", version: int = 1, **attrs: Any
    ) -> Any:
        """Emit an ONNX node; return the name of its output, or a list of names if `outputs` is not 1.

        Args:
            op: ONNX op type, of opset 18 where `domain` is empty.
            inputs: names of values; "" for an optional input that is left out.
            version: opset version of `domain`, if that is not ONNX's own.
            attrs: attributes; those that are None are left out.
        """
        name = self.unique(f"{self._current}/{op}")
        results = [name + ":0"] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        proto = helper.make_node(op, list(inputs), results, name=name, domain=domain or None)
        proto.attribute.extend(helper.make_attribute(k, v) for k, v in attrs.items() if v is not None)
        self.nodes.append(proto)
        self.origins[name] = self._current
        if domain:
            self.domains[domain] = version
        return results[0] if outputs == 1 else results

    def const(self, value: Any, dtype: str | None = None) -> str:
        """Return an initializer with a small constant; equal constants are shared.

        Args:
            value: anything numpy makes an array of.
            dtype: TensorFlow's type name; default the array's own type.
        """
        array = np.ascontiguousarray(value) if dtype is None else np.ascontiguousarray(value, dtype=dtype)
        array = array.reshape(np.shape(value))  # ascontiguousarray makes a scalar one-dimensional
        key = (str(array.dtype), array.shape, array.tobytes() if array.dtype != object else repr(array).encode())
        if key not in self._constants:
            name = self.unique("const")
            self.initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def ints(self, values: Sequence[int] | NDArray[Any]) -> str:
        """Return an int64 initializer of rank 1: axes, shapes, pads."""
        return self.const(np.asarray(values, np.int64).reshape(-1))

    def weight(self, view: NodeView, i: int, perm: Perm | None = None, shape: tuple[int, ...] | None = None) -> str:
        """Return constant input `i`, transposed by `perm`, then reshaped to `shape`, at no cost when running.

        A quantized one is given as integers, and read through a DequantizeLinear.
        """
        quantized = self._quantized_weights.get(view.inputs[i].ref)
        if quantized is None:
            return self._laid_out(view, i, perm, shape)
        return self._dequantized(quantized, perm, shape)

    def set_quantized(self, view: NodeView, integers: Integers, axis: int | None) -> None:
        """Say that output 0 is constant input 0 as integers, with a step for each element of `axis` (None: one).

        Nothing quantizes when running: numpy does when the model is built or loaded.
        """
        self._quantized_weights[TensorRef(view.name)] = _QuantizedWeight(view, integers, axis)

    def _laid_out(
        self,
        view: NodeView,
        i: int,
        perm: Perm | None,
        shape: tuple[int, ...] | None,
        quantization: Quantization | None = None,
    ) -> str:
        item = view.inputs[i]
        if item.ref not in self.weights:
            return self.const(lay_out(view.known_const(i), perm, shape, quantization))
        info = self.weights[item.ref]
        assert info.shape is not None, item.ref
        dims = info.shape if perm is None else tuple(info.shape[d] for d in perm)
        dims = shape if shape is not None else dims
        for use in self.weight_uses:
            if (use.ref, use.perm, use.shape, use.quantization) == (item.ref, perm, shape, quantization):
                return use.name
        name = self.unique(f"{item.ref.node}/weight")
        dtype = info.dtype if quantization is None else quantization.dtype
        proto = TensorProto(name=name, data_type=ONNX_TYPES[dtype], dims=dims)
        proto.data_location = TensorProto.EXTERNAL
        proto.external_data.add(key="location", value="weights")
        self.initializers.append(proto)
        self.weight_uses.append(WeightUse(name, item.ref, perm, shape, quantization))
        return name

    def widened(self, name: str, least: NDArray[Any]) -> tuple[str, NDArray[Any]] | None:
        """Return a quantized constant once more with steps of at least `least`, and its steps.

        Args:
            name: what `weight` returned.
            least: one number for each of its steps.

        Returns:
            None if it is no quantized constant.
        """
        if name not in self._dequantizers:
            return None
        weight, perm, shape = self._dequantizers[name]
        to, places = weight.integers, self._steps(weight, perm, shape)[1]
        step = np.atleast_1d(to.step).astype(np.float32)
        wide = step.copy()
        np.maximum.at(wide, places, least.astype(np.float32))
        wider = replace(to, step=wide.reshape(to.step.shape), up=(to.up * (step / wide).reshape(to.up.shape)))
        return self._dequantized(replace(weight, integers=wider), perm, shape), wide[places]

    def _dequantized(self, weight: _QuantizedWeight, perm: Perm | None, shape: tuple[int, ...] | None) -> str:
        """Emit the DequantizeLinear of a quantized weight."""
        to = weight.integers
        values = self._laid_out(weight.view, 0, perm, shape, to.quantization(weight.axis))
        axis, places = self._steps(weight, perm, shape)
        parts = (np.atleast_1d(part)[places] for part in (to.step, to.zero.astype(to.dtype)))
        scalars = [self.const(part if axis is not None else part.reshape(())) for part in parts]
        name = str(self.node("DequantizeLinear", [values, *scalars], axis=axis))
        self._dequantizers[name] = (weight, perm, shape)
        return name

    def _steps(
        self, weight: _QuantizedWeight, perm: Perm | None, shape: tuple[int, ...] | None
    ) -> tuple[int | None, NDArray[Any]]:
        """Return the dimension that a weight's `axis` has become (None: it has one step), and the steps along it."""
        if weight.axis is None:
            return None, np.zeros(1, np.int64)
        return steps_after(weight.view.shape(0) or (), weight.axis, perm, shape)

    def cast(self, name: str, dtype: str) -> str:
        """Emit a Cast to a type given by TensorFlow's name."""
        cast: str = self.node("Cast", [name], to=ONNX_TYPES[dtype])
        return cast

    def transpose(self, name: str, perm: Sequence[int]) -> str:
        """Emit a Transpose, unless it would change nothing."""
        if list(perm) == list(range(len(perm))):
            return name
        result: str = self.node("Transpose", [name], perm=list(perm))
        return result

    # What the builder uses -----------------------------------------------------------------------------------------

    def begin(self, node: str) -> None:
        """Say which TensorFlow node the next ONNX nodes come from."""
        self._current = node

    def hold(self, ref: TensorRef, name: str, perm: Perm | None = None) -> None:
        """Say that an ONNX value holds a tensor in the order `perm`."""
        if perm is not None and perm == tuple(range(len(perm))):
            perm = None
        self._held.setdefault(ref, {}).setdefault(perm, name)

    def value(self, ref: TensorRef, perm: Perm | None = None) -> str:
        """Return the ONNX value of a tensor in the order `perm`, by a Transpose if it is not held that way yet."""
        if perm is not None and perm == tuple(range(len(perm))):
            perm = None
        if ref in self._quantized_weights:
            self.hold(ref, self._dequantized(self._quantized_weights.pop(ref), None, None))
        held = self._held[ref]
        if perm not in held:
            held[perm] = self._reorder(held, perm)
        return held[perm]

    def _reorder(self, held: dict[Perm | None, str], want: Perm | None) -> str:
        rank = max(len(without_units(p)) for p in (*held, want) if p is not None)
        order = tuple(range(rank)) if want is None else without_units(want)
        orders = {p: tuple(range(rank)) if p is None else without_units(p) for p in held}
        source = next((p for p in held if orders[p] == order), next(iter(held)))
        name = held[source]
        if source is not None and UNIT in source:
            name = self.node("Squeeze", [name, self.ints([k for k, d in enumerate(source) if d == UNIT])])
        name = self.transpose(name, [orders[source].index(d) for d in order])
        if want is not None and UNIT in want:
            name = self.node("Unsqueeze", [name, self.ints([k for k, d in enumerate(want) if d == UNIT])])
        return name

    def alias(self, ref: TensorRef, source: TensorRef) -> None:
        """Say that a tensor is the same as another one (Identity)."""
        if source in self._quantized_weights:
            self._quantized_weights[ref] = self._quantized_weights[source]
        else:
            self._held[ref] = self._held[source]

    def held_values(self) -> dict[str, tuple[TensorRef, Perm | None]]:
        """Return, for each ONNX value that holds a tensor, the tensor and the order."""
        return {name: (ref, perm) for ref, held in self._held.items() for perm, name in held.items()}

    def is_held(self, ref: TensorRef) -> bool:
        """Tell whether a tensor has an ONNX value."""
        return ref in self._held or ref in self._quantized_weights

    def drop_unread(self, outputs: Iterable[str]) -> None:
        """Drop nodes and initializers that no output needs.

        ONNX Runtime computes such nodes, and takes no values for such initializers.
        """
        read, kept = set(outputs), []
        for node in reversed(self.nodes):
            if read.intersection(node.output):
                kept.append(node)
                read.update(_read([node]))
        self.nodes = kept[::-1]
        self.initializers = [tensor for tensor in self.initializers if tensor.name in read]
        self.weight_uses = [use for use in self.weight_uses if use.name in read]

    def unique(self, wanted: str) -> str:
        """Return a name like `wanted` that nothing in the model has yet, and take it."""
        name, i = wanted, 1
        while name in self._names:
            i += 1
            name = f"{wanted}_{i}"
        self._names.add(name)
        return name

    def value_info(self, name: str, info: TensorInfo) -> Any:
        """Return the ONNX type and shape of a value; unknown dimensions get names, equal ones the same."""
        shape: list[int | str | None] | None = None
        if info.shape is not None:
            shape = [d if d >= 0 else (f"d{-d}" if d < -1 else None) for d in info.shape]
        return helper.make_tensor_value_info(name, ONNX_TYPES[info.dtype], shape)

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """Return the `ModelProto` of what was emitted, its inputs and outputs given as value infos."""
        graph = onnx.GraphProto(name="cluster")
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.initializers)
        graph.input.extend(inputs)
        graph.output.extend(outputs)
        opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(d, v) for d, v in self.domains.items())]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tfgraft")


def _read(nodes: Iterable[Any]) -> Iterator[str]:
    """Yield what nodes read, those in their subgraphs too."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _read(graph.node)
                yield from (output.name for output in graph.output)
