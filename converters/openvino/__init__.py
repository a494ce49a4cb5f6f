"""Converters of OpenVINO's own, for what ONNX's way would come out wrong there."""
