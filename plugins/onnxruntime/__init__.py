"""The engine `onnxruntime`: clusters as ONNX models, run by ONNX Runtime."""

from __future__ import annotations

from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.registry.plugin import Plugin

plugin = Plugin("onnxruntime", converters=CONVERTERS)
