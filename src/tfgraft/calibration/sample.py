"""Which elements of a tensor go into its histogram."""

from __future__ import annotations

from typing import Any

SAMPLE = 8192
"""How many elements of a tensor are sampled in each feed, about; of smaller tensors, all are."""


def sample_of(flat: Any, size: Any, i: Any) -> Any:
    """Return every n-th element of a flat tensor, in NumPy or in TensorFlow.

    Which ones changes from feed to feed, so that all have their turn. The stride is odd: one that divides the number
    of channels, most often a power of two, would take the elements of a feed from few of the channels.

    Args:
        flat: a tensor of one dimension.
        size: how many elements it has.
        i: the number of the feed.
    """
    stride = size // SAMPLE | 1
    return flat[i % stride :: stride]
