"""Optimization profiles: the ranges of shapes that an engine's inputs may have when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfgraft.plugins.tensorrt.options import Range


@dataclass(frozen=True)
class Profile:
    """One profile of an engine.

    Args:
        shapes: (minimum, optimum, maximum) shape of each input.
        values: the same of the values of inputs that give shapes, used for those that TensorRT takes as such.
    """

    shapes: tuple[Range, ...]
    values: tuple[Range, ...]

    def to_list(self) -> list[Any]:
        """Return the shapes as plain data."""
        return [[list(dims) for dims in item] for item in self.shapes]


def add_profiles(builder: Any, network: Any, config: Any, profiles: Sequence[Profile]) -> None:
    """Give a builder's config the profiles that a network with unknown dimensions or shape inputs needs.

    Raises:
        ValueError: TensorRT does not take one.
    """
    tensors = [network.get_input(i) for i in range(network.num_inputs)]
    by_name = {f"input_{i}": i for i in range(len(profiles[0].shapes))}
    if all(t.is_shape_tensor is False and all(d >= 0 for d in t.shape) for t in tensors):
        return
    for profile in profiles:
        made = builder.create_optimization_profile()
        for tensor in tensors:
            i = by_name[tensor.name]
            if tensor.is_shape_tensor:
                made.set_shape_input(tensor.name, *profile.values[i])
            else:
                made.set_shape(tensor.name, *profile.shapes[i])
        if config.add_optimization_profile(made) < 0:
            raise ValueError(f"TensorRT does not take the profile {profile.to_list()}")
