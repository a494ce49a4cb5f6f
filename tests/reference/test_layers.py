"""Single layers against TensorFlow's or numpy's own computation; TensorRT builds each network too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.nets import Net, run
from tfgraft.plugins.reference.interpreter import Interpreter

R = np.random.default_rng(3)


def _normal(*shape: int) -> Any:
    return R.normal(size=shape).astype("f")


def _first(x: Any) -> Any:
    """Return channels-last as channels-first."""
    return np.moveaxis(np.asarray(x), -1, 1)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "EXPLICIT_ROUND_DOWN"])
@pytest.mark.parametrize(
    ("channels", "groups", "stride", "dilation"),
    [(6, 1, 1, 1), (6, 1, 2, 1), (6, 1, 1, 2), (6, 2, 2, 1), (6, 6, 1, 1), (6, 6, 2, 1), (6, 6, 1, 2)],
)
def test_convolution(mode: str, channels: int, groups: int, stride: int, dilation: int) -> None:
    x, kernel = _normal(2, 9, 8, channels), _normal(3, 2, channels // groups, 12)

    def make(net: Net) -> Any:
        weights = net.trt.Weights(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        net._kept.append(weights)
        layer = net.network.add_convolution_nd(net.input("x", (2, channels, 9, 8)), 12, (3, 2), weights)
        layer.padding_mode = getattr(net.trt.PaddingMode, mode)
        layer.num_groups, layer.stride_nd, layer.dilation_nd = groups, (stride, stride), (dilation, dilation)
        return layer.get_output(0)

    padding = "SAME" if mode == "SAME_UPPER" else "VALID"
    parts = zip(np.split(x, groups, -1), np.split(kernel, groups, -1), strict=True)
    expected = np.concatenate([tf.nn.conv2d(a, k, stride, padding, dilations=dilation) for a, k in parts], -1)
    result = run(make, build=groups != 2, x=_first(x))
    np.testing.assert_allclose(result, _first(expected), 1e-4, 1e-5)


def test_large_images_are_convolved_in_strips() -> None:
    x, kernel = _normal(1, 300, 200, 16), _normal(5, 5, 16, 4)

    def make(net: Net) -> Any:
        weights = net.const(kernel.transpose(3, 2, 0, 1))
        layer = net.network.add_convolution_nd(net.input("x", (1, 16, 300, 200)), 4, (5, 5), net.trt.Weights())
        layer.set_input(1, weights)
        layer.stride_nd, layer.pre_padding, layer.post_padding = (2, 1), (1, 2), (2, 2)
        return layer.get_output(0)

    padded = np.pad(x, ((0, 0), (1, 2), (2, 2), (0, 0)))
    expected = tf.nn.conv2d(padded, kernel, (2, 1), "VALID")
    np.testing.assert_allclose(run(make, build=False, x=_first(x)), _first(expected), 1e-4, 1e-4)


@pytest.mark.parametrize(("stride", "size"), [(1, 3), (2, 3), (3, 2), (2, 2)])
@pytest.mark.parametrize("same", [True, False])
def test_deconvolution(stride: int, size: int, same: bool) -> None:
    x, kernel = _normal(2, 5, 4, 6), _normal(size, size, 8, 6)

    def make(net: Net) -> Any:
        weights = net.const(kernel.transpose(3, 2, 0, 1))
        layer = net.network.add_deconvolution_nd(net.input("x", (2, 6, 5, 4)), 8, (size, size), net.trt.Weights())
        layer.set_input(1, weights)
        layer.stride_nd = (stride, stride)
        if same:
            layer.padding_mode = net.trt.PaddingMode.SAME_UPPER
        return layer.get_output(0)

    result = run(make, build=False, x=_first(x))
    lengths = [(n - 1) * stride + size for n in (5, 4)]
    if same and size >= stride:
        lengths = [n * stride for n in (5, 4)]
    padding = "SAME" if same and size >= stride else "VALID"
    expected = tf.nn.conv2d_transpose(x, kernel, [2, *lengths, 8], stride, padding)
    np.testing.assert_allclose(result, _first(expected), 1e-4, 1e-5)


@pytest.mark.parametrize("kind", ["MAX", "AVERAGE"])
@pytest.mark.parametrize("stride", [1, 2])
def test_pooling_with_same_padding(kind: str, stride: int) -> None:
    x = _normal(1, 7, 6, 4)

    def make(net: Net) -> Any:
        layer = net.network.add_pooling_nd(net.input("x", (1, 4, 7, 6)), getattr(net.trt.PoolingType, kind), (3, 2))
        layer.padding_mode, layer.stride_nd = net.trt.PaddingMode.SAME_UPPER, (stride, stride)
        return layer.get_output(0)

    expected = tf.nn.pool(x, (3, 2), "MAX" if kind == "MAX" else "AVG", (stride, stride), "SAME")
    np.testing.assert_allclose(run(make, x=_first(x)), _first(expected), 1e-5, 1e-6)


@pytest.mark.parametrize("excluded", [True, False])
def test_rounding_up_adds_a_window_and_counts_no_padding_of_its_own(excluded: bool) -> None:
    def make(net: Net) -> Any:
        layer = net.network.add_pooling_nd(net.input("x", (1, 1, 5, 4)), net.trt.PoolingType.AVERAGE, (3, 2))
        layer.padding_mode, layer.stride_nd = net.trt.PaddingMode.EXPLICIT_ROUND_UP, (3, 2)
        layer.pre_padding, layer.average_count_excludes_padding = (1, 0), excluded
        return layer.get_output(0)

    x = np.arange(20, dtype="f").reshape(1, 1, 5, 4)
    rows = [x[0, 0, :2].sum(0) / (2 if excluded else 3), x[0, 0, 2:5].mean(0)]
    np.testing.assert_allclose(run(make, x=x)[0, 0], np.stack(rows).reshape(2, 2, 2).mean(-1), 1e-6)


@pytest.mark.parametrize(("form", "iou", "threshold"), [("CORNER_PAIRS", 0.5, 0.1), ("CENTER_SIZES", 0.3, 0.4)])
def test_nms_selects_as_tensorflow_does(form: str, iou: float, threshold: float) -> None:
    """TensorRT-RTX has no kernel for this layer, so nothing is built."""
    low, size = R.uniform(0, 1, (2, 60, 2)), R.uniform(0.1, 0.5, (2, 60, 2))
    corners = np.concatenate([low, low + size], -1).astype("f")
    boxes = np.concatenate([low + size / 2, size], -1).astype("f") if form == "CENTER_SIZES" else corners
    scores = R.uniform(0, 1, (2, 60, 3)).astype("f")
    net = Net()
    inputs = net.input("boxes", (2, 60, 4)), net.input("scores", (2, 60, 3)), net.const(5, np.int32)
    layer = net.network.add_nms(*inputs)
    layer.bounding_box_format = getattr(net.trt.BoundingBoxFormat, form)
    layer.set_input(3, net.const(iou))
    layer.set_input(4, net.const(threshold))
    net.output(layer.get_output(0))
    net.output(layer.get_output(1), "count")
    results = Interpreter(net.read()).run({"boxes": boxes, "scores": scores})
    expected = set()
    for item in range(2):
        for label in range(3):
            found = tf.image.non_max_suppression(corners[item], scores[item, :, label], 5, iou, threshold)
            expected |= {(item, label, int(box)) for box in found}
    rows = [tuple(row) for row in results["out"].tolist()]
    assert len(rows) == len(set(rows)) == results["count"]
    assert set(rows) == expected
    ranks = [(item, -scores[item, box, label]) for item, label, box in rows]
    assert ranks == sorted(ranks)


def test_nms_keeps_to_the_limit_of_boxes() -> None:
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]], "f")
    net = Net()
    scores = np.array([[[0.2], [0.9], [0.5]]], "f")
    layer = net.network.add_nms(net.input("boxes", (1, 3, 4)), net.const(scores), net.const(3, np.int32))
    layer.topk_box_limit = 2
    net.output(layer.get_output(0))
    assert Interpreter(net.read()).run({"boxes": boxes})["out"].tolist() == [[0, 0, 1], [0, 0, 2]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("CLAMP", [0, 0, 1, 2, 3, 3]),
        ("WRAP", [3, 0, 1, 2, 3, 0]),
        ("REFLECT", [1, 0, 1, 2, 3, 2]),
        ("FILL", [9, 0, 1, 2, 3, 9]),
    ],
)
def test_slices_beyond_the_edges(mode: str, expected: list[int]) -> None:
    def make(net: Net) -> Any:
        layer = net.network.add_slice(net.input("x", (4,)), (-1,), (6,), (1,))
        layer.mode = getattr(net.trt.SampleMode, mode)
        if mode == "FILL":
            layer.set_input(4, net.const(9.0))
        return layer.get_output(0)

    np.testing.assert_array_equal(run(make, x=np.arange(4, dtype="f")), expected)


def test_slices_take_their_numbers_from_tensors() -> None:
    net = Net()
    layer = net.network.add_slice(net.input("x", (5, 4)), (0, 0), (0, 0), (1, 1))
    for slot, name in ((1, "start"), (2, "size"), (3, "stride")):
        layer.set_input(slot, net.input(name, (2,), "int32"))
    net.output(layer.get_output(0))
    x = np.arange(20, dtype="f").reshape(5, 4)
    numbers = {
        "start": np.array([4, 1], np.int32),
        "size": np.array([3, 2], np.int32),
        "stride": np.array([-2, 2], np.int32),
    }
    np.testing.assert_array_equal(Interpreter(net.read()).run({"x": x, **numbers})["out"], x[::-2, 1::2])


@pytest.mark.parametrize("largest", [True, False])
def test_of_equals_topk_takes_the_first(largest: bool) -> None:
    def make(net: Net) -> Any:
        op = net.trt.TopKOperation.MAX if largest else net.trt.TopKOperation.MIN
        return net.network.add_topk(net.input("x", (1, 5)), op, 3, 2).get_output(1)

    result = run(make, x=np.array([[1, 2, 1, 2, 1]], "f"))
    assert result.tolist() == ([[1, 3, 0]] if largest else [[0, 2, 4]])


def test_gather_of_a_batch() -> None:
    x, indices = _normal(2, 3, 4), np.array([[0, 3], [2, 2]], np.int32)

    def make(net: Net) -> Any:
        layer = net.network.add_gather(net.input("x", (2, 3, 4)), net.input("i", (2, 2), "int32"), 2)
        layer.num_elementwise_dims = 1
        return layer.get_output(0)

    np.testing.assert_array_equal(run(make, x=x, i=indices), tf.gather(x, indices, axis=2, batch_dims=1))


def test_fp16_is_accumulated_in_fp32() -> None:
    x = np.full((1, 4096), 0.1, np.float16)

    def make(net: Net) -> Any:
        op = net.trt.MatrixOperation.NONE
        ones = net.const(np.ones((4096, 1)), np.float16)
        return net.network.add_matrix_multiply(net.input("x", (1, 4096), "float16"), op, ones, op).get_output(0)

    result = run(make, x=x)
    assert result.dtype == np.float16
    assert result[0, 0] == np.float16(x.astype("f").sum())


@pytest.mark.parametrize(("op", "a", "b", "expected"), [
    ("DIV", [7, -7, 7, -7], [2, 2, -2, -2], [3, -3, -3, 3]),
    ("FLOOR_DIV", [7, -7, 7, -7], [2, 2, -2, -2], [3, -4, -4, 3]),
    ("PROD", [2**30, 3, 5, 7], [4, 4, 4, 4], [0, 12, 20, 28]),
])  # fmt: skip
def test_integers(op: str, a: list[int], b: list[int], expected: list[int]) -> None:
    def make(net: Net) -> Any:
        inputs = net.input("a", (4,), "int32"), net.input("b", (4,), "int32")
        return net.network.add_elementwise(*inputs, getattr(net.trt.ElementWiseOperation, op)).get_output(0)

    assert run(make, a=np.array(a, np.int32), b=np.array(b, np.int32)).tolist() == expected


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_quantization_by_axis(axis: int) -> None:
    x = _normal(3, 4)
    scale = np.float32(0.1) if axis < 0 else R.uniform(0.01, 0.1, x.shape[axis]).astype("f")

    def make(net: Net) -> Any:
        factor = net.const(scale)
        q = net.network.add_quantize(net.input("x", (3, 4)), factor, net.trt.int8)
        d = net.network.add_dequantize(q.get_output(0), factor, net.trt.float32)
        for layer in (q, d):
            layer.axis = max(axis, 0)
        return d.get_output(0)

    factor = scale if axis < 0 else scale.reshape((-1, 1) if axis == 0 else (1, -1))
    expected = np.clip(np.rint(x / factor), -128, 127) * factor
    np.testing.assert_allclose(run(make, build=False, x=x), expected, 1e-6)
