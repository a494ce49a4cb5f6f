"""Where the windows of convolutions and poolings lie: padding modes, output sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfgraft.plugins.reference.network import Layer


@dataclass(frozen=True)
class Axis:
    """The windows along one axis: `taps` elements `dilation` apart, every `stride` elements, `size` windows.

    `before` and `after` are the padding that the network asks for; `after` may be less than what the last window
    covers, and either may be negative for a deconvolution.
    """

    taps: int
    stride: int
    dilation: int
    before: int
    after: int
    size: int

    @property
    def extent(self) -> int:
        """How many elements a window spans."""
        return (self.taps - 1) * self.dilation + 1

    def reach(self, length: int) -> int:
        """Return how far the last window goes beyond an axis of a given length; less than 0 if it does not."""
        return (self.size - 1) * self.stride + self.extent - self.before - length


def forward_axes(layer: Layer, kernel: Sequence[int], dilation: Sequence[int], shape: Sequence[int]) -> list[Axis]:
    """Return the windows of a convolution or pooling along each spatial axis of an input of spatial shape `shape`."""
    mode = layer.attrs["padding_mode"]
    axes = []
    for i, length in enumerate(shape):
        stride = layer.attrs["stride_nd"][i]
        extent = (kernel[i] - 1) * dilation[i] + 1
        if mode.startswith("SAME"):
            size = -(-length // stride)
            total = max((size - 1) * stride + extent - length, 0)
            before = total // 2 if mode == "SAME_UPPER" else total - total // 2
            after = total - before
        else:
            before, after = layer.attrs["pre_padding"][i], layer.attrs["post_padding"][i]
            room = length + before + after - extent
            size = (-(-room // stride) if mode == "EXPLICIT_ROUND_UP" else room // stride) + 1
        axes.append(Axis(kernel[i], stride, dilation[i], before, after, size))
    return axes


def backward_axes(layer: Layer, kernel: Sequence[int], dilation: Sequence[int], shape: Sequence[int]) -> list[Axis]:
    """Return the windows of a deconvolution; `size` is the length of its output."""
    mode = layer.attrs["padding_mode"]
    axes = []
    for i, length in enumerate(shape):
        stride = layer.attrs["stride_nd"][i]
        full = (length - 1) * stride + (kernel[i] - 1) * dilation[i] + 1
        if mode.startswith("SAME"):
            # TensorRT only ever cuts: strides wider than the window leave the output shorter than stride * length.
            total = max(full - length * stride, 0)
            before = total // 2 if mode == "SAME_UPPER" else total - total // 2
            after = total - before
        else:
            before, after = layer.attrs["pre_padding"][i], layer.attrs["post_padding"][i]
        axes.append(Axis(kernel[i], stride, dilation[i], before, after, full - before - after))
    return axes
