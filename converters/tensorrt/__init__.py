"""Op converters for TensorRT networks, one file a family."""
