"""Running a function in the thread that calls it, where nothing in it could run beside anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from tfgraft.load.check import RUNTIME_OP

_EXECUTOR = "SINGLE_THREADED_EXECUTOR"
_FREE = frozenset({"Const", "Placeholder", "PlaceholderWithDefault", "Identity", "IdentityN", "NoOp"})
"""Ops that compute nothing."""
_LOW_LEVEL = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"})
_FEW = 8
"""So many ops beside the engine may run one after the other: together they take less than waking a thread does."""


def is_one_engine(graph_def: Any) -> bool:
    """Tell whether a graph is one engine node with little around it, which TensorFlow can run op by op."""
    engines = [node for node in graph_def.node if node.op == RUNTIME_OP]
    others = [node for node in graph_def.node if node.op not in _FREE and node.op != RUNTIME_OP]
    return len(engines) == 1 and len(others) <= _FEW and not any(map(_needs_more, others))


def _needs_more(node: Any) -> bool:
    return node.op in _LOW_LEVEL or any(value.HasField("func") for value in node.attr.values())


class InCallerThread:
    """Stands for a ConcreteFunction's method that calls it; thread-safe.

    By default TensorFlow hands each op to a pool of threads, and the caller sleeps meanwhile: for an engine of a
    millisecond, waking one thread and then the other is a good part of the time, and the engine's own threads find
    their processors taken. What TensorFlow cannot run so, as a graph on several devices, it runs as ever.

    Args:
        call: the method, which takes the inputs and the captured inputs.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._possible = True

    def __call__(self, inputs: Sequence[Any], captured: Sequence[Any]) -> Any:
        """Call the function."""
        eager = context.context()
        before = eager.function_call_options
        # In a graph, and where the caller has chosen an executor, nothing is to be decided here.
        if not self._possible or before.executor_type or not context.executing_eagerly():
            return self._call(inputs, captured)
        chosen = context.FunctionCallOptions.__new__(context.FunctionCallOptions)
        chosen.executor_type = _EXECUTOR
        chosen._config_proto_serialized = before.config_proto_serialized
        eager.function_call_options = chosen  # it is this thread's alone
        try:
            return self._call(inputs, captured)
        except tf.errors.UnimplementedError:  # said before anything runs
            self._possible = False
        finally:
            eager.function_call_options = before
        return self._call(inputs, captured)
