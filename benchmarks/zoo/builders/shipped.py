"""Models that are shipped as graphs: TensorFlow.js graph models, SavedModels, a frozen GraphDef."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.zoo.builders.freeze import freeze
from benchmarks.zoo.built import Built, Tensor
from benchmarks.zoo.packages import PackageError, Packages
from benchmarks.zoo.tfjs import graph_model, load_graph_model


@dataclass(frozen=True)
class TfjsGraph:
    """A TensorFlow.js graph model: `path` is its model.json inside the package."""

    package: str
    path: str

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        return load_graph_model(packages.folder(self.package) / self.path)


@dataclass(frozen=True)
class NsfwGraph:
    """A graph model that nsfwjs ships as JavaScript modules."""

    variant: str

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        return graph_model(*nsfw_modules(packages, self.variant))


def nsfw_modules(packages: Packages, variant: str) -> tuple[dict[str, Any], bytes]:
    """Return the content of model.json and of the shards of a model of nsfwjs, which ships both as CommonJS modules.

    Raises:
        PackageError: there is no Node.js to read the modules with.
    """
    node = shutil.which("node")
    if node is None:
        raise PackageError("nsfwjs ships its models as JavaScript modules and there is no node here; install Node.js")
    # A relative path would be looked for among the installed modules.
    folder = (packages.folder("nsfwjs") / "package/dist/models" / variant).resolve()
    shards = sorted(path.name for path in folder.glob("group1*"))
    script = (
        "const [folder, ...names] = process.argv.slice(1);"
        "const read = name => { const m = require(folder + '/' + name); return m.default ?? m; };"
        "process.stdout.write(JSON.stringify(names.map(read)));"
    )
    done = subprocess.run(
        [node, "-e", script, str(folder), "model.min.js", *shards], capture_output=True, text=True, check=True
    )
    model, *texts = json.loads(done.stdout)
    return model, b"".join(base64.b64decode(text) for text in texts)


@dataclass(frozen=True)
class Saved:
    """One signature of a SavedModel, frozen."""

    package: str
    path: str
    signature: str

    def __call__(self, packages: Packages) -> Built:
        """Build the frozen graph."""
        folder: Path = packages.folder(self.package) / self.path
        # The function does not keep the variables alive; the loaded object must outlive the freezing.
        loaded = tf.saved_model.load(str(folder))
        built = freeze(loaded.signatures[self.signature])
        return Built(built.graph_def, built.inputs, built.outputs, saved_model=folder)


@dataclass(frozen=True)
class DeepBrain:
    """A TF1 training graph, frozen as it was: its image input stands behind the default of a PlaceholderWithDefault."""

    def __call__(self, packages: Packages) -> Built:
        """Build the part that computes the mask. Feeding `img` is what cuts the dataset's iterator off."""
        graph_def = tf.compat.v1.GraphDef()
        graph_def.ParseFromString((packages.folder("deepbrain") / "deepbrain/models/graph.pb").read_bytes())
        graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph_def, ["prob"])
        inputs = [Tensor("img:0", "float32", (None, 128, 128, 128, 1)), Tensor("training:0", "bool", ())]
        return Built(graph_def, inputs, [Tensor("prob:0", "float32", None)])
