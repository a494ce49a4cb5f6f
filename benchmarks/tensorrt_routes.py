"""TensorRT without a GPU, over the zoo and Keras nets, by both routes: coverage, build times, numbers.

    python -m benchmarks.tensorrt_routes --zoo .zoo [--models NAME ...] [--markdown docs/tensorrt.md]

Each model is grafted with engine "reference" by the native route and by the ONNX route: TensorRT-RTX builds each
network on the CPU for compute capabilities 8.6 and 8.9, and the reference engine runs the same network inside
TensorFlow. The results are compared with TensorFlow's (oneDNN off). Each model has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROUTES = ("native", "onnx")
CAPABILITIES = ("8.6", "8.9")
KERAS = ("ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "transformer")
_TIMEOUT = 900
Feeds = Mapping[str, Any]
_INTRODUCTION = """# TensorRT without a GPU

`python -m benchmarks.tensorrt_routes` makes this page: each model is grafted with TensorRT engines by the native route
(our op converters) and by the ONNX route (our ONNX converters and tf2onnx, then TensorRT's ONNX parser). TensorRT-RTX
{version} builds every engine on the CPU for compute capabilities {targets}; the reference engine runs the very
same network in numpy, inside TensorFlow.

- *error*: the largest relative L2 error against TensorFlow with oneDNN off; integers, booleans and strings must be
  equal. *between*: that of the ONNX route's results against the native route's.
- *coverage*: the share of non-constant nodes that engines take.
- *build*: seconds from cluster to serialized engine, all clusters together, on two shared cores.
"""


def transformer() -> Any:
    """Return a Keras transformer encoder: 6 layers of width 128, 64 tokens."""
    import keras
    from keras import layers

    tokens = keras.Input((64,), dtype="int32")
    x = layers.Embedding(1000, 128)(tokens) + layers.Embedding(64, 128)(keras.ops.arange(64))
    for _ in range(6):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 32)(x, x))
        hidden = layers.Dense(512, activation="gelu")(x)
        x = layers.LayerNormalization()(x + layers.Dense(128)(hidden))
    return keras.Model(tokens, layers.Dense(10)(x[:, 0]))


def keras_graph(name: str) -> tuple[Any, list[str], Feeds]:
    """Return the frozen graph of a Keras net with random weights, its outputs and two random examples."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.utils.set_random_seed(0)
    model = transformer() if name == "transformer" else getattr(keras.applications, name)(weights=None)
    spec = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype, name="x")
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    frozen = convert_variables_to_constants_v2(function)
    rng = np.random.default_rng(0)
    shape = (2, *model.input_shape[1:])
    value = rng.integers(0, 1000, shape, np.int32) if name == "transformer" else rng.random(shape, np.float32)
    return frozen.graph.as_graph_def(), [t.name for t in frozen.outputs], {"x:0": value}


def zoo_graph(folder: Path, name: str) -> tuple[Any, list[str], Feeds]:
    """Return a model of the zoo, its outputs and its real input."""
    from tensorflow.core.framework import graph_pb2

    graph_def = graph_pb2.GraphDef.FromString((folder / f"{name}.pb").read_bytes())
    about = json.loads((folder / f"{name}.json").read_text())
    with np.load(folder / "samples" / f"{name}.npz") as sample:
        feeds = {k: v.astype(object) if v.dtype.kind == "S" else v for k, v in sample.items()}
    return graph_def, [o["name"] for o in about["outputs"]], feeds


