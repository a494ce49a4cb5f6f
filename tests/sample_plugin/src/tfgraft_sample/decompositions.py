"""A decomposition, for all engines that do not take the op themselves."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfgraft.registry.entry import decomposition


@decomposition("Relu6")
def relu6(x: Any) -> Any:
    """Clip between 0 and 6."""
    return tf.minimum(tf.maximum(x, tf.zeros((), x.dtype)), tf.constant(6, x.dtype))
