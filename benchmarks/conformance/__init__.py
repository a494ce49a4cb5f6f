"""Conformance: ONNX's own node tests, parsed by TensorRT's ONNX parser, built by TensorRT, run by the interpreter."""
