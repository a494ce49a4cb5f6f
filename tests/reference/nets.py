"""Making TensorRT networks in the tests and running them through the interpreter."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tfgraft.plugins.reference.interpreter import Interpreter
from tfgraft.plugins.reference.network import Network
from tfgraft.plugins.reference.read import read_network
from tfgraft.plugins.reference.serialize import from_bytes, to_bytes
from tfgraft.plugins.tensorrt.log import process_logger

Array = NDArray[Any]


class Net:
    """A network under construction; `const` keeps the memory of constants."""

    def __init__(self) -> None:
        pytest.importorskip("tensorrt_rtx")
        self.trt: Any = importlib.import_module("tensorrt_rtx")
        self.builder = self.trt.Builder(process_logger(self.trt))
        self.network = self.builder.create_network(0)
        self.unreadable: dict[str, Array] = {}
        self._kept: list[Array] = []

    def input(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
        """Add an input."""
        return self.network.add_input(name, getattr(self.trt, dtype), shape)

    def const(self, value: Any, dtype: Any = np.float32) -> Any:
        """Add a constant."""
        array = np.ascontiguousarray(np.asarray(value, dtype)).reshape(np.shape(value))
        self._kept.append(array)
        kind = getattr(self.trt, array.dtype.name)
        layer = self.network.add_constant(array.shape, self.trt.Weights(kind, array.ctypes.data, array.size))
        self.unreadable[layer.name] = array
        return layer.get_output(0)

    def output(self, tensor: Any, name: str = "out") -> None:
        """Mark an output."""
        tensor.name = name
        self.network.mark_output(tensor)

    def read(self) -> Network:
        """Return the network as plain data, once through bytes."""
        return from_bytes(to_bytes(read_network(self.trt, self.network, self.unreadable)))

    def builds(self) -> bool:
        """Tell whether TensorRT builds the network (without a profile: inputs must be static)."""
        config = self.builder.create_builder_config()
        config.num_compute_capabilities = 1
        config.set_compute_capability(self.trt.ComputeCapability.SM89, 0)
        return self.builder.build_serialized_network(self.network, config) is not None


def run(make: Callable[[Net], Any], build: bool = True, **inputs: Array) -> Array:
    """Make a network with one output, build it, and return what the interpreter computes."""
    net = Net()
    net.output(make(net))
    result = Interpreter(net.read()).run(inputs)["out"]
    assert not build or net.builds(), process_logger(net.trt).take()
    return result
