"""CalibrationTable: what was observed of a model's tensors; saved once, used for many engines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfgraft.calibration.observers import SIGNED, UNSIGNED, Observer, observer_of
from tfgraft.calibration.statistics import Statistics
from tfgraft.errors import TfGraftError, listing, nearest

_KIND = "tfgraft calibration table"
_VERSION = 1


class CalibrationError(TfGraftError, ValueError):
    """A calibration table cannot be read, or does not have what is asked of it."""


@dataclass(frozen=True)
class CalibrationTable:
    """What was observed of tensors.

    Args:
        tensors: statistics by tensor name ("node:0").
        samples: how many feeds were run.
        skipped: tensors that could not be observed, with the reason.
    """

    tensors: Mapping[str, Statistics] = field(default_factory=dict, repr=False)
    samples: int = 0
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The tensors that were observed."""
        return frozenset(self.tensors)

    def statistics(self, name: str) -> Statistics:
        """Return what was observed of a tensor.

        Raises:
            CalibrationError: it was not observed; the message has the nearest names, or why.
        """
        if name in self.tensors:
            return self.tensors[name]
        why = self.skipped.get(name) or nearest(name, self.tensors)
        raise CalibrationError(f"The calibration table has nothing of tensor {name!r}.", why)

    def range(self, name: str, observer: str | Observer = "max", *, unsigned: bool = False) -> tuple[float, float]:
        """Return the least and the largest value that a tensor is to hold: (-T, T), or (0, T) if `unsigned`.

        Raises:
            CalibrationError: the tensor was not observed.
            ValueError: there is no such observer.
        """
        limit = observer_of(observer).threshold(self.statistics(name), UNSIGNED if unsigned else SIGNED)
        return (0.0 if unsigned else -limit, limit)

    def bound(self, name: str) -> float:
        """Return the exact largest magnitude of a tensor's finite elements."""
        return self.statistics(name).bound

    def lowest(self, name: str) -> float:
        """Return the exact least of a tensor's finite elements."""
        return self.statistics(name).lowest

    def invalid(self, name: str) -> int:
        """Return how many elements of a tensor were NaN or infinite."""
        return self.statistics(name).invalid

    def merge(self, *others: CalibrationTable) -> CalibrationTable:
        """Return the table of this and other shards of the data, in any order.

        Extremes and counts are those of all the data run at once, and so are histograms but for which elements of
        large tensors were sampled. An empty table adds nothing.

        Raises:
            CalibrationError: the tables are not of the same tensors: they are of different models, or were made for
                different precisions.
        """
        merged = self
        for other in others:
            merged = merged._with(other)
        return merged

    def _with(self, other: CalibrationTable) -> CalibrationTable:
        mine, others = (frozenset({*table.tensors, *table.skipped}) for table in (self, other))
        for table, names, rest in ((self, mine, other), (other, others, self)):
            if not names and not table.samples:
                return rest
        if self.names != other.names or mine != others:
            odd = sorted((self.names ^ other.names) or (mine ^ others))
            raise CalibrationError(
                f"The calibration tables do not belong together: only one has {listing(map(repr, odd), 3)}.",
                "Merge tables of the same model, made for the same precision.",
            )
        tensors = {name: seen.merged(other.tensors[name]) for name, seen in self.tensors.items()}
        return CalibrationTable(tensors, self.samples + other.samples, self.skipped)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table as JSON; the file is replaced only after all is written.

        Raises:
            OSError: the place cannot be written.
        """
        data = {
            "kind": _KIND,
            "version": _VERSION,
            "samples": self.samples,
            "skipped": dict(sorted(self.skipped.items())),
            "tensors": {name: seen.to_dict() for name, seen in sorted(self.tensors.items())},
        }
        target = Path(path)
        beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            beside.write_text(json.dumps(data), encoding="utf-8")
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CalibrationTable:
        """Read a table that `save` wrote.

        Raises:
            CalibrationError: there is no such file, or it is none of a table.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise CalibrationError(f"There is no calibration table {str(path)!r}.") from error
        except (OSError, ValueError) as error:
            raise CalibrationError(
                f"{str(path)!r} cannot be read as a calibration table: {error}.", "Calibrate again."
            ) from error
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise CalibrationError(f"{str(path)!r} is no calibration table.", "Write one with CalibrationTable.save.")
        if data.get("version") != _VERSION:
            raise CalibrationError(
                f"{str(path)!r} is a calibration table of version {data.get('version')!r}; this tfgraft reads "
                f"version {_VERSION}.",
                "Calibrate again.",
            )
        try:
            return cls._from_dict(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CalibrationError(
                f"{str(path)!r} is a damaged calibration table: {error!r}.", "Calibrate again."
            ) from error

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> CalibrationTable:
        tensors = {str(name): Statistics.from_dict(seen) for name, seen in data["tensors"].items()}
        return cls(tensors, int(data["samples"]), {str(k): str(v) for k, v in data["skipped"].items()})
