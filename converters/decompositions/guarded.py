"""Decompositions of products and quotients that say what 0 * inf, 0 / 0 and their like are."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgraft.registry.entry import decomposition


def _zero_where(zero: Any, value: Any) -> Any:
    """Return 0 where `zero` is 0 (whatever `value` is there), else `value`; the two broadcast."""
    return tf.where(tf.equal(zero, tf.zeros((), zero.dtype)), tf.zeros((), value.dtype), value)


@decomposition("Xlogy")
def xlogy(x: Any, y: Any) -> Any:
    """0 where x is 0, else x * log(y)."""
    return _zero_where(x, x * tf.math.log(y))


@decomposition("Xlog1py")
def xlog1py(x: Any, y: Any) -> Any:
    """0 where x is 0, else x * log1p(y)."""
    return _zero_where(x, x * tf.math.log1p(y))


@decomposition("Xdivy")
def xdivy(x: Any, y: Any) -> Any:
    """0 where x is 0, else x / y."""
    return _zero_where(x, x / y)


@decomposition("DivNoNan")
def div_no_nan(x: Any, y: Any) -> Any:
    """0 where y is 0, else x / y."""
    return _zero_where(y, x / y)


@decomposition("MulNoNan")
def mul_no_nan(x: Any, y: Any) -> Any:
    """0 where y is 0, else x * y."""
    return _zero_where(y, x * y)


DECOMPOSITIONS = (xlogy, xlog1py, xdivy, div_no_nan, mul_no_nan)
