"""Recurrent layers, loops in TensorFlow, are one ONNX node each; what only looks like one is not."""

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
from tests.graph.models import function
from tests.passes.graft import run
from tfgraft.load import load

RNG = np.random.default_rng(0)
LAYERS: dict[str, tuple[Callable[[], Any], dict[str, int]]] = {
    "lstm": (lambda: keras.layers.LSTM(6), {"LSTM": 1}),
    "lstm-of-all": (lambda: keras.layers.LSTM(6, return_sequences=True), {"LSTM": 1}),
    "lstm-backwards": (lambda: keras.layers.LSTM(6, go_backwards=True, use_bias=False), {"LSTM": 1}),
    "lstm-both-ways": (lambda: keras.layers.Bidirectional(keras.layers.LSTM(6)), {"LSTM": 2}),
    "gru": (lambda: keras.layers.GRU(6), {"GRU": 1}),
    "gru-that-resets-before": (lambda: keras.layers.GRU(6, reset_after=False), {"GRU": 1}),
    "gru-without-biases": (lambda: keras.layers.GRU(6, use_bias=False, return_sequences=True), {"GRU": 1}),
    "gru-both-ways": (lambda: keras.layers.Bidirectional(keras.layers.GRU(6, return_sequences=True)), {"GRU": 2}),
    "simple": (lambda: keras.layers.SimpleRNN(6, return_sequences=True), {"RNN": 1}),
    "simple-relu": (lambda: keras.layers.SimpleRNN(6, activation="relu"), {"RNN": 1}),
    "lstm-relu": (lambda: keras.layers.LSTM(6, activation="relu"), {"LSTM": 1}),
    "gru-relu": (lambda: keras.layers.GRU(6, activation="relu"), {"Loop": 1}),
}
KINDS = ("LSTM", "GRU", "RNN", "Loop")


def _grafted(loaded: Any) -> tuple[Any, dict[str, int]]:
    """Return a model with one engine, and how many recurrent nodes that has."""
    grafted = tfgraft.optimize(loaded, engine="onnxruntime", strict=True)
    (engine,) = [node for node in grafted.graph_def.node if node.op == tfgraft.runtime.OP_NAME]
    ops = Counter(node.op_type for node in onnx.ModelProto.FromString(engine.attr["payload"].s).graph.node)
    return grafted, {kind: ops[kind] for kind in KINDS if ops[kind]}


def _check(loaded: Any, grafted: Any, *shapes: tuple[int, ...]) -> None:
    outputs = [spec.name for spec in loaded.outputs]
    tfgraft.runtime.reset_counters()
    for shape in shapes:
        feed = {loaded.inputs[0].name: RNG.standard_normal(shape).astype(np.float32)}
        for got, want in zip(run(grafted.graph_def, outputs, feed), run(loaded.graph_def, outputs, feed), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert tfgraft.runtime.counters().fallbacks == 0


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_keras_are_one_node(name: str) -> None:
    layer, wanted = LAYERS[name]
    keras.utils.set_random_seed(0)
    x = keras.Input((None, 4))
    model = keras.Model(x, keras.layers.Dense(3)(layer()(x)))
    for weight in model.weights:
        weight.assign(RNG.standard_normal(weight.shape) / 2)  # biases that are not zero, too
    loaded = load(model)
    grafted, made = _grafted(loaded)
    assert made == wanted
    _check(loaded, grafted, (1, 1, 4), (3, 7, 4))


@pytest.mark.parametrize(("kind", "op"), [("LSTM", "LSTM"), ("GRU", "GRU"), ("SimpleRNN", "RNN")])
def test_a_batch_of_one_and_all_states(kind: str, op: str) -> None:
    x = keras.Input((7, 4), batch_size=1)
    loaded = load(keras.Model(x, getattr(keras.layers, kind)(6, return_sequences=True, return_state=True)(x)))
    grafted, made = _grafted(loaded)
    assert made == {op: 1}
    _check(loaded, grafted, (1, 7, 4))


def _cell(twist: Callable[[Any, Any], Any]) -> Any:
    """Return a function with a loop that has the parts of a GRU without biases; `twist` mixes old and new state."""
    kernel, recurrent = (tf.constant(RNG.standard_normal(s).astype(np.float32)) for s in ((4, 18), (6, 18)))

    @function(tf.TensorSpec((None, 5, 4), tf.float32, name="x"))
    def model(x: Any) -> Any:
        steps = tf.TensorArray(tf.float32, 5, element_shape=(None, 4)).unstack(tf.transpose(x, (1, 0, 2)))

        def step(i: Any, state: Any, outputs: Any) -> Any:
            of_x, of_state = (tf.split(y, 3, 1) for y in (steps.read(i) @ kernel, state @ recurrent))
            update, reset = (tf.sigmoid(of_x[k] + of_state[k]) for k in (0, 1))
            state = twist(update, (state, tf.tanh(of_x[2] + reset * of_state[2])))
            return i + 1, state, outputs.write(i, state)

        begin = (0, tf.zeros((tf.shape(x)[0], 6)), tf.TensorArray(tf.float32, 5, element_shape=(None, 6)))
        return tf.while_loop(lambda i, *_: i < 5, step, begin)[2].stack()

    return model


@pytest.mark.parametrize(
    ("twist", "op"),
    [
        (lambda update, states: update * states[0] + (1 - update) * states[1], "GRU"),
        (lambda update, states: (1 - update) * states[0] + update * states[1], "Loop"),
        (lambda update, states: update * states[0] + (2 - update) * states[1], "Loop"),
    ],
    ids=["gru", "other-way-round", "more"],
)
def test_what_has_the_parts_of_a_gru_is_tried(twist: Callable[[Any, Any], Any], op: str) -> None:
    loaded = load(_cell(twist))
    grafted, made = _grafted(loaded)
    assert made == {op: 1}
    _check(loaded, grafted, (1, 5, 4), (3, 5, 4))
