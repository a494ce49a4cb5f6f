"""Converting and trying a model; done in a process of its own, since both can end it (see `process`)."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_UNKNOWN = 2
"""What unknown dimensions are tried as."""


@dataclass(frozen=True)
class Job:
    """What to convert.

    Args:
        graph_def: a serialized GraphDef.
        inputs, outputs: names of its tensors.
    """

    graph_def: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """A converted model.

    Args:
        model: the serialized LiteRT model.
        order: which of the job's inputs each of the model's inputs is.
    """

    model: bytes
    order: tuple[int, ...]


@dataclass(frozen=True)
class Failure:
    """Why there is no model.

    Args:
        message: one line.
        nodes: those that the converter has named, each with the reason.
        lasting: whether it would be the same another time.
    """

    message: str
    nodes: tuple[tuple[str, str], ...] = ()
    lasting: bool = True


def convert(job: Job) -> Made | Failure:
    """Convert, then load the model and run it once."""
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef.FromString(job.graph_def)
    try:
        model = _converted(graph_def, job)
    except Exception as error:  # the converter raises several kinds
        return _refusal(error, graph_def)
    try:
        order = try_model(model, [name.partition(":")[0] for name in job.inputs], len(job.outputs))
    except Exception as error:
        return Failure(f"LiteRT cannot load what its converter made: {_first_line(error)}")
    return Made(model, order)


def _converted(graph_def: Any, job: Job) -> bytes:
    import tensorflow as tf

    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
    found = wrapped.graph.as_graph_element
    function = wrapped.prune([found(name) for name in job.inputs], [found(name) for name in job.outputs])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], function)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = []
    return bytes(converter.convert())


def try_model(model: bytes, names: Sequence[str], outputs: int) -> tuple[int, ...]:
    """Load a model and run it once, on ones; return which of the inputs in `names` each of its inputs is.

    Made-up sizes and values may be wrong for it. So what it says to them does not count, only that it survives.

    Raises:
        Exception: it cannot be loaded, or it has not the inputs and outputs that it should have.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    details = interpreter.get_input_details()
    order = tuple(names.index(detail["name"].removeprefix("serving_default_").partition(":")[0]) for detail in details)
    if len(interpreter.get_output_details()) != outputs:
        raise ValueError(f"the model has {len(interpreter.get_output_details())} outputs, not {outputs}")
    dynamic = [detail for detail in details if min(detail["shape_signature"], default=0) < 0]
    if not dynamic:
        interpreter.allocate_tensors()
    with contextlib.suppress(RuntimeError, ValueError):
        for detail in dynamic:
            interpreter.resize_tensor_input(
                detail["index"], [_UNKNOWN if d < 0 else int(d) for d in detail["shape_signature"]]
            )
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.ones(detail["shape"], detail["dtype"]))
        interpreter.invoke()
    return order


def _refusal(error: Exception, graph_def: Any) -> Failure:
    """Read the nodes that the converter's error names: it has its reasons as protos, each with where it belongs."""
    known = {node.name: node.op for node in graph_def.node}
    nodes: dict[str, str] = {}
    others: dict[str, None] = {}
    for item in getattr(error, "errors", ()):
        op = item.operator.name.removeprefix("tf.")
        said = _first_line(item.error_message)
        named = [call.name for call in item.location.call if known.get(call.name) == op]
        nodes.update((name, f"LiteRT's converter refuses it: {said}") for name in named)
        if not named:
            others[said] = None
    if nodes:
        return Failure(next(iter(nodes.values())), tuple(nodes.items()))
    return Failure(f"LiteRT's converter refuses it: {'; '.join(others) or _first_line(error)}")


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
