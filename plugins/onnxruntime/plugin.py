"""What the engine `onnxruntime` brings to a registry."""

from __future__ import annotations

from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.converters.onnx.tf2onnx_route import Tf2onnxRoute
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.registry.plugin import Plugin


def plugin() -> Plugin:
    """Return the plugin; each has a tf2onnx route, and so a cache of tried conversions, of its own."""
    return Plugin(
        "onnxruntime",
        converters=(*CONVERTERS, (Tf2onnxRoute().entry(),)),
        decompositions=DECOMPOSITIONS,
        engines=(OnnxRuntimeBuilder(),),
    )
