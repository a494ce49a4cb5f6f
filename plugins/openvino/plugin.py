"""What the engine `openvino` brings to a registry: itself and its limits; its converters are those of `onnxruntime`."""

from __future__ import annotations

from tfgraft.plugins.openvino.builder import OpenVinoBuilder
from tfgraft.plugins.openvino.limits import check_limits
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin."""
    return Plugin("openvino", converters=(check_limits,), engines=(OpenVinoBuilder(),))
