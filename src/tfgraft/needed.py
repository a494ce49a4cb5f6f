"""What of a GraphDef its outputs need when its inputs are fed: a Session runs no more, and a function would."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tfgraft.graph.ref import TensorRef, control_source

_COLOCATED = b"loc:@"


def needed_part(graph_def: Any, fed: Collection[str], outputs: Iterable[str]) -> Any:
    """Return a GraphDef with the nodes that the outputs need; the same one if that is all of them.

    Nodes behind fed tensors are left out unless something else needs them, as are control inputs from nodes that are
    fed; placeholders that are fed stay.

    Args:
        graph_def: the graph; it is not changed.
        fed: names of the tensors that get values from outside.
        outputs: names of tensors.
    """
    nodes = {node.name: node for node in graph_def.node}
    replaced = {TensorRef.parse(name).node for name in fed}
    waiting = [TensorRef.parse(name).node for name in outputs if name not in fed]
    needed = {name for name in replaced if name in nodes and not nodes[name].input}
    cut = False
    while waiting:
        name = waiting.pop()
        if name in needed or name not in nodes:  # what is not there is for TensorFlow to tell
            continue
        needed.add(name)
        for text in nodes[name].input:
            source = control_source(text)
            if source is None:
                ref = TensorRef.parse(text)
                source = ref.node if str(ref) not in fed else None
            elif source in replaced:
                source, cut = None, True
            if source is not None:
                waiting.append(source)
    if len(needed) == len(nodes) and not cut:
        return graph_def
    part = type(graph_def)(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.name in needed:
            _copy(part.node.add(), node, needed, replaced)
    return part


def _copy(copy: Any, node: Any, needed: Collection[str], replaced: Collection[str]) -> None:
    """Copy a node without control inputs from nodes that do not run, and without being colocated with what is lost."""
    copy.CopyFrom(node)
    sources = [(text, control_source(text)) for text in node.input]
    kept = [text for text, source in sources if source is None or (source in needed and source not in replaced)]
    if len(kept) < len(node.input):
        copy.input[:] = kept
    if "_class" in node.attr:
        places = [s for s in node.attr["_class"].list.s if s.removeprefix(_COLOCATED).decode() in needed]
        copy.attr["_class"].list.s[:] = places


def fed_names(graph_def: Any, fed: Iterable[str]) -> list[str]:
    """Return those of the fed tensors that are in a graph or read by it; TensorFlow refuses to replace others."""
    present = {node.name for node in graph_def.node}
    read = {str(TensorRef.parse(text)) for node in graph_def.node for text in node.input if not control_source(text)}
    return [name for name in fed if name in read or TensorRef.parse(name).node in present]
