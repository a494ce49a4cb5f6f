"""Feeds kept aside from calibration data while it streams by, for ranking layers and for verifying engines."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from tfgraft.calibration.feeds import feeds_of
from tfgraft.calibration.table import CalibrationTable
from tfgraft.load.model import LoadedModel

Feed = Mapping[str, NDArray[Any]]


@dataclass
class Sampled:
    """Calibration data that keeps its first feeds; data that can be read once is read once.

    Args:
        data: as `feeds_of` takes it.
        loaded: the model.
        count: how many feeds to keep.
    """

    data: Any = field(repr=False)
    loaded: LoadedModel = field(repr=False)
    count: int
    kept: list[Feed] = field(default_factory=list, repr=False)

    def __iter__(self) -> Iterator[Feed]:
        self.kept.clear()
        for feed in feeds_of(self.data, self.loaded):
            if len(self.kept) < self.count:
                self.kept.append(feed)
            yield feed

    def __length_hint__(self) -> int:
        return operator.length_hint(feeds_of(self.data, self.loaded))


def table_of(data: Any) -> CalibrationTable | None:
    """Return the table that calibration data is, or the path of; None for data that is to be run.

    Raises:
        CalibrationError: a saved table cannot be read.
    """
    if isinstance(data, CalibrationTable):
        return data
    if isinstance(data, (str, os.PathLike)) and os.fspath(data).endswith(".json"):
        return CalibrationTable.load(data)
    return None
