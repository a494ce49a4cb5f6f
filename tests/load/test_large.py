"""A model of 3 GB, which no GraphDef file holds; it takes minutes and 16 GB of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tfgraft
from tfgraft.errors import SaveError

SIZE, LAYERS = 16_384, 3


class Large(tf.Module):  # type: ignore[misc]
    """Three products with kernels of 1 GiB each."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = [
            tf.Variable(tf.random.stateless_normal([SIZE, SIZE], [i, 0]) / SIZE**0.5) for i in range(LAYERS)
        ]

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        for kernel in self.kernels:
            x = tf.nn.relu(x @ kernel)
        return {"y": x}


@pytest.mark.slow
def test_a_model_of_three_gigabytes(tmp_path: Path) -> None:
    x = tf.ones([1, SIZE])
    model = Large()
    want = model(x)["y"].numpy()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures=model.__call__.get_concrete_function())
    del model
    grafted = tfgraft.optimize(str(tmp_path / "m"), strict=True)
    assert len(grafted.report.clusters) == 1
    with pytest.raises(SaveError, match="Save to a directory"):
        grafted.save(tmp_path / "out.pb")
    grafted.save(tmp_path / "out")
    del grafted
    size, original = (sum(p.stat().st_size for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("out", "m"))
    assert original > 3 << 30
    assert size < 1.15 * original
    again = tfgraft.load_saved_model(str(tmp_path / "out"))
    got = again.signatures["serving_default"](x=x)["y"].numpy()
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
