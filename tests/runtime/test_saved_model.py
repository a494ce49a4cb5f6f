"""Graphs with engine nodes on disk: a SavedModel and a frozen graph, run by a new process; the end of a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder, affine_engine
from tests.runtime.graphs import engine_graph, function_of, numbers

ROOT = Path(__file__).parents[2]
HEAD = """
import logging
import numpy as np, tfgraft.runtime as runtime
from tests.runtime.affine import AffineBuilder
logging.getLogger("tfgraft").setLevel(logging.ERROR)
x = (np.arange(6) % 7).reshape(2, 3).astype("float32")
def counted(name):
    c = runtime.counters().engines[name]
    print("calls", c.calls, "fallbacks", c.fallbacks, "loads", c.loads)
"""


def run_python(code: str) -> str:
    """Run code in a new process, in which only `tfgraft.runtime` and the affine builder are imported."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def save(folder: Path, **engine: Any) -> str:
    """Write a SavedModel of one engine node with weights; return the node's name."""
    w = np.array([1.0, 10.0, 100.0], np.float32)
    graph, name = engine_graph(*affine_engine(shape=(-1, 3), weights=[w], **engine), weights=[w])
    module = tf.Module()
    module.call = function_of(graph, name)
    tf.saved_model.save(
        module,
        str(folder),
        signatures={"serving_default": module.call.get_concrete_function()},
        options=tf.saved_model.SaveOptions(namespace_whitelist=[tfgraft.runtime.NAMESPACE]),
    )
    return name


def test_in_a_new_process(builder: AffineBuilder, tmp_path: Path) -> None:
    names = {fault: save(tmp_path / (fault or "good"), fault=fault) for fault in ("", "raise", "load")}
    graph, frozen = engine_graph(*affine_engine(fault="raise"))
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    out = run_python(f"""
import tensorflow as tf
folder = {str(tmp_path)!r}
unknown = runtime.load_saved_model(folder + "/good").call(x).numpy()
assert np.array_equal(unknown, x * [1, 10, 100] + 1), unknown
(cause,) = runtime.counters().engines[{names[""]!r}].causes
assert "no engine 'affine' is known here" in cause, cause
runtime.reset_counters()

runtime.register_engine(AffineBuilder())
for fault, name in {names!r}.items():
    loaded = runtime.load_saved_model(folder + "/" + (fault or "good"))
    y = loaded.call(x).numpy()
    assert np.array_equal(y, x * [1, 10, 100] + 1), y
    (z,) = loaded.signatures["serving_default"](x=x).values()
    assert np.array_equal(z.numpy(), y), z
    counted(name)

definition = tf.compat.v1.GraphDef.FromString(open(folder + "/graph.pb", "rb").read())
def call(x):
    return tf.graph_util.import_graph_def(definition, {{"x": x}}, ["{frozen}:0"], name="")
wrapped = tf.compat.v1.wrap_function(call, [tf.TensorSpec(None, tf.float32)])
assert np.array_equal(wrapped(tf.constant(x))[0].numpy(), x * 2 + 1)
counted({frozen!r})
""")
    assert out.splitlines() == [
        "calls 2 fallbacks 0 loads 1",
        "calls 2 fallbacks 2 loads 1",
        "calls 2 fallbacks 2 loads 0",
        "calls 1 fallbacks 1 loads 1",
    ]


def test_saving_a_loaded_model_again(builder: AffineBuilder, tmp_path: Path) -> None:
    name = save(tmp_path / "a", fault="raise")
    loaded = tfgraft.runtime.load_saved_model(str(tmp_path / "a"))
    options = tf.saved_model.SaveOptions(namespace_whitelist=[tfgraft.runtime.NAMESPACE])
    tf.saved_model.save(loaded, str(tmp_path / "b"), options=options)
    again = tfgraft.runtime.load_saved_model(str(tmp_path / "b"))
    x = numbers(2, 3)
    np.testing.assert_array_equal(again.call(x).numpy(), x * np.array([1, 10, 100], np.float32) + 1)
    assert tfgraft.runtime.counters().engines[name].fallbacks == 1


HELD = """
cycle = [session]
cycle.append(cycle)
function = tf.function(lambda x: tf.graph_util.import_graph_def(definition, {'x': x}, [fetch], name='')[0])
function(x)
"""
RUNNING = """
import threading, time
def forever():
    while True:
        session.run(fetch, {'x:0': x})
for _ in range(3):
    threading.Thread(target=forever, daemon=True).start()
time.sleep(0.3)
"""


@pytest.mark.parametrize("keep", [HELD, RUNNING], ids=["with kernels held", "with daemon threads in kernels"])
def test_the_process_ends_well(builder: AffineBuilder, tmp_path: Path, keep: str) -> None:
    graph, name = engine_graph(*affine_engine())
    path = tmp_path / "graph.pb"
    path.write_bytes(graph.SerializeToString())
    out = run_python(f"""
import tensorflow as tf
runtime.register_engine(AffineBuilder())
definition = tf.compat.v1.GraphDef.FromString(open({str(path)!r}, "rb").read())
graph = tf.Graph()
with graph.as_default():
    tf.graph_util.import_graph_def(definition, name="")
session = tf.compat.v1.Session(graph=graph)
kept, fetch = [], {f"{name}:0"!r}
session.run(fetch, {{"x:0": x}})
{keep}
print("end", flush=True)
""")
    assert out.strip() == "end"
