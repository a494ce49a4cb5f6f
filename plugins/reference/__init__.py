"""Engine `reference`: runs a TensorRT network layer by layer in numpy, on the CPU."""
