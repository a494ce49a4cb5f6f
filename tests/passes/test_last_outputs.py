"""unroll_loops: a list that keeps the last output of a loop is read as its state; recurrent nets become engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

import tfgraft
from tests.passes.graft import build, run, v1
from tests.passes.test_unroll_loops import ops, unrolled
from tfgraft.load import load

RNG = np.random.default_rng(0)
KERNEL = RNG.standard_normal((4, 4)).astype(np.float32)


def _recurrence(
    begin: Callable[[Any], Any] = tf.zeros_like,
    size: int = 1,
    index: int = 0,
    output: Callable[[Any], Any] = lambda state: state,
    steps: int = 3,
) -> Any:
    """Return the GraphDef of a loop that keeps the last `output` of its states in a list."""

    def loop() -> None:
        x = v1.placeholder(tf.float32, [2, 4], "x")
        kept = tf.TensorArray(tf.float32, size, element_shape=(2, 4))

        def step(i: Any, state: Any, kept: Any) -> Any:
            state = tf.tanh(state @ KERNEL + x)
            return i + 1, state, kept.write(index, output(state))

        *_, kept = tf.while_loop(lambda i, *_: i < steps, step, (0, begin(x), kept))
        tf.identity(kept.stack(), name="out")

    return build(loop)


X = RNG.standard_normal((2, 4)).astype(np.float32)


@pytest.mark.parametrize("steps", [0, 2, 5])
def test_the_last_output_is_the_state(steps: int) -> None:
    graph = unrolled(_recurrence(steps=steps), {"x:0": X})
    assert "TensorListStack" not in ops(graph)


@pytest.mark.parametrize(
    "how",
    [
        {"begin": tf.ones_like},
        {"begin": tf.identity},
        {"size": 2},
        {"size": 2, "index": 1},
        {"output": lambda state: state * 2},
    ],
    ids=["ones", "begins-with-values", "two", "second", "not-the-state"],
)
def test_what_may_be_another_value_stays(how: Any) -> None:
    graph = unrolled(_recurrence(**how), {"x:0": X})
    assert "TensorListStack" in ops(graph)


RECURRENT: dict[str, Callable[[], Any]] = {
    "lstm": lambda: keras.layers.LSTM(6),
    "lstm-of-all": lambda: keras.layers.LSTM(6, return_sequences=True),
    "backwards": lambda: keras.layers.LSTM(6, go_backwards=True),
    "both-ways": lambda: keras.layers.Bidirectional(keras.layers.LSTM(6)),
    "gru": lambda: keras.layers.GRU(6),
    "gru-both-ways": lambda: keras.layers.Bidirectional(keras.layers.GRU(6, return_sequences=True)),
    "simple": lambda: keras.layers.SimpleRNN(6),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_of_keras_are_one_engine(name: str) -> None:
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 4))
    loaded = load(keras.Model(x, keras.layers.Dense(3)(RECURRENT[name]()(x))))
    grafted = tfgraft.optimize(loaded, engine="onnxruntime", strict=True)
    (engine,) = [node for node in grafted.graph_def.node if node.op == tfgraft.runtime.OP_NAME]
    made = Counter(node.op_type for node in onnx.ModelProto.FromString(engine.attr["payload"].s).graph.node)
    lstms = {"both-ways": 2}.get(name, 1) if "gru" not in name and name != "simple" else 0
    assert made["LSTM"] == lstms, made
    feed_name, (output,) = loaded.inputs[0].name, [spec.name for spec in loaded.outputs]
    tfgraft.runtime.reset_counters()
    for batch, length in ((1, 1), (3, 7)):
        feed = {feed_name: RNG.standard_normal((batch, length, 4)).astype(np.float32)}
        (got,), (want,) = (run(g.graph_def, [output], feed) for g in (grafted, loaded))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert tfgraft.runtime.counters().fallbacks == 0
