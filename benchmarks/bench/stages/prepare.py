"""Stage: the row's graph and feed, and TensorFlow's results for it, with oneDNN off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.bench.models import FixedBatch, keras_row, zoo_row
from benchmarks.zoo.built import Array, Built, save_arrays
from benchmarks.zoo.stages.calls import session_call
from benchmarks.zoo.stages.job import Job


def run(job: Job) -> dict[str, Any]:
    """Write the files of the options' `model` with `batch`; it is of the zoo's folder `zoo`, or a Keras net without.

    Returns:
        "fixed": why the graph does not take the batch, if it does not.
    """
    name, batch, zoo = (job.options[key] for key in ("model", "batch", "zoo"))
    try:
        built, feed = keras_row(name, batch) if zoo is None else zoo_row(Path(zoo), name, batch)
        values = _run(built, feed, job.threads)
        if batch > 1 and zoo is not None:
            _check_batch(zoo_row(Path(zoo), name, 1), values, batch, job.threads)
    except (FixedBatch, ValueError, tf.errors.OpError) as error:
        if batch == 1:
            raise
        return {"fixed": str(error).strip().splitlines()[0][:200]}
    job.models.mkdir(parents=True, exist_ok=True)
    job.graph.write_bytes(built.graph_def.SerializeToString())
    save_arrays(job.models / "samples" / f"{job.name}.npz", feed)
    facts = {side: [each.to_dict() for each in getattr(built, side)] for side in ("inputs", "outputs")}
    (job.models / f"{job.name}.json").write_text(json.dumps(facts), encoding="utf-8")
    save_arrays(job.reference, dict(zip(job.outputs, values, strict=True)))
    return {"nodes": len(built.graph_def.node)}


def _run(built: Built, feed: dict[str, Array], threads: int) -> Sequence[Array]:
    names = [each.name for each in built.outputs]
    return session_call(built.graph_def, names, feed, intra=threads, inter=1)()


def _check_batch(single: tuple[Built, dict[str, Array]], values: Sequence[Array], batch: int, threads: int) -> None:
    """Raise FixedBatch unless every result of a batch is as many times as long as that of one sample."""
    for output, one, many in zip(single[0].outputs, _run(*single, threads), values, strict=True):
        if one.ndim == 0 or many.shape[0] != batch * one.shape[0]:
            raise FixedBatch(f"output {output.name} has the shape {list(many.shape)} for {batch} samples")
