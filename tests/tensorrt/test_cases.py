"""Every case through TensorRT's converters: built on the CPU, run by the reference engine, compared with TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cases.case import OpCase, graph_of
from tests.tensorrt import (
    activation_cases,
    binary_cases,
    broadcast_cases,
    cast_cases,
    combine_cases,
    comparison_cases,
    control_flow_cases,
    convolution_cases,
    cumulative_cases,
    detection_cases,
    division_cases,
    edge_cases,
    einsum_cases,
    fill_cases,
    formats_cases,
    fused_cases,
    gather_cases,
    matmul_cases,
    normalization_cases,
    onehot_cases,
    pad_cases,
    pooling_cases,
    quantization_cases,
    rearrange_cases,
    reduction_cases,
    refusal_cases,
    resize_cases,
    scatter_cases,
    selection_cases,
    shape_cases,
    slicing_cases,
    softmax_cases,
    strided_slice_cases,
    strided_update_cases,
    topk_cases,
    transposed_convolution_cases,
    unary_cases,
)
from tests.tensorrt.run import build, interpret, network_of, tolerance
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.graph.views import node_view
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported

CASES: list[OpCase] = [
    *activation_cases.CASES,
    *binary_cases.CASES,
    *broadcast_cases.CASES,
    *cast_cases.CASES,
    *combine_cases.CASES,
    *comparison_cases.CASES,
    *control_flow_cases.CASES,
    *convolution_cases.CASES,
    *cumulative_cases.CASES,
    *detection_cases.CASES,
    *division_cases.CASES,
    *edge_cases.CASES,
    *einsum_cases.CASES,
    *fill_cases.CASES,
    *formats_cases.CASES,
    *fused_cases.CASES,
    *gather_cases.CASES,
    *matmul_cases.CASES,
    *normalization_cases.CASES,
    *onehot_cases.CASES,
    *pad_cases.CASES,
    *pooling_cases.CASES,
    *quantization_cases.CASES,
    *rearrange_cases.CASES,
    *reduction_cases.CASES,
    *refusal_cases.CASES,
    *resize_cases.CASES,
    *scatter_cases.CASES,
    *selection_cases.CASES,
    *shape_cases.CASES,
    *slicing_cases.CASES,
    *softmax_cases.CASES,
    *strided_slice_cases.CASES,
    *strided_update_cases.CASES,
    *topk_cases.CASES,
    *transposed_convolution_cases.CASES,
    *unary_cases.CASES,
]
CASES += edge_cases.rows(CASES)


@pytest.fixture(scope="session")
def trt() -> Any:
    return find_flavour()[1]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Hold TensorRT's op converters alone."""
    registry = Registry()
    for entries in CONVERTERS:
        registry.add(*entries, layer="built-in")
    return registry


@pytest.fixture(scope="session")
def builder(trt: Any) -> Any:
    return trt.Builder(process_logger(trt))


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is None], ids=lambda c: f"{c.op}-{c.id}")
def test_builds_and_agrees_with_tensorflow(case: OpCase, registry: Registry, trt: Any, builder: Any) -> None:
    graph, want = graph_of(case)
    assert any(node.op == case.op for node in graph), f"the case's graph has no {case.op}"
    made = network_of(graph, registry, trt, builder)
    assert build(trt, builder, made.network, list(case.inputs)) == ""
    got = interpret(trt, made, list(case.inputs))
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype
        assert g.shape == w.shape
        if w.dtype.kind in "iub":
            np.testing.assert_array_equal(g, w)
        else:
            rtol, atol = tolerance(case, w.dtype)
            np.testing.assert_allclose(g.astype("float32"), w.astype("float32"), rtol=rtol, atol=atol)


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is not None], ids=lambda c: f"{c.op}-{c.id}")
def test_refuses_with_the_reason(case: OpCase, registry: Registry) -> None:
    graph, _ = graph_of(case)
    views = [node_view(graph, n.name) for n in graph if n.op == case.op]
    assert views, f"the case's graph has no {case.op}"
    support = registry.resolve(views[-1], ("tensorrt",)).support
    assert isinstance(support, Unsupported)
    assert support.code == case.refusal
