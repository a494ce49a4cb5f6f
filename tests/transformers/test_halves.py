"""A transformer in half precision for a GPU: the same kernels as in float32, and what they give on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import tfgraft
from benchmarks.encoders import ENCODERS, Size
from tests.onnxruntime.engines import engines_in, ops_in
from tfgraft.distance import relative_error
from tfgraft.load import load


@pytest.mark.parametrize("name", ["Keras 3", "Keras 3, pre-norm", "Keras 3, any length"])
def test_half_precision_for_a_gpu_has_the_kernels_of_float32(name: str) -> None:
    layers = 2
    encoder = ENCODERS[name]
    model = encoder.make(Size(layers, None if encoder.open_length else 16, 32, 4, 64))
    (x,) = encoder.feeds(3, 16, 32)
    loaded = load(model)
    grafted = tfgraft.optimize(loaded, precision="FP16", providers=["CUDAExecutionProvider"], strict=True)
    assert len(engines_in(grafted.graph_def)) == 1
    ops = ops_in(grafted.graph_def)
    assert (ops["MultiHeadAttention"], ops["Gelu"], ops["LayerNormalization"]) == (layers, layers, 2 * layers), ops
    assert not ops["Shape"], "nothing is left to the CPU, which a CUDA graph could not have"
    want = np.asarray(tfgraft.optimize(loaded).function()(x)[0])
    assert relative_error(want, np.asarray(grafted.function()(x)[0])) < 5e-3


def test_half_precision_on_the_cpu_is_left_as_it_is() -> None:
    model = ENCODERS["Keras 3"].make(Size(1, 16, 32, 4, 64))
    grafted = tfgraft.optimize(load(model), precision="FP16", providers=["CPUExecutionProvider"])
    assert len(engines_in(grafted.graph_def)) == 1
    ops = ops_in(grafted.graph_def)
    assert not ops["MultiHeadAttention"]
    assert not ops["Gelu"]
