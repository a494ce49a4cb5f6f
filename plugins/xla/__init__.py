"""The engine `xla`: clusters as functions that TensorFlow has XLA compile; see docs/decisions/0013."""
