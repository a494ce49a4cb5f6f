"""What a stage is given: one model's files and the settings of the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.zoo.built import Array, Tensor, load_arrays


@dataclass(frozen=True)
class Job:
    """One model in one run.

    Args:
        name: the model.
        models: the folder with the rebuilt models.
        work: the folder for what stages leave for each other.
        threads: intra-op threads of every contender.
        rounds: interleaved rounds of the speed stage.
        options: the stage's own options.
    """

    name: str
    models: Path
    work: Path
    threads: int
    rounds: int
    options: Mapping[str, Any]

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(**{**data, "models": Path(data["models"]), "work": Path(data["work"])})

    def to_json(self) -> str:
        """Return the job as JSON, for the process that does it."""
        return json.dumps({**self.__dict__, "models": str(self.models), "work": str(self.work)})

    @property
    def graph(self) -> Path:
        """The original frozen graph."""
        return self.models / f"{self.name}.pb"

    @property
    def grafted(self) -> Path:
        """The grafted graph."""
        return self.work / f"{self.name}.grafted.pb"

    @property
    def reference(self) -> Path:
        """TensorFlow's own outputs, with oneDNN off."""
        return self.work / f"{self.name}.reference.npz"

    @property
    def onnx(self) -> Path:
        """The peer's whole-graph conversion; it only depends on the model, so it is kept from run to run."""
        digest = hashlib.blake2b(self.graph.read_bytes(), digest_size=8).hexdigest()
        return self.models / "onnx" / f"{self.name}-{digest}.onnx"

    @property
    def facts(self) -> dict[str, Any]:
        """What NAME.json says."""
        facts: dict[str, Any] = json.loads((self.models / f"{self.name}.json").read_text(encoding="utf-8"))
        return facts

    @property
    def outputs(self) -> list[str]:
        """The names of the outputs, in order."""
        return [Tensor.from_dict(each).name for each in self.facts["outputs"]]

    def feed(self) -> dict[str, Array]:
        """The real feed, by tensor name."""
        return load_arrays(self.models / "samples" / f"{self.name}.npz")
