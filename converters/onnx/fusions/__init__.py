"""Fusions: groups of ONNX nodes that ONNX Runtime runs faster when they are written in another way."""
