"""A convolutional net trained on scikit-learn's digits: test accuracy in FP32 and INT8, by observer and engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.zoo.built import Array

OBSERVERS = ("max", "percentile", "mse", "entropy")
BAR = 0.005
"""The accuracy that INT8 may lose."""


@dataclass(frozen=True)
class Digits:
    """A trained net, the images that it was trained on, and the test images with their labels; images (n, 8, 8, 1)."""

    model: Any
    images: Array
    test_images: Array
    test_labels: Array


def trained(epochs: int = 30) -> Digits:
    """Train the net: three blocks of convolution, batch normalization and ReLU; the same one each time."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    keras.utils.set_random_seed(0)
    digits = load_digits()
    images = (digits.images[..., None] / 16).astype(np.float32)
    x, test_x, y, test_y = train_test_split(
        images, digits.target, test_size=0.3, random_state=0, stratify=digits.target
    )
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            *_block(layers, 16),
            *_block(layers, 32),
            layers.MaxPooling2D(),
            *_block(layers, 32),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    return Digits(model, x, test_x, test_y)


def measure() -> dict[str, Any]:
    """Train, calibrate once, and lower the precision for each observer and engine.

    Returns:
        "FP32", the accuracy on the test images, 0 to 1; and of each "lowered" net its accuracy, the relative L2 error
        of its outputs, and how many nodes compute in the lower precision.
    """
    import tensorflow as tf

    import tfgraft
    from tfgraft.distance import relative_error

    digits = trained()
    images = tf.constant(digits.test_images)
    wanted = digits.model(images, training=False).numpy()

    def accuracy(outputs: Array) -> float:
        return float(np.mean(outputs.argmax(-1) == digits.test_labels))

    def lowered(precision: str, **options: Any) -> dict[str, Any]:
        grafted = tfgraft.optimize(digits.model, precision=precision, strict=True, **options)
        outputs = grafted.function()(images)[0].numpy()
        nodes = grafted.report.precisions[precision]
        return {"accuracy": accuracy(outputs), "error": relative_error(wanted, outputs), "nodes": nodes}

    table = tfgraft.calibrate(digits.model, [digits.images[i : i + 32] for i in range(0, 512, 32)])
    rows = {
        f"INT8, {observer}, {engine}": lowered("INT8", calibration=table, observer=observer, engine=engine)
        for engine in ("onnxruntime", "reference")
        for observer in OBSERVERS
    }
    rows |= {f"{each}, reference": lowered(each, engine="reference") for each in ("FP16", "BF16")}
    return {"images": len(digits.test_labels), "FP32": accuracy(wanted), "lowered": rows}


def _block(layers: Any, filters: int) -> list[Any]:
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
    ]
