"""Running graphs over data: exact extremes, shards, and every form of data."""

from __future__ import annotations

import multiprocessing
import operator
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf

from tests.graph.models import function
from tests.passes.graft import build, v1
from tfgraft.calibration.collect import collect
from tfgraft.calibration.feeds import feeds_of
from tfgraft.calibration.npz import BATCH
from tfgraft.calibration.table import CalibrationError, CalibrationTable
from tfgraft.errors import FeedError
from tfgraft.load import load
from tfgraft.load.model import LoadedModel, NamedTensor

_R = np.random.default_rng(0)


def _model() -> LoadedModel:
    def body() -> None:
        x = v1.placeholder(tf.float32, (None, 4), "x")
        tf.identity(tf.math.log(tf.nn.relu(x, name="r"), name="l"), name="out")

    return load(build(body), outputs=["out"])


def _collect(loaded: LoadedModel, tensors: list[str], feeds: Any, **more: Any) -> CalibrationTable:
    return collect(loaded.graph_def, loaded.inputs, loaded.resources, tensors, feeds, **more)


FEEDS = [{"x:0": _R.standard_normal((3, 4)).astype(np.float32)} for _ in range(40)]


def _same(a: CalibrationTable, b: CalibrationTable) -> bool:
    return {k: v.to_dict() for k, v in a.tensors.items()} == {k: v.to_dict() for k, v in b.tensors.items()}


def test_extremes_are_exact_and_what_is_not_finite_is_counted() -> None:
    table = _collect(_model(), ["x:0", "r:0", "l:0"], FEEDS)
    values = np.concatenate([feed["x:0"] for feed in FEEDS])
    assert table.samples == 40
    assert table.lowest("x:0") == values.min()
    assert table.bound("x:0") == np.abs(values).max()
    assert table.lowest("r:0") == 0
    assert table.invalid("l:0") == (values <= 0).sum()
    assert table.bound("l:0") == pytest.approx(np.abs(np.log(values[values > 0])).max(), rel=1e-6)
    assert table.statistics("x:0").histogram.total == values.size


def test_nothing_to_observe() -> None:
    table = _collect(_model(), [], FEEDS)
    assert (table.samples, table.names) == (40, frozenset())


def test_sums_that_are_not_finite_say_nothing_of_the_elements() -> None:
    large = np.float32(3e38)
    feeds = [{"x:0": np.full((2, 4), value, np.float32)} for value in (1, large, -2, np.inf, 3)]
    table = _collect(_model(), ["x:0"], feeds)
    assert table.invalid("x:0") == 8
    assert table.bound("x:0") == large
    assert table.lowest("x:0") == -2
    assert table.statistics("x:0").histogram.total == 32


def test_large_tensors_are_sampled_but_their_extremes_are_not() -> None:
    feed = {"x:0": _R.standard_normal((50_000, 4)).astype(np.float32)}
    feed["x:0"][777, 3] = 1e6
    table = _collect(_model(), ["x:0"], [feed])
    assert table.bound("x:0") == 1e6
    assert table.statistics("x:0").count == 200_000
    assert table.statistics("x:0").histogram.total < 20_000


def test_shards_in_threads_and_processes_give_the_same_table() -> None:
    loaded = _model()
    whole = _collect(loaded, ["x:0", "l:0"], FEEDS)
    with ThreadPoolExecutor(2) as threads:
        assert _same(_collect(loaded, ["x:0", "l:0"], iter(FEEDS), executor=threads), whole)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        table = _collect(loaded, ["x:0", "l:0"], FEEDS, executor=processes)
    assert _same(table, whole)
    assert table.samples == 40


def test_tensors_in_loops_of_tensorflow_1_are_skipped() -> None:
    def body() -> None:
        x = v1.placeholder(tf.float32, (None, 4), "x")
        _, y = v1.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(y, name="inner")), [0, x])
        tf.identity(y, name="out")

    loaded = load(build(body, control_flow_v1=True), outputs=["out"])
    (inner,) = [n.name for n in loaded.graph_def.node if n.op == "Tanh"]
    table = _collect(loaded, ["out:0", f"{inner}:0"], FEEDS[:2])
    assert table.names == {"out:0"}
    assert "branch or loop" in table.skipped[f"{inner}:0"]


