"""The main job: `optimize` grafts engines into a model, `plan` says what it would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfgraft.errors import ModelError
from tfgraft.grafted import Grafted
from tfgraft.graph.graph import Graph
from tfgraft.graph.graphdef import from_graph_def, to_graph_def
from tfgraft.graph.ref import TensorRef
from tfgraft.load import LoadedModel, load
from tfgraft.passes.base import PassContext, Progress
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.pipeline import Pipeline
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported
from tfgraft.report.collect import Collect, collect_nodes, make_report, replaced_nodes
from tfgraft.report.report import Report


def optimize(
    model: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None] | None] | Sequence[Sequence[int | None] | None] | None = None,
    engine: str = "onnxruntime",
    minimum_segment_size: int = 3,
    maximum_engines: int | None = None,
    denylist: Sequence[str] = (),
    registry: Registry | None = None,
    pipeline: Pipeline | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    signature: str | None = None,
    **engine_options: Any,
) -> Grafted:
    """Graft engines into a model: every part that the engine supports becomes one node, TensorFlow keeps the rest.

    Args:
        model: a SavedModel directory, a frozen `.pb`, a `.keras` or `.h5` file, a `GraphDef`, a Keras 3 or tf_keras
            model, a `tf.function` with an input signature, a `ConcreteFunction`, or a loaded SavedModel.
        outputs: names of the tensors that must stay ("node" or "node:0"); default those of the signature, else
            those that nothing reads.
        input_shapes: shapes of inputs by name, or in order; None or -1 for an unknown dimension.
        engine: the name of an engine builder.
        minimum_segment_size: clusters with fewer ops stay native.
        maximum_engines: keep this many clusters, the largest; None for all.
        denylist: op types, node names or patterns of node names that stay native.
        registry: converters, decompositions and engines; default `Registry.default()`.
        pipeline: the passes to run; default `default_pipeline(...)` with the options above.
        strict: make engine nodes fail where they would fall back to the native segment.
        progress: called as `progress(what, done, total)` during long work.
        signature: which signature of a SavedModel; default "serving_default".
        engine_options: options of the engine builder, such as `intra_op_threads=2`.

    Returns:
        The grafted model. If no node can be converted, its graph is the given one and its report says why.

    Raises:
        ModelError: the model cannot be read.
        ValueError: an option is wrong, or the engine is not registered or not available here.
        PassError: a pass failed.
    """
    # The engine node can only be checked and written where its op is registered.
    from tfgraft import runtime

    registry = registry or Registry.default()
    builder = _builder(registry, engine)
    builder.check_options(engine_options)
    available = builder.available()
    if isinstance(available, Unsupported):
        raise ValueError(str(available))
    loaded, graph = _load(model, outputs, input_shapes, signature)
    chosen = pipeline or default_pipeline(
        minimum_segment_size=minimum_segment_size, maximum_engines=maximum_engines, denylist=_entries(denylist)
    )
    ctx = _context(registry, engine, engine_options, progress, strict)
    report = _run(chosen, graph, ctx)
    if not report.clusters:
        return Grafted(loaded.graph_def, loaded, report)
    runtime.register_engine(builder)
    return Grafted(to_graph_def(graph), loaded, report)


def plan(
    model: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None] | None] | Sequence[Sequence[int | None] | None] | None = None,
    engine: str = "onnxruntime",
    minimum_segment_size: int = 3,
    maximum_engines: int | None = None,
    denylist: Sequence[str] = (),
    registry: Registry | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
    signature: str | None = None,
    **engine_options: Any,
) -> Report:
    """Say what `optimize` would do, building nothing; the arguments are those of `optimize`.

    The engine need not be available on this machine, only registered.
    """
    registry = registry or Registry.default()
    _builder(registry, engine).check_options(engine_options)
    _, graph = _load(model, outputs, input_shapes, signature)
    chosen = pipeline or default_pipeline(
        minimum_segment_size=minimum_segment_size,
        maximum_engines=maximum_engines,
        denylist=_entries(denylist),
        build=False,
    )
    for name in ("build_engines", "replace_clusters"):
        if name in chosen.names:
            chosen = chosen.without(name)
    return _run(chosen, graph, _context(registry, engine, engine_options, progress, False))


def _entries(denylist: Sequence[str]) -> tuple[str, ...]:
    if isinstance(denylist, str):
        raise ValueError(f"denylist is a list of ops, names or patterns, not a string: write denylist=[{denylist!r}]")
    return tuple(denylist)


def _builder(registry: Registry, engine: str) -> Any:
    if engine in registry.engines:
        return registry.engines[engine]
    known = ", ".join(sorted(registry.engines)) or "none"
    broken = "; ".join(f"plugin {p.plugin} could not be loaded: {p.error}" for p in registry.problems)
    extras = {"onnxruntime": "cpu", "tensorrt": "tensorrt", "openvino": "openvino"}
    install = f" Install it with: pip install 'tfgraft[{extras[engine]}]'." if engine in extras else ""
    raise ValueError(
        f"There is no engine {engine!r}; registered are: {known}.{install}{' ' + broken if broken else ''}"
    )


def _load(model: Any, outputs: Any, input_shapes: Any, signature: str | None) -> tuple[LoadedModel, Graph]:
    loaded = load(model, outputs=outputs, input_shapes=input_shapes, signature=signature)
    fed = [t.name for t in (*loaded.inputs, *loaded.optional_inputs)] + [r.name for r in loaded.resources]
    graph = from_graph_def(
        loaded.graph_def,
        feeds=[TensorRef.parse(name) for name in fed],
        fetches=[TensorRef.parse(t.name) for t in loaded.outputs],
    )
    if problems := graph.verify():
        raise ModelError(f"The graph is not sound: {problems[0]}.")
    return loaded, graph


def _context(
    registry: Registry, engine: str, options: Mapping[str, Any], progress: Progress | None, strict: bool
) -> PassContext:
    ctx = PassContext(registry, engine, dict(options), strict=strict)
    if progress is not None:
        ctx.progress = progress
    return ctx


def _run(pipeline: Pipeline, graph: Graph, ctx: PassContext) -> Report:
    before = [(one.name, node.name, node.op) for one in ctx.graphs(graph) for node in one]
    collect = Collect()
    pipeline.with_instruments(collect).run(graph, ctx)
    nodes = collect.nodes or collect_nodes(graph, ctx)
    return make_report(ctx, nodes, replaced_nodes(before, nodes))
