"""Sliding windows: data formats, and padding that is TensorFlow's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfgraft.converters.orders import Perm
from tfgraft.graph.view import NodeView


@dataclass(frozen=True, slots=True)
class Format:
    """Where the channels and the spatial dimensions of a batch of images or volumes are.

    TensorFlow's NCHW_VECT_C has five dimensions where a converter takes four, so that ranks keep it out.

    Args:
        channels_first: whether the channels come right after the batch.
        rank: 4 (images) or 5 (volumes).
    """

    channels_first: bool
    rank: int

    @classmethod
    def of(cls, view: NodeView, rank: int = 4) -> Format:
        """Return the format of a node; its attribute `data_format` is channels-last where it is absent."""
        return cls(str(view.attr("data_format", "NHWC")).startswith("NC"), rank)

    @property
    def channel(self) -> int:
        """The dimension of the channels."""
        return 1 if self.channels_first else self.rank - 1

    @property
    def spatial(self) -> range:
        """The spatial dimensions."""
        return range(2, self.rank) if self.channels_first else range(1, self.rank - 1)

    @property
    def perm(self) -> Perm | None:
        """The order that makes a tensor of this format channels-first; None if it is that already."""
        return None if self.channels_first else (0, self.channel, *self.spatial)

    def pick(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial ones of values given for each dimension."""
        return tuple(int(values[d]) for d in self.spatial)

    def others(self, values: Sequence[int]) -> tuple[int, int]:
        """Return the values given for the batch and the channels."""
        return int(values[0]), int(values[self.channel])


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over spatial dimensions, with TensorFlow's padding.

    Args:
        sizes: the input's spatial sizes, negative where they are unknown.
        kernel, strides, dilations: one value for each spatial dimension.
        padding: "SAME", "VALID" or "EXPLICIT".
        explicit: with "EXPLICIT", (before, after) for each spatial dimension.
    """

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str
    explicit: tuple[tuple[int, int], ...] = ()

    @property
    def extents(self) -> tuple[int, ...]:
        """What the window covers, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def pads(self) -> list[int] | None:
        """Return the padding before each spatial dimension, then after each; None if it depends on unknown sizes."""
        if self.padding == "VALID":
            return [0] * (2 * len(self.kernel))
        pairs: list[tuple[int, int]] = list(self.explicit)
        if self.padding == "SAME":
            for n, k, s in zip(self.sizes, self.extents, self.strides, strict=True):
                if n < 0 and s > 1 and k > 1:
                    return None
                pairs.append(same_pads(n, k, s))
        return [p[0] for p in pairs] + [p[1] for p in pairs]


def same_pads(size: int, extent: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's SAME padding of one dimension; the size matters only if stride and extent exceed 1."""
    if stride == 1 or extent == 1:
        total = extent - 1
    else:
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def explicit_pairs(view: NodeView, form: Format) -> tuple[tuple[int, int], ...]:
    """Return the attribute `explicit_paddings` as (before, after) for each spatial dimension."""
    values = view.attr("explicit_paddings", ())
    return tuple((values[2 * d], values[2 * d + 1]) for d in form.spatial) if values else ()
