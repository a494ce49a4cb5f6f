"""The calibration table: saved and read again, merged, and what is said of files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tfgraft.calibration.statistics import Statistics
from tfgraft.calibration.table import CalibrationError, CalibrationTable

_R = np.random.default_rng(0)


def _table(seed: int = 0, samples: int = 2) -> CalibrationTable:
    random = np.random.default_rng(seed)
    tensors = {
        f"{name}:0": Statistics.of(random.standard_normal(100).astype(np.float32)) for name in ("conv/Relu", "b")
    }
    tensors["never:0"] = Statistics()
    return CalibrationTable(tensors, samples, {"loop:0": "It is in a loop."})


def _same(a: CalibrationTable, b: CalibrationTable) -> bool:
    return (a.samples, a.skipped, {k: v.to_dict() for k, v in a.tensors.items()}) == (
        b.samples,
        b.skipped,
        {k: v.to_dict() for k, v in b.tensors.items()},
    )


def test_saved_and_read_again(tmp_path: Path) -> None:
    _table().save(tmp_path / "t.json")
    assert _same(CalibrationTable.load(tmp_path / "t.json"), _table())
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_merging_shards_does_not_depend_on_their_order() -> None:
    a, b, c = (_table(i) for i in range(3))
    assert _same(a.merge(b, c), c.merge(a, b))
    assert a.merge(b, c).samples == 6


def test_an_empty_table_adds_nothing() -> None:
    assert _same(CalibrationTable().merge(_table()), _table())
    assert _same(_table().merge(CalibrationTable()), _table())


def test_tables_of_different_models_are_not_merged() -> None:
    with pytest.raises(CalibrationError, match="do not belong together: only one has 'b:0'"):
        _table().merge(CalibrationTable({k: v for k, v in _table().tensors.items() if k != "b:0"}, 2, _table().skipped))


def test_ranges() -> None:
    table = _table()
    low, high = table.range("b:0", "max")
    assert (low, high) == (-table.bound("b:0"), table.bound("b:0"))
    assert table.range("b:0", "max", unsigned=True) == (0, high)
    assert table.range("never:0") == (0, 0)
    assert table.lowest("b:0") < 0
    assert table.invalid("b:0") == 0


def test_a_tensor_that_is_not_there() -> None:
    with pytest.raises(CalibrationError, match=r"nothing of tensor 'conv/Relv:0'.*'conv/Relu:0'"):
        _table().range("conv/Relv:0")
    with pytest.raises(CalibrationError, match="It is in a loop"):
        _table().range("loop:0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[1]", "is no calibration table"),
        ('{"kind": "tfgraft calibration table", "version": 99}', "version 99"),
        ('{"kind": "tfgraft calibration table", "version": 1, "samples": 1}', "damaged"),
        (
            '{"kind": "tfgraft calibration table", "version": 1, "samples": 1, "skipped": {}, "tensors": {"a": 3}}',
            "damaged",
        ),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(CalibrationError, match=message):
        CalibrationTable.load(tmp_path / "t.json")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="There is no calibration table"):
        CalibrationTable.load(tmp_path / "t.json")


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    _table().save(path)
    path.write_text(path.read_text()[:-100])
    with pytest.raises(CalibrationError, match="cannot be read"):
        CalibrationTable.load(path)
