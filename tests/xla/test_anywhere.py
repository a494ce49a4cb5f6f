"""Results of the engine `xla` on disk, run by a new process that knows nothing of tfgraft."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, run
from tests.xla.nets import conv_net, image
from tfgraft.distance import relative_error
from tfgraft.registry.registry import Registry

HEAD = """
import sys, threading
import numpy as np, tensorflow as tf
folder = sys.argv[1]
x = np.load(folder + "/x.npy")
def session(feeds):
    graph_def = tf.compat.v1.GraphDef.FromString(open(folder + "/net.pb", "rb").read())
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return [session.run("out:0", {"x:0": x}) for x in feeds]
"""
FROZEN = """
y = session([x])[0]
"""
SAVED = (
    "y = list(tf.saved_model.load(folder + '/net').signatures['serving_default'](tf.constant(x)).values())[0].numpy()"
)
FUNCTION = """
graph_def = tf.compat.v1.GraphDef.FromString(open(folder + "/net.pb", "rb").read())
def call(x):
    return tf.graph_util.import_graph_def(graph_def, {"x:0": x}, ["out:0"], name="")
net = tf.compat.v1.wrap_function(call, [tf.TensorSpec([None, 8, 8, 3])])
y = tf.function(lambda x: net(x)[0])(tf.constant(x)).numpy()
"""
SESSIONS = """
found = []
threads = [threading.Thread(target=lambda: found.append(session([x[:1], x, x[:1]])[1])) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
assert len(found) == 3 and all(np.array_equal(f, found[0]) for f in found)
y = found[0]
"""
CHECK = """
assert np.allclose(y, np.load(folder + "/want.npy"), rtol=1e-4)
"""
TAIL = """
assert not any(name.partition(".")[0] == "tfgraft" for name in sys.modules)
np.save(folder + "/y.npy", y)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """A folder with a net, frozen and as a SavedModel, an input and what TensorFlow makes of it."""
    folder = tmp_path_factory.mktemp("xla")
    graph_def = build(conv_net)
    grafted = tfgraft.optimize(graph_def, outputs=["out"], engine="xla", registry=registry)
    assert grafted.report.clusters
    grafted.save(folder / "net.pb")
    grafted.save(folder / "net")
    x = image(batch=3)
    np.save(folder / "x.npy", x)
    np.save(folder / "want.npy", run(graph_def, ["out:0"], {"x:0": x})[0])
    return folder


@pytest.mark.parametrize("code", [SAVED + CHECK + FUNCTION, FROZEN + CHECK + SESSIONS], ids=["functions", "sessions"])
def test_in_a_process_without_tfgraft(code: str, folder: Path) -> None:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code + TAIL, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert relative_error(np.load(folder / "want.npy"), np.load(folder / "y.npy")) < 1e-5


def test_a_saved_model_is_loaded_and_grafted_again(folder: Path, registry: Registry) -> None:
    again = tfgraft.optimize(str(folder / "net"), engine="xla", registry=registry)
    (y,) = again.function()(tf.constant(np.load(folder / "x.npy")))
    want: Any = np.load(folder / "want.npy")
    assert relative_error(want, y.numpy()) < 1e-5
    assert len(again.report.clusters) == 1
