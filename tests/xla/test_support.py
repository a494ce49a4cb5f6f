"""What the engine `xla` refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import build, graft, run
from tests.xla.nets import calls
from tfgraft.distance import distance
from tfgraft.registry.registry import Registry

v1 = tf.compat.v1
Net = Callable[[Any], Any]


def with_x(function: Net, dtype: Any = tf.float32, shape: Any = (None, 4)) -> Any:
    """Return the GraphDef of a function of `x`, between ops that XLA takes."""

    def net() -> None:
        x = v1.placeholder(dtype, shape, "x")
        y = function(tf.identity(x + x) if dtype.is_numeric else x)
        tf.identity(tf.cast(y, tf.float32) * 2.0 if y.dtype.is_numeric else y, name="out")

    return build(net)


REFUSED: dict[str, tuple[Net, str, str]] = {
    "no kernel": (lambda x: tf.math.special.bessel_j0(x), "BesselJ0", "no-converter"),
    "Where": (lambda x: tf.where(x > 0.5), "Where", "unknown-dim"),
    "Unique": (lambda x: tf.unique(tf.reshape(x, [-1]))[0], "Unique", "unknown-dim"),
    "NonMaxSuppressionV3": (
        lambda x: tf.image.non_max_suppression(x, x[:, 0], 2),
        "NonMaxSuppressionV3",
        "unknown-dim",
    ),
    "shape of values": (lambda x: tf.zeros([tf.cast(x[0, 0], tf.int32)]) + 1.0, "Fill", "not-constant"),
    "range of values": (lambda x: tf.range(tf.cast(x[0, 0], tf.int32)), "Range", "not-constant"),
    "soft suppression": (
        lambda x: tf.image.non_max_suppression_with_scores(x, x[:, 0], 2)[0],
        "NonMaxSuppressionV5",
        "no-converter",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, registry: Registry) -> None:
    function, op, code = REFUSED[case]
    graph_def = with_x(function)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert (op, code) in result.report.refusals, str(result.report)
    assert calls(result.graph_def.node), "the rest is compiled"
    feeds = {"x:0": np.random.default_rng(0).random((3, 4), np.float32) + 1}
    (want,), (got,) = run(graph_def, ["out:0"], feeds), run(result.graph_def, ["out:0"], feeds)
    assert distance(want, got) < 1e-4


def test_strings(registry: Registry) -> None:
    graph_def = with_x(lambda x: tf.strings.length(tf.strings.as_string(x)))
    report = graft(graph_def, ["out:0"], engine="xla", registry=registry).report
    assert {(op, code) for op, code in report.refusals if op in ("AsString", "StringLength")} == {
        ("AsString", "dtype"),
        ("StringLength", "dtype"),
    }


def test_types_of_a_kernel_are_told(registry: Registry) -> None:
    result = graft(with_x(lambda x: tf.cumsum(x), tf.int8), ["out:0"], engine="xla", registry=registry)
    story = next(n for n in result.report.nodes if n.op == "Cumsum")
    assert (story.code, story.fate) == ("dtype", "native"), story
    assert "with T of type" in story.reason
    assert "int32" in story.reason


def test_suppression_that_differs(registry: Registry) -> None:
    def net(x: Any) -> Any:
        options = {"max_output_size": 2, "iou_threshold": 0.5, "score_threshold": 0.1}
        return tf.raw_ops.NonMaxSuppressionV4(boxes=x, scores=x[:, 0], pad_to_max_output_size=True, **options)[0]

    report = graft(with_x(net), ["out:0"], engine="xla", registry=registry).report
    assert ("NonMaxSuppressionV4", "wrong-result") in report.refusals


@pytest.mark.parametrize(("high", "taken"), [([1.0, 2.0, 3.0, 4.0], True), ([1.0, 0.0, 3.0, 4.0], False)])
def test_empty_ranges(high: list[float], taken: bool, registry: Registry) -> None:
    def net(x: Any) -> Any:
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(x, [0.0] * 4, high)

    graph_def = with_x(net)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert (not result.report.refusals) is taken
    feeds = {"x:0": np.random.default_rng(0).random((3, 4), np.float32)}
    (want,), (got,) = run(graph_def, ["out:0"], feeds), run(result.graph_def, ["out:0"], feeds)
    np.testing.assert_allclose(got, want, atol=0.05)


def test_crossed_bounds(registry: Registry) -> None:
    """XLA's own ClipByValue gives the other bound; it is taken apart."""
    graph_def = with_x(lambda x: tf.raw_ops.ClipByValue(t=x, clip_value_min=2.0, clip_value_max=-1.0))
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert not result.report.refusals
    feeds = {"x:0": np.linspace(-3, 3, 8, dtype=np.float32).reshape(2, 4)}
    np.testing.assert_array_equal(*(run(g, ["out:0"], feeds)[0] for g in (graph_def, result.graph_def)))


@pytest.mark.parametrize(("size", "taken"), [((10, 4), True), ((9, 8), False), ((5, 6), False), ((1, 2), True)])
def test_resizes_that_differ(size: tuple[int, int], taken: bool, registry: Registry) -> None:
    """XLA takes a wrong pixel in some: from 5 to 9 it does."""
    graph_def = with_x(lambda x: tf.image.resize(x, size), shape=(1, 5, 4, 2))
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert (("ResizeBilinear", "wrong-result") in result.report.refusals) is not taken
    feeds = {"x:0": np.random.default_rng(0).random((1, 5, 4, 2), np.float32)}
    (want,), (got,) = run(graph_def, ["out:0"], feeds), run(result.graph_def, ["out:0"], feeds)
    assert distance(want, got) < 1e-5


def test_what_a_trial_finds_is_named(registry: Registry) -> None:
    """The size of a diagonal matrix is not among the operands that are known beforehand: the compiler has the say."""

    def net(x: Any) -> Any:
        return tf.linalg.diag(x[0], num_rows=tf.cast(x[0, 0], tf.int32), num_cols=4, k=0)

    result = graft(with_x(net), ["out:0"], engine="xla", registry=registry)
    assert list(result.report.refusals) == [("MatrixDiagV3", "engine-rejected")], str(result.report)
    story = next(n for n in result.report.nodes if n.op == "MatrixDiagV3")
    assert "XLA does not compile it" in story.reason


def test_unknown_rank(registry: Registry) -> None:
    graph_def = with_x(lambda x: tf.exp(x), shape=None)
    result = graft(graph_def, ["out:0"], engine="xla", registry=registry)
    assert not calls(result.graph_def.node)
    assert "unknown-rank" in {code for _, code in result.report.refusals}


def test_functions_are_looked_into(registry: Registry) -> None:
    def net(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.where(x > 0), lambda: tf.where(x < 0))

    report = graft(with_x(net), ["out:0"], engine="xla", registry=registry).report
    (story,) = [n for n in report.nodes if n.op in ("If", "StatelessIf")]
    assert story.code == "control-flow"
    assert "Where" in story.reason


def test_an_entry_of_the_user_may_refuse(registry: Registry) -> None:
    result = graft(with_x(tf.exp), ["out:0"], engine="xla", registry=registry, denylist=("Exp",))
    assert ("Exp", "denylist") in result.report.refusals


def test_nothing_on_the_screen(registry: Registry, capfd: pytest.CaptureFixture[str]) -> None:
    graft(with_x(lambda x: tf.zeros([tf.cast(x[0, 0], tf.int32)])), ["out:0"], engine="xla", registry=registry)
    assert "XLA" not in capfd.readouterr().err
