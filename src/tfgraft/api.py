"""The main job: `optimize` grafts engines into a model, `plan` says what it would do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from tfgraft.cache.cache import EngineCache
from tfgraft.cache.conversion import cached
from tfgraft.calibration.observers import Observer
from tfgraft.calibration.table import CalibrationTable
from tfgraft.choice.pipeline import choosing
from tfgraft.choice.planned import planned
from tfgraft.choice.search import Search
from tfgraft.engines import AUTO, EngineSpec, builder_of, engine_specs
from tfgraft.grafted import Grafted
from tfgraft.job import Job
from tfgraft.load import load
from tfgraft.passes.base import Progress
from tfgraft.passes.calibrate import CALIBRATION
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.estimate_costs import EstimateCosts
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.verify_engines import Verification
from tfgraft.precision.budget import Budget
from tfgraft.precision.lowered import Lowering
from tfgraft.precision.samples import table_of
from tfgraft.precision.settings import Precision
from tfgraft.registry.registry import Registry
from tfgraft.report.report import Report


def optimize(
    model: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None] | None] | Sequence[Sequence[int | None] | None] | None = None,
    constants: Mapping[str, Any] | None = None,
    engine: str | Sequence[str] = "onnxruntime",
    minimum_segment_size: int = 3,
    maximum_engines: int | None = None,
    denylist: Sequence[str] = (),
    registry: Registry | None = None,
    pipeline: Pipeline | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    signature: str | None = None,
    precision: str = "FP32",
    calibration: Any = None,
    observer: str | Observer = "percentile",
    accuracy: Budget | None = None,
    verify: bool | Verification = False,
    cache: bool | str | os.PathLike[str] | EngineCache | None = None,
    executor: Executor | None = None,
    search: Search | None = None,
    **engine_options: Any,
) -> Grafted:
    """Graft engines into a model: every part that the engine supports becomes one node, TensorFlow keeps the rest.

    Args:
        model: a SavedModel directory, a frozen `.pb`, a `.keras` or `.h5` file, a `GraphDef`, a Keras 3 or tf_keras
            model, a `tf.function` with an input signature, a `ConcreteFunction`, or a loaded SavedModel.
        outputs: names of the tensors that must stay ("node" or "node:0"); default those of the signature, else
            those that nothing reads.
        input_shapes: shapes of inputs by name, or in order; None or -1 for an unknown dimension.
        constants: values of inputs that always have one, by name, such as `{"is_training": False, "keep_prob": 1.0}`:
            they are inputs of the model no more, and what depends on them alone is folded away. Give the switches of
            TensorFlow 1 graphs so: a switch that is fed keeps both branches of what it chooses, which part the graph
            into many engines.
        engine: the name of an engine builder; or several names, or "auto" for all that can run here: then each part of
            the graph is timed, and goes to the engine that is the quickest with it, or stays in TensorFlow.
        minimum_segment_size: clusters with fewer ops stay native.
        maximum_engines: keep this many clusters, the largest; None for all.
        denylist: op types, node names or patterns of node names that stay native.
        registry: converters, decompositions and engines; default `Registry.default()`.
        pipeline: the passes to run; default `default_pipeline(...)` with the options above.
        strict: make engine nodes fail where they would fall back to the native segment.
        progress: called as `progress(what, done, total)` during long work.
        signature: which signature of a SavedModel; default "serving_default".
        precision: what clusters compute in: "FP32", "FP16", "BF16" or "INT8".
        calibration: what the ranges of activations are taken from: an iterable of feeds (dicts of input name to array,
            tuples in input order, or arrays for a single input), a function that returns one, a `tf.data.Dataset`, an
            `.npz` file, or a table (a `CalibrationTable`, or the `.json` file of one). INT8 needs it, unless the model
            was trained with fake quantization; FP16 uses it to keep in float32 what would overflow.
        observer: how a range is made of what was observed: "max", "percentile", "mse", "entropy", or an `Observer`.
        accuracy: how much of a metric the model may lose; layers are given back to float32 until it holds.
        verify: compare each engine with its native segment and with float32 on feeds of the calibration data, for the
            report; `Verification` says more, such as to fall back where a bound is broken.
        cache: where engines and conversions are kept and found again: True for the user's cache folder, a folder, or an
            `EngineCache`; None for nowhere.
        executor: builds several engines at once: a `ProcessPoolExecutor` say, or one of Dask's or Ray's; None: they are
            built one after the other, in this process. It is not shut down.
        search: on what, and how long, engines are timed where there are several.
        engine_options: options of the engine builder, such as `intra_op_threads=2`. Of several engines each gets those
            that it takes, and those under its own name: `openvino={"intra_op_threads": 2}`.

    Returns:
        The grafted model. If no node can be converted, its graph is the given one and its report says why.

    Raises:
        ModelError: the model cannot be read.
        ValueError: an option is wrong, or the engine is not registered or not available here.
        PassError: a pass failed.
    """
    # The engine node can only be checked and written where its op is registered.
    from tfgraft import runtime

    store = EngineCache.of(cache)
    registry = registry or Registry.default()
    specs = engine_specs(registry, engine, engine_options)
    wanted = Precision.of(precision, calibration, observer)
    loaded = load(model, outputs=outputs, input_shapes=input_shapes, constants=constants, signature=signature)
    chosen = pipeline or default_pipeline(
        minimum_segment_size=minimum_segment_size, maximum_engines=maximum_engines, denylist=_entries(denylist)
    )
    if not isinstance(engine, str) or engine == AUTO:
        chosen = choosing(chosen, specs, search or Search(), loaded, wanted)
    first, *others = specs
    job = Job(loaded, registry, first.name, first.options, strict, progress, store, executor, [s.name for s in others])
    verification = Verification() if verify is True else verify or None
    lowering = Lowering(job, chosen, wanted, accuracy, verification)
    result = lowering.grafted() if store is None else cached(lowering, store)
    for spec in specs:
        if any(cluster.engine == spec.name for cluster in result.report.clusters):
            runtime.register_engine(spec.builder)
    return result


def plan(
    model: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None] | None] | Sequence[Sequence[int | None] | None] | None = None,
    constants: Mapping[str, Any] | None = None,
    engine: str | Sequence[str] = "onnxruntime",
    minimum_segment_size: int = 3,
    maximum_engines: int | None = None,
    denylist: Sequence[str] = (),
    registry: Registry | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
    signature: str | None = None,
    precision: str = "FP32",
    calibration: Any = None,
    observer: str | Observer = "percentile",
    **engine_options: Any,
) -> Report:
    """Say what `optimize` would do, building nothing; the arguments are those of `optimize`.

    An engine that is named alone need not be available on this machine, only registered. In float32,
    `report.estimates` says how long each cluster would take, by a cost model; of several engines each part of the graph
    goes to the one that would be the quickest with it. Which one is, is known only when `optimize` has timed them.
    """
    registry = registry or Registry.default()
    if isinstance(engine, str) and engine != AUTO:
        builder = builder_of(registry, engine)
        builder.check_options(engine_options)
        specs: Sequence[EngineSpec] = [EngineSpec(builder, engine_options)]
    else:
        specs = engine_specs(registry, engine, engine_options)
    wanted = Precision.of(precision, calibration, observer)
    loaded = load(model, outputs=outputs, input_shapes=input_shapes, constants=constants, signature=signature)
    chosen = pipeline or default_pipeline(
        minimum_segment_size=minimum_segment_size,
        maximum_engines=maximum_engines,
        denylist=_entries(denylist),
        build=False,
    )
    for name in ("build_engines", "replace_clusters"):
        if name in chosen.names:
            chosen = chosen.without(name)
    table = table_of(calibration)
    wanted = wanted if table is None else wanted.with_table(table)
    passes = wanted.applied(chosen, loaded)
    if wanted.name == "FP32":  # the figures are float32's
        passes = passes.insert(EstimateCosts())
    runs = [Job(loaded, registry, s.name, s.options, progress=progress).run(passes) for s in specs]
    return runs[0].report if len(runs) == 1 else planned(runs)


def calibrate(
    model: Any,
    data: Any,
    *,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None] | None] | Sequence[Sequence[int | None] | None] | None = None,
    constants: Mapping[str, Any] | None = None,
    precision: str = "INT8",
    registry: Registry | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
    signature: str | None = None,
    executor: Executor | None = None,
) -> CalibrationTable:
    """Run a model on representative data and return the ranges of its activations, to be saved and used many times.

    The table serves every engine: `optimize(model, precision="INT8", calibration=table, engine=...)`. Tables of shards
    of the data can be merged with `CalibrationTable.merge`.

    Args:
        model, outputs, input_shapes, constants, registry, pipeline, progress, signature: see `optimize`.
        data: see the argument `calibration` of `optimize`.
        precision: what the table is for: "INT8", or "FP16", which needs the ranges of more tensors.
        executor: runs shards of the data, a `ProcessPoolExecutor` say, or one of Dask's or Ray's; None: all run here.

    Raises:
        ModelError: the model cannot be read.
        FeedError: the data does not fit the model, or there is none.
        ValueError: an option is wrong.
        PassError: a pass failed.
    """
    registry = registry or Registry.default()
    loaded = load(model, outputs=outputs, input_shapes=input_shapes, constants=constants, signature=signature)
    wanted = Precision.of(precision, data, "max")
    if wanted.name == "FP32":
        raise ValueError("precision='FP32' needs no calibration; give the precision that the table is for")
    front = wanted.calibrating(pipeline or default_pipeline(build=False), loaded, executor)
    front = replace(front, passes=front.passes[: front.names.index("calibrate") + 1])
    run = Job(loaded, registry, "onnxruntime", progress=progress).run(front)
    table: CalibrationTable = run.ctx.results[CALIBRATION]
    return table


def _entries(denylist: Sequence[str]) -> tuple[str, ...]:
    if isinstance(denylist, str):
        raise ValueError(f"denylist is a list of ops, names or patterns, not a string: write denylist=[{denylist!r}]")
    return tuple(denylist)
