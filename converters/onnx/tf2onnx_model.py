"""One TensorFlow node as an ONNX model, by tf2onnx; what it only logs is read and becomes a refusal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx

from tfgraft.converters.onnx.context import OPSET
from tfgraft.graph.one_node import OneNode
from tfgraft.registry.support import Unsupported

_FUSED = frozenset({"_FusedConv2D", "_FusedMatMul", "_FusedDepthwiseConv2dNative"})
"""Ops that tf2onnx has no handler for but takes apart before it maps."""
_QUANTIZE = frozenset({"QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4"})


def mapped_ops() -> frozenset[str]:
    """Return the op types that tf2onnx knows for our opset.

    Raises:
        ImportError: tf2onnx is not installed.
    """
    with _quiet():
        from tf2onnx import handler, onnx_opset

        del onnx_opset  # importing it is what fills the table
        return frozenset(handler.tf_op.create_mapping(OPSET, None)) | _FUSED | _QUANTIZE


def to_model(node: OneNode, outputs: tuple[str, ...]) -> Any | Unsupported:
    """Convert one node; the model's inputs are `in<i>:0`, its outputs are named as `outputs`."""
    with _quiet() as log:
        try:
            graph = node.graph()
        except Exception as error:
            return _failed(node, f"TensorFlow refuses the node on its own: {_first(error)}")
        names = [f"in{i}:0" for i in node.data]
        try:
            model = _convert(graph, names, outputs, optimize=True)
        except Exception:
            # An optimizer that fails says nothing about the conversion: try without, and let that one speak.
            log.clear()
            try:
                model = _convert(graph, names, outputs, optimize=False)
            except Exception as error:
                return _failed(node, _first(error), log)
    unmapped = sorted(set(_unknown(model.graph)))
    if unmapped:
        inner = "it" if unmapped == [node.op] else ", ".join(unmapped)
        return Unsupported(
            "unmapped",
            f"tf2onnx's conversion of {node.op} leaves {inner}, which ONNX opset {OPSET} does not have.",
            unmapped[0],
            f"Register a converter or a decomposition for {node.op}.",
        )
    missing = set(outputs) - {o.name for o in model.graph.output}
    if missing:
        return _failed(node, f"output {min(missing)} is missing")
    return model


def _convert(graph: Any, inputs: list[str], outputs: tuple[str, ...], optimize: bool) -> Any:
    from tf2onnx import optimizer, tfonnx
    from tf2onnx.optimizer import back_to_back_optimizer, const_fold_optimizer, identity_optimizer, transpose_optimizer

    # tf2onnx notes its progress in the lists it is given.
    result = tfonnx.process_tf_graph(graph, opset=OPSET, input_names=list(inputs), output_names=list(outputs))
    if optimize:
        # Those of tf2onnx's optimizers that can matter within one node.
        chosen = {
            "transpose": transpose_optimizer.TransposeOptimizer,
            "fold": const_fold_optimizer.ConstFoldOptimizer,
            "identity": identity_optimizer.IdentityOptimizer,
            "back_to_back": back_to_back_optimizer.BackToBackOptimizer,
        }
        result = optimizer.optimize_graph(result, catch_errors=False, optimizers=chosen)
    # A copy of our own, so that none of tf2onnx's cyclic garbage stays alive with it.
    return onnx.ModelProto.FromString(result.make_model("node").SerializeToString())


def _unknown(graph: Any) -> Iterator[str]:
    for node in graph.node:
        if not node.domain or node.domain == "ai.onnx":
            try:
                onnx.defs.get_schema(node.op_type, OPSET)
            except Exception:  # SchemaError, whose module differs between versions of onnx
                yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _unknown(attribute.g)


def _failed(node: OneNode, reason: str, log: list[str] | None = None) -> Unsupported:
    # That the node failed is known; anything else may say more than the exception does.
    said = next((line for line in log or () if line not in reason and not line.startswith("Failed to convert")), "")
    detail = f"{reason}; tf2onnx said: {said}" if said else reason
    return Unsupported("conversion-failed", f"tf2onnx failed for {node.op}: {detail}", node.op)


def _first(error: BaseException, limit: int = 300) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:limit] if lines else 'no reason given'}"


class _Collect(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        lines = record.getMessage().splitlines()
        self._lines.append(lines[0][:300] if lines else "")


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Collect what tf2onnx logs instead of letting it reach the screen; its logger is as before afterwards."""
    logger = logging.getLogger("tf2onnx")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]
    lines: list[str] = []
    logger.handlers[:] = [_Collect(lines)]
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
