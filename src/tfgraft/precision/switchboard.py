"""Switchboard: one graph in which each layer's lower precision can be switched on and off by a feed.

Building a graph for each of a hundred layers would take longer than running them. Here the quantized (or rounded)
value of a tensor and the tensor itself both are there, and a boolean chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.function import make_function
from tfgraft.graph.attrs import Attrs, DType
from tfgraft.graph.edit import GraphEdit
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.node import Node
from tfgraft.graph.ref import TensorRef
from tfgraft.load.model import LoadedModel, NamedTensor
from tfgraft.unoptimized import call_unoptimized

Array = NDArray[Any]
_FLAGS = "tfgraft_switches"
Place = tuple[str, int]
"""(node, input): where a value is read."""


@dataclass(frozen=True)
class Switchboard:
    """A graph with switches.

    Args:
        layers: what can be switched, in topological order.
        places: the inputs that have a switch, in the order of the flags.
        off: which places are as in the original when some layers are kept in float32.
        run: runs the graph: (flags, feed by tensor name) -> outputs.
    """

    layers: tuple[str, ...]
    places: tuple[Place, ...]
    on: Callable[[frozenset[str]], Iterable[Place]] = field(repr=False)
    run: Callable[[NDArray[np.bool_], Mapping[str, Array]], list[Array]] = field(repr=False)

    def outputs(self, feed: Mapping[str, Array], keep: Iterable[str]) -> list[Array]:
        """Run on one feed with all layers but those of `keep` in the lower precision."""
        index = {place: i for i, place in enumerate(self.places)}
        flags = np.zeros(len(self.places), bool)
        flags[[index[place] for place in self.on(frozenset(keep)) if place in index]] = True
        return self.run(flags, feed)


def make_switchboard(
    graph: Graph,
    loaded: LoadedModel,
    layers: Sequence[str],
    lowered: Mapping[Place, TensorRef],
    on: Callable[[frozenset[str]], Iterable[Place]],
) -> Switchboard:
    """Put switches into a graph, which is changed, and make it ready to run.

    Args:
        graph: the graph, the lowered values being in it beside the original ones.
        loaded: the model that it was made from.
        layers, on: see `Switchboard`.
        lowered: for each place what it reads in the lower precision.
    """
    places = tuple(lowered)
    with graph.edit() as edit:
        flags = edit.add(Node(_FLAGS, "Placeholder", attrs=Attrs({"dtype": DType("bool")})))
        parts = Node(f"{_FLAGS}/each", "Unpack", attrs=Attrs({"num": len(places), "T": DType("bool"), "axis": 0}))
        edit.add(parts, [TensorRef(flags)])
        for i, place in enumerate(places):
            _switch(graph, edit, i, place, lowered[place], TensorRef(parts.name, i))
    inputs = (*loaded.inputs, NamedTensor(f"{_FLAGS}:0", "bool", (len(places),)))
    function = make_function(to_graph_def(graph), inputs, loaded.outputs, loaded.resources)
    return Switchboard(tuple(layers), places, on, _runner(function, loaded))


def _switch(graph: Graph, edit: GraphEdit, i: int, place: Place, low: TensorRef, flag: TensorRef) -> None:
    name, slot = place
    original = graph.inputs(name)[slot]
    node = Node(f"{_FLAGS}/{i}", "SelectV2", graph.node(name).device, Attrs({"T": DType("float32")}))
    edit.add(node, [flag, low, original])
    edit.set_input(name, slot, TensorRef(node.name))


def _runner(function: Any, loaded: LoadedModel) -> Callable[[NDArray[np.bool_], Mapping[str, Array]], list[Array]]:
    import tensorflow as tf

    def run(flags: NDArray[np.bool_], feed: Mapping[str, Array]) -> list[Array]:
        values = [tf.constant(feed[spec.name], spec.dtype) for spec in loaded.inputs]
        return call_unoptimized(function, [*values, tf.constant(flags)])

    return run
