"""Choosing engines by measurement: who wins, who is out, and what is said of it. Delays are far above any noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.choice.engines import Engine, registry_with
from tests.passes.graft import build, v1
from tfgraft.choice.contenders import native_call
from tfgraft.choice.search import Search
from tfgraft.choice.timing import Call
from tfgraft.errors import FeedError
from tfgraft.load import load
from tfgraft.load.model import LoadedModel
from tfgraft.plugins.protocol import Array, BuildContext, BuiltEngine, Cluster, Device

X = np.random.default_rng(0).standard_normal((512, 64)).astype(np.float32)
W = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
QUICK = Search([{"x": X}], seconds=60)
DELAY = 0.05


def _model(body: Callable[[Any], Any]) -> LoadedModel:
    def whole() -> None:
        tf.identity(body(v1.placeholder(tf.float32, (None, 64), "x")), name="out")

    return load(build(whole), outputs=["out"])


def _heavy(x: Any) -> Any:
    """Return x after some milliseconds in TensorFlow: it is turned round an even number of times."""
    for _ in range(200):
        x = tf.reverse(x, [1])
    return x


def _optimize(loaded: LoadedModel, *engines: Engine, search: Search = QUICK, **more: Any) -> tfgraft.Grafted:
    only = more.pop("only", None)
    registry = registry_with(*engines, only=only)
    return tfgraft.optimize(
        loaded, engine=[e.name for e in engines], registry=registry, search=search, intra_op_threads=1, **more
    )


def _check(loaded: LoadedModel, grafted: tfgraft.Grafted) -> None:
    from tests.passes.graft import run

    (want,), (got,) = (run(g, ["out:0"], {"x:0": X}) for g in (loaded.graph_def, grafted.graph_def))
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_the_quicker_engine_gets_the_cluster() -> None:
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("slow", delay=DELAY), Engine("quick", copies=True))
    assert [c.engine for c in grafted.report.clusters] == ["quick"]
    (choice,) = grafted.report.choices
    assert (choice.chosen, choice.cluster) == ("quick", "engine_0")
    assert choice.times["slow"] > choice.times["quick"] + 1000 * DELAY / 2
    assert "quick chosen" in str(grafted.report)
    _check(loaded, grafted)


@pytest.mark.parametrize("predictor", [True, False])
def test_how_the_model_will_be_called_decides_between_engines_that_are_close(predictor: bool) -> None:
    loaded = _model(lambda x: _heavy(_heavy(_heavy(_heavy(x)))))
    within = Engine("within", delay=0.005, copies=True, delay_alone=0.002)
    alone = Engine("alone", delay=0.0057, copies=True, delay_alone=0.0015)
    grafted = _optimize(loaded, within, alone, search=replace(QUICK, predictor=predictor))
    (choice,) = grafted.report.choices
    assert choice.chosen == ("alone" if predictor else "within"), choice
    _check(loaded, grafted)


def test_what_no_engine_is_quicker_with_stays() -> None:
    loaded = _model(lambda x: tf.tanh(x * 2.0) + 1.0)
    grafted = _optimize(loaded, Engine("slow", delay=DELAY))
    assert not grafted.report.clusters
    (choice,) = grafted.report.choices
    assert choice.chosen == "TensorFlow"
    assert set(choice.times) == {"TensorFlow", "slow"}
    node = grafted.report.explain("Tanh").node
    assert node.fate == "left out"
    assert "slow" in node.reason
    assert "TensorFlow" in node.reason
    assert "ms" in node.reason
    _check(loaded, grafted)


def test_nodes_that_tensorflow_does_not_run_by_themselves_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> Any:
        raise tf.errors.InternalError(None, None, "this kernel is for graphs as a whole")

    monkeypatch.setattr("tfgraft.choice.measure.native_call", refuse)
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("quick", copies=True))
    assert not grafted.report.clusters
    (choice,) = grafted.report.choices
    assert "does not run its nodes by themselves" in choice.reason
    assert "this kernel is for graphs as a whole" in choice.reason
    _check(loaded, grafted)


def test_an_engine_that_is_wrong_is_out() -> None:
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("wrong", shift=0.5), Engine("right", copies=True))
    assert [c.engine for c in grafted.report.clusters] == ["right"]
    wrong = next(c for c in grafted.report.choices[0].contenders if c.engine == "wrong")
    assert "off by" in wrong.refusal
    _check(loaded, grafted)


def test_an_engine_is_right_that_agrees_with_tensorflow_without_its_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    def optimized(*args: Any) -> Call:
        call = native_call(*args)
        return lambda: [value + 0.5 for value in call()]  # type: ignore[attr-defined]

    monkeypatch.setattr("tfgraft.choice.measure.native_call", optimized)
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("right", copies=True))
    assert [c.engine for c in grafted.report.clusters] == ["right"]
    assert grafted.report.choices[0].contenders[0].error < 1e-5
    _check(loaded, grafted)


def test_engines_that_are_wrong_together_are_out_too() -> None:
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("wrong", shift=0.5), Engine("wrong_too", shift=0.5))
    assert not grafted.report.clusters


def test_an_engine_that_does_not_run_is_out() -> None:
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("broken", broken=True), Engine("sound", copies=True))
    assert [c.engine for c in grafted.report.clusters] == ["sound"]
    broken = next(c for c in grafted.report.choices[0].contenders if c.engine == "broken")
    assert "does not run" in broken.refusal
    assert "out of order" in broken.refusal


def test_parts_go_to_different_engines() -> None:
    """One engine is quick and takes no product; the other one takes all and is slow with it."""
    loaded = _model(lambda x: tf.tanh(tf.matmul(_heavy(x), W)))
    engines = Engine("slow", delay=DELAY), Engine("quick", copies=True)
    grafted = _optimize(loaded, *engines, only={"quick": ["ReverseV2"]})
    assert [c.engine for c in grafted.report.clusters] == ["quick"]
    assert grafted.report.explain("MatMul").node.fate == "left out"
    _check(loaded, grafted)


def test_clusters_of_different_engines_may_have_the_same_id() -> None:
    """Each engine takes one half, its `engine_0`."""
    loaded = _model(lambda x: tf.nn.softplus(_heavy(tf.nn.softplus(_rolled(x)))))
    engines = Engine("rolls", copies=True), Engine("turns", copies=True)
    only = {"rolls": ["StridedSlice", "ConcatV2"], "turns": ["ReverseV2"]}
    grafted = _optimize(loaded, *engines, only=only)
    assert [c.engine for c in grafted.report.clusters] == ["rolls", "turns"]
    _check(loaded, grafted)


def _rolled(x: Any) -> Any:
    """Return x after some milliseconds: its 64 columns are moved round three times."""
    for _ in range(192):
        x = tf.concat([x[:, 1:], x[:, :1]], 1)
    return x


def test_what_is_left_of_a_cluster_goes_to_its_engine() -> None:
    """`first` is the quickest with the first half, which is all that it takes; the rest goes to the other one."""

    def body(x: Any) -> Any:
        return tf.nn.softplus(tf.nn.elu(tf.nn.selu(_heavy(tf.identity(_heavy(x))))))

    loaded = _model(body)
    engines = Engine("all"), Engine("first", copies=True)
    grafted = _optimize(loaded, *engines, only={"first": ["ReverseV2"]})
    assert grafted.report.clusters[0].engine == "first"
    measured = [set(choice.nodes) for choice in grafted.report.choices]
    assert any("Softplus" in nodes and not any("Reverse" in n for n in nodes) for nodes in measured), measured
    _check(loaded, grafted)


def test_made_up_values_serve_where_none_are_given() -> None:
    loaded = _model(_heavy)
    grafted = _optimize(loaded, Engine("one", copies=True), Engine("two", delay=DELAY), search=Search(seconds=60))
    (choice,) = grafted.report.choices
    assert choice.times["two"] > choice.times["one"] + 1000 * DELAY / 2


def test_nothing_can_be_made_up_for_an_unknown_rank() -> None:
    def whole() -> None:
        x = v1.placeholder(tf.float32, None, "x")
        tf.identity(tf.tanh(x * 2.0) + 1.0, name="out")

    grafted = _optimize(load(build(whole), outputs=["out"]), Engine("one", copies=True), Engine("two"), search=Search())
    assert {c.engine for c in grafted.report.clusters} <= {"one"}
    assert any("Nothing was measured" in d.message for d in grafted.report.diagnostics)


def test_feeds_that_do_not_fit_are_told() -> None:
    with pytest.raises(FeedError, match="shape"):
        _optimize(_model(_heavy), Engine("one", copies=True), Engine("two"), search=Search([{"x": X[:, :3]}]))


def test_loops_are_timed_as_a_whole() -> None:
    def body(x: Any) -> Any:
        return tf.while_loop(lambda i, _: i < 20, lambda i, y: (i + 1, _heavy(y)), [0, x])[1]

    loaded = _model(body)
    grafted = _optimize(loaded, Engine("quick", copies=True), Engine("slow", delay=DELAY))
    assert {c.engine for c in grafted.report.clusters} <= {"quick"}
    _check(loaded, grafted)


def test_control_inputs_do_not_run_what_is_before_a_cluster() -> None:
    def body(x: Any) -> Any:
        beta = tf.raw_ops.Betainc(a=x**2, b=x**2, x=tf.sigmoid(x))  # no engine takes it
        y = _heavy(beta)
        with tf.control_dependencies([tf.group(x)]):
            return tf.tanh(y)

    grafted = _optimize(_model(body), Engine("one", delay=DELAY), Engine("two", delay=DELAY))
    assert all(choice.native for choice in grafted.report.choices)


def test_clusters_that_there_is_no_time_for_stay() -> None:
    loaded = _model(lambda x: _heavy(tf.raw_ops.Betainc(a=_heavy(x) ** 2, b=x**2, x=tf.sigmoid(x))))
    grafted = _optimize(loaded, Engine("one", copies=True), search=Search([{"x": X}], seconds=1e-9))
    assert len(grafted.report.choices) > 1
    assert all("no time left" in choice.reason for choice in grafted.report.choices[1:])


def test_times_come_from_the_cache(tmp_path: Any) -> None:
    loaded = _model(_heavy)
    first = _optimize(loaded, Engine("one", copies=True), Engine("two", delay=DELAY), cache=tmp_path)
    second = _optimize(loaded, Engine("one", copies=True), Engine("two", delay=DELAY), cache=tmp_path)
    assert first.report.choices == second.report.choices


@pytest.mark.parametrize(
    ("engine", "options", "message"),
    [
        (["onnxruntime", "onnxruntim"], {}, "no engine 'onnxruntim'"),
        (["onnxruntime", "onnxruntime"], {}, "named twice"),
        ([], {}, "No engine can run here"),
        (["onnxruntime", "xla"], {"intra_op_thread": 2}, "None of the engines .* takes option 'intra_op_thread'"),
        (["onnxruntime", "xla"], {"onnxruntime": 3}, "options of engine onnxruntime are a dict"),
        (["onnxruntime", "xla"], {"onnxruntime": {"spin": 1}}, "no option 'spin'"),
    ],
)
def test_engines_and_options_that_cannot_be(engine: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tfgraft.optimize(_model(_heavy), engine=engine, **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 0}, "seconds"),
        ({"margin": 1.5}, "margin"),
        ({"threads": -1}, "threads"),
        ({"threads": True}, "threads"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Search(**settings)


def test_a_plan_says_what_each_engine_would_take() -> None:
    report = tfgraft.plan(_model(_heavy), engine=["xla", "onnxruntime"])
    said = [d.message for d in report.diagnostics if d.origin == "choose_engines"]
    assert len(said) == 2
    assert all("estimate" in message for message in said)


@dataclass(frozen=True)
class _Threaded(Engine):
    """An engine that is slow with all threads, and quick with one."""

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        made = super().build(cluster, context)
        return replace(made, metadata={**made.metadata, "tried": context.options.get("intra_op_threads", 0)})

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Any:
        delay = 0 if engine.metadata["tried"] == 1 else self.delay
        plain = {key: value for key, value in engine.metadata.items() if key != "tried"}
        return replace(super().load(replace(engine, metadata=plain), weights, device), delay=delay)


def test_tuning_finds_the_number_of_threads() -> None:
    loaded = _model(_heavy)
    engine = _Threaded("threaded", delay=0.001, copies=True)
    registry = registry_with(engine)
    search = Search([{"x": X}], tune=True)
    grafted = tfgraft.optimize(loaded, engine=["threaded"], registry=registry, search=search)
    assert any("quicker with intra_op_threads=1" in d.message for d in grafted.report.diagnostics)
    (node,) = (n for n in grafted.graph_def.node if n.op == "TfGraft>Engine")
    assert "tried" in str(node)
