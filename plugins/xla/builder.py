"""The engine builder `xla`: a cluster becomes a call of a function that TensorFlow has XLA compile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.graph.dtypes import INTS
from tfgraft.graph.functions import called, called_by
from tfgraft.graph.views import const_info, const_value, tensor_info
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Executor
from tfgraft.plugins.xla.call import CALL, FUNCTION
from tfgraft.plugins.xla.operands import data_dependent
from tfgraft.plugins.xla.support import device_kind
from tfgraft.plugins.xla.trial import Untranslatable, named, translate
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


@dataclass(frozen=True)
class XlaBuilder:
    """Builds engines that TensorFlow runs by itself, on the CPU and the GPU; there are no options.

    The result needs no tfgraft to run: there is no engine node in it, hence no fallback and no counter either.
    """

    name: ClassVar[str] = "xla"
    converters: ClassVar[tuple[str, ...]] = ("xla",)
    devices: ClassVar[tuple[str, ...]] = ("CPU", "GPU")

    def available(self) -> Support:
        """Supported if this TensorFlow has XLA's kernels, as TensorFlow's own wheels have."""
        try:
            from tensorflow.python.util import pywrap_xla_ops

            del pywrap_xla_ops
        except ImportError as error:
            hint = "Install TensorFlow 2.16 or later: pip install tensorflow."
            return Unsupported("no-engine", f"Engine xla needs a TensorFlow with XLA: {error}.", "tensorflow", hint)
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError for any option."""
        for name in options:
            raise ValueError(f"engine xla has no option {name!r}; it has none, since TensorFlow's own settings count")

    def cache_key(self, options: Mapping[str, Any]) -> str:
        """Return the kind of device that clusters are translated for where none is named."""
        return device_kind("")

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Make the cluster's function and have XLA translate it once, so that what is built is known to compile.

        Raises:
            BuildError: XLA does not compile it; codes not-constant, unknown-rank, engine-rejected.
        """
        graph = context.graph
        _refuse_all("not-constant", dict(data_dependent(cluster, graph)))
        inputs = tuple(tensor_info(graph, ref) for ref in cluster.inputs)
        ranks = {
            target: f"XLA compiles for fixed ranks, and that of {ref} is not known."
            for ref, info in zip(cluster.inputs, inputs, strict=True)
            for target, _, _ in graph.consumers(ref.node)
            if info.shape is None and target in cluster.nodes
        }
        _refuse_all("unknown-rank", ranks)
        weights = tuple(const_info(graph.node(ref.node)) for ref in cluster.weights)
        outputs = tuple(tensor_info(graph, ref) for ref in cluster.outputs)
        # Integers may be shapes or indices, which XLA reads while it translates.
        constants = {
            len(inputs) + i: const_value(graph.node(ref.node))
            for i, (ref, info) in enumerate(zip(cluster.weights, weights, strict=True))
            if info.dtype in INTS
        }
        library = _library(cluster, context)
        first = next(name for name in cluster.nodes if graph.node(name).op != "Const")
        try:
            translate(library, (*inputs, *weights), outputs, constants, device_kind(graph.node(first).device))
        except Untranslatable as error:
            culprit = named(error.nodes, set(cluster.nodes))
            raise BuildError(f"XLA does not compile it: {error}", culprit, "engine-rejected") from error
        return BuiltEngine(self.name, library, inputs, outputs, weights, call=CALL)

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        """Return an executor that calls the function on host arrays; graphs call it by themselves."""
        from tfgraft.plugins.xla.executor import XlaExecutor

        return XlaExecutor(engine, weights)


def _library(cluster: Cluster, context: BuildContext) -> bytes:
    """Return the cluster's function and those that it calls."""
    from tensorflow.core.framework import function_pb2

    from tfgraft.passes.segment import segment_function

    graph = context.graph
    library = function_pb2.FunctionDefLibrary()
    library.function.append(segment_function(graph, cluster, FUNCTION))
    names = [name for member in cluster.nodes for name in called(graph.node(member))]
    library.function.extend(graph.library.get(name) for name in _reached(context, names))
    raw: bytes = library.SerializeToString(deterministic=True)
    return raw


def _reached(context: BuildContext, names: Sequence[str]) -> list[str]:
    """Return the functions among some names and all that they call, outlined ones included."""
    library, found, waiting = context.graph.library, dict[str, None](), list(names)
    while waiting:
        name = waiting.pop()
        if name in library and name not in found:
            found[name] = None
            waiting.extend(inner for node in library.get(name).node_def for inner in called_by(node))
    return list(found)


def _refuse_all(code: str, culprits: Mapping[str, str]) -> None:
    if culprits:
        (node, message), *others = culprits.items()
        raise BuildError(message, node, code, dict(others))
