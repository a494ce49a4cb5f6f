"""The native segment of an engine node: TensorFlow's own nodes, for when the engine cannot do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import function_pb2, graph_pb2

from tfgraft.plugins.protocol import Array

_CALL = "segment"


class Segment:
    """A library function in a session of its own.

    The session has its own threads: the caller holds a thread of the outer session while it waits, and on a pool of
    one thread (inter_op_parallelism_threads=1) a nested session of the same pool would never get to run.

    Args:
        library: a serialized FunctionDefLibrary that has the function and all that it calls.
        function: the function's name.
        inputs: `DataType` enum values of its arguments.
        outputs: `DataType` enum values of its results.

    Raises:
        KeyError: the library has no such function.
    """

    def __init__(self, library: bytes, function: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        graph_def = graph_pb2.GraphDef()
        graph_def.versions.producer = tf.version.GRAPH_DEF_VERSION
        graph_def.library.function.extend(_reachable(function_pb2.FunctionDefLibrary.FromString(library), function))
        call = graph_pb2.GraphDef().node.add(name=_CALL, op="StatefulPartitionedCall")
        for i, dtype in enumerate(inputs):
            node = graph_def.node.add(name=f"arg_{i}", op="Placeholder")
            node.attr["dtype"].type = dtype
            node.attr["shape"].shape.unknown_rank = True
            call.input.append(node.name)
        call.attr["f"].func.name = function
        call.attr["Tin"].list.type.extend(inputs)
        call.attr["Tout"].list.type.extend(outputs)
        graph_def.node.append(call)
        graph = tf.Graph()
        with graph.as_default():
            tf.graph_util.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto(use_per_session_threads=True, allow_soft_placement=True)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        with graph.as_default():
            self._run: Callable[..., Any] = self._session.make_callable(
                [f"{_CALL}:{i}" for i in range(len(outputs))], [f"arg_{i}:0" for i in range(len(inputs))]
            )

    def run(self, inputs: Sequence[Array]) -> Sequence[Array]:
        """Compute all outputs from all inputs (data, then weights); raises what TensorFlow raises."""
        results: Sequence[Array] = self._run(*inputs)
        return results

    def close(self) -> None:
        """Close the session."""
        self._session.close()


def _reachable(library: Any, root: str) -> list[Any]:
    """Return the functions that `root` calls, itself included: a library may hold other engines with their payloads."""
    functions = {f.signature.name: f for f in library.function}
    if root not in functions:
        raise KeyError(f"the graph's function library has no function {root!r}")
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in found or name not in functions:
            continue
        found[name] = functions[name]
        for node in functions[name].node_def:
            waiting.append(node.op)
            for value in node.attr.values():
                waiting.extend(f.name for f in (value.func, *value.list.func) if f.name)
    return list(found.values())
