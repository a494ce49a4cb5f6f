"""Photographs (shipped with scikit-image) in the forms that the image models were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from benchmarks.zoo.built import Array, Arrays, Tensor
from benchmarks.zoo.packages import Packages

# Where the face is in scikit-image's astronaut (512 x 512): top, bottom, left, right.
FACE = (30, 170, 160, 290)

Scale = Literal["0..255", "0..1", "-1..1", "mtcnn", "uint8", "int32"]


def photo(name: str) -> Array:
    """Return one of scikit-image's photographs: float32, RGB, 0 to 255, (height, width, 3)."""
    import skimage.data  # of requirements.txt: the table of models is read without

    image: Array = getattr(skimage.data, name)()[..., :3].astype(np.float32)
    return image


def resized(image: Array, height: int, width: int) -> Array:
    """Resize (h, w, c) with antialiasing to float32 (1, height, width, c)."""
    small: Array = tf.image.resize(image[None], (height, width), antialias=True).numpy().astype(np.float32)
    return small


def scaled(image: Array, scale: Scale) -> Array:
    """Bring an image of 0 to 255 to the range and type that a model was trained on."""
    if scale == "0..1":
        return image / 255
    if scale == "-1..1":
        return image / 127.5 - 1
    if scale == "mtcnn":
        return (image - 127.5) / 128
    if scale == "uint8":
        return image.astype(np.uint8)
    return image.astype(np.int32) if scale == "int32" else image


@dataclass(frozen=True)
class Photo:
    """A photograph, resized to (height, width) unless `size` is None."""

    name: str
    size: tuple[int, int] | None
    scale: Scale

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        image = photo(self.name)
        batch = image[None] if self.size is None else resized(image, *self.size)
        return {inputs[0].name: scaled(batch, self.scale)}


@dataclass(frozen=True)
class Face:
    """The astronaut's face with `margin` pixels around it, resized to a square of `size` pixels."""

    size: int
    margin: int
    scale: Scale
    grey: bool = False

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        top, bottom, left, right = FACE
        crop = photo("astronaut")[
            max(0, top - self.margin) : bottom + self.margin, left - self.margin : right + self.margin
        ]
        face = resized(crop, self.size, self.size)
        if self.grey:
            face = face.mean(-1, keepdims=True)
        return {inputs[0].name: scaled(face, self.scale)}


@dataclass(frozen=True)
class Downscaled:
    """A square of the astronaut at half its size, for super-resolution."""

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        return {inputs[0].name: resized(photo("astronaut")[:256, 128:384], 128, 128)}


@dataclass(frozen=True)
class Noise:
    """Uniform noise, for a model whose preprocessing is not documented."""

    seed: int = 0

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return a feed of every input; unknown dimensions are 1."""
        random = np.random.RandomState(self.seed)
        feed: dict[str, Any] = {}
        for each in inputs:
            shape = [dim or 1 for dim in each.shape or ()]
            feed[each.name] = random.rand(*shape).astype(each.dtype)
        return feed
