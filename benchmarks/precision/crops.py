"""Real crops for the zoo's vision models: parts of photographs that scikit-image and scikit-learn ship."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import skimage.data
from sklearn.datasets import load_sample_image

from benchmarks.zoo.built import Array, Arrays, Tensor
from benchmarks.zoo.models import MODELS
from benchmarks.zoo.samples.images import FACE, Downscaled, Face, Noise, Photo, photo, resized, scaled

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry", "hubble_deep_field", "retina")
SAMPLES = ("china.jpg", "flower.jpg")
_SIDE = 320
"""The size of crops for models that take any."""


def crops(name: str, inputs: list[Tensor], count: int, seed: int) -> Iterator[Arrays]:
    """Yield feeds of one crop each for a model of the zoo; another seed gives others."""
    random = np.random.default_rng(seed)
    pictures = [photo(each) for each in PHOTOGRAPHS]
    pictures += [np.asarray(load_sample_image(each), np.float32) for each in SAMPLES]
    faces = skimage.data.lfw_subset()[:100]
    sample: Any = MODELS[name].sample
    key = inputs[0].name
    for i in range(count):
        if isinstance(sample, Face):
            face = _face(random, faces) if i % 2 else _astronaut(random)
            image = resized(face, sample.size, sample.size)
            yield {key: scaled(image.mean(-1, keepdims=True) if sample.grey else image, sample.scale)}
        elif isinstance(sample, Photo):
            # Every third picture has a person in it, for the models that look for one.
            picture = pictures[0] if i % 3 == 0 else pictures[int(random.integers(len(pictures)))]
            yield {key: scaled(resized(_crop(random, picture), *(sample.size or (_SIDE, _SIDE))), sample.scale)}
        elif isinstance(sample, Downscaled):
            yield {key: resized(_crop(random, pictures[int(random.integers(len(pictures)))]), 128, 128)}
        else:
            assert isinstance(sample, Noise), name
            shape = inputs[0].shape or ()
            picture = pictures[int(random.integers(len(pictures)))]
            yield {key: resized(_crop(random, picture), shape[1] or _SIDE, shape[2] or _SIDE) / 255}


def _crop(random: np.random.Generator, picture: Array) -> Array:
    """Cut a square of 40 to 100 percent of the shorter side, maybe mirrored, a little brighter or darker."""
    height, width = picture.shape[:2]
    side = int(min(height, width) * random.uniform(0.4, 1))
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    return _varied(random, picture[top : top + side, left : left + side])


def _astronaut(random: np.random.Generator) -> Array:
    top, bottom, left, right = (edge + int(random.integers(-18, 19)) for edge in FACE)
    return _varied(random, photo("astronaut")[max(0, top - 20) : bottom + 20, left - 20 : right + 20])


def _face(random: np.random.Generator, faces: Array) -> Array:
    face = faces[int(random.integers(len(faces)))].astype(np.float32)
    return _varied(random, np.repeat(255 * face[..., None] / max(float(face.max()), 1e-6), 3, -1))


def _varied(random: np.random.Generator, picture: Array) -> Array:
    picture = picture[:, ::-1] if random.random() < 0.5 else picture
    varied: Array = np.clip(picture * random.uniform(0.7, 1.3) + random.uniform(-20, 20), 0, 255).astype(np.float32)
    return varied
