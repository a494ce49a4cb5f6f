"""The engine op where all goes well: Session, tf.function, control flow, types, shapes, threads."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.graphs import engine_graph, function_of, numbers, run_once, session_of
from tfgraft.runtime.process import current

FLOATS = ["float16", "float32", "float64", "bfloat16", "complex64", "complex128"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool"])
def test_every_plain_type(builder: AffineBuilder, dtype: str) -> None:
    graph, name = engine_graph(*affine_engine(dtype=dtype))
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    x = numbers(2, 3, dtype=kind)
    y = run_once(graph, name, x)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x if dtype == "bool" else x * kind_of(x, 2) + kind_of(x, 1))
    assert tfgraft.runtime.counters().engines[name] == tfgraft.runtime.EngineCounters(1, 0, 1, {})


def kind_of(x: Any, value: int) -> Any:
    return np.asarray(value).astype(x.dtype)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,), (3, 0, 2), (2, 3), (2, 3, 4), (1, 2, 3, 4), (1, 2, 1, 2, 1)])
def test_scalars_empty_tensors_and_every_rank(builder: AffineBuilder, shape: tuple[int, ...]) -> None:
    graph, name = engine_graph(*affine_engine())
    x = numbers(*shape)
    y = run_once(graph, name, x)
    assert y.shape == shape
    np.testing.assert_array_equal(y, x * 2 + 1)
    assert tfgraft.runtime.counters().fallbacks == 0


def test_shapes_change_from_call_to_call(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(shape=(-1, 3)))
    with session_of(graph) as session:
        for rows in (1, 4, 0, 4, 2, 1, 100, 1):
            x = numbers(rows, 3)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * 2 + 1)
    assert tfgraft.runtime.counters().fallbacks == 0
    assert len(builder.loads) == 1


def test_outputs_of_earlier_calls_stay_as_they_were(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine())
    call = function_of(graph, name)
    results = [call(tf.fill((2, 2), float(i))) for i in range(20)]
    for i, y in enumerate(results):
        np.testing.assert_array_equal(y.numpy(), np.full((2, 2), i * 2.0 + 1))


def test_function_has_the_declared_shape_and_grappler_keeps_the_node(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(shape=(-1, 3)))
    concrete = function_of(graph, name).get_concrete_function()
    assert concrete.structured_outputs.shape.as_list() == [None, 3]
    np.testing.assert_array_equal(concrete(tf.ones((2, 3))).numpy(), np.full((2, 3), 3.0))
    assert tfgraft.runtime.counters().engines[name].calls == 1


def test_session_import_sets_the_declared_shape(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(shape=(4, -3)))
    with session_of(graph) as session:
        assert session.graph.get_tensor_by_name(f"{name}:0").shape.as_list() == [4, None]


def test_constant_inputs_are_not_folded(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(fault="raise"))
    x = graph.node[0]
    x.op = "Const"
    del x.attr["shape"]
    x.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(numbers(2, 2)))
    twice = graph.node.add(name="twice", op="AddV2", input=[name, name])
    twice.attr["T"].type = 1
    with session_of(graph) as session:
        for _ in range(3):
            np.testing.assert_array_equal(session.run("twice:0"), 2 * (numbers(2, 2) * 2 + 1))
    counted = tfgraft.runtime.counters().engines[name]
    assert (counted.calls, counted.fallbacks) == (3, 3)


def test_weights_are_given_to_the_load_only(builder: AffineBuilder) -> None:
    w = np.array([1.0, 10.0, 100.0], np.float32)
    graph, name = engine_graph(*affine_engine(shape=(-1, 3), weights=[w]), weights=[w])
    with session_of(graph) as session:
        for rows in (1, 2, 3):
            x = numbers(rows, 3)
            np.testing.assert_array_equal(session.run(f"{name}:0", {"x:0": x}), x * w + 1)
    assert len(builder.loads) == 1


def test_equal_fingerprints_share_one_engine_and_the_last_user_drops_it(builder: AffineBuilder) -> None:
    built, fingerprint = affine_engine(scale=3.0)
    a, name_a = engine_graph(built, fingerprint, scale=3.0)
    b, name_b = engine_graph(built, fingerprint, scale=3.0)
    process, _ = current()
    gc.collect()  # engines of other tests' sessions would be dropped in between
    before = len(process._engines)
    with session_of(a) as first, session_of(b) as second:
        first.run(f"{name_a}:0", {"x:0": 1.0})
        assert second.run(f"{name_b}:0", {"x:0": 1.0}) == 4.0
        assert len(builder.loads) == 1
        assert len(process._engines) == before + 1
    del first, second
    gc.collect()
    assert len(process._engines) == before
    assert tfgraft.runtime.counters().engines[name_b].loads == 0


def test_first_calls_at_once_load_once(builder: AffineBuilder) -> None:
    builder.delay = threading.Event()
    built, fingerprint = affine_engine(scale=5.0)
    graphs = [engine_graph(built, fingerprint, scale=5.0) for _ in range(4)]
    sessions = [session_of(g) for g, _ in graphs]
    names = [n for _, n in graphs]

    def work(i: int) -> bool:
        session, name = sessions[i % 4], names[i % 4]
        good = True
        for step in range(40):
            x = numbers(1 + (i + step) % 5, 3) + i
            good &= bool(np.array_equal(session.run(f"{name}:0", {"x:0": x}), x * 5 + 1))
        return good

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(builder.loads) == 1
    counted = tfgraft.runtime.counters()
    assert sum(counted.engines[n].calls for n in names) == 8 * 40
    assert counted.loads == 1
    assert counted.fallbacks == 0
    for session in sessions:
        session.close()


def test_inside_while_and_if(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine())

    def node(x: Any) -> Any:
        return tf.graph_util.import_graph_def(graph, {"x": x}, [f"{name}:0"], name="")[0]

    @tf.function(input_signature=[tf.TensorSpec((2,)), tf.TensorSpec((), tf.int32)])  # type: ignore[untyped-decorator]
    def loop(x: Any, n: Any) -> Any:
        return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.ensure_shape(node(y), (2,))), (0, x))[1]

    @tf.function(input_signature=[tf.TensorSpec((2,)), tf.TensorSpec((), tf.bool)])  # type: ignore[untyped-decorator]
    def branch(x: Any, flag: Any) -> Any:
        return tf.cond(flag, lambda: node(tf.identity(x)), lambda: x)

    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(loop(x, 3).numpy(), [15.0, 23.0])
    np.testing.assert_array_equal(branch(x, True).numpy(), [3.0, 5.0])
    np.testing.assert_array_equal(branch(x, False).numpy(), [1.0, 2.0])
    counted = tfgraft.runtime.counters()
    assert (counted.calls, counted.fallbacks, len(builder.loads)) == (4, 0, 1)


def test_large_payload(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(padding=20_000_000))
    assert run_once(graph, name, np.float32(2)) == 5
    assert tfgraft.runtime.counters().fallbacks == 0


def test_strings_are_refused(builder: AffineBuilder) -> None:
    built, fingerprint = affine_engine(dtype="string")
    with pytest.raises(ValueError, match=r"input 0 of engine node 'e' has type string.*out of the cluster"):
        tfgraft.runtime.engine_node_def("e", built, inputs=["x"], segment="s", fingerprint=fingerprint)
    graph, name = engine_graph(*affine_engine())
    node = next(n for n in graph.node if n.name == name)
    node.attr["InT"].list.type[0] = 7
    graph.node[0].attr["dtype"].type = 7
    with pytest.raises(tf.errors.UnimplementedError, match=f"{name}.*input 0 has type string"):
        run_once(graph, name, "text")


def test_node_def_is_checked() -> None:
    built, fingerprint = affine_engine()
    with pytest.raises(ValueError, match=r"'e' is given 2 inputs"):
        tfgraft.runtime.engine_node_def("e", built, inputs=["x", "y"], segment="s", fingerprint=fingerprint)
    with pytest.raises(ValueError, match="fingerprint"):
        tfgraft.runtime.engine_node_def("e", built, inputs=["x"], segment="s", fingerprint="")


def test_reload_and_a_second_copy_use_the_first_registration(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine(scale=7.0), scale=7.0)
    importlib.reload(tfgraft.runtime)
    mine = {
        k: sys.modules.pop(k) for k in list(sys.modules) if k.startswith("tfgraft") and k != "tfgraft._runtime_process"
    }
    try:
        copy = importlib.import_module("tfgraft.runtime")
        assert copy is not mine["tfgraft.runtime"]
        assert run_once(graph, name, np.float32(2)) == 15
        assert copy.counters().engines[name].calls == 1
    finally:
        for key in [k for k in sys.modules if k.startswith("tfgraft") and k != "tfgraft._runtime_process"]:
            del sys.modules[key]
        sys.modules.update(mine)


def test_counters_reset(builder: AffineBuilder) -> None:
    graph, name = engine_graph(*affine_engine())
    with session_of(graph) as session:
        for _ in range(3):
            session.run(f"{name}:0", {"x:0": 1.0})
        assert tfgraft.runtime.counters().engines[name].calls == 3
        assert tfgraft.runtime.counters().engines[name].calls == 3
        tfgraft.runtime.reset_counters()
        assert tfgraft.runtime.counters().engines[name].calls == 0
        session.run(f"{name}:0", {"x:0": 1.0})
        assert tfgraft.runtime.counters().calls == 1