def run(graph_def: Any, outputs: Sequence[str], feeds: Feeds) -> list[Any]:
    """Run a graph in a Session."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return list(session.run(list(outputs), dict(feeds)))


def error(wanted: Sequence[Any], got: Sequence[Any]) -> float:
    """Return the largest relative L2 error of float results; infinity if anything else differs."""
    from tfgraft.distance import relative_error

    worst = 0.0
    for w, g in zip(wanted, got, strict=True):
        w, g = np.asarray(w), np.asarray(g)
        if w.shape != g.shape or (w.dtype.kind != "f" and not np.array_equal(w, g)):
            return float("inf")
        if w.dtype.kind == "f":
            worst = max(worst, relative_error(w, g))
    return worst


def measure(graph_def: Any, outputs: list[str], feeds: Feeds) -> dict[str, Any]:
    """Graft by each route, run, compare."""
    import tfgraft
    import tfgraft.runtime

    wanted = run(graph_def, outputs, feeds)
    row: dict[str, Any] = {}
    results = {}
    for route in ROUTES:
        start = time.perf_counter()
        grafted = tfgraft.optimize(
            graph_def, outputs=outputs, engine="reference", route=route, compute_capabilities=CAPABILITIES
        )
        seconds = time.perf_counter() - start
        tfgraft.runtime.reset_counters()
        results[route] = run(grafted.graph_def, outputs, feeds)
        report = grafted.report
        native = Counter((n.op, n.code) for n in report.nodes if not n.cluster and n.code not in ("", "boundary"))
        row[route] = {
            "clusters": len(report.clusters),
            "coverage": report.coverage,
            "build": sum(c.build.get("seconds", 0.0) for c in report.clusters),
            "total": seconds,
            "error": error(wanted, results[route]),
            "fallbacks": tfgraft.runtime.counters().fallbacks,
            "native": [f"{op}: {code}, {count}" for (op, code), count in native.most_common()],
        }
    row["between"] = error(results["native"], results["onnx"])
    return row


def markdown(rows: Mapping[str, Any]) -> str:
    """Return the page."""
    import tensorrt_rtx  # type: ignore[import-untyped]

    lines = [
        _INTRODUCTION.format(version=tensorrt_rtx.__version__, targets=" and ".join(CAPABILITIES)),
        "| model | clusters | coverage | build s | error | ONNX: clusters | coverage | build s | error | between |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in rows.items():
        if "failure" in row:
            lines.append(f"| {name} | fails: {row['failure']} |")
            continue
        cells = [
            f"{r['clusters']} | {r['coverage']:.0%} | {r['build']:.1f} | {r['error']:.1e}"
            for r in (row[route] for route in ROUTES)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['between']:.1e} |")
    good = {n: r for n, r in rows.items() if "failure" not in r}
    means = {route: np.mean([r[route]["coverage"] for n, r in good.items() if n not in KERAS]) for route in ROUTES}
    fallbacks = sum(r[route]["fallbacks"] for r in good.values() for route in ROUTES)
    lines += [
        "",
        f"Mean coverage of the zoo: native {means['native']:.1%}, ONNX {means['onnx']:.1%}. Fallbacks: {fallbacks}. "
        f"Failures: {len(rows) - len(good)}.",
        "",
        "What stays native by the native route, with the codes of [the refusals](refusals.md):",
        "",
        *(f"- {name}: {'; '.join(row['native']['native'])}" for name, row in good.items() if row["native"]["native"]),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the models and print the page."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--zoo", type=Path, default=Path(".zoo"), help="the folder of the rebuilt models")
    options.add_argument("--models", nargs="*", help="only these")
    options.add_argument("--markdown", type=Path, help="write the page here")
    options.add_argument("--child", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
        make: Callable[[], Any] = lambda: zoo_graph(given.zoo, given.child)  # noqa: E731
        if given.child in KERAS:
            make = lambda: keras_graph(given.child)  # noqa: E731
        print(json.dumps(measure(*make())))
        return
    names = given.models or [*sorted(p.stem for p in given.zoo.glob("*.pb")), *KERAS]
    rows: dict[str, Any] = {}
    for name in names:
        command = [sys.executable, "-m", "benchmarks.tensorrt_routes", "--zoo", str(given.zoo), "--child", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
        last = (done.stdout.splitlines() or [""])[-1]
        rows[name] = json.loads(last) if done.returncode == 0 else {"failure": (done.stderr.splitlines() or ["?"])[-1]}
        print(name, json.dumps(rows[name])[:400], flush=True)
    page = markdown(rows)
    if given.markdown:
        given.markdown.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
