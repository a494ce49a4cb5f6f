"""The models of these benchmarks as frozen graphs, with their inputs and outputs: the zoo's, and Keras nets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.zoo.built import Tensor, load_arrays

ZOO = Path(".zoo")
KERAS = ("ResNet50", "MobileNetV2", "encoder", "encoder_any_batch")


def zoo_model(name: str) -> tuple[str, list[Tensor], list[str]]:
    """Return the file of a model of the zoo, its inputs, and the names of its outputs."""
    facts = json.loads((ZOO / f"{name}.json").read_text(encoding="utf-8"))
    inputs = [Tensor.from_dict(each) for each in facts["inputs"]]
    return str(ZOO / f"{name}.pb"), inputs, [each["name"] for each in facts["outputs"]]


def zoo_feed(name: str) -> dict[str, Any]:
    """Return the real feed of a model of the zoo."""
    return dict(load_arrays(ZOO / "samples" / f"{name}.npz"))


def keras_model(name: str, batch: int) -> tuple[Any, tuple[int, ...]]:
    """Return a Keras net with random weights and the shape of a batch for it.

    `encoder` is a transformer encoder: 6 layers of 512, 8 heads, 2048 inside, 128 positions.
    """
    import keras

    keras.utils.set_random_seed(0)
    if name.startswith("encoder"):
        return _encoder(keras, layers=6, width=512, heads=8, inside=2048, positions=128), (batch, 128, 512)
    # Without the softmax: with random weights it gives one value a thousand times, and no error would show.
    return getattr(keras.applications, name)(weights=None, classifier_activation=None), (batch, 224, 224, 3)


def _encoder(keras: Any, *, layers: int, width: int, heads: int, inside: int, positions: int) -> Any:
    made = keras.layers
    x = tokens = made.Input((positions, width))
    for _ in range(layers):
        x = made.LayerNormalization(epsilon=1e-6)(x + made.MultiHeadAttention(heads, width // heads)(x, x))
        y = made.Dense(width)(made.Dense(inside, activation="gelu")(x))
        x = made.LayerNormalization(epsilon=1e-6)(x + y)
    return keras.Model(tokens, x)


def values(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Return made-up values for a Keras net: uniform, float32."""
    return np.random.default_rng(seed).random(shape, np.float32)
