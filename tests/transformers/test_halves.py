"""A transformer in half precision for a GPU: the same kernels as in float32, and what they give on the CPU."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest

import tfgraft
from benchmarks.encoders import ENCODERS, Size
from tfgraft.distance import relative_error
from tfgraft.load import load
from tfgraft.runtime.node import read_metadata


def _ops(grafted: Any) -> Counter[str]:
    (node,) = [node for node in grafted.graph_def.node if node.op == "TfGraft>Engine"]
    built = read_metadata(node.attr["metadata"].s).built("onnxruntime", node.attr["payload"].s)
    return Counter(each.op_type for each in onnx.load_from_string(built.payload).graph.node)


@pytest.mark.parametrize("name", ["Keras 3", "Keras 3, pre-norm", "Keras 3, any length"])
def test_half_precision_for_a_gpu_has_the_kernels_of_float32(name: str) -> None:
    layers = 2
    encoder = ENCODERS[name]
    model = encoder.make(Size(layers, None if encoder.open_length else 16, 32, 4, 64))
    (x,) = encoder.feeds(3, 16, 32)
    loaded = load(model)
    grafted = tfgraft.optimize(loaded, precision="FP16", providers=["CUDAExecutionProvider"], strict=True)
    ops = _ops(grafted)
    assert (ops["MultiHeadAttention"], ops["Gelu"], ops["LayerNormalization"]) == (layers, layers, 2 * layers), ops
    assert not ops["Shape"], "nothing is left to the CPU, which a CUDA graph could not have"
    want = np.asarray(tfgraft.optimize(loaded).function()(x)[0])
    assert relative_error(want, np.asarray(grafted.function()(x)[0])) < 5e-3


def test_half_precision_on_the_cpu_is_left_as_it_is() -> None:
    model = ENCODERS["Keras 3"].make(Size(1, 16, 32, 4, 64))
    ops = _ops(tfgraft.optimize(load(model), precision="FP16", providers=["CPUExecutionProvider"]))
    assert not ops["MultiHeadAttention"]
    assert not ops["Gelu"]
