"""Every built-in decomposition against TensorFlow: the same numbers, from ops that ONNX Runtime takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.cases.case import OpCase, graph_of
from tests.decompositions.cases import CASES
from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.graph.graphdef import to_graph_def
from tfgraft.graph.views import node_view
from tfgraft.passes.base import PassContext
from tfgraft.passes.decompose import Decompose
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Supported, Unsupported

ENTRIES = [entry for family in DECOMPOSITIONS for entry in family]
POSITIVE = [case for case in CASES if case.refusal is None]
NEGATIVE = [case for case in CASES if case.refusal is not None]


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The default registry with the built-in decompositions as a user's: used even where a converter exists."""
    registry = Registry.default()
    registry.add(*ENTRIES, layer="user")
    return registry


@pytest.mark.parametrize("case", POSITIVE, ids=lambda c: f"{c.op}-{c.id}")
def test_gives_the_numbers_of_tensorflow(case: OpCase, registry: Registry) -> None:
    graph, want = graph_of(case)
    ctx = PassContext(registry)
    result = Decompose().run(graph, ctx)
    assert result.changed, [d.message for d in ctx.diagnostics]
    assert all(node.op != case.op for node in graph), [d.message for d in ctx.diagnostics]
    assert graph.verify() == []
    _compare(case, _run(to_graph_def(graph), case, [str(ref) for ref in graph.fetches]), want)


@pytest.mark.parametrize("case", POSITIVE, ids=lambda c: f"{c.op}-{c.id}")
def test_runs_in_the_engine(case: OpCase, registry: Registry) -> None:
    graph, want = graph_of(case)
    outputs = [str(ref) for ref in graph.fetches]
    grafted = tfgraft.optimize(
        to_graph_def(graph), outputs=outputs, minimum_segment_size=1, registry=registry, strict=True
    )
    left = {node.op for node in grafted.graph_def.node}
    assert "TfGraft>Engine" in left
    assert left <= {"TfGraft>Engine", "Placeholder", "Const", "Identity"}, str(grafted.report)
    _compare(case, _run(grafted.graph_def, case, outputs), want)


@pytest.mark.parametrize("case", NEGATIVE, ids=lambda c: f"{c.op}-{c.id}")
def test_refuses_with_the_reason(case: OpCase) -> None:
    graph, _ = graph_of(case)
    views = [node_view(graph, n.name) for n in graph if n.op == case.op]
    answers = [entry.check(views[-1]) for entry in ENTRIES if entry.op == case.op]
    assert len(answers) == 1
    assert isinstance(answers[0], Unsupported)
    assert answers[0].code == case.refusal


def test_every_decomposition_has_a_case() -> None:
    assert {entry.op for entry in ENTRIES} == {case.op for case in POSITIVE}


def test_checks_answer_for_supported_nodes_too() -> None:
    for case in POSITIVE:
        graph, _ = graph_of(case)
        view = [node_view(graph, n.name) for n in graph if n.op == case.op][-1]
        entry = next(e for e in ENTRIES if e.op == case.op)
        assert isinstance(entry.check(view), Supported)


def _run(graph_def: Any, case: OpCase, outputs: list[str]) -> list[np.ndarray[Any, Any]]:
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        results: list[np.ndarray[Any, Any]] = session.run(
            outputs, {f"x{i}:0": np.asarray(v) for i, v in enumerate(case.inputs)}
        )
    return results


def _compare(case: OpCase, got: list[np.ndarray[Any, Any]], want: list[np.ndarray[Any, Any]]) -> None:
    for g, w in zip(got, want, strict=True):
        assert g.dtype == w.dtype
        assert g.shape == w.shape
        if np.issubdtype(w.dtype, np.inexact):
            np.testing.assert_allclose(g, w, rtol=case.rtol, atol=case.atol)
        else:
            np.testing.assert_array_equal(g, w)
