"""The rows: a model with a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.bench.contenders import CONTENDERS
from benchmarks.precision import speed
from benchmarks.zoo.models import MODELS as ZOO

KERAS = ("ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "encoder")
MODELS = (*ZOO, *KERAS)
BATCHES = (1, 8)
INT8 = frozenset((*KERAS, *speed.MODELS))
"""The models that are quantized: the Keras nets, and the vision models of the zoo."""


@dataclass(frozen=True)
class Row:
    """A model with a batch."""

    model: str
    batch: int

    @property
    def key(self) -> str:
        """What it is called in the results."""
        return f"{self.model} {self.batch}"

    @property
    def label(self) -> str:
        """What its files begin with."""
        return f"{self.model}.{self.batch}"

    def contenders(self, names: Sequence[str], precisions: Sequence[str]) -> list[str]:
        """Return those of the contenders that take part here."""
        wanted = [name for name in names if CONTENDERS[name].precision in precisions]
        return [name for name in wanted if CONTENDERS[name].precision != "INT8" or self.model in INT8]


def rows(models: Sequence[str], batches: Sequence[int]) -> Iterator[Row]:
    """Yield the rows of models, batch by batch."""
    for batch in batches:
        yield from (Row(model, batch) for model in models)
