"""Networks out of clusters: through our own op converters, or through ONNX and TensorRT's parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfgraft.converters.tensorrt.context import TYPES
from tfgraft.converters.tensorrt.model import cluster_to_network
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value, tensor_info, tensor_infos
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, Cluster
from tfgraft.plugins.tensorrt.plan import MadeNetwork
from tfgraft.registry.entry import Converter
from tfgraft.registry.registry import Registry

SETS: dict[str, tuple[str, ...]] = {"native": ("tensorrt",), "onnx": ("onnx",)}
"""The converter sets of each route."""


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
        """Pickle with the converters alone: nothing else of the registry is needed, nor can it all be pickled."""
        entries = [entry for name in SETS["native"] for entry in self.registry.converters(name)]
        return _native_source, (self.cluster, self.graph, entries)


def _native_source(cluster: Cluster, graph: Graph, entries: list[Converter]) -> NativeSource:
    registry = Registry()
    for entry in entries:
        registry.add(entry, layer=entry.layer, source=entry.source)
    return NativeSource(cluster, graph, registry)


@dataclass(frozen=True)
class OnnxSource:
    """A cluster as an ONNX model for TensorRT's parser.

    Args:
        model: the serialized model, its weights left out.
        weights: the weights by the names of their initializers, laid out.
        origins: the TensorFlow node behind each ONNX node, by name.
        outputs: the type of each output and the node that it is from.
    """

    model: bytes
    weights: tuple[tuple[str, Array], ...]
    origins: Mapping[str, str]
    outputs: tuple[tuple[str, str], ...]

    def make(self, trt: Any, builder: Any, logger: Any) -> MadeNetwork:
        """See `tfgraft.plugins.tensorrt.plan.Source`."""
        flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if flag is None else 1 << int(flag))
        parser = trt.OnnxParser(network, logger)
        parsed = self._parse(parser)
        problems = [parser.get_error(i) for i in range(parser.num_errors)]
        if not parsed or problems:
            logger.take()
            raise self._refusal(problems)
        self._check_types(trt, network)
        return MadeNetwork(network, self.origins, (parser, self))

    def may_abort(self, trt: Any, builder: Any, logger: Any) -> bool:
        """Tell whether parsing could end the process: a node that is not ONNX's is looked for among plugins."""
        import onnx

        model = onnx.ModelProto.FromString(self.model)
        parser = trt.OnnxParser(builder.create_network(0), logger)
        for node in _nodes(model.graph):
            if not (onnx.defs.has(node.op_type, node.domain) and parser.supports_operator(node.op_type)):
                return True
        return False

    def _parse(self, parser: Any) -> bool:
        if not self.weights:
            return bool(parser.parse(self.model))
        if not hasattr(parser, "load_initializer"):
            return bool(parser.parse(self._filled()))
        return (
            parser.load_model_proto(self.model)
            and all(parser.load_initializer(name, a.ctypes.data, a.nbytes) for name, a in self.weights)
            and parser.parse_model_proto()
        )

    def _filled(self) -> bytes:
        """Return the model with its weights inside, for parsers that take no others; 2 GB at most."""
        import onnx

        model = onnx.ModelProto.FromString(self.model)
        weights = dict(self.weights)
        for tensor in model.graph.initializer:
            if tensor.name in weights:
                tensor.CopyFrom(onnx.numpy_helper.from_array(weights[tensor.name], tensor.name))
        filled: bytes = model.SerializeToString()
        return filled

    def _refusal(self, problems: list[Any]) -> BuildError:
        found: dict[str, str] = {}
        for problem in problems:
            node = self.origins.get(problem.node_name())
            if node is not None:
                found.setdefault(node, f"TensorRT's ONNX parser refuses {problem.node_operator()}: {_words(problem)}")
        if not found:
            said = "; ".join(_words(p) for p in problems) or "it does not say why"
            return BuildError(f"TensorRT's ONNX parser refuses it: {said}", None, "engine-rejected")
        (node, reason), *others = found.items()
        return BuildError(reason, node, "engine-rejected", dict(others))

    def _check_types(self, trt: Any, network: Any) -> None:
        """Refuse what the parser has quietly given another type, as it does with double precision."""
        for i, (dtype, node) in enumerate(self.outputs):
            got = network.get_output(i).dtype
            if got != getattr(trt.DataType, TYPES[dtype]):
                raise BuildError(f"TensorRT's ONNX parser makes {got.name} of {dtype}", node, "engine-rejected")


def _words(problem: Any) -> str:
    code = str(problem.code()).rpartition(".")[2].lower().replace("_", " ")
    return f"{code}: {problem.desc()}"


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def onnx_source(cluster: Cluster, context: BuildContext) -> OnnxSource:
    """Convert a cluster to ONNX.

    Raises:
        BuildError: it cannot be converted, or has values of types that TensorRT does not have.
    """
    from tfgraft.converters.onnx.model import cluster_to_onnx

    _check_values(cluster, context.graph)
    made = cluster_to_onnx(cluster, context.graph, context.registry, SETS["onnx"])
    weights = tuple((use.name, _laid_out(context.graph, use)) for use in made.weights)
    outputs = tuple((info.dtype, ref.node) for info, ref in zip(made.outputs, cluster.outputs, strict=True))
    return OnnxSource(made.model.SerializeToString(), weights, dict(made.origins), outputs)


def _laid_out(graph: Graph, use: Any) -> Array:
    value = const_value(graph.node(use.ref.node))
    value = value if use.perm is None else value.transpose(use.perm)
    shape = value.shape if use.shape is None else use.shape
    return value.reshape(shape).copy(order="C")


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
