"""Models saved by Keras 2: as h5 files, as TensorFlow.js layers models, and as weights for a network written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras
from tf_keras import backend, layers

from benchmarks.zoo.builders.freeze import freeze_keras
from benchmarks.zoo.builders.shipped import nsfw_modules
from benchmarks.zoo.built import Array, Built
from benchmarks.zoo.packages import Packages
from benchmarks.zoo.tfjs import read_weights


@dataclass(frozen=True)
class H5:
    """A whole model in an h5 file. `image` renames and loosens the input of a model of one image: (name, shape)."""

    package: str
    path: str
    image: tuple[str, tuple[int | None, ...]] | None = None

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        model = tf_keras.models.load_model(packages.folder(self.package) / self.path, compile=False)
        if self.image is None:
            return freeze_keras(model)
        name, shape = self.image
        return freeze_keras(model, [tf.TensorSpec(shape, tf.float32, name=name)])


@dataclass(frozen=True)
class Upscaler:
    """A TensorFlow.js layers model: a residual dense network for twofold super-resolution."""

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        folder = packages.folder("default-model") / "package/models"
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return _layers_model(model, (folder / "group1-shard1of1.bin").read_bytes())


@dataclass(frozen=True)
class NsfwLayers:
    """A layers model that nsfwjs ships as JavaScript modules."""

    variant: str

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        return _layers_model(*nsfw_modules(packages, self.variant))


def _layers_model(content: Mapping[str, Any], data: bytes) -> Built:
    model = tf_keras.models.model_from_json(json.dumps(content["modelTopology"]["model_config"]))
    weights: Mapping[str, Array] = read_weights(content["weightsManifest"], data)
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weights[variable.name.split(":")[0]] for variable in layer.weights])
    return freeze_keras(model)


@dataclass(frozen=True)
class ProposalNet:
    """The first network of MTCNN (Zhang et al., 2016); the package has its weights as a list of arrays."""

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        import joblib  # of requirements.txt: the table of models is read without

        image = layers.Input((None, None, 3), name="image")
        x = image
        for stage, filters in enumerate((10, 16, 32), start=1):
            x = layers.Conv2D(filters, 3, name=f"conv{stage}")(x)
            x = layers.PReLU(shared_axes=[1, 2], name=f"prelu{stage}")(x)
            if stage == 1:
                x = layers.MaxPooling2D(2, padding="same")(x)
        boxes = layers.Conv2D(4, 1, name="boxes")(x)
        faces = layers.Conv2D(2, 1, activation="softmax", name="faces")(x)
        model = tf_keras.Model(image, [boxes, faces])
        model.set_weights(joblib.load(packages.folder("mtcnn") / "mtcnn/assets/weights/pnet.lz4"))
        return freeze_keras(model)


class _TimeAttention(layers.Layer):  # type: ignore[misc]
    """Average over time, weighted by the softmax of one score for each step: (batch, time, f) to (batch, f)."""

    def build(self, input_shape: Any) -> None:
        self.score = self.add_weight(name="score", shape=(input_shape[-1], 1))
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        # The backend's own dot, as the model was trained with: it is what makes the graph the shipped model's.
        shape = backend.shape(x)
        scores = backend.reshape(backend.dot(x, self.score), (shape[0], shape[1]))
        exponents = tf.exp(scores - tf.reduce_max(scores, axis=-1, keepdims=True))
        shares = exponents / (tf.reduce_sum(exponents, axis=1, keepdims=True) + backend.epsilon())
        return tf.reduce_sum(x * backend.expand_dims(shares), axis=1)


@dataclass(frozen=True)
class TextGen:
    """textgenrnn's character model: two LSTMs (with sigmoid gates, as its CPU weights want), skips, attention."""

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        folder = packages.folder("textgenrnn") / "textgenrnn-2.0.0/textgenrnn"
        characters = len(json.loads((folder / "textgenrnn_vocab.json").read_text(encoding="utf-8"))) + 1
        text = layers.Input((40,), name="input")
        embedded = layers.Embedding(characters, 100, name="embedding")(text)
        first = layers.LSTM(128, return_sequences=True, recurrent_activation="sigmoid", name="rnn_1")(embedded)
        second = layers.LSTM(128, return_sequences=True, recurrent_activation="sigmoid", name="rnn_2")(first)
        summary = _TimeAttention(name="attention")(layers.concatenate([embedded, first, second], name="rnn_concat"))
        model = tf_keras.Model(text, layers.Dense(characters, activation="softmax", name="output")(summary))
        model.load_weights(folder / "textgenrnn_weights.hdf5", by_name=True)
        return freeze_keras(model)
