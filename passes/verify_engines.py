"""verify_engines: run each built engine on real feeds, and compare it with its native segment and with float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tfgraft.distance import distance
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import Pass, PassContext, PassResult
from tfgraft.passes.build_engines import Built
from tfgraft.plugins.protocol import Device, Executor, device_kinds
from tfgraft.values import tensor_values

Array = NDArray[Any]
VERIFIED = "verified"
"""The key in `PassContext.results` of the list of `OutputCheck`."""
REFERENCE = "float32_graph"
"""The key in `PassContext.results` of the GraphDef before its precision was lowered."""
ENGINE_BOUNDS = {"FP32": 1e-4, "FP16": 1e-2, "BF16": 5e-2, "INT8": 5e-2}
"""How far an engine may be from its segment by default: both compute in the same precision, sums in another order."""
PRECISION_BOUNDS = {"FP32": 1e-4, "FP16": 1e-2, "BF16": 1e-1, "INT8": 3e-1}
"""How far an engine's outputs may be from the float32 graph's by default."""


@dataclass(frozen=True)
class Verification:
    """What to verify after engines are built.

    Args:
        feeds: how many feeds of the calibration data to run; without data, one is made up.
        engine_bound: how far an engine's output may be from its native segment's on the same inputs, as relative L2
            error; None for `ENGINE_BOUNDS` of the precision.
        precision_bound: how far it may be from the same tensor in the float32 graph; None for `PRECISION_BOUNDS`.
        fallback: whether a cluster that breaks a bound falls back: to float32, or, in float32, to TensorFlow.
    """

    feeds: int = 2
    engine_bound: float | None = None
    precision_bound: float | None = None
    fallback: bool = False

    def __post_init__(self) -> None:
        if self.feeds < 1:
            raise ValueError(f"Verification's feeds is a number of feeds, 1 or more, not {self.feeds!r}")


@dataclass(frozen=True)
class OutputCheck:
    """How far one output of an engine is off.

    Args:
        cluster: the cluster's id.
        tensor: the output.
        precision: the precision that was asked for.
        engine_error: relative L2 error against the native segment on the same inputs (for other types than floats the
            share of unequal values); infinite where shapes differ, or one alone is not finite.
        precision_error: the same against this tensor in the float32 graph; None if it is not there.
        engine_ok, precision_ok: whether each is within its bound.
        reason: why the engine could not be run here; empty if it was.
    """

    cluster: str
    tensor: str
    precision: str
    engine_error: float
    precision_error: float | None
    engine_ok: bool
    precision_ok: bool
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether both errors are within their bounds."""
        return self.engine_ok and self.precision_ok

    def __str__(self) -> str:
        if self.reason:
            return f"verified {self.cluster}: not run. {self.reason}"
        lost = "" if self.precision_error is None else f", {self.precision_error:.2g} from float32"
        verdict = "" if self.ok else "   TOO FAR"
        return f"verified {self.cluster} {self.tensor}: {self.engine_error:.2g} from its segment{lost}{verdict}"


class Reference:
    """An instrument that keeps the graph as it was before its precision is lowered."""

    def before(self, step: Pass, graph: Graph, ctx: PassContext) -> None:
        """Keep the GraphDef."""
        if step.name in ("quantize", "autocast"):
            ctx.results[REFERENCE] = to_graph_def(graph)

    def after(self, step: Pass, graph: Graph, ctx: PassContext, result: PassResult) -> None:
        """Nothing: see `before`."""


