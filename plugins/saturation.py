"""Whether products of uint8 and int8 saturate on this processor, seen by ONNX Runtime's."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

_K = 64
_MOST_UINT8, _MOST_INT8 = 255, 127


@functools.cache
def saturates(ort: Any) -> bool:
    """Tell whether a product that needs more than 16 bits on the way comes out wrong.

    x86 processors without integer dot products (before AVX-512 VNNI) add two products of uint8 and int8 in 16 bits.
    ONNX Runtime has kernels without that for them, which on any other processor take twice to three times as long, so
    that it is computed rather than looked up: once, since processors do not change.
    """
    from onnx import TensorProto, helper

    rows, columns = 4, 32
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    graph = helper.make_graph(
        [node],
        "saturation",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [rows, _K])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [rows, columns])],
        [helper.make_tensor("b", TensorProto.INT8, [_K, columns], [_MOST_INT8] * (_K * columns))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"a": np.full((rows, _K), _MOST_UINT8, np.uint8)})
    return bool(np.any(y != _K * _MOST_UINT8 * _MOST_INT8))
