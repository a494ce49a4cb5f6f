"""How large a SavedModel result is, against the SavedModel that it was made from.

    python -m benchmarks.sizes [--only mobilenet_v2,basic_pitch] [--engine onnxruntime] [--json FILE]

Keras's ResNet-50 and MobileNetV2 with random weights, by `tf.saved_model.save` (`model.export` writes each weight
twice, which would flatter the results), and basic_pitch, a SavedModel as its package ships it
(`python -m benchmarks.zoo fetch --only basic_pitch`), on its sample. Each is converted and saved in a process of its
own, with TensorFlow's oneDNN off, so that its own numbers are right. The exit code is 1 where a result is more than
1.15 times its original's size, or gives other numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST = 1.15
BASIC_PITCH = Path(".zoo/basic_pitch.saved_model")
SAMPLES = Path(".zoo/samples")
TOLERANCE = 1e-4


def _keras(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import keras
        import tensorflow as tf

        tf.saved_model.save(getattr(keras.applications, name)(weights=None), str(folder / "original"))
        return folder / "original"

    return make


def _basic_pitch(folder: Path) -> Path:
    if not BASIC_PITCH.is_dir():
        raise SystemExit(f"there is no {BASIC_PITCH}: python -m benchmarks.zoo fetch --only basic_pitch")
    return BASIC_PITCH


MODELS: dict[str, Callable[[Path], Path]] = {
    "resnet50": _keras("ResNet50"),
    "mobilenet_v2": _keras("MobileNetV2"),
    "basic_pitch": _basic_pitch,
}
"""By name, what writes a model into a folder, or knows where it is, and returns its path."""


def size(path: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def row(name: str, engine: str, folder: Path) -> dict[str, Any]:
    """Convert a model, save the result, and run both on made-up values."""
    import numpy as np
    import tensorflow as tf

    import tfgraft
    from benchmarks.zoo.built import load_arrays
    from tfgraft.distance import distance
    from tfgraft.feeds import synthetic_feeds

    original, result = MODELS[name](folder), folder / "result"
    grafted = tfgraft.optimize(str(original), engine=engine if "," not in engine else engine.split(","))
    grafted.save(result)
    feeds = synthetic_feeds(grafted.loaded)
    signature = grafted.signature
    names = dict(signature.inputs) if signature else {}
    given = {key: tf.constant(feeds[tensor]) for key, tensor in names.items()}
    sample = SAMPLES / f"{name}.npz"
    if sample.is_file() and len(given) == 1:  # the zoo's frozen graph has other names than the SavedModel
        given = dict(zip(given, map(tf.constant, load_arrays(sample).values()), strict=True))
    models = [tf.saved_model.load(str(path)) for path in (original, result)]
    key = signature.key if signature else "serving_default"
    want, got = (model.signatures[key](**given) for model in models)
    return {
        "model": name,
        "original_bytes": size(original),
        "result_bytes": size(result),
        "ratio": size(result) / size(original),
        "engines": len(grafted.report.clusters),
        "error": max(distance(np.asarray(want[k]), np.asarray(got[k])) for k in want),
    }


def _row_in_process(name: str, engine: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.sizes", "--engine", engine, "--one", name]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print the table; the exit code says whether every result is small enough and right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(MODELS), help="models (%(default)s)")
    parser.add_argument("--engine", default="onnxruntime", help="an engine, or several (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--one", choices=list(MODELS), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(row(args.one, args.engine, Path(folder))))
        return 0
    rows = []
    print(f"{'model':<14} {'original MB':>12} {'result MB':>12} {'ratio':>7} {'engines':>8} {'error':>9}")
    for name in args.only.split(","):
        if name not in MODELS:
            parser.error(f"no model is called {name}; there are {', '.join(MODELS)}")
        one = _row_in_process(name, args.engine)
        rows.append(one)
        sizes = f"{one['original_bytes'] / 1e6:>12.2f} {one['result_bytes'] / 1e6:>12.2f} {one['ratio']:>7.3f}"
        print(f"{name:<14} {sizes} {one['engines']:>8} {one['error']:>9.2g}", flush=True)
    if args.json is not None:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return int(any(one["ratio"] > MOST or not one["error"] <= TOLERANCE for one in rows))


if __name__ == "__main__":
    raise SystemExit(main())
