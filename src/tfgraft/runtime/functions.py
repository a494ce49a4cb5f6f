"""Making the native segments of a graph known to TensorFlow's eager runtime."""

from __future__ import annotations

from typing import Any

from tensorflow.python.eager import context


def add_functions(graph_def: Any) -> None:
    """Make the library functions of a GraphDef known to the eager runtime, for the life of the process.

    `tf.compat.v1.wrap_function`, Sessions and loaded SavedModels do it by themselves. A `tf.function` that calls
    `tf.graph_util.import_graph_def` does not, so its engine nodes would find no native segment to fall back to: call
    this before it is traced.

    Raises:
        ValueError: the process has another function of the same name.
    """
    eager = context.context()
    eager.ensure_initialized()
    for function in graph_def.library.function:
        name = function.signature.name
        if not eager.has_function(name):
            eager.add_function_def(function)
        elif eager.get_function_def(name) != function:
            raise ValueError(
                f"TensorFlow has another function {name!r} in this process; give the functions of each graph names of "
                "their own"
            )
