"""What the engine `openvino` brings to a registry: itself, its limits, and what it does not borrow of `onnxruntime`."""

from __future__ import annotations

from tfgraft.converters.openvino.ops import CONVERTERS
from tfgraft.plugins.openvino.builder import OpenVinoBuilder
from tfgraft.plugins.openvino.limits import check_limits
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin."""
    return Plugin("openvino", converters=(*CONVERTERS, check_limits), engines=(OpenVinoBuilder(),))
