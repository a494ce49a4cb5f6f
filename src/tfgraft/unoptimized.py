"""Running functions without TensorFlow optimizing them first, for a few calls.

Optimizing takes as long as many calls, and TensorFlow 2.21 crashes on functions of some models that its optimizer has
rewritten for oneDNN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context
from tensorflow.python.eager.polymorphic_function import atomic_function
from tensorflow.python.framework import func_graph, ops

Array = NDArray[Any]


def call_unoptimized(function: Any, values: Sequence[Any]) -> list[Array]:
    """Call a ConcreteFunction and return its results."""
    with _without_optimizer():
        # A function called by name would match its arguments by way of an exception, which takes longer than a model.
        return [result.numpy() for result in function._call_flat(list(values), function.captured_inputs)]


class Unoptimized:
    """A function of tensors, traced once, that returns arrays.

    A ConcreteFunction reads its own definition back from TensorFlow several times, which for a model of 100 MB takes as
    long as a dozen calls.

    Args:
        call: takes tensors and returns a list of them; it may capture others.
        specs: the tensors' types and shapes.
    """

    def __init__(self, call: Callable[..., list[Any]], specs: Sequence[Any]) -> None:
        # No automatic control dependencies, for the reason that `make_function` has none.
        graph = func_graph.func_graph_from_py_func(
            "unoptimized", call, args=None, kwargs=None, signature=list(specs), add_control_dependencies=False
        )
        # A name that ConcreteFunction would give it.
        self._function = atomic_function.from_func_graph(f"__inference_unoptimized_{ops.uid()}", graph, {})
        # Functions that came with an imported GraphDef are the graph's alone until they are registered.
        eager = context.context()
        for child in graph._functions.values():
            if not eager.has_function(child.name):
                with child._c_func.get() as c_function:
                    eager.add_c_function(c_function)
        self._captured = list(graph.external_captures)
        self._outputs = len(graph.outputs)

    def __call__(self, values: Sequence[Any]) -> list[Array]:
        """Run it in this thread, on the device that is the current one."""
        inputs = [*values, *self._captured]
        with _without_optimizer() as eager:
            results = eager.call_function(self._function.name, inputs, self._outputs)
            return [result.numpy() for result in results or ()]  # None if it has no outputs


@contextmanager
def _without_optimizer() -> Iterator[Any]:
    eager = context.context()
    before = eager.function_call_options
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    eager.function_call_options = context.FunctionCallOptions(executor_type=before.executor_type, config_proto=config)
    try:
        yield eager
    finally:
        eager.function_call_options = before  # it is this thread's alone
