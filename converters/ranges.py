"""Ranges of quantized values, with TensorFlow's own rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfgraft.converters.weights import Quantization
from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

_HALF = 128
"""The uint8 that stands for zero where int8 has zero."""


@dataclass(frozen=True, slots=True)
class Nudged:
    """A range moved so that zero is one of its quantized values, in float32.

    Args:
        low, high: the least and the largest value.
        step, steps: the distance between two values, and its reciprocal.
        zero: the quantized value of zero, counted from that of `low`.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    step: NDArray[Any]
    steps: NDArray[Any]
    zero: NDArray[Any]


def nudge(low: NDArray[Any], high: NDArray[Any], bits: int, narrow: bool) -> Nudged:
    """Return the range that TensorFlow's FakeQuant ops quantize to; an empty one gives zeros. Shapes are kept."""
    least, most = np.float32(narrow), np.float32(2**bits - 1)
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    empty = (low == 0) & (high == 0)
    low, high = np.where(empty, np.float32(-1), low), np.where(empty, np.float32(1), high)
    step, steps = (high - low) / (most - least), (most - least) / (high - low)
    # Half away from zero, as C's round; what is rounded is not negative.
    zero = np.floor(np.clip(least - low / step, least, most) + np.float32(0.5))
    low, high = (least - zero) * step, (most - zero) * step
    from_low = np.floor(-low * steps + np.float32(0.5))
    return Nudged(low, high, np.where(empty, np.float32(0), step), steps, from_low)


def nudged_integers(to: Nudged, bits: int, narrow: bool) -> Integers | None:
    """Return a FakeQuant op's range as integers, signed if zero is in its middle; None if they need more bits."""
    if bits > 8:
        return None
    middle, most = 2 ** (bits - 1), 2**bits - 1
    zero = to.zero + narrow
    signed = bool(np.all((zero == middle) | (to.step == 0)))
    shift = middle if signed else 0
    return _integers(signed, to.step, to.steps, zero - shift, (narrow - shift, most - shift), False)


@dataclass(frozen=True, slots=True)
class Integers:
    """A range as integers of eight bits or fewer: `(integer - zero) * step`.

    Args:
        dtype: "int8" or "uint8".
        step: the distance between two values; where there is only the value 0, any.
        up: what scales a value to integers, counted from `zero`: the reciprocal of `step`; 0 where there is only 0.
        zero: the integer that stands for zero.
        least, most: the least and the largest integer.
        even: whether what is halfway between two integers goes to the even one, or else to the larger one.
    """

    dtype: str
    step: NDArray[Any]
    up: NDArray[Any]
    zero: NDArray[Any]
    least: int
    most: int
    even: bool

    @property
    def is_whole(self) -> bool:
        """Whether every integer of the type stands for a value, but perhaps the least, and every range for several."""
        whole = np.iinfo(self.dtype)
        return whole.max == self.most and self.least - whole.min in (0, 1) and bool(np.all(self.up))

    @property
    def has_one_zero(self) -> bool:
        """Whether the same integer stands for zero in every range."""
        return bool(np.all(self.zero == self.zero.flat[0]))

    def quantization(self, axis: int | None) -> Quantization:
        """Return how a constant becomes such integers, its ranges along `axis`; they have one zero."""
        zero = int(self.zero.flat[0])
        up = tuple(np.atleast_1d(self.up).tolist())
        return Quantization(self.dtype, up, axis, zero, self.least - zero, self.most - zero, self.even)

    def unsigned(self) -> Integers:
        """Return the same range as uint8."""
        if self.dtype == "uint8":
            return self
        return replace(self, dtype="uint8", zero=self.zero + _HALF, least=self.least + _HALF, most=self.most + _HALF)


def _integers(
    signed: bool, step: NDArray[Any], up: NDArray[Any], zero: NDArray[Any], ends: tuple[int, int], even: bool
) -> Integers:
    given = (step > 0) & np.isfinite(step)
    # A range of nothing is a kernel's channel that is not used. With a step like the others', a bias can be added.
    others = np.max(step[given], initial=0) or 1
    step = np.where(given, step, others).astype(np.float32)
    up = np.where(given, up, 0).astype(np.float32)
    return Integers("int8" if signed else "uint8", step, up, zero.astype(np.int64), *ends, even)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A range of QuantizeAndDequantize: `low` and `high` clip, `up` scales to integers, `down` scales them back.

    Args:
        signed, bits: of the integers.
        narrow: whether the least of the signed integers is left out.
    """

    low: NDArray[Any]
    high: NDArray[Any]
    up: NDArray[Any]
    down: NDArray[Any]
    signed: bool
    bits: int
    narrow: bool


def scaled(view: NodeView) -> Scaled:
    """Return the range of a QuantizeAndDequantizeV2, V3 or V4 node that `check_scaled` takes."""
    dtype = view.dtype()
    bits = int(view.known_const(3)) if view.op.endswith("V3") else int(view.attr("num_bits", 8))
    signed, narrow = bool(view.attr("signed_input", True)), bool(view.attr("narrow_range", False))
    least = np.array((-(2 ** (bits - 1)) + narrow) if signed else 0, dtype)
    most = np.array(2 ** (bits - 1) - 1 if signed else 2**bits - 1, dtype)
    low, high = view.known_const(1), view.known_const(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_low = np.where(least * low > 0, least / low, np.finfo(dtype).max)
        of_high = np.where(most * high > 0, most / high, np.finfo(dtype).max)
        by_low = of_low < of_high
        up = np.where(by_low, of_low, of_high)
        down = np.where(by_low, low / (least if signed else 1), high / most)
    high = np.where(by_low, most * down, high)
    low = np.where(by_low, low, least * down)
    low, high, up, down = (np.asarray(part, dtype) for part in (low, high, up, down))
    return Scaled(low, high, up, down, signed, bits, narrow)


def scaled_integers(to: Scaled, even: bool) -> Integers | None:
    """Return the range of a QuantizeAndDequantize node as integers; None if they need more bits."""
    if to.bits > 8 or not np.all(np.isfinite(to.up) & np.isfinite(to.down) & (to.down >= 0)):
        return None
    most = 2 ** (to.bits - to.signed) - 1
    least = to.narrow - most - 1 if to.signed else 0
    return _integers(to.signed, to.down, to.up, np.zeros(to.down.shape), (least, most), even)


def check_scaled(view: NodeView) -> Support:
    """Refuse QuantizeAndDequantize nodes whose range is not constant; codes attribute, not-constant, unknown-rank."""
    if not view.attr("range_given", view.op == "QuantizeAndDequantizeV4"):
        return Unsupported(
            "attribute", f"{view.op} is taken with range_given only.", "attr range_given", "Calibrate the model."
        )
    if view.op == "QuantizeAndDequantizeV3" and view.const(3) is None:
        return Unsupported("not-constant", f"{view.op} needs input 3 to be a constant.", "input 3")
    if view.attr("axis", -1) != -1 and view.rank(0) is None:
        return Unsupported(
            "unknown-rank", f"{view.op} along an axis needs the rank of input 0.", "input 0", "Give input_shapes."
        )
    return SUPPORTED
