"""Whole conversions in the cache: the graph and the report that came of a model, found by all they depend on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorflow.core.framework import graph_pb2

from tfgraft.cache.cache import EngineCache
from tfgraft.cache.cluster_key import Unknowable, describe_entries, maker_digest
from tfgraft.cache.digest import Undigestible, digest
from tfgraft.grafted import Grafted
from tfgraft.graph.graphdef import node_from_def, node_to_def
from tfgraft.load.model import LoadedModel
from tfgraft.passes.base import Pass
from tfgraft.passes.choose_engines import ChooseEngines
from tfgraft.passes.instruments import Timing, Verify
from tfgraft.passes.pipeline import Pipeline
from tfgraft.plugins.protocol import EngineBuilder, converter_sets
from tfgraft.precision.lowered import Lowering
from tfgraft.registry.registry import Registry
from tfgraft.report.report import Report

CONVERSION = "conversion"
"""The kind of these entries."""
FOUND = "cache"
"""What stands in the place of the passes in the seconds of a conversion that was found."""


def cached(lowering: Lowering, cache: EngineCache) -> Grafted:
    """Return a grafted model, from the cache if it has it; it is what `lowering.grafted()` makes.

    The report of one that was found is that of the conversion that made it, but for `seconds`, which has what finding
    it took. Nothing is kept of conversions with passes, instruments or converters of the user's, with calibration data
    that can be read only once, with a metric, or with verification, which runs engines.

    Raises:
        Exception: what `lowering.grafted()` raises.
    """
    start = time.perf_counter()
    loaded = lowering.job.loaded
    key = conversion_key(lowering)
    found = None if key is None else _read(cache.get(key), loaded)
    if found is not None:
        graph_def, report = found
        return Grafted(graph_def, loaded, replace(report, seconds=((FOUND, time.perf_counter() - start),)))
    result = lowering.grafted()
    if key is not None:
        graph = None if result.graph_def is loaded.graph_def else _without_given(result.graph_def, loaded)
        about = f"{result.report.engine}, {len(result.report.clusters)} engines, {Path(loaded.source).name}".rstrip(
            ", "
        )
        cache.put(key, (CONVERSION, graph, replace(result.report, graphs=None)), CONVERSION, about)
    return result


def conversion_key(lowering: Lowering) -> str | None:
    """Return the hash of all that a conversion depends on, or None if that cannot be told."""
    if lowering.accuracy is not None or lowering.verification is not None:
        return None
    job, precision = lowering.job, lowering.precision
    try:
        return digest(
            _maker(job.registry, job.registry.engines[job.engine], job.options),
            _passes(lowering.pipeline, job.registry),
            replace(precision, data=None),
            _data(precision.data),
            job.strict,
            _model(job.loaded),
        )
    except (Undigestible, Unknowable):
        return None


def _maker(registry: Registry, builder: EngineBuilder, options: Mapping[str, Any]) -> Any:
    converters = [entry for name in converter_sets(builder, options) for entry in registry.converters(name)]
    problems = [(problem.plugin, problem.distribution, problem.error) for problem in registry.problems]
    return maker_digest(builder, options), describe_entries([*converters, *registry.decompositions()]), problems


def _passes(pipeline: Pipeline, registry: Registry) -> Any:
    if any(type(instrument) not in (Verify, Timing) for instrument in pipeline.instruments):
        raise Unknowable("an instrument of the user's wants to see each pass")
    return [len(pipeline.instruments), *(_pass(one, registry) for one in pipeline.passes)]


def _pass(one: Pass, registry: Registry) -> Any:
    """Return a pass for a key: itself, but for the one that holds engines and the model."""
    if not isinstance(one, ChooseEngines):
        return one
    makers = [_maker(registry, spec.builder, spec.options) for spec in one.specs]
    search = replace(one.search, feeds=None)
    return one.name, makers, one.tagging, one.forming, search, _data(one.search.feeds), one.bound


def _data(data: Any) -> Any:
    """Return calibration data for a key: files by their content."""
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        return path.suffix, path.read_bytes() if path.is_file() else b""
    return data


def _model(loaded: LoadedModel) -> Any:
    graph_def = loaded.graph_def
    return (
        # Node by node: that takes half the time of the whole at once.
        [digest(node_def.SerializeToString(deterministic=True)) for node_def in graph_def.node],
        [(field.name, _bytes(value)) for field, value in graph_def.ListFields() if field.name != "node"],
        (loaded.inputs, loaded.outputs, loaded.optional_inputs),
        [resource.name for resource in loaded.resources],
    )


def _bytes(value: Any) -> Any:
    return value if isinstance(value, int) else value.SerializeToString(deterministic=True)


def _without_given(graph_def: Any, loaded: LoadedModel) -> bytes:
    """Return a graph as bytes, without the values of those constants that the model has too."""
    given = _constants(loaded.graph_def)
    slim = graph_pb2.GraphDef()
    for node_def in graph_def.node:
        if _value(node_def) is not None and _value(node_def) == _value(given.get(node_def.name)):
            node = node_from_def(node_def)
            bare = node_to_def(replace(node, attrs=node.attrs.replace(value=None)))
            bare.input.extend(node_def.input)
            slim.node.append(bare)
        else:
            slim.node.append(node_def)
    for field, value in graph_def.ListFields():
        if field.name == "version":
            slim.version = value
        elif field.name != "node":
            getattr(slim, field.name).CopyFrom(value)
    content: bytes = slim.SerializeToString()
    return content


def _read(value: Any, loaded: LoadedModel) -> tuple[Any, Report] | None:
    if not (isinstance(value, tuple) and len(value) == 3 and value[0] == CONVERSION and isinstance(value[2], Report)):
        return None
    _, content, report = value
    if content is None:
        return loaded.graph_def, report
    graph_def = graph_pb2.GraphDef.FromString(content)
    given = _constants(loaded.graph_def)
    for node_def in graph_def.node:
        if node_def.op == "Const" and "value" not in node_def.attr:
            node_def.attr["value"].CopyFrom(given[node_def.name].attr["value"])
    return graph_def, report


def _constants(graph_def: Any) -> Mapping[str, Any]:
    return {node_def.name: node_def for node_def in graph_def.node if node_def.op == "Const"}


def _value(node_def: Any) -> Any:
    """Return the value of a Const node, None for any other; reading a missing attribute would add it."""
    if node_def is None or node_def.op != "Const" or "value" not in node_def.attr:
        return None
    return node_def.attr["value"]
