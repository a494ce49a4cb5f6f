"""Conversion: one model with TF-TRT's parameters, and what can be made of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfgraft.api import optimize
from tfgraft.calibration.table import CalibrationTable
from tfgraft.compat.tensorrt.engines import default_engine, engine_options
from tfgraft.compat.tensorrt.observers import add_observers
from tfgraft.compat.tensorrt.params import TrtConversionParams, TrtPrecisionMode
from tfgraft.engines import builder_of
from tfgraft.grafted import Grafted
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.job import Job, Run
from tfgraft.load.model import LoadedModel
from tfgraft.passes.calibrate import CALIBRATION, quantized_tensors
from tfgraft.passes.default import default_pipeline
from tfgraft.precision.settings import Precision
from tfgraft.registry.registry import Registry

_LOG = logging.getLogger("tfgraft")
_KEYWORDS = ("denylist", "maximum_engines", "registry", "strict", "progress", "observer", "accuracy", "verify")
"""Keywords of `tfgraft.optimize` that TF-TRT has no parameter for."""


@dataclass(frozen=True)
class Conversion:
    """A model, and how it is to be converted.

    Args:
        loaded: the model.
        params: TF-TRT's parameters, checked.
        engine: the engine that stands in for TF-TRT's.
        options: the user's own options for it.
        keywords: the user's own keywords for `tfgraft.optimize`.
    """

    loaded: LoadedModel = field(repr=False)
    params: TrtConversionParams
    engine: str
    options: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, loaded: LoadedModel, params: TrtConversionParams, engine: str | None, given: Mapping[str, Any]
    ) -> Conversion:
        """Make it out of what a user gives: an engine or None for the default, options and keywords together.

        Raises:
            ValueError: there is no such engine, or it does not have an option.
        """
        keywords = {name: value for name, value in given.items() if name in _KEYWORDS}
        options = {name: value for name, value in given.items() if name not in _KEYWORDS}
        name = engine or default_engine()
        builder_of(keywords.get("registry") or Registry.default(), name).check_options(options)
        return cls(loaded, params, name, options, keywords)

    @property
    def precision(self) -> str:
        """The precision mode in capitals."""
        return self.params.precision_mode.upper()

    @property
    def needs_calibration(self) -> bool:
        """Whether ranges have to come from data."""
        return self.precision == TrtPrecisionMode.INT8 and self.params.use_calibration

    def graft(self, calibration: Any = None, **shapes: Any) -> Grafted:
        """Return the model with engines in it.

        Args:
            calibration: for INT8 what `tfgraft.optimize` takes: a table or data; None for a model that has ranges.
            shapes: `max_batch_size`, `profiles` or `observed`; see `engine_options`.
        """
        params = self.params
        options = engine_options(self.engine, self.options, workspace_bytes=params.max_workspace_size_bytes, **shapes)
        none = {"maximum_engines": 0} if params.minimum_segment_size == -1 else {}
        grafted = optimize(
            self.loaded,
            engine=self.engine,
            precision=self.precision,
            calibration=calibration,
            minimum_segment_size=max(params.minimum_segment_size, 1),
            **{**self.keywords, **none, **options},
        )
        _LOG.info("%s", grafted.report)
        return grafted

    def calibrate(self, data: Any) -> CalibrationTable:
        """Run the model on data in any form that `tfgraft.optimize` takes, and return what was observed."""
        table: CalibrationTable = self._until_calibration(data).ctx.results[CALIBRATION]
        return table

    def calibration_graph(self, about: Any) -> Any:
        """Return a GraphDef that computes what the model does in float32, and observes what INT8 needs the ranges of.

        It is the model as `optimize` has it when it calibrates, so that what is observed has the names by which
        `optimize` will ask for it.

        Args:
            about: what `find_observers(graph_def).about` is to be.
        """
        run = self._until_calibration(None)
        add_observers(run.graph, quantized_tensors(run.graph, run.ctx.registry), about)
        return to_graph_def(run.graph)

    def _until_calibration(self, data: Any) -> Run:
        passes = default_pipeline(minimum_segment_size=max(self.params.minimum_segment_size, 1), build=False)
        pipeline = Precision(self.precision, data=data).calibrating(passes, self.loaded)
        registry = self.keywords.get("registry") or Registry.default()
        return Job(self.loaded, registry, self.engine, self.options).run(pipeline)


def names_of(outputs: str | Sequence[Any] | None) -> list[str] | None:
    """Return the names of outputs, given as TF-TRT takes them: names of nodes or tensors, or the tensors themselves.

    Raises:
        TypeError: one of them is something else.
    """
    if not outputs:
        return None
    names = []
    for output in [outputs] if isinstance(outputs, str) else outputs:
        name = output if isinstance(output, str) else getattr(output, "name", None)
        if not isinstance(name, str):
            raise TypeError(f"outputs are names of nodes or tensors, or tensors, not {output!r}")
        names.append(name)
    return names


def tags_of(tags: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return tags as a list, where one is given as a text."""
    return [tags] if isinstance(tags, str) else tags


def self_contained(loaded: LoadedModel) -> LoadedModel:
    """Return a model that a GraphDef alone holds.

    Raises:
        ValueError: it has tables or variables beside its graph.
    """
    if loaded.is_self_contained:
        return loaded
    raise ValueError(
        f"{loaded.source} needs resources outside its graph, such as lookup tables, which a GraphDef cannot hold. Use "
        "TrtGraphConverterV2, or tfgraft.optimize(...).save(directory), which write a SavedModel with them."
    )
