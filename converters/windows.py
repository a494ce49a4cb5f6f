"""Sliding windows: data formats, and padding that is TensorFlow's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfgraft.converters.orders import Perm
from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


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


def pooling_list(view: NodeView, attr: str, i: int) -> Sequence[int]:
    """Return a list that a pooling has as an attribute, or as constant input `i` (MaxPoolV2)."""
    values = view.attr(attr)
    return tuple(values) if values else tuple(int(v) for v in view.known_const(i))


def pooling_window(view: NodeView) -> tuple[Window, Format]:
    """Return the window of a pooling and the format of its input."""
    shape = view.shape(0) or ()
    form = Format.of(view, len(shape))
    kernel, strides = (form.pick(pooling_list(view, attr, i)) for attr, i in (("ksize", 1), ("strides", 2)))
    ones = (1,) * len(kernel)
    return Window(form.pick(shape), kernel, strides, ones, view.attr("padding"), explicit_pairs(view, form)), form


def check_pooled(view: NodeView) -> Support:
    """Refuse a pooling over batch or channels; code attribute."""
    _, form = pooling_window(view)
    for attr, i in (("ksize", 1), ("strides", 2)):
        if form.others(pooling_list(view, attr, i)) != (1, 1):
            message = f"{view.op} is taken over spatial dimensions only, not over batch or channels."
            return Unsupported("attribute", message, f"attr {attr}")
    return SUPPORTED


def transposed_target(view: NodeView) -> tuple[int, ...]:
    """Return the shape of a transposed convolution's output as far as it is known, from its sizes or as inferred."""
    rank = view.known_rank(1)
    shape = view.outputs[0].shape or (-1,) * rank
    sizes, form = view.const(0), Format.of(view, rank)
    if sizes is None:
        return shape
    if sizes.size == rank:
        return tuple(int(n) for n in sizes)
    # Spatial sizes alone, which TensorFlow takes too.
    given = dict(zip(form.spatial, sizes.tolist(), strict=True))
    return tuple(given.get(d, n) for d, n in enumerate(shape))


def transposed_window(view: NodeView) -> Window:
    """Return the window of the forward convolution, from a transposed convolution's output to its input 2."""
    form = Format.of(view, view.known_rank(1))
    return Window(
        form.pick(transposed_target(view)),
        (view.shape(1) or ())[: form.rank - 2],
        form.pick(view.attr("strides")),
        form.pick(view.attr("dilations") or (1,) * form.rank),
        view.attr("padding"),
        explicit_pairs(view, form),
    )


def check_transposed(view: NodeView) -> Support:
    """Refuse a transposed convolution whose number of output channels is not known; code unknown-dim."""
    form = Format.of(view, view.known_rank(1))
    if (view.shape(0) or (-1,))[0] < 0 or transposed_target(view)[form.channel] < 0:
        return Unsupported(
            "unknown-dim",
            f"{view.op} needs the number of channels of its output, and it is not known.",
            "input 0",
            "Give input_shapes.",
        )
    return SUPPORTED
