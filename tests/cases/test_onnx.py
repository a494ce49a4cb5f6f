"""Every ONNX converter against TensorFlow: the case tables through the converters and ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from tests.cases import (
    array_cases,
    conv_cases,
    detection_cases,
    fused_cases,
    fusion_cases,
    indexing_cases,
    math_cases,
    nchw_cases,
    nn_cases,
    pool_cases,
    quantization_cases,
    rearrange_cases,
    reduction_cases,
    resize_cases,
    transposed_conv_cases,
)
from tests.cases.case import OpCase, graph_of
from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.converters.onnx.model import cluster_to_onnx
from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.views import const_value, node_view
from tfgraft.plugins.onnxruntime.options import OnnxRuntimeOptions
from tfgraft.plugins.onnxruntime.session import make_session
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported

CASES: list[OpCase] = [
    *array_cases.CASES,
    *conv_cases.CASES,
    *detection_cases.CASES,
    *fused_cases.CASES,
    *fusion_cases.CASES,
    *indexing_cases.CASES,
    *math_cases.CASES,
    *nchw_cases.CASES,
    *nn_cases.CASES,
    *pool_cases.CASES,
    *quantization_cases.CASES,
    *rearrange_cases.CASES,
    *reduction_cases.CASES,
    *resize_cases.CASES,
    *transposed_conv_cases.CASES,
]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Hold the op converters alone: without the tf2onnx route, which takes what they refuse."""
    registry = Registry()
    for entries in CONVERTERS:
        registry.add(*entries, layer="built-in")
    return registry


def _whole(graph: Graph, large: int = 256) -> Cluster:
    """Make one cluster of all that is computed; constants of `large` bytes and more become weights."""
    fed = {f.node for f in graph.feeds}
    nodes = tuple(n for n in graph.topological() if n not in fed and graph.node(n).op != "Placeholder")
    weights = tuple(
        TensorRef(n) for n in nodes if graph.node(n).op == "Const" and const_value(graph.node(n)).nbytes >= large
    )
    return Cluster("engine_0", "onnxruntime", "", nodes, graph.feeds, weights, graph.fetches, len(nodes))


def _run(graph: Graph, registry: Registry, inputs: list[Any]) -> list[Any]:
    cluster = _whole(graph)
    onnx_model = cluster_to_onnx(cluster, graph, registry, ("onnxruntime", "onnx"))
    layouts = [
        [use.name, i, use.perm, use.shape, use.quantization and use.quantization.to_json()]
        for i, use in enumerate(onnx_model.weights)
    ]
    weights = [const_value(graph.node(use.ref.node)) for use in onnx_model.weights]
    payload = onnx_model.model.SerializeToString()
    session, _keep = make_session(ort, payload, layouts, weights, OnnxRuntimeOptions())
    feeds = {i.name: np.asarray(v) for i, v in zip(session.get_inputs(), inputs, strict=False)}
    results: list[Any] = session.run(None, feeds)
    return results


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is None], ids=lambda c: f"{c.op}-{c.id}")
def test_converts_and_agrees_with_tensorflow(case: OpCase, registry: Registry) -> None:
    graph, want = graph_of(case)
    assert any(node.op == case.op for node in graph), f"the case's graph has no {case.op}"
    got = _run(graph, registry, list(case.inputs))
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype
        assert g.shape == w.shape
        if np.issubdtype(w.dtype, np.inexact):
            np.testing.assert_allclose(g, w, rtol=case.rtol, atol=case.atol)
        else:
            np.testing.assert_array_equal(g, w)


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is not None], ids=lambda c: f"{c.op}-{c.id}")
def test_refuses_with_the_reason(case: OpCase, registry: Registry) -> None:
    graph, _ = graph_of(case)
    views = [node_view(graph, n.name) for n in graph if n.op == case.op]
    assert views, f"the case's graph has no {case.op}"
    support = registry.resolve(views[-1], ("onnxruntime", "onnx")).support
    assert isinstance(support, Unsupported)
    assert support.code == case.refusal
