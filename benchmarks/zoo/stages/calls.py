"""The ways of calling a frozen graph from Python, so that an original and its grafted graph are called alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from benchmarks.zoo.built import Array, Arrays

Call: TypeAlias = Callable[[], Sequence[Any]]
"""One run of a graph on a fixed feed; returns the outputs in order."""


def read_graph(path: Path) -> Any:
    """Read a GraphDef."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    return graph_def


def session_call(
    graph_def: Any, outputs: Sequence[str], feed: Arrays, *, intra: int, inter: int, executor: str = ""
) -> Call:
    """Return a Session's callable made from options: it skips what `Session.run` does for each feed and fetch.

    Args:
        executor: TensorFlow's name of an executor other than its default one. "SINGLE_THREADED_EXECUTOR" saves the
            hand-over to another thread; it takes no TensorFlow 1 control flow.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=intra, inter_op_parallelism_threads=inter, use_per_session_threads=True
    )
    config.experimental.executor_type = executor
    session = tf.compat.v1.Session(graph=graph, config=config)
    options = config_pb2.CallableOptions(feed=list(feed), fetch=list(outputs))
    run = session._make_callable_from_options(options)
    values = list(feed.values())

    def call() -> Sequence[Array]:
        # The closure keeps the session alive too.
        result: Sequence[Array] = run(*values)
        return result

    return call


def function_call(graph_def: Any, outputs: Sequence[str], feed: Arrays) -> Call:
    """Return a pruned function's `_call_flat`; the thread counts are the process's own (`tf.config.threading`).

    Calling the function itself would be slower: it matches arguments to a signature by way of an exception.
    """
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
    function = wrapped.prune(
        [wrapped.graph.as_graph_element(name) for name in feed],
        [wrapped.graph.as_graph_element(name) for name in outputs],
    )
    values = [tf.constant(value) for value in feed.values()]

    def call() -> Sequence[Any]:
        result: Sequence[Any] = function._call_flat(values, function.captured_inputs)
        return result

    return call


def tensorflow_call(
    graph_def: Any, outputs: Sequence[str], feed: Arrays, *, method: str, intra: int, inter: int
) -> Call:
    """Return the call by `method`: "session", "single" (a session with the single-threaded executor) or "function"."""
    if method == "function":
        return function_call(graph_def, outputs, feed)
    executor = "SINGLE_THREADED_EXECUTOR" if method == "single" else ""
    return session_call(graph_def, outputs, feed, intra=intra, inter=inter, executor=executor)


def onnxruntime_call(path: Path, outputs: Sequence[str], feed: Arrays, *, intra: int, quiet: bool) -> Call:
    """Return the call of a whole-graph ONNX model in ONNX Runtime; `quiet` is one inter-op thread and no spinning."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra
    options.log_severity_level = 4
    if quiet:
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    known = {each.name for each in session.get_inputs()}
    values = {name: value for name, value in feed.items() if name in known}

    def call() -> Sequence[Array]:
        result: Sequence[Array] = session.run(list(outputs), values)
        return result

    return call
