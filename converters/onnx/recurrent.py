"""Recurrent layers as one ONNX node, LSTM, GRU or RNN, out of an outlined loop over a sequence.

tf2onnx knows LSTMs that are written in one way, and makes a Loop of other layers, whose nodes run one by one at each
step. Here the weights are read off the products of the loop's body, and what cell it is off its activations. That is
no proof, so whoever asks has to try the model (see `probe`): a cell that has the parts of a GRU and is none gives
other numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.converters.onnx.slicing import LAST
from tfgraft.graph.functions import LOOPS
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def
from tfgraft.graph.one_node import OneNode
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import const_source, const_value, through

Array = NDArray[Any]
_KINDS = {
    (("Sigmoid", 3), ("Tanh", 2)): "LSTM",
    (("Sigmoid", 2), ("Tanh", 1)): "GRU",
    (("Tanh", 1),): "RNN",
    (("Relu", 1),): "RNN",
}
"""What cell has which activations; of others the defaults of ONNX's ops would not be right."""
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
"""Where ONNX's gates (LSTM: input, output, forget, cell) are among Keras's (input, forget, cell, output)."""
_DIRECTIONS = (1, 0, 0)
"""Which dimension of ONNX's outputs (all steps, the last state, the last memory) has the directions, of which one is
used."""
_ADDITIONS = ("Add", "AddV2", "BiasAdd")
_PARTS = frozenset(
    {"Const", "_Arg", "Identity", "NoOp", "TensorListGetItem", "TensorListSetItem", "MatMul", "Mul", "Sub", "Split"}
    | {"StridedSlice", "Squeeze", "Sigmoid", "Tanh", "Relu", *_ADDITIONS}
)


@dataclass(frozen=True)
class _Loop:
    """A loop over a sequence, its body, and the body's weights; `state` and `memory` are places of loop variables."""

    graph: Graph
    name: str
    body: Graph
    kind: str
    activation: str
    sequence: int
    state: int
    memory: int | None
    kernel: Array
    recurrent: Array
    biases: tuple[Array | None, Array | None]
    resets_after: bool


def recurrent_model(node: OneNode, outputs: Sequence[str]) -> Any | None:
    """Return an ONNX model of a call of an outlined loop, or None if it does not look like a recurrent layer.

    Its inputs are `in<i>:0`, its outputs are named as `outputs`. float32 alone.
    """
    graph = from_graph_def(node.graph_def(), fetches=[TensorRef.parse(name) for name in outputs])
    loop = _loop(graph)
    return None if loop is None else _Emitter(loop).model(node, outputs)


def _loop(graph: Graph) -> _Loop | None:
    loops = [each for each in graph if each.op in LOOPS]
    body = graph.library.body(loops[0].attrs["body"].name) if len(loops) == 1 else None
    if body is None or not {each.op for each in body} <= _PARTS:
        return None
    name = loops[0].name
    activations = Counter(each.op for each in body if each.op in ("Sigmoid", "Tanh", "Relu"))
    kind = _KINDS.get(tuple(sorted(activations.items())))
    items = [each.name for each in body if each.op == "TensorListGetItem"]
    if kind is None or len(items) != 1:
        return None
    places = {ref: i for i, ref in enumerate(body.feeds)}
    sequence = places.get(through(body, body.inputs(items[0])[0]))
    products = {each.name: through(body, body.inputs(each.name)[0]) for each in body if each.op == "MatMul"}
    of_input = [product for product, left in products.items() if left == TensorRef(items[0])]
    of_state = [product for product, left in products.items() if left in places]
    other = [product for product in products if product not in (*of_input, *of_state)]
    if sequence is None or len(of_input) != 1 or len(of_state) != 1 or len(other) > (kind == "GRU"):
        return None
    state = places[products[of_state[0]]]
    changing = [i for i, ref in enumerate(body.fetches) if _is_computed(body, ref) and i != state]
    if len(changing) != (kind == "LSTM"):
        return None
    weights = [_constant(graph, name, body, body.inputs(product)[1]) for product in (*of_input, *of_state, *other)]
    if any(value is None or value.ndim != 2 or value.dtype != np.float32 for value in weights):
        return None
    kernel, *recurrent = (value for value in weights if value is not None)
    memory = changing[0] if changing else None
    joined = np.concatenate(recurrent, 1)
    biases = _biases(graph, name, body, of_state[0] if kind == "GRU" else "")
    activation = "Relu" if "Relu" in activations else "Tanh"
    found = _Loop(
        graph, name, body, kind, activation, sequence, state, memory, kernel, joined, biases, resets_after=not other
    )
    return found if _fits(found) else None


def _fits(loop: _Loop) -> bool:
    gates, size = len(_GATES[loop.kind]), loop.recurrent.shape[0]
    shapes = [bias.shape for bias in loop.biases if bias is not None]
    return loop.recurrent.shape[1] == loop.kernel.shape[1] == gates * size and set(shapes) <= {(gates * size,)}


def _is_computed(body: Graph, ref: TensorRef) -> bool:
    """Tell whether a loop variable is a float that changes."""
    node = body.node(through(body, ref).node)
    return node.op in ("Add", "AddV2", "Mul", "Tanh", "Relu") and node.dtype("T") == "float32"


def _biases(graph: Graph, loop: str, body: Graph, recurrent: str) -> tuple[Array | None, Array | None]:
    """Return what is added to the input's product, or to the sum of both, and what to the recurrent product."""
    found: list[Array | None] = [None, None]
    for node in body:
        if node.op not in _ADDITIONS or node.dtype("T") != "float32":
            continue
        left, right = body.inputs(node.name)
        for value, other in ((left, right), (right, left)):
            constant = _constant(graph, loop, body, other)
            if constant is not None:
                found[through(body, value).node == recurrent] = constant.reshape(-1)
    return found[0], found[1]


