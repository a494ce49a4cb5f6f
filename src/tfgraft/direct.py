"""The direct path: the engine nodes that compute a whole model by themselves, found in its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from tfgraft.graph.graphdef import node_from_def
from tfgraft.graph.ref import TensorRef, control_source
from tfgraft.graph.views import PASS_THROUGH, const_value
from tfgraft.load.check import RUNTIME_OP
from tfgraft.load.model import LoadedModel
from tfgraft.plugins.protocol import Array

_SILENT = PASS_THROUGH | {"IdentityN", "Const", "NoOp", "Placeholder"}
"""Ops that may stand around engine nodes: what they do, the direct path does too by doing nothing."""


@dataclass(frozen=True)
class Step:
    """A call of one engine.

    Args:
        node: the engine node's NodeDef.
        inputs: for each data input, its place among the inputs of the model and, after them, the outputs of all steps.
        constants: the Const nodes of the engine's weights, in order.
    """

    node: Any = field(repr=False)
    inputs: tuple[int, ...]
    constants: tuple[Any, ...] = field(repr=False)

    def weights(self) -> list[Array]:
        """Return the values of the weights."""
        return [const_value(node_from_def(node)) for node in self.constants]


@dataclass(frozen=True)
class Direct:
    """Engines that compute all outputs of a model, of nothing but its inputs and constants.

    Args:
        steps: calls of engines, each after those whose outputs it reads.
        outputs: the place of each output of the model; see `Step.inputs`.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


def in_turn(
    direct: Direct, runs: Sequence[Callable[[Sequence[Any]], list[Any]]]
) -> Callable[[Sequence[Any]], list[Any]]:
    """Return a function of the model's inputs that computes its outputs; `runs` call the engines, one for each step."""
    steps = [(run, step.inputs) for run, step in zip(runs, direct.steps, strict=True)]
    outputs = direct.outputs

    def call(tensors: Sequence[Any]) -> list[Any]:
        values = list(tensors)
        for run, inputs in steps:
            values += run([values[i] for i in inputs])
        return [values[i] for i in outputs]

    return call


def weights_of(nodes: Mapping[str, Any], engine: Any) -> list[Array]:
    """Return the values of an engine node's weights, which are constants of its graph; `nodes` are that by name."""
    reads = [text for text in engine.input if control_source(text) is None][engine.attr["data_inputs"].i :]
    return [const_value(node_from_def(nodes[TensorRef.parse(text).node])) for text in reads]


def find_direct(graph_def: Any, loaded: LoadedModel) -> Direct | None:
    """Return the engine nodes that compute the whole model, or None if anything else takes part in it."""
    nodes = {node.name: node for node in graph_def.node}
    engines = _engines(nodes, [TensorRef.parse(name).node for name in loaded.output_names])
    places = {TensorRef.parse(name): i for i, name in enumerate(loaded.input_names)}
    fed, steps = len(places), []
    for engine in engines:
        reads = [_source(nodes, TensorRef.parse(text)) for text in engine.input if control_source(text) is None]
        count = engine.attr["data_inputs"].i
        data, weights = reads[:count], [nodes[ref.node] for ref in reads[count:]]
        if any(ref not in places for ref in data) or any(node.op != "Const" for node in weights):
            return None
        steps.append(Step(engine, tuple(places[ref] for ref in data), tuple(weights)))
        for port in range(len(engine.attr["OutT"].list.type)):
            places[TensorRef(engine.name, port)] = len(places)
    outputs = [places.get(_source(nodes, TensorRef.parse(name)), 0) for name in loaded.output_names]
    if not steps or any(place < fed for place in outputs):
        return None
    return Direct(tuple(steps), tuple(outputs))


def _engines(nodes: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """Return the engine nodes that some nodes need, each after those it needs; none if they need anything else."""
    order: nx.DiGraph[str] = nx.DiGraph()
    waiting = list(names)
    order.add_nodes_from(waiting)
    while waiting:
        node = nodes[waiting.pop()]
        if node.op != RUNTIME_OP and node.op not in _SILENT:
            return []
        for text in node.input:
            before = control_source(text) or TensorRef.parse(text).node
            if before not in order:
                waiting.append(before)
            order.add_edge(before, node.name)
    return [nodes[name] for name in nx.topological_sort(order) if nodes[name].op == RUNTIME_OP]


def _source(nodes: Mapping[str, Any], ref: TensorRef) -> TensorRef:
    """Return the tensor of which a tensor is a copy."""
    while (node := nodes[ref.node]).op in PASS_THROUGH or node.op == "IdentityN":
        ref = TensorRef.parse(node.input[ref.port])
    return ref
