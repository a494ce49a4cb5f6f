"""Real crops for the zoo's vision models: parts of photographs that scikit-image and scikit-learn ship.

There are three disjoint sets, for calibration, for budgets and for the evaluation. The photographs are the same (only
one has a person in it), the crops of them are others; the faces are other people's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.data
from sklearn.datasets import load_sample_image

from benchmarks.zoo.built import Array, Arrays, Tensor
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.samples.images import FACE, Downscaled, Face, Noise, Photo, photo, resized, scaled

CALIBRATION, EVALUATION, BUDGET = range(3)
"""The sets of crops."""
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry", "hubble_deep_field", "retina")
SAMPLES = ("china.jpg", "flower.jpg")
_PEOPLE = 100
"""How many of the pictures of `lfw_subset` are faces; the rest are not."""
_SIDE = 320
"""The size of crops for models that take any."""


def crops(name: str, inputs: list[Tensor], count: int, part: int) -> Iterator[Arrays]:
    """Yield feeds of one crop each for a model of the zoo.

    Args:
        name: the model.
        inputs: its inputs, of which there is one.
        count: how many.
        part: which set they are of.
    """
    source = _Source(np.random.default_rng(part), part)
    sample: Any = MODELS[name].sample
    for i in range(count):
        if isinstance(sample, Face):
            face = resized(source.face(i), sample.size, sample.size)
            image = scaled(face.mean(-1, keepdims=True) if sample.grey else face, sample.scale)
        elif isinstance(sample, Photo):
            image = scaled(resized(source.scene(i), *(sample.size or (_SIDE, _SIDE))), sample.scale)
        elif isinstance(sample, Downscaled):
            image = resized(source.scene(i), 128, 128)
        else:
            assert isinstance(sample, Noise), f"there are no crops for {name}"
            _, height, width, _ = inputs[0].shape or ()
            image = scaled(resized(source.scene(i), height or _SIDE, width or _SIDE), "-1..1")
        yield {inputs[0].name: image}


@dataclass
class _Source:
    """Cuts crops.

    Args:
        random: what makes one set differ from the next.
        part: which set; the people are dealt out to all.
    """

    random: np.random.Generator
    part: int

    def __post_init__(self) -> None:
        self.pictures = [photo(each) for each in PHOTOGRAPHS]
        self.pictures += [np.asarray(load_sample_image(each), np.float32) for each in SAMPLES]
        self.people = skimage.data.lfw_subset()[self.part : _PEOPLE : 3]

    def face(self, i: int) -> Array:
        """Return a face: the astronaut's, jittered, or every other time one of 34 people's, small and grey."""
        if i % 2 == 0:
            top, bottom, left, right = (edge + int(self.random.integers(-18, 19)) for edge in FACE)
            return self._varied(self.pictures[0][max(0, top - 20) : bottom + 20, left - 20 : right + 20])
        face = self.people[int(self.random.integers(len(self.people)))].astype(np.float32)
        return self._varied(np.repeat(255 * face[..., None] / max(float(face.max()), 1e-6), 3, -1))

    def scene(self, i: int) -> Array:
        """Return a square of 40 to 100 percent of a photograph's shorter side; every other one has a face in it."""
        picture = self.pictures[0] if i % 2 == 0 else self.pictures[int(self.random.integers(len(self.pictures)))]
        height, width = picture.shape[:2]
        side = int(min(height, width) * self.random.uniform(0.4, 1))
        inside = FACE if i % 2 == 0 else None
        top = self._start(height, side, inside[:2] if inside else None)
        left = self._start(width, side, inside[2:] if inside else None)
        return self._varied(picture[top : top + side, left : left + side])

    def _start(self, length: int, side: int, inside: tuple[int, int] | None) -> int:
        """Return where a crop begins; it holds the range `inside`, if there is one."""
        low, high = 0, length - side
        if inside is not None:
            low, high = max(low, inside[1] - side), min(high, inside[0])
        return int(self.random.integers(low, high + 1))

    def _varied(self, picture: Array) -> Array:
        """Mirror it or not, and make it a little brighter or darker."""
        picture = picture[:, ::-1] if self.random.random() < 0.5 else picture
        light, more = self.random.uniform(0.7, 1.3), self.random.uniform(-20, 20)
        varied: Array = np.clip(picture * light + more, 0, 255).astype(np.float32)
        return varied
