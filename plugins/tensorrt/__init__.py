"""The engine builder `tensorrt`: clusters become TensorRT engines."""
