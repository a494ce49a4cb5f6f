"""What the engine `onnxruntime` brings to a registry."""

from __future__ import annotations

from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.registry.plugin import Plugin

plugin = Plugin("onnxruntime", converters=CONVERTERS, engines=(OnnxRuntimeBuilder(),))
