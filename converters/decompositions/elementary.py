"""Decompositions of elementary functions."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import decomposition
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


@decomposition("Erfc", notes="The absolute error is that of Erf; far in the tail the result is 0.")
def erfc(x: Any) -> Any:
    """1 - erf(x)."""
    return 1 - tf.math.erf(x)


@decomposition("Expm1")
def expm1(x: Any) -> Any:
    """exp(x) - 1; near 0, where that cancels, 2 t / (1 - t) with t = tanh(x / 2), which is the same."""
    t = tf.tanh(x / 2)
    return tf.where(tf.abs(x) < 0.5, 2 * t / (1 - t), tf.exp(x) - 1)


@decomposition("Log1p")
def log1p(x: Any) -> Any:
    """log(u), u = 1 + x; for small x times x / (u - 1), which takes back what rounding did to u."""
    u = 1 + x
    small = tf.where(tf.equal(u, tf.ones((), u.dtype)), x, tf.math.log(u) * (x / (u - 1)))
    return tf.where(tf.abs(x) < 0.5, small, tf.math.log(u))


@decomposition("Inv", "Reciprocal")
def reciprocal(x: Any) -> Any:
    """1 / x."""
    return 1 / x


@decomposition("Square")
def square(x: Any) -> Any:
    """x * x."""
    return x * x


@decomposition("SquaredDifference")
def squared_difference(x: Any, y: Any) -> Any:
    """(x - y) squared."""
    d = x - y
    return d * d


@decomposition("Rint")
def rint(x: Any) -> Any:
    """Round, which rounds halves to even too."""
    return tf.round(x)


@decomposition("ClipByValue")
def clip_by_value(x: Any, low: Any, high: Any) -> Any:
    """max(min(x, high), low)."""
    return tf.maximum(tf.minimum(x, high), low)


@decomposition("ApproximateEqual")
def approximate_equal(x: Any, y: Any, *, tolerance: float) -> Any:
    """|x - y| < tolerance."""
    return tf.abs(x - y) < tf.constant(tolerance, x.dtype)


def _integers(view: NodeView) -> Support:
    if view.dtype() in INTS:
        return SUPPORTED
    return Unsupported("dtype", f"{view.op} is decomposed for integers only.", "input 0")


@decomposition("TruncateMod", "Mod", check=_integers)
def truncate_mod(x: Any, y: Any) -> Any:
    """What the division that rounds towards zero leaves over."""
    return x - y * tf.truncatediv(x, y)


@decomposition("AccumulateNV2")
def accumulate(*values: Any) -> Any:
    """The sum of all inputs."""
    return tf.add_n(list(values))


DECOMPOSITIONS = (
    *(erfc, expm1, log1p, reciprocal, square, squared_difference, rint, clip_by_value, approximate_equal),
    *(truncate_mod, accumulate),
)
