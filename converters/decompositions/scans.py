"""Decompositions of running products and the like, which engines know running sums of only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import decomposition
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _known_axis(view: NodeView) -> Support:
    axis, shape = view.const(1), view.shape()
    if axis is None:
        return Unsupported("not-constant", f"{view.op} is decomposed with a constant axis.", "input 1")
    if shape is None:
        return Unsupported("unknown-rank", f"{view.op} needs the rank of its input, and it is not known.", "input 0")
    if shape[int(axis)] < 0:
        return Unsupported("unknown-dim", f"{view.op} is decomposed where its axis has a known size.", "input 0")
    return SUPPORTED


def _shifted(x: Any, axis: int, by: int, reverse: bool, unit: Any) -> Any:
    """Move what `x` holds along an axis, on (or back if `reverse`), and put `unit` where nothing comes from."""
    kept = [slice(None)] * axis + [slice(by, None) if reverse else slice(0, int(x.shape[axis]) - by)]
    pads = np.zeros((x.shape.rank, 2), np.int32)
    pads[axis, int(reverse)] = by
    return tf.pad(x[tuple(kept)], pads, constant_values=unit)


def _scan(combine: Callable[[Any, Any], Any], x: Any, axis: Any, unit: Any, exclusive: bool, reverse: bool) -> Any:
    """Combine each value with all before it, in steps that double how far each value sees (Hillis and Steele, 1986)."""
    along = int(tf.get_static_value(axis)) % x.shape.rank
    size, reach = int(x.shape[along]), 1
    while reach < size:
        x = combine(x, _shifted(x, along, reach, reverse, unit))
        reach *= 2
    return _shifted(x, along, 1, reverse, unit) if exclusive and size else x


@decomposition("Cumprod", check=_known_axis)
def cumprod(x: Any, axis: Any, *, exclusive: bool, reverse: bool) -> Any:
    """Running products."""
    return _scan(tf.multiply, x, axis, tf.ones((), x.dtype), exclusive, reverse)


def _log_add_exp(a: Any, b: Any) -> Any:
    # The larger one, made finite: infinity less infinity would be no number.
    base = tf.minimum(tf.maximum(tf.maximum(a, b), a.dtype.min), a.dtype.max)
    return base + tf.math.log(tf.exp(a - base) + tf.exp(b - base))


@decomposition("CumulativeLogsumexp", check=_known_axis)
def cumulative_logsumexp(x: Any, axis: Any, *, exclusive: bool, reverse: bool) -> Any:
    """Running logarithms of sums of exponentials."""
    return _scan(_log_add_exp, x, axis, tf.constant(float("-inf"), x.dtype), exclusive, reverse)


DECOMPOSITIONS = (cumprod, cumulative_logsumexp)
