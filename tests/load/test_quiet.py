"""Quiet helpers: what they hide, and that all is as before afterwards."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings

import pytest

from tfgraft.quiet import quiet_python, quiet_remarks, quiet_stderr


def test_python_loggers_and_warnings_are_quiet_for_a_while() -> None:
    logger = logging.getLogger("tensorflow")
    level = logger.level
    with quiet_python():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
        warnings.warn("not seen", stacklevel=1)
    assert logger.level == level
    with pytest.warns(UserWarning, match="seen"):
        warnings.warn("seen", stacklevel=1)


def test_standard_error_is_given_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        with quiet_stderr():
            os.write(2, b"hidden")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_remarks_of_tensorflow_are_left_out_and_all_else_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    remarks = (
        b"W0000 00:00:1795954000.230800   30821 graph_constructor.cc:1695] Importing a graph with a lower producer\n",
        b"I0000 00:00:1795953997.736822   30821 single_machine.cc:376] Starting new session\n",
        b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    )
    error = b"E0000 00:00:1795954000.230800   30821 engine.cc:7] out of memory\n"

    def fails() -> None:
        with quiet_remarks():
            os.write(2, remarks[0] + b"mine\n" + remarks[1] + error + remarks[2] + b"and the end")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert capfd.readouterr().err == "mine\n" + error.decode() + "and the end"


_DAEMON = """
import os, sys
import tensorflow as tf
os.close(2)
sys.stderr = None
import tfgraft
model = tf.function(lambda x: tf.nn.relu(x * 2 + 1) * 3, input_signature=[tf.TensorSpec([None, 8], name="x")])
print(tfgraft.optimize(model).function()(tf.ones((1, 8)))[0].numpy().max())
"""
_OLD = """
import tensorflow as tf
graph = tf.Graph()
with graph.as_default():
    x = tf.compat.v1.placeholder(tf.float32, [None, 8], "x")
    tf.nn.relu(x * 2 + 1, name="y")
graph_def = graph.as_graph_def()
graph_def.versions.producer = 175
import os, sys, tfgraft
os.write(2, b"imported\\n")
grafted = tfgraft.optimize(graph_def, outputs=["y"])
print(grafted.function()(tf.ones((1, 8)))[0].numpy().max())
"""


@pytest.mark.parametrize("script", [_DAEMON, _OLD])
def test_a_program_without_standard_error_and_one_with_an_old_graph(script: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "9.0" if script is _DAEMON else "3.0"), done.stderr[-2000:]
    remarks = done.stderr.partition("imported\n")[2]
    assert not any(file in remarks for file in ("graph_constructor.cc", "devices.cc", "single_machine.cc")), remarks
