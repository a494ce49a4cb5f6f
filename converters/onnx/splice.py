"""Splicing a converted node's ONNX nodes into the model of a cluster, with fresh names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import numpy_helper

from tfgraft.converters.onnx.context import OnnxContext
from tfgraft.graph.view import NodeView


def splice(ctx: OnnxContext, view: NodeView, model: Any, outputs: tuple[str, ...]) -> None:
    """Emit a model that stands for a node.

    Args:
        model: its inputs are named `in<i>:0`, `i` being the node's input; types, ranks are those of the node.
        outputs: the names of the model's values for the node's outputs 0, 1, ...
    """
    versions = {opset.domain: opset.version for opset in model.opset_import}
    names = {item.name: ctx.get(view, int(item.name[2:-2])) for item in model.graph.input}
    names.update((t.name, ctx.const(numpy_helper.to_array(t))) for t in model.graph.initializer)
    for proto in model.graph.node:
        inputs = [names[name] if name else "" for name in proto.input]
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        made = ctx.node(
            proto.op_type, inputs, outputs=len(proto.output), domain=domain, version=versions.get(proto.domain, 1)
        )
        results = [made] if len(proto.output) == 1 else made
        new = ctx.nodes[-1]
        for i, (name, result) in enumerate(zip(proto.output, results, strict=True)):
            if name:
                names[name] = result
            else:
                new.output[i] = ""
        new.attribute.extend(_renamed(a, names, f"{new.name}/") for a in proto.attribute)
    for port, name in enumerate(outputs):
        ctx.set(view, port, names[name])


def _renamed(attribute: Any, outer: Mapping[str, str], prefix: str) -> Any:
    """Copy an attribute; in a subgraph, what it captures gets the new names and what it defines gets a prefix."""
    copy = onnx.AttributeProto()
    copy.CopyFrom(attribute)
    if copy.HasField("g"):
        _rename_graph(copy.g, outer, f"{prefix}{copy.name}/")
    return copy


def _rename_graph(graph: Any, outer: Mapping[str, str], prefix: str) -> None:
    names = dict(outer)
    defined = [item.name for item in (*graph.input, *graph.initializer)]
    defined += [name for node in graph.node for name in node.output if name]
    names.update((name, prefix + name) for name in defined)
    for item in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.name = names.get(item.name, item.name)
    for node in graph.node:
        node.name = prefix + node.name
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename_graph(attribute.g, names, f"{node.name}/{attribute.name}/")
