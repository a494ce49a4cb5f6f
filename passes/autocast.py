"""autocast: let clusters compute in half precision, with casts at their edges and around what must not be rounded.

The rewrite is in TensorFlow's own ops, so every engine reads it, and the native segment computes the same. What the
ops of each kind do is in `autocast_table`, which nodes change in `autocast_plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from tfgraft.calibration.table import CalibrationTable
from tfgraft.graph.collector import collector_paused
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import Input, NodeView, TensorInfo
from tfgraft.passes.autocast_plan import FOLLOWING, HalfPlan, Planner, gives_float
from tfgraft.passes.autocast_rewrite import cast_node, rewrite
from tfgraft.passes.base import PassContext, PassResult
from tfgraft.passes.calibrate import CALIBRATION
from tfgraft.passes.form_clusters import CLUSTER, FormClusters
from tfgraft.passes.prune import Prune
from tfgraft.passes.regroup import PRECISION, regroup
from tfgraft.passes.tag_support import TagSupport, sets_of
from tfgraft.registry.registry import Resolution
from tfgraft.registry.support import Unsupported

TYPES = {"FP16": "float16", "BF16": "bfloat16"}
"""TensorFlow's names of the half types."""


@dataclass(frozen=True)
class Autocast:
    """Rewrites the nodes of clusters in the main graph and in function bodies; needs inferred shapes.

    Weights become constants of the half type. A cluster's inputs and outputs keep their types. Leaves in
    `ctx.results["precision"]`, by (function, node), what each node with float32 outputs computes in.

    Args:
        precision: "FP16" or "BF16".
        table: ranges of tensors: what may overflow stays in float32; by default that of `ctx.results["calibration"]`.
        keep: nodes, or patterns of their names, that stay in float32.
        tagging, forming: with what options clusters were formed; see `regroup`.
    """

    precision: str = "FP16"
    table: CalibrationTable | None = field(default=None, repr=False)
    keep: tuple[str, ...] = ()
    tagging: TagSupport = field(default_factory=TagSupport)
    forming: FormClusters = field(default_factory=FormClusters)
    name: ClassVar[str] = "autocast"

    def __post_init__(self) -> None:
        if self.precision not in TYPES:
            raise ValueError(f"precision must be one of {', '.join(TYPES)}, not {self.precision!r}")

    @collector_paused()
    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Rewrite."""
        dtype = TYPES[self.precision]
        sets = sets_of(ctx.registry, ctx.engine, ctx.options)

        def resolve(view: NodeView) -> Resolution:
            return ctx.registry.resolve(view, sets)

        refusal = _cast_refused(resolve, dtype)
        if refusal is not None:
            message = f"Engine {ctx.engine} does not compute in {dtype}; all stays in float32. {refusal.message}"
            ctx.say(self.name, "warning", "no-half", message, hint="Take another precision or another engine.")
            ctx.results[PRECISION] = {}
            return PassResult(summary=f"engine {ctx.engine} has no {dtype}")
        plans = [(one, self._plan(one, dtype, resolve, ctx)) for one in ctx.graphs(graph)]
        precisions: dict[tuple[str, str], str] = {}
        for one, plan in plans:
            halves = (name for name in plan.forms if gives_float(one, one.node(name)))
            precisions.update(((one.name, name), self.precision) for name in halves)
            precisions.update(((one.name, name), "FP32") for name in plan.reasons)
        ctx.results[PRECISION] = precisions
        count = sum(precision == self.precision for precision in precisions.values())
        ctx.say(self.name, "info", "autocast", f"{count} of {len(precisions)} nodes compute in {dtype}.")
        self._explain(plans, ctx)
        changed = [(one, plan) for one, plan in plans if plan.forms]
        for one, plan in changed:
            rewrite(one, one.facts.table(CLUSTER), plan.forms, dtype)
            if one.name:
                one.library.write_back(one)
        if changed:
            Prune().run(graph, ctx)
            regroup(graph, ctx, self.tagging, self.forming)
        return PassResult(bool(changed), f"{count} of {len(precisions)} nodes in {self.precision}")

    def _plan(self, graph: Graph, dtype: str, resolve: Callable[[NodeView], Resolution], ctx: PassContext) -> HalfPlan:
        # Tensors of functions' bodies are not observed, but may have the names of others that are.
        table = None if graph.name else self.table or ctx.results.get(CALIBRATION)
        return Planner(graph, graph.facts.table(CLUSTER), dtype, resolve, self.keep, table).plan()

    def _explain(self, plans: list[tuple[Graph, HalfPlan]], ctx: PassContext) -> None:
        """Say why nodes stay in float32: once for each op; once for all that only follow what they read."""
        ops: dict[tuple[str, str], Counter[str]] = {}
        first: dict[tuple[str, str], tuple[str, str, str]] = {}
        for graph, plan in plans:
            for name, reason in plan.reasons.items():
                op = graph.node(name).op
                key = (reason.code, "" if reason.code in FOLLOWING else op)
                ops.setdefault(key, Counter())[op] += 1
                first.setdefault(key, (name, graph.name, reason.text))
        for key, counts in ops.items():
            name, function, text = first[key]
            what = ", ".join(f"{count} {op}" for op, count in counts.most_common())
            ctx.say(self.name, "info", f"fp32-{key[0]}", f"In float32: {what}. {text}", node=name, function=function)


def _cast_refused(resolve: Callable[[NodeView], Resolution], dtype: str) -> Unsupported | None:
    """Return why an engine casts nothing to a half type or from it; None if it does both."""
    for source, to in (("float32", dtype), (dtype, "float32")):
        view = NodeView(
            cast_node("cast", source, to), (Input(TensorRef("x"), TensorInfo(source, (1,))),), (TensorInfo(to, (1,)),)
        )
        support = resolve(view).support
        if isinstance(support, Unsupported):
            return support
    return None
