"""Every ONNX converter against TensorFlow: the case tables through the converters and ONNX Runtime."""

from __future__ import annotations

import numpy as np
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
from tests.cases.onnx_engine import op_converters, run, to_onnx
from tfgraft.graph.views import node_view
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
    """Hold the op converters alone."""
    return op_converters()


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is None], ids=lambda c: f"{c.op}-{c.id}")
def test_converts_and_agrees_with_tensorflow(case: OpCase, registry: Registry) -> None:
    graph, want = graph_of(case)
    assert any(node.op == case.op for node in graph), f"the case's graph has no {case.op}"
    got = run(graph, to_onnx(graph, registry), list(case.inputs))
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
