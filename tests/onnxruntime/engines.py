"""The engines in a graph, read back from their nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx

from tfgraft.plugins.protocol import BuiltEngine
from tfgraft.runtime.node import OP_NAME, read_metadata


def engines_in(graph_def: Any) -> list[BuiltEngine]:
    """Return the engines of ONNX Runtime in a graph's engine nodes."""
    return [
        read_metadata(node.attr["metadata"].s).built("onnxruntime", node.attr["payload"].s)
        for node in graph_def.node
        if node.op == OP_NAME
    ]


def ops_in(graph_def: Any) -> Counter[str]:
    """Return how many ONNX nodes of each type the engines in a graph have."""
    models = [onnx.load_from_string(engine.payload) for engine in engines_in(graph_def)]
    return Counter(node.op_type for model in models for node in model.graph.node)
