"""Rebuild models: write NAME.pb, NAME.json, samples/NAME.npz and, where one was shipped, NAME.saved_model."""

from __future__ import annotations

import collections
import json
import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.zoo.built import Built, save_arrays
from benchmarks.zoo.models import MODELS, Model
from benchmarks.zoo.packages import PACKAGES, Packages

CONTROL_FLOW = frozenset(
    ("While", "StatelessWhile", "If", "StatelessIf", "Case", "Enter", "Exit", "Merge", "Switch", "NextIteration")
)


def rebuild(name: str, models: Path, packages: Packages) -> dict[str, Any]:
    """Build one model and its feed, write their files into `models`, and return what NAME.json says.

    NAME.json is written last: a model without it was not finished.

    Raises:
        PackageError: its package could not be had.
        ValueError: its graph is not one that TensorFlow can import.
    """
    model = MODELS[name]
    built = model.build(packages)
    for node in built.graph_def.node:
        # Where it was trained (a TPU, often) says nothing about where it runs.
        node.device = ""
    with tf.Graph().as_default():
        tf.graph_util.import_graph_def(built.graph_def, name="")
    models.mkdir(parents=True, exist_ok=True)
    (models / f"{name}.pb").write_bytes(built.graph_def.SerializeToString())
    if built.saved_model is not None:
        shutil.copytree(built.saved_model, models / f"{name}.saved_model", dirs_exist_ok=True)
    save_arrays(models / "samples" / f"{name}.npz", model.sample(packages, built.inputs))
    facts = _facts(model, built)
    (models / f"{name}.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return facts


def is_built(name: str, models: Path) -> bool:
    """Say whether all files of a model are there."""
    files = (models / f"{name}.pb", models / f"{name}.json", models / "samples" / f"{name}.npz")
    return all(path.is_file() for path in files)


def _facts(model: Model, built: Built) -> dict[str, Any]:
    ops = collections.Counter(node.op for node in built.graph_def.node)
    inner = collections.Counter(node.op for function in built.graph_def.library.function for node in function.node_def)
    return {
        "name": model.name,
        "task": model.task,
        "package": PACKAGES[model.package].spec,
        "registry": PACKAGES[model.package].registry,
        "licence": model.licence,
        "nodes": len(built.graph_def.node),
        "functions": len(built.graph_def.library.function),
        "inputs": [each.to_dict() for each in built.inputs],
        "outputs": [each.to_dict() for each in built.outputs],
        "ops": dict(ops.most_common()),
        "library_ops": dict(inner.most_common()),
        "control_flow": sorted(CONTROL_FLOW & (ops.keys() | inner.keys())),
    }
