"""TensorRT's op table has all that TF-TRT took and what its users missed: converted, decomposed, or dissolved."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

import tests.decompositions.cases as decompositions
from tests.cases.case import OpCase, graph_of
from tests.cases.raw import raw
from tests.load.models import Linear, save
from tests.tensorrt.run import build, interpret, network_of
from tests.tensorrt.test_cases import CASES
from tfgraft.graph.views import node_view
from tfgraft.load import load
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported
from tfgraft.report.ops import op_table

TF_TRT, MISSED = (
    (Path(__file__).parent / f"{name}_ops.txt").read_text("utf-8").split() for name in ("tf_trt", "missed")
)
"""What TF-TRT of TensorFlow 2.17 took, and what its users missed."""
CONVERTED = {case.op for case in CASES if case.refusal is None}
DECOMPOSED = {case.op for case in decompositions.CASES if case.refusal is None}
COPIES = {"Const", "Identity", "Snapshot", "StopGradient", "PreventGradient"}
"""Need no layer."""
VARIABLES = {"ReadVariableOp", "VariableV2"}
"""Become constants when a model is loaded."""

REFUSED = {
    "NonMaxSuppressionV3": "TensorRT's layer for that, NMS, has no runners that implement it in TensorRT-RTX",
}
"""What TensorRT cannot, with its reason."""

NOT_IN_TENSORFLOW = {"FusedConv2DBiasActivation", "_CopyFromHostToGpu"}
"""TensorFlow has no such op any more, so that no graph has one."""

FORMS = {
    "hard swish": ("Relu6", "hard-swish"),
    "logarithm of summed exponentials": ("Max|Exp|Sum|Log", "logsumexp|lse"),
    "convolution of sequences": ("Conv2D", "line"),
    "unsorted TopK": ("TopKV2", "False"),
    "dilated convolution": ("Conv2D", "dilat"),
    "grouped convolution": ("Conv2D", "group"),
    "explicit padding": ("Conv2D", "explicit"),
    "channels first": ("Conv2D", "first"),
    "corners aligned": ("ResizeBilinear", "align"),
    "half pixel centers": ("ResizeBilinear", "half"),
}
"""What is asked for beside ops: cases by op and what their name has."""


@pytest.fixture(scope="module")
def rows(everything: Registry) -> dict[str, set[str]]:
    """The kinds of rows of each op."""
    found: dict[str, set[str]] = {}
    for row in op_table(everything, everything.engines["tensorrt"].converters):
        found.setdefault(row.op, set()).add(row.kind)
    return found


@pytest.mark.parametrize("op", sorted({*TF_TRT, *MISSED} - COPIES - VARIABLES - set(REFUSED) - NOT_IN_TENSORFLOW))
def test_an_op_has_a_row_and_a_case_that_converts(op: str, rows: dict[str, set[str]]) -> None:
    kinds = rows.get(op, set())
    assert ("converter" in kinds and op in CONVERTED) or ("decomposition" in kinds and op in DECOMPOSED)


@pytest.mark.parametrize("op", sorted(REFUSED))
def test_what_tensorrt_cannot_is_refused_with_its_reason(op: str, everything: Registry) -> None:
    case = next(case for case in CASES if case.op == op)
    graph, _ = graph_of(case)
    view = next(node_view(graph, n.name) for n in graph if n.op == op)
    support = everything.resolve(view, everything.engines["tensorrt"].converters).support
    assert isinstance(support, Unsupported)
    assert REFUSED[op] in support.message


@pytest.mark.parametrize("op", sorted(NOT_IN_TENSORFLOW))
def test_no_graph_has_what_tensorflow_does_not_know(op: str) -> None:
    assert op_def_registry.get(op) is None


@pytest.mark.parametrize("op", sorted(COPIES - {"Const"}))
def test_copies_need_no_layer(op: str, everything: Registry) -> None:
    x = np.arange(-3, 3, dtype=np.float32)
    copy = raw(op, x)
    case = OpCase(op, op, lambda v: tf.nn.relu(copy.build(tf.nn.tanh(v))) + tf.constant(1.0), [x])
    graph, (want,) = graph_of(case)
    trt = find_flavour()[1]
    builder = trt.Builder(process_logger(trt))
    made = network_of(graph, everything, trt, builder)
    assert {n.op for n in graph} >= {op, "Const"}
    assert {origin for origin in made.origins.values() if graph.node(origin).op == op} == set()
    assert build(trt, builder, made.network, [x]) == ""
    np.testing.assert_allclose(interpret(trt, made, [x])[0], want, rtol=1e-6)


def test_resource_variables_become_constants(tmp_path: Path) -> None:
    graph = load(save(Linear(), tmp_path / "model")).graph_def
    ops = {n.op for n in graph.node}
    assert not ops & {"ReadVariableOp", "VarHandleOp"}
    assert "Const" in ops


def test_variables_of_tensorflow_1_become_constants(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        weights = v1.get_variable("w", initializer=tf.constant([[2.0], [3.0]]), use_resource=False)
        y = tf.matmul(x, weights, name="y")
        session.run(v1.global_variables_initializer())
        assert "VariableV2" in {op.type for op in graph.get_operations()}
        v1.saved_model.simple_save(session, str(tmp_path / "model"), {"x": x}, {"y": y})
    ops = {n.op for n in load(tmp_path / "model").graph_def.node}
    assert "MatMul" in ops
    assert "VariableV2" not in ops


@pytest.mark.parametrize("form", FORMS)
def test_forms_have_cases(form: str) -> None:
    op, name = FORMS[form]
    assert [c for c in CASES if c.refusal is None and re.fullmatch(op, c.op) and re.search(name, c.id)]