@dataclass(frozen=True)
class VerifyEngines:
    """Leaves an `OutputCheck` for each output of each engine of the main graph in `ctx.results["verified"]`.

    It runs after `build_engines` and before `replace_clusters`. The graph is not changed. Clusters in function bodies,
    whose inputs cannot be fetched, and engines for other devices than the CPU are not run; the checks say so.
    """

    settings: Verification
    precision: str
    loaded: LoadedModel = field(repr=False)
    feeds: Sequence[Mapping[str, Array]] = field(repr=False)
    name: ClassVar[str] = "verify_engines"

    def run(self, graph: Graph, ctx: PassContext) -> PassResult:
        """Run and compare."""
        built: Sequence[Built] = ctx.results.get("built", ())
        reasons = [_unrunnable(each, ctx) for each in built]
        checks = [_unrun(each, self.precision, why) for each, why in zip(built, reasons, strict=True) if why]
        here = [each for each, why in zip(built, reasons, strict=True) if not why]
        if here:
            checks += self._checks(graph, here, ctx)
        ctx.results[VERIFIED] = checks
        for check in checks:
            if not check.ok:
                ctx.say(self.name, "warning", "inaccurate", _complaint(check), node=check.tensor.rpartition(":")[0])
        good = sum(check.ok for check in checks)
        return PassResult(summary=f"{good} of {len(checks)} outputs are within their bounds")

    def _checks(self, graph: Graph, built: Sequence[Built], ctx: PassContext) -> list[OutputCheck]:
        refs = list(dict.fromkeys(r for b in built for r in (*b.cluster.inputs, *b.cluster.outputs)))
        values = tensor_values(to_graph_def(graph), graph, refs, self.loaded, self.feeds)
        reference = self._reference(graph, built, values, ctx)
        checks = []
        for i, each in enumerate(built):
            ctx.progress(f"{self.name} {each.cluster.id}", i, len(built))
            weights = [const_value(graph.node(ref.node)) for ref in each.cluster.weights]
            executor = ctx.registry.engines[each.engine.engine].load(each.engine, weights, Device())
            got = [_execute(executor, [value[r] for r in each.cluster.inputs], each) for value in values]
            for port, ref in enumerate(each.cluster.outputs):
                outs = [out[port] for out in got]
                engine = max(distance(value[ref], out) for value, out in zip(values, outs, strict=True))
                lost = None
                if ref in reference[0]:
                    lost = max(distance(value[ref], out) for value, out in zip(reference, outs, strict=True))
                checks.append(self._check(each, ref, engine, lost))
        return checks

    def _reference(
        self, graph: Graph, built: Sequence[Built], values: list[dict[TensorRef, Array]], ctx: PassContext
    ) -> list[dict[TensorRef, Array]]:
        """Return the outputs' values in the float32 graph, for each feed."""
        graph_def = ctx.results.get(REFERENCE)
        if graph_def is None:
            return values
        names = {node.name for node in graph_def.node}
        refs = [r for b in built for r in b.cluster.outputs if r.node in names]
        return tensor_values(graph_def, graph, refs, self.loaded, self.feeds)

    def _check(self, built: Built, ref: TensorRef, engine: float, lost: float | None) -> OutputCheck:
        settings, name = self.settings, self.precision
        engine_bound = ENGINE_BOUNDS[name] if settings.engine_bound is None else settings.engine_bound
        bound = PRECISION_BOUNDS[name] if settings.precision_bound is None else settings.precision_bound
        within = lost is None or lost <= bound
        return OutputCheck(built.cluster.id, str(ref), name, engine, lost, engine <= engine_bound, within)


def _unrunnable(built: Built, ctx: PassContext) -> str:
    """Return why an engine cannot be run on its own here; empty if it can."""
    if built.cluster.function:
        return "It is in a function's body."
    if built.engine.call is not None:
        return "TensorFlow itself runs it, as a function."
    if "CPU" not in device_kinds(ctx.registry.engines[built.engine.engine], built.engine):
        return "It does not run on the CPU."
    return ""


def _unrun(built: Built, precision: str, reason: str) -> OutputCheck:
    tensor = str(built.cluster.outputs[0]) if built.cluster.outputs else ""
    return OutputCheck(built.cluster.id, tensor, precision, 0.0, None, True, True, reason)


def _complaint(check: OutputCheck) -> str:
    parts = []
    if not check.engine_ok:
        parts.append(f"{check.engine_error:.2g} from its native segment")
    if not check.precision_ok:
        parts.append(f"{check.precision_error:.2g} from float32")
    return f"Output {check.tensor} of {check.cluster} is off by {' and '.join(parts)} (relative L2 error)."


@dataclass
class _Outputs:
    """Buffers for an engine to fill."""

    types: Sequence[Any]
    arrays: dict[int, Array] = field(default_factory=dict)

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """See `tfgraft.plugins.protocol.Outputs`."""
        self.arrays[i] = np.empty(tuple(shape), self.types[i])
        return self.arrays[i]


def _execute(executor: Executor | Any, inputs: Sequence[Array], built: Built) -> list[Array]:
    import tensorflow as tf

    outputs = _Outputs([tf.as_dtype(info.dtype).as_numpy_dtype for info in built.engine.outputs])
    executor.run([np.ascontiguousarray(value) if value.ndim else value for value in inputs], outputs)
    return [outputs.arrays[i] for i in range(len(built.engine.outputs))]
