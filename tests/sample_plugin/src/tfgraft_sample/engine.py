"""The engine `sample`: a few elementwise ops in numpy. Small, but all that an engine builder is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfgraft.graph.views import PASS_THROUGH, const_info, const_value, node_view, tensor_info
from tfgraft.plugins.protocol import Array, BuildContext, BuildError, BuiltEngine, Cluster, Device, Outputs
from tfgraft.registry.support import SUPPORTED, Support
from tfgraft_sample.program import Program


@dataclass(frozen=True)
class NumpyBuilder:
    """Builds programs for numpy; it has no options."""

    name: ClassVar[str] = "sample"
    converters: ClassVar[tuple[str, ...]] = ("sample",)

    def available(self) -> Support:
        """Numpy is always there."""
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError for any option."""
        for name in options:
            raise ValueError(f"engine sample has no option {name!r}")

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Turn each node into a step."""
        graph = context.graph
        weights = {ref.node for ref in cluster.weights}
        program = Program([str(ref) for ref in (*cluster.inputs, *cluster.weights)], [str(r) for r in cluster.outputs])
        for name in cluster.nodes:
            node = graph.node(name)
            if node.op == "Const":
                if name not in weights:
                    program.constants[f"{name}:0"] = const_value(node)
            elif node.op in PASS_THROUGH:
                program.steps.append(("Identity", [str(graph.inputs(name)[0])], f"{name}:0"))
            else:
                view = node_view(graph, name)
                resolution = context.registry.resolve(view, self.converters)
                if resolution.chosen is None:
                    raise BuildError(str(resolution.support), name)
                resolution.chosen.convert(program, view)
        return BuiltEngine(
            self.name,
            program.to_json(),
            tuple(tensor_info(graph, ref) for ref in cluster.inputs),
            tuple(tensor_info(graph, ref) for ref in cluster.outputs),
            tuple(const_info(graph.node(ref.node)) for ref in cluster.weights),
        )

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> NumpyExecutor:
        """Read the program; weights are copied, because they are lent."""
        return NumpyExecutor(Program.from_json(engine.payload), tuple(w.copy() for w in weights))


@dataclass(frozen=True)
class NumpyExecutor:
    """A loaded program."""

    program: Program
    weights: tuple[Array, ...]

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Compute, then copy the results into TensorFlow's buffers."""
        for i, value in enumerate(self.program.run([*inputs, *self.weights])):
            outputs.allocate(i, value.shape)[...] = value
