"""Decompositions of ops that move, count or select values."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfgraft.graph.dtypes import INTS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import decomposition
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


def _constant_roll(view: NodeView) -> Support:
    for i in (1, 2):
        if view.const(i) is None:
            return Unsupported("not-constant", f"Roll is decomposed with constant shifts and axes, not input {i}.")
    shape = view.shape()
    if shape is None:
        return Unsupported("unknown-rank", "Roll needs the rank of its input, and it is not known.", "input 0")
    if any(shape[int(axis)] < 0 for axis in view.known_const(2).reshape(-1)):
        return Unsupported("unknown-dim", "Roll is decomposed where the rolled dimensions are known.", "input 0")
    return SUPPORTED


@decomposition("Roll", check=_constant_roll)
def roll(x: Any, shift: Any, axis: Any) -> Any:
    """Cut each axis in two and put the parts together the other way round."""
    shifts, axes = (np.reshape(tf.get_static_value(t), -1) for t in (shift, axis))
    for one, where in zip(shifts, axes, strict=True):
        size = int(x.shape[int(where)])
        end = int(one) % size if size else 0
        if end:
            x = tf.concat(tf.split(x, [size - end, end], int(where))[::-1], int(where))
    return x


@decomposition("L2Loss")
def l2_loss(x: Any) -> Any:
    """Half the sum of squares."""
    return tf.reduce_sum(x * x) / 2


def _inexact(view: NodeView) -> Support:
    if view.dtype() in INTS:
        return Unsupported("dtype", "EuclideanNorm is decomposed for floats only.", "input 0")
    return SUPPORTED


@decomposition("EuclideanNorm", check=_inexact)
def euclidean_norm(x: Any, axes: Any, *, keep_dims: bool) -> Any:
    """The square root of the sum of squares."""
    return tf.sqrt(tf.reduce_sum(x * x, axes, keepdims=keep_dims))


def _exact_in_float32(view: NodeView) -> Support:
    if view.dtype() in ("float32", "int32"):
        return SUPPORTED
    return Unsupported("dtype", f"Bucketize is decomposed for float32 and int32, not {view.dtype()}.", "input 0")


@decomposition("Bucketize", check=_exact_in_float32)
def bucketize(x: Any, *, boundaries: tuple[float, ...]) -> Any:
    """The number of boundaries that are not above each value."""
    above = tf.expand_dims(tf.cast(x, tf.float32), -1) < tf.constant(boundaries, tf.float32)
    return len(boundaries) - tf.reduce_sum(tf.cast(above, tf.int32), -1)


@decomposition("InvertPermutation")
def invert_permutation(x: Any) -> Any:
    """Write i at place x[i]."""
    n = tf.size(x, x.dtype)
    return tf.scatter_nd(tf.expand_dims(x, -1), tf.range(n), tf.expand_dims(n, 0))


@decomposition("Cross")
def cross(a: Any, b: Any) -> Any:
    """The cross product of vectors of three."""
    one, two = [1, 2, 0], [2, 0, 1]
    return tf.gather(a, one, axis=-1) * tf.gather(b, two, axis=-1) - tf.gather(a, two, axis=-1) * tf.gather(
        b, one, axis=-1
    )


DECOMPOSITIONS = (roll, l2_loss, euclidean_norm, bucketize, invert_permutation, cross)
