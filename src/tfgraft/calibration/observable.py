"""Which tensors of a graph can be observed, and why others cannot."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tfgraft.calibration.table import CalibrationError
from tfgraft.errors import nearest
from tfgraft.graph.graphdef import from_graph_def, node_from_def
from tfgraft.graph.opdefs import OpDefs
from tfgraft.graph.ref import TensorRef, control_source
from tfgraft.load.model import NamedTensor
from tfgraft.passes.contexts import contexts
from tfgraft.passes.tag_support import FRAME_OPS

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")
_SWITCHES = ("Switch", "RefSwitch")  # they are not in the branches that they lead to


def observable(
    graph_def: Any, fed: Iterable[str], tensors: Sequence[str]
) -> tuple[tuple[NamedTensor, ...], dict[str, str]]:
    """Return the tensors that can be fetched, with their types, and why others cannot.

    Args:
        graph_def: the graph.
        fed: names of the tensors that get values from outside: inputs and resources.
        tensors: names of the tensors that are wanted; one named twice is taken once.

    Raises:
        CalibrationError: there is no such tensor, or it is no float.
        ValueError: a name is not that of a tensor.
    """
    nodes = {node.name: node for node in graph_def.node}
    opdefs = OpDefs({function.signature.name: function for function in graph_def.library.function})
    inside, waiting = _inside_control_flow(graph_def), _not_fed(graph_def, frozenset(fed))
    wanted, skipped = [], {}
    for ref in dict.fromkeys(TensorRef.parse(name) for name in tensors):
        name = str(ref)
        if ref.node not in nodes:
            raise CalibrationError(f"There is no node of tensor {name!r}.", nearest(ref.node, nodes))
        types = opdefs.output_types(node_from_def(nodes[ref.node])) or ()
        if ref.port >= len(types):
            raise CalibrationError(f"There is no tensor {name!r}: its node has {len(types)} outputs.")
        dtype = types[ref.port]
        if dtype not in _FLOATS:
            raise CalibrationError(f"Tensor {name!r} is {dtype}; only floats can be calibrated.")
        if ref.node in inside or nodes[ref.node].op in _SWITCHES:
            skipped[name] = "It is in a branch or loop of TensorFlow 1, from which nothing can be fetched."
        elif ref.node in waiting:
            skipped[name] = f"It needs {waiting[ref.node]!r}, which is no input of the model."
        else:
            wanted.append(NamedTensor(name, dtype))
    return tuple(wanted), skipped


def _inside_control_flow(graph_def: Any) -> Collection[str]:
    if not any(node.op in FRAME_OPS for node in graph_def.node):
        return ()
    graph = from_graph_def(graph_def)
    return contexts(graph, graph.topological())


def _not_fed(graph_def: Any, fed: Collection[str]) -> dict[str, str]:
    """Return the nodes that cannot run because a placeholder that they depend on is not fed, with that placeholder."""
    readers: dict[str, list[str]] = defaultdict(list)
    for node in graph_def.node:
        for text in node.input:
            control = control_source(text)
            if control is not None or str(TensorRef.parse(text)) not in fed:
                readers[control or TensorRef.parse(text).node].append(node.name)
    found = {n.name: n.name for n in graph_def.node if n.op in _PLACEHOLDERS and f"{n.name}:0" not in fed}
    queue = deque(found)
    while queue:
        name = queue.popleft()
        for reader in readers[name]:
            if reader not in found:
                found[reader] = found[name]
                queue.append(reader)
    return found
