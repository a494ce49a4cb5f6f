"""A sample tfgraft plugin: an engine in numpy, converters for it and for ONNX, a decomposition, a pass."""
