"""Whole conversions from the cache: exactly what a new conversion gives, or no conversion from the cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.load.models import Words, save
from tests.passes.graft import build, chain, native
from tfgraft.cache.cache import EngineCache
from tfgraft.grafted import Grafted
from tfgraft.load import load
from tfgraft.passes.default import default_pipeline
from tfgraft.passes.instruments import Dump
from tfgraft.passes.prune import Prune

IMAGES = np.linspace(-1, 1, 4 * 8 * 8 * 3, dtype=np.float32).reshape(4, 8, 8, 3)
rng = np.random.default_rng(0)
KERNEL = rng.normal(size=(3, 3, 3, 16)).astype(np.float32)


def net(scale: float = 1.0) -> Any:
    """Return a GraphDef with a weight, an op that stays native, and dynamic batch."""

    def function() -> None:
        image = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "x")
        value = tf.nn.relu(tf.nn.conv2d(image, KERNEL * scale, 1, "SAME"))
        value = chain(native(value, "n"), 6)
        tf.identity(tf.reduce_mean(value, [1, 2]), name="out")

    return build(function)


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache")


def from_cache(result: Grafted) -> bool:
    return [name for name, _ in result.report.seconds] == ["cache"]


def same(one: Grafted, other: Grafted) -> bool:
    """Tell whether two results are equal but for the time that they took."""

    def plain(result: Grafted) -> Any:
        clusters = tuple(replace(c, build={}) for c in result.report.clusters)
        return replace(result.report, seconds=(), clusters=clusters)

    return bool(one.graph_def == other.graph_def) and plain(one) == plain(other)


OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "strict": {"strict": True},
    "an option": {"intra_op_threads": 1},
    "a smaller segment": {"minimum_segment_size": 9},
    "denylist": {"denylist": ["Tanh"]},
    "half": {"precision": "FP16"},
    "int8": {"precision": "INT8", "calibration": [IMAGES, IMAGES + 1]},
    "int8 otherwise": {"precision": "INT8", "calibration": [IMAGES, IMAGES + 2]},
    "observer": {"precision": "INT8", "calibration": [IMAGES], "observer": "max"},
    "a pipeline": {"pipeline": default_pipeline(minimum_segment_size=1, grappler=())},
    "outputs": {"outputs": ["n:0"]},
    "shapes": {"input_shapes": {"x": [2, 8, 8, 3]}},
    "nothing converted": {"denylist": ["*"]},
}


def test_each_conversion_is_found_again_and_is_the_same(cache: EngineCache) -> None:
    model = net()
    fresh = {what: tfgraft.optimize(model, **options) for what, options in OPTIONS.items()}
    first = {what: tfgraft.optimize(model, cache=cache, **options) for what, options in OPTIONS.items()}
    second = {what: tfgraft.optimize(model, cache=cache, **options) for what, options in OPTIONS.items()}
    assert [what for what in OPTIONS if from_cache(first[what])] == [], "no two have one key"
    assert [what for what in OPTIONS if not from_cache(second[what])] == []
    assert [what for what in OPTIONS if not same(fresh[what], first[what])] == []
    assert [what for what in OPTIONS if not same(first[what], second[what])] == []
    for what in ("nothing", "half"):
        want, got = (r.function()(tf.constant(IMAGES))[0].numpy() for r in (first[what], second[what]))
        np.testing.assert_array_equal(want, got)
    assert second["nothing"].report.to_dict()["clusters"] == first["nothing"].report.to_dict()["clusters"]
    largest = max(entry.size for entry in cache.entries() if entry.kind == "conversion")
    assert largest < 100_000, "the model's own weights are not stored again"


def test_what_was_chosen_by_measurement_is_found_again(cache: EngineCache) -> None:
    model = load(net(), outputs=["out"])

    def optimize(margin: float, **options: Any) -> Grafted:
        search = tfgraft.Search(feeds=[{"x": IMAGES}], margin=margin)
        return tfgraft.optimize(model, engine=["onnxruntime", "openvino"], search=search, cache=cache, **options)

    first, again = optimize(0.02), optimize(0.02)
    assert not from_cache(first)
    assert from_cache(again)
    assert same(first, again)
    assert again.report.choices == first.report.choices != ()
    assert not from_cache(optimize(0.5))
    assert not from_cache(optimize(0.02, openvino={"intra_op_threads": 1}))


def test_another_model_is_another_conversion(cache: EngineCache) -> None:
    tfgraft.optimize(net(), cache=cache)
    other = tfgraft.optimize(net(1.5), cache=cache)
    assert not from_cache(other)
    assert same(other, tfgraft.optimize(net(1.5)))


def test_the_engine_counts(cache: EngineCache) -> None:
    pytest.importorskip("tensorrt_rtx")
    for _ in range(2):
        results = [tfgraft.optimize(net(), engine=engine, cache=cache) for engine in ("onnxruntime", "reference")]
    assert [from_cache(r) for r in results] == [True, True]
    assert [r.report.engine for r in results] == ["onnxruntime", "reference"]


def once() -> Iterator[Any]:
    yield from (IMAGES, IMAGES + 1)


def user_registry() -> tfgraft.Registry:
    registry = tfgraft.Registry.default()

    @registry.converter("Softsign", engine="onnxruntime")
    def softsign(ctx: Any, view: Any) -> None:
        ctx.set(view, 0, ctx.node("Softsign", [ctx.get(view, 0)]))

    return registry


class Own:
    name = "own"

    def run(self, graph: Any, ctx: Any) -> Any:
        return Prune().run(graph, ctx)


NEVER: dict[str, Callable[[Path], dict[str, Any]]] = {
    "data that is read once": lambda _: {"precision": "INT8", "calibration": once()},
    "a function that gives data": lambda _: {"precision": "INT8", "calibration": once},
    "verification": lambda _: {"verify": True},
    "a metric": lambda _: {
        "precision": "FP16",
        "accuracy": tfgraft.Budget(tfgraft.Fidelity([IMAGES]), max_drop=0.5),
    },
    "a converter of the user's": lambda _: {"registry": user_registry()},
    "a pass of the user's": lambda _: {"pipeline": default_pipeline().insert(Own(), after="prune")},
    "an instrument": lambda path: {"pipeline": default_pipeline().with_instruments(Dump(path / "dump"))},
}


@pytest.mark.parametrize("what", NEVER)
def test_what_may_differ_is_converted_each_time(what: str, cache: EngineCache, tmp_path: Path) -> None:
    for _ in range(2):
        result = tfgraft.optimize(net(), cache=cache, **NEVER[what](tmp_path))
        assert not from_cache(result)
        assert result.report.clusters
    assert "conversion" not in {entry.kind for entry in cache.entries()}


def test_files_of_calibration_data_count_by_their_content(cache: EngineCache, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"

    def convert(images: Any) -> Grafted:
        np.savez(path, x=images)
        return tfgraft.optimize(net(), precision="INT8", calibration=path, cache=cache)

    assert [from_cache(convert(images)) for images in (IMAGES, IMAGES, IMAGES + 1)] == [False, True, False]


def test_a_model_with_a_table(cache: EngineCache, tmp_path: Path) -> None:
    loaded = load(save(Words(tmp_path), tmp_path / "m"))
    results = [tfgraft.optimize(loaded, cache=cache) for _ in range(2)]
    assert from_cache(results[1])
    assert same(*results)
    got = results[1].function()(tf.constant(["blue"]))
    assert any(np.array_equal(value.numpy(), [2]) for value in got)
    results[1].save(tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").exists()


def test_a_damaged_conversion_is_made_again(cache: EngineCache) -> None:
    first = tfgraft.optimize(net(), cache=cache)
    for path in cache.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    second = tfgraft.optimize(net(), cache=cache)
    assert not from_cache(second)
    assert same(first, second)
    assert from_cache(tfgraft.optimize(net(), cache=cache))


def test_a_keras_model_is_found_again(cache: EngineCache) -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(4, activation="softmax")])
    results = [tfgraft.optimize(model, cache=cache) for _ in range(2)]
    assert from_cache(results[1])
    assert same(*results)


CONVERT = """
import sys
import tfgraft
result = tfgraft.optimize(sys.argv[1], cache=sys.argv[2])
print([name for name, _ in result.report.seconds] == ["cache"], len(result.report.clusters))
result.save(sys.argv[3])
"""


def test_two_processes_at_once_and_one_more(tmp_path: Path) -> None:
    (tmp_path / "net.pb").write_bytes(net().SerializeToString())

    def start(out: str) -> subprocess.Popen[str]:
        paths = (tmp_path / "net.pb", tmp_path / "cache", tmp_path / out)
        command = [sys.executable, "-c", CONVERT, *map(str, paths)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    said = [job.communicate(timeout=120) for job in [start("0.pb"), start("1.pb")]]
    assert [out[-2:] for out, _ in said] == ["1\n"] * 2, said
    said.append(start("2.pb").communicate(timeout=120))
    assert said[-1][0] == "True 1\n", said
    results = [load(tmp_path / f"{i}.pb").graph_def for i in range(3)]
    assert results[0] == results[1] == results[2]
    assert sorted(entry.kind for entry in EngineCache(tmp_path / "cache").entries()) == ["conversion", "engine"]


def test_wrong_caches_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="cache is True, a folder, an EngineCache or None, not 3"):
        tfgraft.optimize(net(), cache=3)  # type: ignore[arg-type]
