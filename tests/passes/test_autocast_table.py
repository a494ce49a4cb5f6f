"""The table of ops for half precision: every op is TensorFlow's, is there once, and stands in the documentation."""

from __future__ import annotations

from pathlib import Path

from tensorflow.python.framework import op_def_registry

from tfgraft.passes.autocast_table import GROUPS, TABLE, Kind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "precision.md"


def test_every_op_is_there_once() -> None:
    ops = [op for group in GROUPS for op in group.ops]
    assert len(ops) == len(set(ops)) == len(TABLE)
    assert [op for op in ops if op_def_registry.get(op) is None] == []


def test_the_page_has_the_table() -> None:
    rows = [f"| {group.kind.value} | {', '.join(f'`{op}`' for op in group.ops)} | {group.why} |" for group in GROUPS]
    page = PAGE.read_text("utf-8")
    assert [row for row in rows if row not in page] == []
    kinds = tuple(f"| {kind.value} | `" for kind in Kind)
    assert sum(line.startswith(kinds) for line in page.splitlines()) == len(GROUPS)
