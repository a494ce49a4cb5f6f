"""The direct path: the one engine node that computes a whole model, found in its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfgraft.graph.graphdef import node_from_def
from tfgraft.graph.ref import TensorRef, control_source
from tfgraft.graph.views import PASS_THROUGH, const_value
from tfgraft.load.check import RUNTIME_OP
from tfgraft.load.model import LoadedModel
from tfgraft.plugins.protocol import Array

_SILENT = PASS_THROUGH | {"IdentityN", "Const", "NoOp", "Placeholder"}
"""Ops that may stand around the engine node: what they do, the direct path does too by doing nothing."""


@dataclass(frozen=True)
class Direct:
    """An engine node that computes all outputs of a model, of nothing but its inputs and constants.

    Args:
        node: the engine node's NodeDef.
        inputs: for each data input of the engine, which input of the model it is.
        outputs: for each output of the model, which output of the engine it is.
        constants: the Const nodes of the engine's weights, in order.
    """

    node: Any = field(repr=False)
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[Any, ...] = field(repr=False)

    def weights(self) -> list[Array]:
        """Return the values of the weights."""
        return [const_value(node_from_def(node)) for node in self.constants]


def weights_of(nodes: Mapping[str, Any], engine: Any) -> list[Array]:
    """Return the values of an engine node's weights, which are constants of its graph; `nodes` are that by name."""
    reads = [text for text in engine.input if control_source(text) is None][engine.attr["data_inputs"].i :]
    return [const_value(node_from_def(nodes[TensorRef.parse(text).node])) for text in reads]


def find_direct(graph_def: Any, loaded: LoadedModel) -> Direct | None:
    """Return the engine node that computes the whole model, or None if anything else takes part in it."""
    nodes = {node.name: node for node in graph_def.node}
    engine = _only_engine(nodes, [TensorRef.parse(name).node for name in loaded.output_names])
    if engine is None:
        return None
    outputs = [_source(nodes, TensorRef.parse(name)) for name in loaded.output_names]
    if any(ref.node != engine.name for ref in outputs):
        return None
    reads = [_source(nodes, TensorRef.parse(text)) for text in engine.input if control_source(text) is None]
    count = engine.attr["data_inputs"].i
    fed = {TensorRef.parse(name): i for i, name in enumerate(loaded.input_names)}
    if any(ref not in fed for ref in reads[:count]) or any(nodes[ref.node].op != "Const" for ref in reads[count:]):
        return None
    return Direct(
        engine,
        tuple(fed[ref] for ref in reads[:count]),
        tuple(ref.port for ref in outputs),
        tuple(nodes[ref.node] for ref in reads[count:]),
    )


def _only_engine(nodes: Mapping[str, Any], names: Sequence[str]) -> Any | None:
    """Return the one engine node that some nodes need, if they need nothing else that does anything."""
    waiting, seen, engine = list(names), set[str](), None
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        node = nodes[name]
        if node.op == RUNTIME_OP:
            if engine is not None:
                return None
            engine = node
        elif node.op not in _SILENT:
            return None
        waiting.extend(control_source(text) or TensorRef.parse(text).node for text in node.input)
    return engine


def _source(nodes: Mapping[str, Any], ref: TensorRef) -> TensorRef:
    """Return the tensor of which a tensor is a copy."""
    while (node := nodes[ref.node]).op in PASS_THROUGH or node.op == "IdentityN":
        ref = TensorRef.parse(node.input[ref.port])
    return ref
