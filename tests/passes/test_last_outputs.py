"""unroll_loops: a list that keeps the last output of a loop is read as the state that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.passes.graft import build, v1
from tests.passes.test_unroll_loops import ops, unrolled

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
