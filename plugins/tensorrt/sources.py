"""Networks out of clusters: through our own op converters, or through ONNX and TensorRT's parser."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any

from tfgraft.converters.tensorrt.context import TYPES
from tfgraft.converters.tensorrt.model import cluster_to_network
from tfgraft.converters.weights import lay_out
from tfgraft.graph.facts import Facts
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import TENSORS, const_value, tensor_info, tensor_infos
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, Cluster
from tfgraft.plugins.tensorrt.onnx_model import OnnxSource
from tfgraft.plugins.tensorrt.plan import MadeNetwork
from tfgraft.registry.registry import Registry

SETS: dict[str, tuple[str, ...]] = {"native": ("tensorrt",), "onnx": ("onnx",)}
"""The converter sets of each route."""
QUANTIZED = frozenset({"int8"})
"""The integer types that TensorRT quantizes to."""


@dataclass(frozen=True)
class NativeSource:
    """A cluster, converted op by op."""

    cluster: Cluster
    graph: Graph
    registry: Registry

    def make(self, trt: Any, builder: Any, logger: Any) -> MadeNetwork:
        """See `tfgraft.plugins.tensorrt.plan.Source`."""
        made = cluster_to_network(self.cluster, self.graph, self.registry, SETS["native"], trt, builder, logger.take)
        return MadeNetwork(made.network, made.origins, made)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the user's converters alone: what is built in or installed, the other process has too."""
        entries = [e for name in SETS["native"] for e in self.registry.converters(name) if e.layer == "user"]
        buffer = io.BytesIO()
        _Pickler(buffer).dump((self.cluster, self.graph, entries))
        return _native_source, (buffer.getvalue(),)


class _Pickler(pickle.Pickler):
    """Leaves out all facts about nodes but types and shapes: tags hold converters, which may not be picklable."""

    def reducer_override(self, value: Any) -> Any:
        """Say how facts are pickled."""
        return (_tensor_facts, (dict(value.table(TENSORS)),)) if isinstance(value, Facts) else NotImplemented


def _tensor_facts(tensors: dict[str, Any]) -> Facts:
    facts = Facts()
    facts.update(TENSORS, tensors)
    return facts


def _native_source(job: bytes) -> NativeSource:
    cluster, graph, entries = pickle.loads(job)
    registry = Registry.default()
    registry.add(*entries)
    return NativeSource(cluster, graph, registry)


def onnx_source(cluster: Cluster, context: BuildContext) -> OnnxSource:
    """Convert a cluster to ONNX.

    Raises:
        BuildError: it cannot be converted, or has values of types that TensorRT does not have.
    """
    from tfgraft.converters.onnx.model import cluster_to_onnx

    _check_values(cluster, context.graph)
    made = cluster_to_onnx(cluster, context.graph, context.registry, SETS["onnx"], QUANTIZED)
    weights = tuple((use.name, _laid_out(context.graph, use)) for use in made.weights)
    outputs = tuple((TYPES[info.dtype], ref.node) for info, ref in zip(made.outputs, cluster.outputs, strict=True))
    return OnnxSource(made.model.SerializeToString(), weights, dict(made.origins), outputs)


def _laid_out(graph: Graph, use: Any) -> Array:
    return lay_out(const_value(graph.node(use.ref.node)), use.perm, use.shape, use.quantization)


def _check_values(cluster: Cluster, graph: Graph) -> None:
    found: dict[str, str] = {}
    for name in cluster.nodes:
        node = graph.node(name)
        if node.op == "Const":
            continue
        infos = [*tensor_infos(graph, node), *(tensor_info(graph, ref) for ref in graph.inputs(name))]
        for info in infos:
            if info.dtype not in TYPES:
                found.setdefault(name, f"TensorRT has no type {info.dtype}")
    for ref in cluster.inputs:
        if tensor_info(graph, ref).shape is None:
            for name in {consumer for consumer, _, _ in graph.consumers(ref.node)} & set(cluster.nodes):
                found.setdefault(name, f"the rank of its input {TensorRef(ref.node, ref.port)} is not known")
    if found:
        (first, reason), *others = found.items()
        raise BuildError(reason, first, "dtype" if "type" in reason else "unknown-rank", dict(others))
