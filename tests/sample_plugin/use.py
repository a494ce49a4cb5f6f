"""Run as a program where the sample plugin and a broken one are installed; prints what it saw as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft
from tfgraft.passes.default import default_pipeline

_X = np.array([[-2.0, 0.5, 3.0], [1.0, 9.0, -0.1]], np.float32)
_LARGE = np.linspace(-1, 1, 300 * 3, dtype=np.float32).reshape(300, 3)


def _model(build: Any) -> tuple[Any, Any]:
    g = tf.Graph()
    with g.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        y = tf.identity(build(x), "y")
    with tf.compat.v1.Session(graph=g) as session:
        return g.as_graph_def(), session.run(y, {x: _X})


def _run(graph_def: Any) -> Any:
    g = tf.Graph()
    with g.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=g) as session:
        return session.run("y:0", {"x:0": _X})


def _engine() -> dict[str, Any]:
    graph_def, want = _model(lambda x: tf.nn.relu6(x * 2 + 1) - tf.reduce_max(tf.constant(_LARGE), 0))
    grafted = tfgraft.optimize(graph_def, outputs=["y"], engine="sample", minimum_segment_size=1, strict=True)
    error = float(np.max(np.abs(_run(grafted.graph_def) - want)))
    counted = tfgraft.runtime.counters()
    return {
        "clusters": len(grafted.report.clusters),
        "ops": sorted({node.op for node in grafted.graph_def.node}),
        "error": error,
        "calls": counted.calls,
        "fallbacks": counted.fallbacks,
    }


def _option() -> str:
    graph_def, _ = _model(lambda x: x * 2)
    try:
        tfgraft.optimize(graph_def, outputs=["y"], engine="sample", minimum_segment_size=1, threads=2)
    except ValueError as error:
        return str(error)
    return ""


def _pass(registry: tfgraft.Registry) -> list[str]:
    graph_def, _ = _model(lambda x: tf.debugging.check_numerics(x * 2, "bad") + 1)
    pipeline = default_pipeline(minimum_segment_size=1).insert(registry.passes["remove_checks"](), after="prune")
    grafted = tfgraft.optimize(graph_def, outputs=["y"], engine="sample", pipeline=pipeline)
    return sorted({node.op for node in grafted.graph_def.node})


def main() -> None:
    """Look at the registry and use all that the plugin brings."""
    registry = tfgraft.Registry.default()
    seen = {
        "problems": [[p.plugin, p.distribution, p.error] for p in registry.problems],
        "engines": sorted(registry.engines),
        "passes": sorted(registry.passes),
        "relu6": [[d.layer, d.source] for d in registry.decompositions("Relu6")],
        "softsign": [[c.layer, c.source] for c in registry.candidates("Softsign", ("onnx",)) if c.op == "Softsign"],
        "sample": sorted(c.op for c in registry.converters("sample")),
        "engine": _engine(),
        "option": _option(),
        "pass": _pass(registry),
    }
    print(json.dumps(seen))  # noqa: T201


if __name__ == "__main__":
    main()
