"""The interpreter as a whole: laziness, dynamic shapes, threads, errors; and networks as bytes."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.reference.nets import Net
from tfgraft.plugins.reference.interpreter import Interpreter, InterpreterError
from tfgraft.plugins.reference.network import Layer, Network
from tfgraft.plugins.reference.read import UnreadableNetwork, read_network
from tfgraft.plugins.reference.serialize import from_bytes, to_bytes

R = np.random.default_rng(0)


def _convolved(rows: int = -1) -> Net:
    net = Net()
    x = net.input("x", (rows, 3, -1, -1))
    kernel, bias = R.normal(size=(4, 3, 3, 3)).astype("f"), R.normal(size=4).astype("f")
    layer = net.network.add_convolution_nd(x, 4, (3, 3), net.trt.Weights(kernel), net.trt.Weights(bias))
    layer.padding_mode = net.trt.PaddingMode.SAME_UPPER
    net._kept += [kernel, bias]
    net.output(net.network.add_activation(layer.get_output(0), net.trt.ActivationType.RELU).get_output(0))
    return net


def test_dynamic_shapes() -> None:
    interpreter = Interpreter(_convolved().read())
    assert interpreter.network.inputs[0].shape == (-1, 3, -1, -1)
    for shape in ((1, 3, 5, 4), (2, 3, 8, 9), (0, 3, 5, 5)):
        assert interpreter.run({"x": np.ones(shape, "f")})["out"].shape == (shape[0], 4, *shape[2:])


def test_threads_share_an_interpreter() -> None:
    interpreter = Interpreter(_convolved().read())
    inputs = [R.normal(size=(1, 3, 6 + i, 7)).astype("f") for i in range(4)]
    expected = [interpreter.run({"x": x})["out"] for x in inputs]
    wrong: list[int] = []

    def work(i: int) -> None:
        for _ in range(20):
            if not np.array_equal(interpreter.run({"x": inputs[i]})["out"], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_deep_network_needs_no_recursion() -> None:
    net = Net()
    x = net.input("x", (2,))
    for _ in range(3000):
        x = net.network.add_unary(x, net.trt.UnaryOperation.NEG).get_output(0)
    net.output(x)
    np.testing.assert_array_equal(Interpreter(net.read()).run({"x": np.array([1, 2], "f")})["out"], [1, 2])


def test_what_no_output_needs_does_not_run() -> None:
    net = Net()
    x = net.input("x", (2,))
    net.network.add_shuffle(x).reshape_dims = (3,)  # would fail
    net.output(net.network.add_identity(x).get_output(0))
    assert Interpreter(net.read()).run({"x": np.array([1, 2], "f")})["out"].shape == (2,)


def test_assertions_are_checked() -> None:
    net = Net()
    x = net.input("x", (), "int32")
    zero = net.const(0, np.int32)
    positive = net.network.add_elementwise(x, zero, net.trt.ElementWiseOperation.GREATER).get_output(0)
    net.network.add_assertion(positive, "x must be positive")
    net.output(net.network.add_identity(x).get_output(0))
    interpreter = Interpreter(net.read())
    assert interpreter.run({"x": np.int32(3)})["out"] == 3
    with pytest.raises(InterpreterError, match="x must be positive"):
        interpreter.run({"x": np.int32(-3)})


def test_errors_name_the_layer() -> None:
    network = _convolved().read()
    layers = (replace(network.layers[0], kind="plugin_v3", name="mine"), *network.layers[1:])
    with pytest.raises(InterpreterError, match="'mine' is of kind 'plugin_v3'"):
        Interpreter(replace(network, layers=layers))
    with pytest.raises(InterpreterError, match="reads 'nothing'"):
        Interpreter(replace(network, layers=(replace(network.layers[0], inputs=("nothing",)), *network.layers[1:])))
    interpreter = Interpreter(_convolved(rows=1).read())
    with pytest.raises(ValueError, match="'x' is missing"):
        interpreter.run({})
    with pytest.raises(ValueError, match="'x' is float32, not float64"):
        interpreter.run({"x": np.ones((1, 3, 4, 4))})
    with pytest.raises(ValueError, match=r"'x' has shape \(1, 3, -1, -1\), not \(2, 3, 4, 4\)"):
        interpreter.run({"x": np.ones((2, 3, 4, 4), "f")})


def _constants(net: Net) -> Any:
    narrow = net.const([1.5, -2.0], ml_dtypes.bfloat16)
    wide = net.network.add_cast(narrow, net.trt.float32).get_output(0)
    return net.network.add_elementwise(wide, net.const([1.0, 1.0]), net.trt.ElementWiseOperation.SUM).get_output(0)


def test_weights_that_python_cannot_read_come_from_outside() -> None:
    net = Net()
    net.output(_constants(net))
    with pytest.raises(UnreadableNetwork, match="BF16"):
        read_network(net.trt, net.network)
    np.testing.assert_array_equal(Interpreter(net.read()).run({})["out"], [2.5, -1.0])


def test_bytes_and_back() -> None:
    net = Net()
    net.output(_constants(net))
    network = read_network(net.trt, net.network, net.unreadable)
    data = to_bytes(network)
    again = from_bytes(data)
    assert to_bytes(again) == data
    assert (again.inputs, again.outputs) == (network.inputs, network.outputs)
    for a, b in zip(network.layers, again.layers, strict=True):
        assert (a.kind, a.name, a.inputs, a.outputs, a.attrs) == (b.kind, b.name, b.inputs, b.outputs, b.attrs)
        assert {k: (v.dtype, v.tolist()) for k, v in a.weights.items()} == {
            k: (v.dtype, v.tolist()) for k, v in b.weights.items()
        }
    with pytest.raises(ValueError, match="not a serialized network"):
        from_bytes(b"something else")
    with pytest.raises(ValueError, match="cut off"):
        from_bytes(data[:-64])


def test_layers_may_come_in_any_order() -> None:
    network = _convolved().read()
    x = R.normal(size=(1, 3, 4, 4)).astype("f")
    turned = Network(network.inputs, network.outputs, tuple(reversed(network.layers)))
    one, other = (Interpreter(n).run({"x": x})["out"] for n in (network, turned))
    np.testing.assert_array_equal(one, other)
    assert all(isinstance(layer, Layer) for layer in turned.layers)