def _constant(graph: Graph, loop: str, body: Graph, ref: TensorRef) -> Array | None:
    """Return the value of a tensor of a loop's body that is a constant, or a part of one, outside of it."""
    ref = through(body, ref)
    if ref in body.feeds:
        const = const_source(graph, graph.inputs(loop)[list(body.feeds).index(ref)])
        return None if const is None else const_value(const)
    node, inputs = body.node(ref.node), body.inputs(ref.node)
    if node.op == "Const":
        return const_value(node)
    if node.op not in ("Split", "StridedSlice", "Squeeze"):
        return None
    values = [_constant(graph, loop, body, each) for each in inputs]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if node.op == "Split":
        part: Array = np.split(known[1], node.attrs["num_split"], int(known[0]))[ref.port]
        return part
    return np.squeeze(known[0]) if node.op == "Squeeze" else _sliced(node.attrs, *known)


def _sliced(attrs: Any, value: Array, begin: Array, end: Array, strides: Array) -> Array | None:
    if attrs.get("ellipsis_mask", 0) or attrs.get("new_axis_mask", 0) or attrs.get("shrink_axis_mask", 0):
        return None
    index = tuple(
        slice(
            None if attrs.get("begin_mask", 0) >> i & 1 else int(first),
            None if attrs.get("end_mask", 0) >> i & 1 else int(last),
            int(step),
        )
        for i, (first, last, step) in enumerate(zip(begin, end, strides, strict=True))
    )
    part: Array = value[index]
    return part


class _Emitter:
    """Makes the model of one loop."""

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.ctx = OnnxContext()

    def model(self, node: OneNode, outputs: Sequence[str]) -> Any | None:
        loop, ctx = self.loop, self.ctx
        before = loop.graph.inputs(loop.name)
        filled = loop.graph.node(through(loop.graph, before[loop.sequence]).node)
        states = [before[place] for place in (loop.state, loop.memory) if place is not None]
        if filled.op != "TensorListFromTensor":
            return None
        ctx.begin(loop.name)
        sequence = self._value(loop.graph.inputs(filled.name)[0])
        begin = [self._value(ref) for ref in states]
        wanted = [self._result(ref) for ref in loop.graph.inputs("node")[: len(outputs)]]
        if sequence is None or None in begin or None in wanted:
            return None
        made = self._recurrence(sequence, [ctx.node("Unsqueeze", [str(value), ctx.ints([0])]) for value in begin])
        for place, name in zip(wanted, outputs, strict=True):
            assert place is not None
            ctx.node("Squeeze", [made[place], ctx.ints([_DIRECTIONS[place]])])
            ctx.nodes[-1].output[0] = name
        slots = {f"in{i}:0": node.inputs[i] for i in node.data}
        inputs = [ctx.value_info(name, TensorInfo(slot.dtype, slot.shape)) for name, slot in slots.items()]
        return ctx.model(inputs, [ctx.value_info(name, TensorInfo("float32", None)) for name in outputs])

    def _recurrence(self, sequence: str, initial: list[str]) -> Sequence[str]:
        loop, ctx = self.loop, self.ctx
        zeros = np.zeros(loop.kernel.shape[1], np.float32)
        biases = [self._gates(zeros if bias is None else bias) for bias in loop.biases]
        weights = [self._gates(loop.kernel.T), self._gates(loop.recurrent.T), np.concatenate(biases)]
        inputs = [sequence, *(ctx.const(value[None]) for value in weights), "", *initial]
        made: Sequence[str] = ctx.node(
            loop.kind,
            inputs,
            outputs=3 if loop.kind == "LSTM" else 2,
            hidden_size=loop.recurrent.shape[0],
            linear_before_reset=int(loop.resets_after) if loop.kind == "GRU" else None,
            activations=[loop.activation] if loop.kind == "RNN" else None,
        )
        return made

    def _gates(self, value: Array) -> Array:
        parts = np.split(value, len(_GATES[self.loop.kind]))
        return np.concatenate([parts[i] for i in _GATES[self.loop.kind]])

    def _result(self, ref: TensorRef) -> int | None:
        """Return which output of the recurrence a tensor is; see `_DIRECTIONS`."""
        loop, graph = self.loop, self.loop.graph
        ref = through(graph, ref)
        if ref.node == loop.name:
            return {loop.state: 1, loop.memory: 2}.get(ref.port)
        if graph.node(ref.node).op != "TensorListStack":
            return None
        kept = through(graph, graph.inputs(ref.node)[0])
        write = through(loop.body, loop.body.fetches[kept.port]).node if kept.node == loop.name else ""
        if not write or loop.body.node(write).op != "TensorListSetItem":
            return None
        written = through(loop.body, loop.body.inputs(write)[2])
        return 0 if written == through(loop.body, loop.body.fetches[loop.state]) else None

    def _value(self, ref: TensorRef) -> str | None:
        """Return the name of a tensor from outside of the loop: an input, a constant, or a reversed sequence."""
        graph, ctx = self.loop.graph, self.ctx
        ref = through(graph, ref)
        node = graph.node(ref.node)
        if node.op == "Placeholder":
            return str(TensorRef(node.name))
        const = const_source(graph, ref)
        if const is not None:
            return ctx.const(const_value(const))
        if node.op != "ReverseV2":
            return None
        value, axes = graph.inputs(node.name)
        turned, along = self._value(value), const_source(graph, axes)
        if turned is None or along is None:
            return None
        axis = const_value(along).reshape(-1)
        last, first, back = (ctx.ints([bound] * len(axis)) for bound in (LAST, -LAST, -1))
        return ctx.node("Slice", [turned, last, first, ctx.ints(axis), back])
