"""Grafting in a lower precision: calibrate, spend the accuracy budget, build, and verify what was built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from tfgraft.calibration.feeds import feeds_of
from tfgraft.calibration.table import CalibrationTable
from tfgraft.feeds import synthetic_feeds
from tfgraft.grafted import Grafted
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.job import Job, Run
from tfgraft.passes.autocast import Autocast
from tfgraft.passes.calibrate import CALIBRATION
from tfgraft.passes.pipeline import Pipeline
from tfgraft.passes.quantize import Quantize
from tfgraft.passes.verify_engines import VERIFIED, OutputCheck, Reference, Verification, VerifyEngines
from tfgraft.precision.budget import AccuracyReport, Budget, Predict
from tfgraft.precision.lowering import lower
from tfgraft.precision.samples import Sampled, table_of
from tfgraft.precision.search import Found, search
from tfgraft.precision.settings import Precision

Array = NDArray[Any]
_MORE = 8
"""One in so many layers more is given back to float32 where the built model needs more than the search found."""


@dataclass
class Lowering:
    """One model on its way into a lower precision.

    Args:
        job: the model.
        pipeline: the passes, without those of the precision.
        precision: what clusters compute in.
        accuracy: how much may be lost; None for no matter.
        verification: what to verify; None for nothing.
    """

    job: Job
    pipeline: Pipeline
    precision: Precision
    accuracy: Budget | None = None
    verification: Verification | None = None
    _sampled: Sampled | None = field(default=None, init=False)

    def grafted(self) -> Grafted:
        """Return the grafted model.

        Raises:
            ValueError: ranges are needed and there is no data, or the metric gives no number.
            FeedError: the data does not fit the model.
            PassError: a pass failed.
        """
        self._read_data()
        if self.accuracy is None or self.precision.name == "FP32" or (found := self._search()) is None:
            return self._build(self.precision)[1]
        kept = found.kept
        while True:
            run, result = self._build(self.precision.keeping(*(name for name, _ in found.order[:kept])))
            score = found.metric(_predictor(result, self._as_feed))
            if found.baseline - score <= self._budget.max_drop or kept >= len(found.order):
                report = replace(run.report, accuracy=self._told(found, kept, score))
                return Grafted(result.graph_def, self.job.loaded, report)
            kept = min(len(found.order), kept + max(1, len(found.order) // _MORE))

    @property
    def _budget(self) -> Budget:
        assert self.accuracy is not None
        return self.accuracy

    def _told(self, found: Found, kept: int, score: float) -> AccuracyReport:
        names = tuple(name for name, _ in found.order[:kept])
        budget = self._budget
        return AccuracyReport(
            self.precision.name, found.baseline, budget.max_drop, found.curve, found.order, names, score
        )

    def _read_data(self) -> None:
        """Find out what the calibration data is; a table that was saved is read now, data is run later."""
        data = self.precision.data
        if data is None:
            self.precision.check(self.job.loaded)
            if self.precision.name == "INT8":  # the model has ranges of its own
                self.precision = self.precision.with_table(CalibrationTable())
            return
        table = table_of(data)
        if table is not None:
            self.precision = self.precision.with_table(table)
            return
        ranking = self.accuracy.ranking if self.accuracy else 0
        verifying = self.verification.feeds if self.verification else 0
        self._sampled = Sampled(data, self.job.loaded, max(ranking, verifying))
        self.precision = replace(self.precision, data=self._sampled)

    def _search(self) -> Found | None:
        front = self.precision.calibrating(self.pipeline, self.job.loaded)
        last = "calibrate" if "calibrate" in front.names else "form_clusters"
        front = replace(front, passes=front.passes[: front.names.index(last) + 1])
        run = self.job.run(front)
        self._keep_table(run)
        whole = self.precision.applied(self.pipeline, self.job.loaded)
        step = next(step for step in whole.passes if isinstance(step, (Quantize, Autocast)))
        board = lower(run.graph, run.ctx, self.job.loaded, step)
        if board is None:
            return None
        ranking = self._sampled.kept[: self._budget.ranking] if self._sampled else []
        return search(board, self._budget, self._as_feed, ranking, run.ctx.progress)

    def _keep_table(self, run: Run) -> None:
        if CALIBRATION in run.ctx.results:
            self.precision = self.precision.with_table(run.ctx.results[CALIBRATION])

    def _as_feed(self, feed: Any) -> Mapping[str, Array]:
        return next(iter(feeds_of([feed], self.job.loaded)))

    def _build(self, precision: Precision) -> tuple[Run, Grafted]:
        """Build; where a cluster breaks a bound and is to fall back, build again without it."""
        while True:
            pipeline = precision.applied(self.pipeline, self.job.loaded)
            verification = self.verification
            run = self.job.run(self._verifying(pipeline, precision) if verification else pipeline)
            self._keep_table(run)
            precision = replace(precision, data=self.precision.data)
            broken = _broken(run) if verification and verification.fallback else []
            if not broken:
                break
            nodes = {name for cluster in run.report.clusters if cluster.id in broken for name in cluster.nodes}
            if precision.name != "FP32" and not nodes <= set(precision.keep):
                precision = precision.keeping(*sorted(nodes))
            else:
                self.pipeline = _denying(self.pipeline, sorted(nodes))
        graph_def = to_graph_def(run.graph) if run.report.clusters else self.job.loaded.graph_def
        return run, Grafted(graph_def, self.job.loaded, run.report)

    def _verifying(self, pipeline: Pipeline, precision: Precision) -> Pipeline:
        assert self.verification is not None
        step = VerifyEngines(self.verification, precision.name, self.job.loaded, self._feeds())
        return pipeline.insert(step, after="build_engines").with_instruments(Reference())

    def _feeds(self) -> Sequence[Mapping[str, Array]]:
        """Return the feeds to verify on; they are there once calibration has run, which is before engines are built."""
        sampled = self._sampled
        if sampled is None:
            return [synthetic_feeds(self.job.loaded)]
        if self.precision.name == "FP32" and not sampled.kept:  # nothing calibrates
            next(islice(sampled, sampled.count - 1, None), None)
        return sampled.kept


def _broken(run: Run) -> list[str]:
    checks: Sequence[OutputCheck] = run.ctx.results.get(VERIFIED, ())
    return sorted({check.cluster for check in checks if not check.ok})


def _denying(pipeline: Pipeline, nodes: Sequence[str]) -> Pipeline:
    tagging: Any = next(step for step in pipeline.passes if step.name == "tag_support")
    return pipeline.replace("tag_support", replace(tagging, denylist=(*tagging.denylist, *nodes)))


def _predictor(result: Grafted, as_feed: Callable[[Any], Mapping[str, Array]]) -> Predict:
    import tensorflow as tf

    function, inputs = result.function(), result.loaded.inputs

    def predict(feed: Any) -> list[Array]:
        values = as_feed(feed)
        tensors = [tf.constant(values[spec.name], spec.dtype) for spec in inputs]
        return [out.numpy() for out in function._call_flat(tensors, function.captured_inputs)]

    return predict
