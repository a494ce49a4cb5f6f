"""The precision that a user asks for, and the passes that it adds to a pipeline."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

from tfgraft.calibration.observers import Observer, observer_of
from tfgraft.calibration.table import CalibrationTable
from tfgraft.errors import nearest
from tfgraft.load.model import LoadedModel
from tfgraft.passes.autocast import Autocast
from tfgraft.passes.base import Pass
from tfgraft.passes.calibrate import Calibrate, float_tensors, quantized_tensors
from tfgraft.passes.fold_scales import FoldScales
from tfgraft.passes.form_clusters import FormClusters
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.quantize import Quantize
from tfgraft.passes.quantize_plan import QUANTIZED
from tfgraft.passes.tag_support import TagSupport

PRECISIONS = ("FP32", "FP16", "BF16", "INT8")


@dataclass(frozen=True)
class Precision:
    """What clusters compute in.

    Args:
        name: one of `PRECISIONS`.
        observer: how ranges are made of what calibration observes.
        data: calibration data or a `CalibrationTable`; None for none.
        keep: nodes, or patterns of their names, that stay in float32.
    """

    name: str = "FP32"
    observer: Observer = field(default_factory=lambda: observer_of("percentile"))
    data: Any = field(default=None, repr=False)
    keep: tuple[str, ...] = ()

    @classmethod
    def of(cls, precision: str, data: Any, observer: str | Observer) -> Precision:
        """Make it out of what a user gives.

        Raises:
            ValueError: there is no such precision or observer.
        """
        name = precision.upper() if isinstance(precision, str) else ""
        if name not in PRECISIONS:
            near = nearest(name, PRECISIONS)
            raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}. {near}".rstrip())
        return cls(name, observer_of(observer), data)

    def check(self, loaded: LoadedModel) -> None:
        """Raise ValueError if a model cannot be quantized for want of ranges, with what to give."""
        if self.name == "INT8" and self.data is None and not _has_ranges(loaded.graph_def):
            raise ValueError(
                "precision='INT8' needs the ranges of activations: give calibration=..., an iterable of feeds "
                "(dicts of input name to array), a tf.data.Dataset, an .npz file, or a table that was saved before. "
                "A few hundred inputs like those the model will see are enough."
            )

    def with_table(self, table: CalibrationTable) -> Precision:
        """Return the same with a table in the place of the data."""
        return replace(self, data=table)

    def keeping(self, *nodes: str) -> Precision:
        """Return the same with more nodes in float32."""
        return replace(self, keep=tuple(dict.fromkeys((*self.keep, *nodes))))

    def applied(self, pipeline: Pipeline, loaded: LoadedModel) -> Pipeline:
        """Return a pipeline with the passes of this precision in their places; those that it has already stay.

        Raises:
            ValueError: the pipeline has no `tag_support` or `form_clusters` to put them beside.
        """
        pipeline = self.calibrating(pipeline, loaded)
        if self.name == "FP32" or _PASSES[self.name] in pipeline.names:
            return pipeline
        tagging, forming = (_only(pipeline, name) for name in ("tag_support", "form_clusters"))
        assert isinstance(tagging, TagSupport)
        assert isinstance(forming, FormClusters)
        step: Pass
        if self.name == "INT8":
            step = Quantize(self.observer, self.keep, tagging, forming)
        else:
            step = Autocast(self.name, keep=self.keep, tagging=tagging, forming=forming)
        return pipeline.insert(step, after="calibrate" if "calibrate" in pipeline.names else "form_clusters")

    def calibrating(self, pipeline: Pipeline, loaded: LoadedModel, executor: Executor | None = None) -> Pipeline:
        """Return a pipeline with what comes before ranges are used: folding, and calibration if there is data.

        Args:
            executor: runs shards of the data.
        """
        if self.name == "FP32":
            return pipeline
        for name in ("tag_support", "form_clusters"):
            _only(pipeline, name)
        if self.name == "INT8" and "fold_scales" not in pipeline.names:
            pipeline = pipeline.insert(FoldScales(), before="tag_support")
        if self.data is not None and "calibrate" not in pipeline.names:
            targets = quantized_tensors if self.name == "INT8" else float_tensors
            pipeline = pipeline.insert(Calibrate(self.data, loaded, targets, executor), after="form_clusters")
        return pipeline


_PASSES = {"INT8": "quantize", "FP16": "autocast", "BF16": "autocast"}


def _only(pipeline: Pipeline, name: str) -> Pass:
    found = [step for step in pipeline.passes if step.name == name]
    if len(found) != 1:
        raise ValueError(f"a pipeline for another precision than FP32 needs one pass {name}; this has {len(found)}")
    return found[0]


def _has_ranges(graph_def: Any) -> bool:
    return any(node.op in QUANTIZED for node in graph_def.node)
