"""A cluster as an ONNX model that TensorRT's parser makes a network of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfgraft.plugins.protocol import Array, BuildError
from tfgraft.plugins.tensorrt.plan import MadeNetwork


@dataclass(frozen=True)
class OnnxSource:
    """A cluster as an ONNX model for TensorRT's parser.

    Args:
        model: the serialized model, its weights left out.
        weights: the weights by the names of their initializers, laid out.
        origins: the TensorFlow node behind each ONNX node, by name.
        outputs: the type of each output, as a member of `DataType`, and the node that it is from.
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
        self._check_types(network)
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

    def _check_types(self, network: Any) -> None:
        """Refuse what the parser has quietly given another type, as it does with double precision."""
        for i, (dtype, node) in enumerate(self.outputs):
            got = network.get_output(i).dtype
            if got.name != dtype:
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
