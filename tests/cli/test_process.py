"""The command line as a process of its own: clean output, and what another process does with the result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.load.models import frozen_graph

SOURCE = Path(__file__).parents[2] / "src"


def environment() -> dict[str, str]:
    names = {"TF_CPP_MIN_LOG_LEVEL"}
    paths = os.pathsep.join(p for p in (str(SOURCE), os.environ.get("PYTHONPATH", "")) if p)
    return {**{k: v for k, v in os.environ.items() if k not in names}, "PYTHONPATH": paths}


def tfgraft(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfgraft", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=300, check=False)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "model.pb"
    path.write_bytes(frozen_graph().SerializeToString())
    return path


def test_json_is_all_there_is_on_standard_output(graph: Path) -> None:
    done = tfgraft("plan", graph, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engine"] == "onnxruntime"
    assert done.stderr == ""


def test_tensorflow_says_nothing(graph: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tfgraft",
        "optimize",
        str(graph),
        "-o",
        str(tmp_path / "out.pb"),
        "--engine",
        "auto",
    ]
    loud = {**environment(), "TF_ENABLE_ONEDNN_OPTS": "1"}  # of which TensorFlow tells while it is imported
    done = subprocess.run(command, capture_output=True, text=True, env=loud, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["out.pb", "out"])
def test_a_result_runs_in_a_process_that_only_imports_the_runtime(name: str, graph: Path, tmp_path: Path) -> None:
    out = tmp_path / name
    done = tfgraft("optimize", graph, "-o", out, "--strict")
    assert done.returncode == 0, done.stderr
    script = f"""
import numpy as np, sys, tensorflow as tf
import tfgraft.runtime
def frozen(path):
    graph_def = tf.compat.v1.GraphDef.FromString(open(path, "rb").read())
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run("y:0", {{"x:0": np.ones((2, 8), "f")}})
path = {str(out)!r}
if path.endswith(".pb"):
    y = frozen(path)
else:
    y = tfgraft.runtime.load_saved_model(path).signatures["serving_default"](x=tf.ones([2, 8]))["y"].numpy()
assert tfgraft.runtime.counters().calls == 1
assert tfgraft.runtime.counters().fallbacks == 0
assert "tfgraft.passes" not in sys.modules and "tf2onnx" not in sys.modules
np.testing.assert_allclose(y, frozen({str(graph)!r}), rtol=1e-5)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_interrupt_exits_with_130_and_leaves_nothing(graph: Path, tmp_path: Path) -> None:
    # The child says on standard error when it has come to the runs, which would go on for two minutes. It takes
    # interrupts as ever: a process started in the background, and its children, are born ignoring them.
    feeds = tmp_path / "feeds.npz"
    arrays: dict[str, Any] = {"x:0": np.ones((1, 8), "f")}
    np.savez(feeds, **arrays)
    code = (
        "import signal, sys, tfgraft.cli.commands as c, tfgraft.bench as b\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "real = b.compare\n"
        "def compare(*a, **k):\n"
        "    sys.stderr.write('started\\n'); sys.stderr.flush()\n"
        "    return real(*a, **k)\n"
        "b.compare = compare\n"
        "from tfgraft.cli import main\n"
        f"sys.exit(main(['bench', {str(graph)!r}, '--input', {str(feeds)!r}, '--runs', '100000000',"
        " '--seconds', '120']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert err == "tfgraft: interrupted\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feeds.npz", "model.pb"]


def test_an_interrupt_that_became_an_error_is_one_all_the_same(graph: Path) -> None:
    """TensorFlow makes an error of its own of what is raised in an engine that it calls."""
    code = (
        "import signal, sys, tfgraft.cli\n"
        "m = sys.modules['tfgraft.cli.main']\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def run(args, terminal):\n"
        "    try:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    except KeyboardInterrupt as error:\n"
        "        raise RuntimeError('CANCELLED') from error\n"
        "m.COMMANDS = {**m.COMMANDS, 'plan': run}\n"
        f"sys.exit(m.main(['plan', {str(graph)!r}]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    assert ran.returncode == 130
    assert ran.stderr.splitlines()[-1] == "tfgraft: interrupted"
