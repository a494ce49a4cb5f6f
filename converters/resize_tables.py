"""TensorFlow's image resizing, one dimension at a time, in numpy: which elements are read and with what weights.

The formulas follow TensorFlow's CPU kernels in float32, so that rounding falls on the same side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_CUBIC_STEPS = 1024
"""TensorFlow's bicubic weights are tabulated at this many positions between two pixels."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension that is resized.

    Args:
        size, out: its size before and after.
        align_corners, half_pixel: the node's attributes.
    """

    size: int
    out: int
    align_corners: bool
    half_pixel: bool

    @property
    def scale(self) -> np.float32:
        """How many input elements one output element covers."""
        if self.align_corners and self.out > 1:
            return np.float32(self.size - 1) / np.float32(self.out - 1)
        return np.float32(self.size) / np.float32(self.out)

    @property
    def repeats(self) -> bool:
        """Whether nearest neighbour resizing repeats each element a whole number of times."""
        if self.size == 0 or self.out == 0 or self.out % self.size:
            return False
        return bool((self.nearest() == np.repeat(np.arange(self.size), self.out // self.size)).all())

    def nearest(self) -> NDArray[np.int64]:
        """Return the index that each output element of nearest neighbour resizing is read from."""
        x = np.arange(self.out, dtype=np.float32)
        if self.half_pixel:
            index = np.floor((x + np.float32(0.5)) * self.scale)
        elif self.align_corners:
            position = x * self.scale
            whole = np.floor(position)
            index = whole + (position - whole >= 0.5)  # half away from zero, as C's roundf
        else:
            index = np.floor(x * self.scale)
        return np.clip(index.astype(np.int64), 0, max(self.size - 1, 0))

    def cubic(self) -> NDArray[np.float32]:
        """Return the [size, out] weights of bicubic resizing."""
        x = np.arange(self.out, dtype=np.float32)
        position = (x + np.float32(0.5)) * self.scale - np.float32(0.5) if self.half_pixel else x * self.scale
        whole = np.floor(position).astype(np.int64)
        # C's lrintf rounds half to even, as numpy does.
        step = np.rint((position - whole.astype(np.float32)) * np.float32(_CUBIC_STEPS)).astype(np.int64)
        near, far = _cubic_table(-0.5 if self.half_pixel else -0.75)
        taps = np.stack([far[step], near[step], near[_CUBIC_STEPS - step], far[_CUBIC_STEPS - step]])
        places = whole + np.arange(-1, 3)[:, None]
        inside = np.clip(places, 0, self.size - 1)
        if self.half_pixel:  # what lies outside does not count, and the rest is scaled up
            taps = np.where(places == inside, taps, np.float32(0))
            total = taps.sum(0)
            taps = np.where(np.abs(total) >= 1000 * np.finfo(np.float32).tiny, taps / total, taps)
        return _matrix(self.size, self.out, inside, taps)

    def area(self) -> NDArray[np.float32]:
        """Return the [size, out] weights of area resizing."""
        x = np.arange(self.out, dtype=np.float32)
        start, end = x * self.scale, (x + np.float32(1)) * self.scale
        pixel = np.arange(self.size, dtype=np.float32)[:, None]
        # The last pixel stands for all that lies beyond it.
        right = np.where(pixel == self.size - 1, np.float32(np.inf), pixel + 1)
        overlap = np.maximum(np.minimum(right, end) - np.maximum(pixel, start), 0)
        return np.asarray(overlap / self.scale, np.float32)


def _cubic_table(a: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cubic convolution kernel at distances x (near) and 1 + x (far) for x from 0 to 1 in steps."""
    x = np.arange(_CUBIC_STEPS + 1) / _CUBIC_STEPS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    y = x + 1
    far = ((a * y - 5 * a) * y + 8 * a) * y - 4 * a
    return near.astype(np.float32), far.astype(np.float32)


def _matrix(size: int, out: int, places: NDArray[np.int64], taps: NDArray[Any]) -> NDArray[np.float32]:
    weights = np.zeros((size, out), np.float32)
    np.add.at(weights, (places, np.arange(out)[None, :]), taps.astype(np.float32))
    return weights


def flags_of(view: NodeView) -> tuple[bool, bool]:
    """Return the attributes align_corners and half_pixel_centers of a resize."""
    return bool(view.attr("align_corners", False)), bool(view.attr("half_pixel_centers", False))


def axes_of(view: NodeView) -> list[Axis] | None:
    """Return height and width of a resize, or None if a size before or after is not known."""
    shape, size = view.shape(0) or (), view.const(1)
    after = tuple(size.tolist()) if size is not None else (view.outputs[0].shape or (-1,) * 4)[1:3]
    before = shape[1:3]
    if any(n < 0 for n in (*before, *after)):
        return None
    return [Axis(n, int(m), *flags_of(view)) for n, m in zip(before, after, strict=True)]


def check_static(view: NodeView) -> Support:
    """Refuse a resize whose sizes before and after are not all known; code unknown-dim."""
    if axes_of(view) is not None:
        return SUPPORTED
    return Unsupported(
        "unknown-dim", f"{view.op} needs the image's size before and after, known.", "input 0", "Give input_shapes."
    )
