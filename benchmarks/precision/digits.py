"""A convolutional net trained on scikit-learn's digits: test accuracy in FP32 and INT8, by observer and engine."""

from __future__ import annotations

from typing import Any

import numpy as np

OBSERVERS = ("max", "percentile", "mse", "entropy")


def measure(epochs: int = 30) -> dict[str, Any]:
    """Train, quantize, and return accuracies on 540 test images, 0 to 1."""
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    import tfgraft

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
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)

    def accuracy(function: Any) -> float:
        return float(np.mean(np.argmax(function(tf.constant(test_x)), -1) == test_y))

    table = tfgraft.calibrate(model, [x[i : i + 32] for i in range(0, 512, 32)])
    result: dict[str, Any] = {"FP32": accuracy(model), "images": len(test_y)}
    for engine in ("onnxruntime", "reference"):
        for observer in OBSERVERS:
            grafted = tfgraft.optimize(
                model, precision="INT8", calibration=table, observer=observer, engine=engine, strict=True
            )
            function = grafted.function()
            result[f"{engine} {observer}"] = accuracy(lambda v, function=function: function(v)[0])
            result["layers"] = grafted.report.precisions["INT8"]
    for precision in ("FP16", "BF16"):
        function = tfgraft.optimize(model, precision=precision, engine="reference", strict=True).function()
        result[f"reference {precision}"] = accuracy(lambda v, function=function: function(v)[0])
    return result


def _block(layers: Any, filters: int) -> list[Any]:
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
    ]