def test_models_with_functions_run() -> None:
    @function(tf.TensorSpec((None, 4), tf.float32, name="x"))
    def model(x: Any) -> Any:
        grown = tf.while_loop(lambda v: tf.reduce_max(v) < 8, lambda v: (2 * v,), (tf.abs(x) + 1,))[0]
        return tf.identity(tf.map_fn(tf.nn.relu, grown - 4), name="out")

    loaded = load(model)
    assert loaded.graph_def.library.function
    (name,) = loaded.output_names
    feeds = [{loaded.inputs[0].name: feed["x:0"]} for feed in FEEDS]
    table = _collect(loaded, [name], feeds)
    assert table.bound(name) == max(float(model(feed["x:0"]).numpy().max()) for feed in FEEDS)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        assert _same(table, _collect(loaded, [name], feeds, executor=executor))


def test_tensors_that_are_no_floats_are_refused() -> None:
    def body() -> None:
        tf.identity(tf.shape(v1.placeholder(tf.float32, (None, 4), "x")), name="out")

    with pytest.raises(CalibrationError, match="'out:0' is int32"):
        _collect(load(build(body), outputs=["out"]), ["out:0"], FEEDS)


@pytest.mark.parametrize(("name", "message"), [("outt:0", "'outt:0'.*'out'"), ("out:3", "its node has 1 outputs")])
def test_tensors_that_are_not_there(name: str, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        _collect(_model(), [name], FEEDS)


def test_tensors_behind_placeholders_that_are_not_fed_are_skipped() -> None:
    def body() -> None:
        x = v1.placeholder(tf.float32, (None, 4), "x")
        tf.add(tf.tanh(v1.placeholder(tf.float32, (), "other"), name="t"), tf.identity(x, name="out"), name="late")

    loaded = load(build(body), outputs=["out"])
    table = collect(build(body), loaded.inputs, (), ["x:0", "t:0", "late:0"], FEEDS[:1])
    assert table.names == {"x:0"}
    assert {name: "'other', which is no input" in why for name, why in table.skipped.items()} == {
        "t:0": True,
        "late:0": True,
    }


def test_nothing_runs_behind_what_is_fed() -> None:
    """Its ops may need files or iterators that are not there; a function runs all that have a state."""

    def body() -> None:
        x = tf.reshape(tf.io.read_file("/no/such/file"), [])
        x = tf.identity(tf.io.decode_raw(x, tf.float32), name="x")
        tf.tanh(x, name="out")

    spec = NamedTensor("x:0", "float32", (-1,))
    table = collect(build(body), [spec], (), ["out:0"], [{"x:0": np.ones(3, np.float32)}])
    assert table.bound("out:0") == pytest.approx(np.tanh(1))


def test_half_precision_is_observed_in_float32() -> None:
    def body() -> None:
        tf.cast(v1.placeholder(tf.float32, (None, 4), "x"), tf.float16, name="out")

    table = _collect(load(build(body), outputs=["out"]), ["out:0"], [{"x:0": np.full((1, 4), 1e6, np.float32)}])
    assert (table.bound("out:0"), table.invalid("out:0")) == (0, 4)


def test_empty_tensors() -> None:
    table = _collect(_model(), ["x:0"], [{"x:0": np.zeros((0, 4), np.float32)}])
    assert (table.bound("x:0"), table.samples) == (0, 1)


def test_a_feed_that_does_not_run_is_named() -> None:
    def body() -> None:
        x = v1.placeholder(tf.float32, (None, None), "x")
        tf.matmul(x, np.ones((4, 2), np.float32), name="out")

    feeds = [FEEDS[0], {"x:0": np.ones((2, 3), np.float32)}]
    with pytest.raises(FeedError, match="feed 1 of the calibration data"):
        _collect(load(build(body), outputs=["out"]), ["out:0"], feeds)


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    _collect(_model(), ["x:0"], FEEDS[:3], progress=lambda *args: told.append(args))
    assert told == [("calibrate", 1, 3), ("calibrate", 2, 3), ("calibrate", 3, 3)]


# Forms of data -------------------------------------------------------------------------------------------------------

_ROWS = _R.standard_normal((20, 4)).astype(np.float32)


def _two() -> LoadedModel:
    @function(tf.TensorSpec((None, 4), tf.float32, name="a"), tf.TensorSpec((), tf.float32, name="b"))
    def model(a: Any, b: Any) -> Any:
        return a * b

    return load(model)


@pytest.mark.parametrize(
    "data",
    [
        [_ROWS],
        [{"x:0": _ROWS}],
        [{"x": _ROWS}],
        [(_ROWS,)],
        [[_ROWS]],
        [(_ROWS, 3)],
        lambda: iter([_ROWS]),
        lambda: [_ROWS],
        (row for row in [_ROWS]),
        [_ROWS.astype(np.float64)],
        tf.data.Dataset.from_tensors(_ROWS),
        tf.data.Dataset.from_tensors((_ROWS, 3)),
        tf.data.Dataset.from_tensors({"x": _ROWS}),
        tf.data.Dataset.from_tensors(({"x": _ROWS}, 3)),
    ],
)
def test_forms(data: Any) -> None:
    (feed,) = feeds_of(data, _model())
    assert feed.keys() == {"x:0"}
    np.testing.assert_array_equal(feed["x:0"], _ROWS)


def test_several_inputs() -> None:
    loaded = _two()
    assert loaded.input_names == tuple(feed := next(iter(feeds_of([(_ROWS, 2.0)], loaded))))
    assert next(iter(feeds_of([{"b": 2.0, "a": _ROWS}], loaded))).keys() == feed.keys()
    assert next(iter(feeds_of([((_ROWS, 2.0), "label")], loaded))).keys() == feed.keys()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "nothing was given"),
        (tf.constant(_ROWS), "is a EagerTensor"),
        (tf.data.Dataset.from_tensors(_ROWS).repeat(), r"never ends.*take\(200\)"),
        (tf.data.Dataset.from_tensor_slices(_ROWS), r"dataset.batch\(8\)"),
        (lambda: [], "nothing was given"),
        ({"x": _ROWS}, r"\[feed\]"),
        (_ROWS, "is a ndarray"),
        (3, "is a int"),
        ("x.txt", "no .npz file"),
        ([{"y": _ROWS}], "Feed 0 .* 'y', which is no input"),
        ([_ROWS, _ROWS[:, :2]], "Feed 1 .* shape"),
        ([(_ROWS, 1, 2)], "has 3 values, and the model has 1 inputs"),
        ([_ROWS.astype(str)], "Feed 0 .* is float32"),
    ],
)
def test_data_that_is_wrong(data: Any, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        list(feeds_of(data, _model()))


def test_one_array_for_two_inputs() -> None:
    with pytest.raises(FeedError, match="the model has 2 inputs: a:0, b:0"):
        list(feeds_of([_ROWS], _two()))


def _fixed(size: int | None) -> LoadedModel:
    def body() -> None:
        tf.tanh(v1.placeholder(tf.float32, (size, 4), "x"), name="out")

    return load(build(body), outputs=["out"])


@pytest.mark.parametrize(
    ("size", "lengths"), [(20, [20]), (1, [1] * 20), (6, [6, 6, 6]), (None, [BATCH, BATCH, 20 - 2 * BATCH])]
)
def test_an_npz_file_is_cut_into_batches(tmp_path: Path, size: int | None, lengths: list[int]) -> None:
    np.savez(tmp_path / "x.npz", x=_ROWS)
    feeds = list(feeds_of(tmp_path / "x.npz", _fixed(size)))
    assert [len(feed["x:0"]) for feed in feeds] == lengths
    np.testing.assert_array_equal(np.concatenate([f["x:0"] for f in feeds]), _ROWS[: sum(lengths)])


def test_data_is_streamed() -> None:
    taken = []

    def data() -> Iterator[Any]:
        for i in range(5):
            taken.append(i)
            yield _ROWS

    stream = iter(feeds_of(data, _model()))
    next(stream)
    assert taken == [0]


_SAVED: list[tuple[Any, Literal["C", "F"]]] = [(np.savez, "C"), (np.savez_compressed, "C"), (np.savez, "F")]


def test_an_npz_file_is_read_as_it_is_fed(tmp_path: Path) -> None:
    """Row after row, as C or Fortran order has them, compressed or not; a scalar goes into each feed."""
    for save, order in _SAVED:
        save(tmp_path / "x.npz", a=np.array(_ROWS, order=order), b=np.float32(2))
        feeds = feeds_of(str(tmp_path / "x.npz"), _two())
        assert operator.length_hint(feeds) == 3
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate([f["a:0"] for f in feeds]), _ROWS)
            assert [f["b:0"] for f in feeds] == [2, 2, 2]


def test_an_npz_file_with_less_than_a_batch(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=_ROWS[:5])
    with pytest.raises(FeedError, match="has 5 samples, and the model takes 6"):
        list(feeds_of(tmp_path / "x.npz", _fixed(6)))


def test_an_npz_file_that_is_cut_short(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=_ROWS)
    data = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(FeedError, match=r"x\.npz"):
        list(feeds_of(tmp_path / "x.npz", _fixed(None)))
