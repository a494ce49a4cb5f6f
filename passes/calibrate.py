"""calibrate: run the model on representative data and note the ranges of the tensors that other passes ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tfgraft.calibration.collect import collect
from tfgraft.calibration.feeds import feeds_of
from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_source, tensor_infos
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.quantize_plan import plan_quantization
from tfgraft.plugins.int8_rules import int8_rules
from tfgraft.registry.registry import Registry

CALIBRATION = "calibration"
"""The key in `PassContext.results` of the `CalibrationTable`."""

Targets = Callable[[Graph, Registry], Iterable[TensorRef]]


def quantized_tensors(graph: Graph, registry: Registry) -> list[TensorRef]:
    """Return what INT8 needs the ranges of, for any of the registered engines: a table serves all of them."""
    found: dict[TensorRef, None] = {}
    for builder in registry.engines.values():
        plan = plan_quantization(graph, int8_rules(builder), lambda name: True)
        found.update((point.source, None) for point in plan.points.values())
    return list(found)


def float_tensors(graph: Graph, registry: Registry) -> list[TensorRef]:
    """Return all float32 tensors that are computed: half precision may overflow in any of them."""
    return [
        TensorRef(node.name, port)
        for node in graph
        for port, info in enumerate(tensor_infos(graph, node))
        if info.dtype == "float32" and const_source(graph, TensorRef(node.name, port)) is None
    ]


@dataclass(frozen=True)
class Calibrate:
    """Leaves a `CalibrationTable` in `ctx.results["calibration"]`; the graph is not changed.

    Args:
        data: a table, or data in any of the forms that `tfgraft.calibration.feeds.feeds_of` takes.
        loaded: the model that the graph was made from: its inputs and resources.
        targets: which tensors of the main graph to observe. Bodies of functions are not observed.
        executor: where shards of the data are run; None for here.
    """

    data: Any = field(repr=False)
    loaded: LoadedModel = field(repr=False)
    targets: Targets = quantized_tensors
    executor: Executor | None = None
    name: ClassVar[str] = "calibrate"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Calibrate.

        Raises:
            FeedError: a feed does not fit the model, or there is none.
            CalibrationError: a saved table cannot be read.
        """
        table = self.data if isinstance(self.data, CalibrationTable) else self._table(graph, ctx)
        ctx.results[CALIBRATION] = table
        return PassResult(summary=f"{len(table.names)} tensors over {table.samples} feeds")

    def _table(self, graph: Graph, ctx: PassContext) -> CalibrationTable:
        wanted = [str(ref) for ref in self.targets(graph, ctx.registry)]
        table: CalibrationTable = collect(
            to_graph_def(graph),
            (*self.loaded.inputs, *self.loaded.optional_inputs),
            self.loaded.resources,
            wanted,
            feeds_of(self.data, self.loaded),
            progress=ctx.progress,
            executor=self.executor,
        )
        return table
