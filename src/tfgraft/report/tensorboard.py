"""A report as TensorBoard shows it: the graph before and after, each engine as one node."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.core.util import event_pb2

from tfgraft.runtime.node import OP_NAME

if TYPE_CHECKING:
    from tfgraft.report.report import Graphs, Report

_LARGEST = 256
"""Bytes of an attribute from which on only its size is written: TensorBoard would not show more, only load longer."""
_FILE = "events.out.tfevents.0.tfgraft"
_CLUSTER = "_XlaCluster"  # the one attribute for parts of a graph that TensorBoard can colour nodes by


def write(report: Report, graphs: Graphs, logdir: str | os.PathLike[str]) -> None:
    """Write the graphs as the runs `before` and `after` of a TensorBoard log directory, replacing those of earlier.

    Raises:
        OSError: the directory cannot be written.
    """
    clusters = {name: c.id for c in report.clusters if not c.function for name in c.nodes}
    _write_run(Path(logdir) / "before", _before(_drawing(graphs.before), clusters))
    after = Path(logdir) / "after"
    if graphs.after is None:
        (after / _FILE).unlink(missing_ok=True)
    else:
        _write_run(after, _after(_drawing(graphs.after), report))


def _write_run(folder: Path, graph_def: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / _FILE)) as writer:
        for content in ({"file_version": "brain.Event:2"}, {"graph_def": graph_def.SerializeToString()}):
            writer.write(event_pb2.Event(wall_time=time.time(), **content).SerializeToString())


def _drawing(graph_def: Any) -> Any:
    """Return a graph with the shapes of its tensors and without the values of its weights and engines."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    shaped = graph.as_graph_def(add_shapes=True)
    drawing = tf.compat.v1.GraphDef()
    drawing.node.extend(_light(node) for node in shaped.node)
    drawing.library.function.extend(_functions(shaped))
    return drawing


def _light(node: Any) -> Any:
    light = type(node)(name=node.name, op=node.op, device=node.device, input=node.input)
    for key, value in node.attr.items():
        size = value.ByteSize()
        if size <= _LARGEST or key == "_output_shapes":
            light.attr[key].CopyFrom(value)
        elif value.WhichOneof("value") == "tensor":
            light.attr[key].tensor.dtype = value.tensor.dtype
            light.attr[key].tensor.tensor_shape.CopyFrom(value.tensor.tensor_shape)
        else:
            light.attr[key].s = f"({len(value.s) or size} bytes)".encode()
    return light


def _functions(graph_def: Any) -> Iterator[Any]:
    """Yield the functions that the graph runs by itself: not the native segments, which would be drawn beside it."""
    library = {f.signature.name: f for f in graph_def.library.function}
    waiting = list(_called(graph_def.node))
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in library and name not in seen:
            seen.add(name)
            waiting.extend(_called(library[name].node_def))
    for name in sorted(seen):
        light = type(library[name])()
        light.signature.CopyFrom(library[name].signature)
        light.ret.update(library[name].ret)
        light.node_def.extend(_light(node) for node in library[name].node_def)
        yield light


def _called(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        yield node.op
        if node.op != OP_NAME:
            for value in node.attr.values():
                yield from (f.name for f in (value.func, *value.list.func))


def _before(drawing: Any, clusters: Mapping[str, str]) -> Any:
    for node in drawing.node:
        if node.name in clusters:
            node.attr[_CLUSTER].s = clusters[node.name].encode()
    return drawing


def _after(drawing: Any, report: Report) -> Any:
    """Name engine nodes by their clusters, outside of any scope, colour them likewise, and say what is in them."""
    taken = {node.name for node in drawing.node}
    clusters = {c.engine_node: c for c in report.clusters if not c.function}
    names = {engine: c.id for engine, c in clusters.items() if c.id not in taken}
    ops = {n.name: n.op for n in report.nodes if not n.function}
    for node in drawing.node:
        if node.name in clusters:
            cluster = clusters[node.name]
            counts = Counter(ops[name] for name in cluster.nodes)
            node.attr[_CLUSTER].s = cluster.id.encode()
            node.attr["ops"].s = ", ".join(f"{count} {op}" for op, count in counts.most_common()).encode()
        node.name = names.get(node.name, node.name)
        node.input[:] = [_renamed(text, names) for text in node.input]
    return drawing


def _renamed(text: str, names: Mapping[str, str]) -> str:
    mark = "^" if text.startswith("^") else ""
    node, colon, port = text.removeprefix("^").partition(":")
    return f"{mark}{names.get(node, node)}{colon}{port}"
