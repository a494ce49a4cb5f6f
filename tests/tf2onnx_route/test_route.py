"""The tf2onnx route: what it takes gives TensorFlow's numbers, what it refuses it refuses with the reason."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import tensorflow as tf

from tests.cases.case import OpCase, graph_of
from tests.registry.views import view
from tfgraft.converters.onnx import tf2onnx_route
from tfgraft.converters.onnx.model import cluster_to_onnx
from tfgraft.converters.onnx.tf2onnx_route import Tf2onnxRoute
from tfgraft.graph.graph import Graph
from tfgraft.graph.one_node import OneNode
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import NodeView
from tfgraft.graph.views import const_value, node_view
from tfgraft.plugins.protocol import Cluster
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Supported, Unsupported

_R = np.random.default_rng(0)
_X = _R.standard_normal((3, 6)).astype("f")
_IMAGE = _R.standard_normal((2, 6, 6, 4)).astype("f")
_I = _R.integers(-5, 5, (3, 6)).astype("i4")
_BOXES, _SCORES = _R.random((6, 4)).astype("f"), _R.random(6).astype("f")
_ONES = np.ones(4, "f")
r = tf.raw_ops

CASES = [
    OpCase("exclusive", "Cumsum", lambda x: tf.cumsum(x, 1, exclusive=True), [_X]),
    OpCase("dynamic", "Cumsum", lambda x: tf.cumsum(x, 1), [_X], dynamic=True),
    OpCase("weights", "Conv2D", lambda x: tf.nn.conv2d(x, np.ones((3, 3, 4, 40), "f"), 1, "SAME"), [_IMAGE]),
    OpCase("two-outputs", "TopKV2", lambda x: tuple(tf.math.top_k(x, 2)), [_X]),
    OpCase("halves", "Round", tf.round, [np.array([-1.5, -0.5, 0.5, 1.5], "f")]),
    OpCase("scatter", "ScatterNd", lambda x: tf.scatter_nd([[1], [2], [0]], x, [5, 6]), [_X]),
    OpCase("where", "Where", tf.where, [_I > 1]),
    OpCase("einsum", "Einsum", lambda x, y: tf.einsum("ab,cb->ac", x, y), [_X, _X]),
    OpCase("no-data", "Range", lambda x: x + tf.cast(r.Range(start=0, limit=6, delta=1), tf.float32), [_X]),
    OpCase(
        "nms",
        "NonMaxSuppressionV3",
        lambda b, s: tf.image.non_max_suppression(b, s, 3, 0.5, 0.1),
        [_BOXES, _SCORES],
    ),
    OpCase(
        "first-output",
        "FusedBatchNormV3",
        lambda x: r.FusedBatchNormV3(x=x, scale=_ONES, offset=_ONES, mean=_ONES, variance=_ONES, is_training=False)[0],
        [_IMAGE],
        rtol=1e-4,
    ),
]

REFUSALS = [
    (OpCase("unmapped", "Bucketize", lambda x: r.Bucketize(input=x, boundaries=[0.0]), [_X]), "unmapped"),
    (OpCase("random", "RandomUniform", lambda x: x + tf.random.uniform([3, 6]), [_X]), "stateful"),
    (OpCase("string", "AsString", tf.strings.as_string, [_X]), "dtype"),
    (OpCase("complex", "RFFT", lambda x: tf.signal.rfft(x), [_X]), "dtype"),
    (OpCase("signs", "FloorMod", lambda x: tf.math.floormod(x, 3), [_I]), "dtype"),
    (OpCase("many-ops", "MatrixDiagV3", tf.linalg.diag, [_X]), "inefficient"),
    (OpCase("unranked", "Cumsum", lambda x: tf.cumsum(x, 1), [_X], unknown_rank=True), "unknown-rank"),
    (OpCase("types", "InvertPermutation", tf.math.invert_permutation, [np.array([1, 0], "i4")]), "engine-rejected"),
    (OpCase("fed-axis", "Cumsum", lambda x, a: tf.cumsum(x, a), [_X, np.int32(1)], unknown_rank=True), "unknown-rank"),
    (OpCase("branches", "StatelessIf", lambda x: tf.cond(x[0, 0] > 0, lambda: x, lambda: x + 1), [_X]), "control-flow"),
    (OpCase("input", "Placeholder", tf.identity, [_X]), "boundary"),
    (OpCase("constant", "Const", lambda x: x + 1, [_X]), "no-op"),
]


@pytest.fixture(scope="module")
def route() -> Tf2onnxRoute:
    return Tf2onnxRoute()


def _view(graph: Graph, op: str) -> NodeView:
    return [node_view(graph, node.name) for node in graph if node.op == op][-1]


def _run(graph: Graph, registry: Registry, inputs: list[Any], large: int) -> list[Any]:
    nodes = tuple(n for n in graph.topological() if n not in graph.fed)
    weights = tuple(
        TensorRef(n) for n in nodes if graph.node(n).op == "Const" and const_value(graph.node(n)).nbytes >= large
    )
    cluster = Cluster("engine_0", "onnxruntime", "", nodes, graph.feeds, weights, graph.fetches, len(nodes))
    made = cluster_to_onnx(cluster, graph, registry, ("onnx",))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    values = [ort.OrtValue.ortvalue_from_numpy(const_value(graph.node(use.ref.node))) for use in made.weights]
    options.add_external_initializers([use.name for use in made.weights], values)
    session = ort.InferenceSession(made.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results: list[Any] = session.run(None, {f"input_{i}": np.asarray(v) for i, v in enumerate(inputs)})
    return results


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.op}-{c.id}")
def test_takes_and_agrees_with_tensorflow(case: OpCase, route: Tf2onnxRoute) -> None:
    graph, want = graph_of(case)
    registry = Registry()
    registry.add(route.entry())
    assert isinstance(route.check(_view(graph, case.op)), Supported)
    for g, w in zip(_run(graph, registry, list(case.inputs), 2048), want, strict=True):
        assert (g.dtype, g.shape) == (w.dtype, w.shape)
        np.testing.assert_allclose(g, w, rtol=case.rtol, atol=case.atol)


@pytest.mark.parametrize(("case", "code"), REFUSALS, ids=lambda c: f"{c.op}-{c.id}" if isinstance(c, OpCase) else c)
def test_refuses_with_the_reason(case: OpCase, code: str, route: Tf2onnxRoute) -> None:
    graph, _ = graph_of(case)
    support = route.check(_view(graph, case.op))
    assert isinstance(support, Unsupported)
    assert support.code == code
    assert case.op in support.message
    with pytest.raises(ValueError, match=code):
        route.convert(None, _view(graph, case.op))  # type: ignore[arg-type]


def test_an_unknown_op_is_refused(route: Tf2onnxRoute) -> None:
    support = route.check(view("NoSuchOp", [("float32", (2,))]))
    assert isinstance(support, Unsupported)
    assert support.code == "unknown-op"


def test_a_conversion_that_throws_is_a_refusal_and_quiet(
    route: Tf2onnxRoute, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("tf2onnx")
    before = (logger.level, logger.propagate, list(logger.handlers))
    case = OpCase("fed", "ReverseV2", lambda x, a: tf.reverse(x, a), [_X, np.array([1], "i4")])
    support = route.check(_view(graph_of(case)[0], "ReverseV2"))
    assert isinstance(support, Unsupported)
    assert support.code == "conversion-failed"
    assert "must be Const" in support.message
    assert (logger.level, logger.propagate, list(logger.handlers)) == before
    assert "tf2onnx" not in capfd.readouterr().err
    assert not [rec for rec in caplog.records if rec.name.startswith("tf2onnx")]


def test_equal_nodes_are_tried_once(route: Tf2onnxRoute, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[OneNode] = []
    real = tf2onnx_route._try

    def counted(node: OneNode) -> Any:
        tried.append(node)
        return real(node)

    monkeypatch.setattr(tf2onnx_route, "_try", counted)
    case = OpCase("many", "Cumsum", lambda x: [tf.cumsum(x * i, 1, name=f"c{i}") for i in range(5)], [_X])
    graph, _ = graph_of(case)
    fresh = Tf2onnxRoute()
    for node in graph:
        if node.op == "Cumsum":
            assert isinstance(fresh.check(node_view(graph, node.name)), Supported)
    assert len(tried) == 1


def test_the_key_of_a_node() -> None:
    one = OneNode.of(view("Cumsum", [("float32", (-3, 6)), ("int32", ())], constants={1: 1}))
    assert one == OneNode.of(view("Cumsum", [("float32", (-7, 6)), ("int32", ())], constants={1: 1}, _class=(b"x",)))
    assert one != OneNode.of(view("Cumsum", [("float32", (-3, 6)), ("int32", ())], constants={1: 0}))
    assert one != OneNode.of(view("Cumsum", [("float32", (-3, 6)), ("int32", ())], constants={1: 1}, reverse=True))
    assert one != OneNode.of(view("Cumsum", [("float32", (2, 6)), ("int32", ())], constants={1: 1}))
    large = np.zeros((300,), "f")
    assert OneNode.of(view("Op", [("float32", ())], constants={0: large})) == OneNode.of(
        view("Op", [("float32", ())], constants={0: large + 1})
    )


def test_without_tf2onnx_it_is_made_and_says_what_to_install() -> None:
    code = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "tf2onnx":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Gone())
from tests.registry.views import view
from tfgraft.converters.onnx.tf2onnx_route import Tf2onnxRoute
route = Tf2onnxRoute()
route.entry()
assert "onnxruntime" not in sys.modules
for _ in range(2):
    print(route.check(view("Cumsum", [("float32", (2, 3)), ("int32", ())], constants={1: 1})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == second
    assert first.startswith("[no-converter]")
    assert 'pip install "tfgraft[cpu]"' in first
