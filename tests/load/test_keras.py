"""Keras models: Keras 3 and tf_keras, objects and files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.load.models import run
from tfgraft.errors import ModelError
from tfgraft.load import load


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def two_inputs(keras: Any) -> Any:
    a, b = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    h = keras.layers.Concatenate()([keras.layers.Dense(2)(a), b])
    return keras.Model([a, b], [keras.layers.Dense(2, name="head")(h), keras.layers.Dense(1, name="tail")(h)])


def small(keras: Any) -> Any:
    return keras.Sequential(
        [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization(),
         keras.layers.Dropout(0.5), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    )  # fmt: skip


def test_two_inputs(keras: Any) -> None:
    model = two_inputs(keras)
    left, right = np.ones((2, 4), "f"), np.full((2, 3), 2.0, "f")
    loaded = load(model)
    assert loaded.signature is not None
    assert list(loaded.signature.inputs) == ["left", "right"]
    assert len(loaded.outputs) == 2
    for got, want in zip(run(loaded, left, right), model([left, right]), strict=True):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-6)


def test_inference_mode_and_shapes(keras: Any) -> None:
    model = small(keras)
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype("f")
    assert load(model).inputs[0].shape == (-1, 8, 8, 3)
    loaded = load(model, input_shapes=[(2, 8, 8, 3)])
    assert loaded.outputs[0].shape == (2, 3)
    np.testing.assert_allclose(run(loaded, x)[0], model(x, training=False).numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files(keras: Any, suffix: str, tmp_path: Path) -> None:
    model = small(keras)
    path = tmp_path / f"m{suffix}"
    model.save(path)
    x = np.random.default_rng(0).random((2, 8, 8, 3)).astype("f")
    np.testing.assert_allclose(run(load(path), x)[0], model(x).numpy(), rtol=1e-5, atol=1e-6)


def test_dictionaries(keras: Any) -> None:
    a = keras.Input((4,), name="a")
    model = keras.Model({"a": a}, {"twice": keras.layers.Dense(2)(a)})
    loaded = load(model)
    assert loaded.signature is not None
    assert list(loaded.signature.inputs) == ["a"]
    assert list(loaded.signature.outputs) == ["twice"]


def test_model_that_was_not_built(keras: Any) -> None:
    model = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(ModelError, match=r"inputs of .* are not known.*input_shapes"):
        load(model)
    assert load(model, input_shapes=[(None, 4)]).outputs[0].shape == (-1, 3)
