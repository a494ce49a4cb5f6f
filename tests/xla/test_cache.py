"""The engine `xla` with engines kept on disk, and built by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, native, run
from tests.xla.nets import calls
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1


def many() -> None:
    """Add six clusters, with ops between them that stay native."""
    h: Any = v1.placeholder(tf.float32, [None, 4], "x")
    for i in range(6):
        h = native(tf.sigmoid(tf.tanh(h * float(i + 1)) + 1.0), f"native_{i}")
    tf.identity(h, name="out")


def graft(registry: Registry, **options: Any) -> Any:
    pipeline = tfgraft.default_pipeline(minimum_segment_size=1, cut_light=False)
    return tfgraft.optimize(
        build(many), outputs=["out"], engine="xla", registry=registry, pipeline=pipeline, **options
    ).graph_def


def test_kept_and_built_by_threads(tmp_path: Path, registry: Registry) -> None:
    first = graft(registry, cache=tmp_path)
    kept = graft(registry, cache=tmp_path)
    with ThreadPoolExecutor(4) as executor:
        threads = graft(registry, executor=executor)
    feeds = {"x:0": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}
    (want,) = run(build(many), ["out:0"], feeds)
    for graph_def in (first, kept, threads):
        assert len(calls(graph_def.node)) == 6
        np.testing.assert_allclose(run(graph_def, ["out:0"], feeds)[0], want, rtol=1e-5)
