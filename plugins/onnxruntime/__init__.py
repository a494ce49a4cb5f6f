"""The engine `onnxruntime`: clusters as ONNX models, run by ONNX Runtime."""
