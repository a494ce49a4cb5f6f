"""The op table: a row for each entry of a registry, and the page in docs/ that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tfgraft.plugins.onnxruntime.plugin import plugin as onnxruntime
from tfgraft.plugins.reference.plugin import plugin as reference
from tfgraft.plugins.tensorrt.plugin import plugin as tensorrt
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.entry import OpSpec
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import SUPPORTED
from tfgraft.report.ops import OpRow, as_page, as_text, op_table

PAGE = Path(__file__).parents[2] / "docs" / "ops.md"
COMMAND = "tfgraft ops --engine tensorrt --engine onnxruntime --markdown docs/ops.md"
FLOAT = frozenset({"float32", "float16"})
INTS = frozenset({"int32", "int64"})


@pytest.fixture(scope="module")
def built_in() -> Registry:
    """Hold what tfgraft itself brings, whatever plugins are installed here."""
    registry = Registry()
    for plugin in (onnxruntime(), reference(), tensorrt()):
        add_plugin(registry, plugin, "built-in")
    return registry


@pytest.fixture
def registry() -> Registry:
    registry = Registry()

    @registry.converter(
        "Wide",
        engine="some",
        spec=OpSpec(
            dtypes=FLOAT,
            input_dtypes={1: INTS, 2: INTS},
            output_dtypes={0: frozenset({"bool"})},
            ranks={0: (3, 4)},
            known_ranks=(1,),
            constants=(1, 2),
            attrs={"mode": ("A", 7, "")},
        ),
        check=lambda view: SUPPORTED,
        notes="Only a | test.",
    )
    def wide(ctx: Any, view: Any) -> None: ...

    @registry.converter("Narrow", "*", engine="other")
    def narrow(ctx: Any, view: Any) -> None: ...

    @registry.decomposition("Wide")
    def apart(x: Any) -> Any:
        return x

    return registry


def test_a_row_tells_what_the_entry_declares(registry: Registry) -> None:
    row, decomposition = op_table(registry, ["some"])
    assert row.types == "float16/32"
    assert row.needs == [
        "input 0: rank 3 or 4",
        "input 1: int32/64, known rank, constant",
        "input 2: int32/64, constant",
        "output 0: bool",
        "mode: A or 7 or ''",
        "more conditions",
    ]
    assert row.by == f"some (user: {__name__})"
    assert (decomposition.op, decomposition.kind, decomposition.types, decomposition.needs) == (
        "Wide",
        "decomposition",
        "",
        [],
    )


def test_a_row_is_plain_data(registry: Registry) -> None:
    row = op_table(registry, ["some"])[0].to_dict()
    assert row == json.loads(json.dumps(row))
    assert row["dtypes"] == ["float16", "float32"]
    assert row["input_dtypes"] == {"1": ["int32", "int64"], "2": ["int32", "int64"]}
    assert (row["ranks"], row["known_ranks"], row["constants"]) == ({"0": [3, 4]}, [1], [1, 2])
    assert (row["attrs"], row["checked"], row["layer"]) == ({"mode": ["A", 7, ""]}, True, "user")


def test_rows_are_sorted_and_stronger_entries_come_first(registry: Registry) -> None:
    registry.add(*registry.converters("some"), layer="plugin", source="p")
    assert [(r.op, r.kind, r.layer) for r in op_table(registry)] == [
        ("*", "converter", "user"),
        ("Narrow", "converter", "user"),
        ("Wide", "converter", "user"),
        ("Wide", "converter", "plugin"),
        ("Wide", "decomposition", "user"),
    ]
    assert {r.converters for r in op_table(registry, ["other"])} == {"other", ""}


def test_text_keeps_to_its_width(registry: Registry) -> None:
    lines = as_text(op_table(registry), width=90, sources=True).splitlines()
    assert max(map(len, lines)) <= 90
    assert lines[1].startswith("* (any other)")
    assert f"From {__name__}" in " ".join(" ".join(lines).split())
    assert as_text([]) == "no op has a converter"


def test_a_page_escapes_what_markdown_would_read(registry: Registry) -> None:
    page = as_page({"some": op_table(registry, ["some"])}, "make it")
    assert "Only a \\| test." in page
    rows = [line for line in page.splitlines() if line.startswith("| `Wide`")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [6, 6]


def test_every_entry_of_an_engine_has_a_row(built_in: Registry) -> None:
    rows = op_table(built_in, ["tensorrt"])
    assert [r for r in rows if r.kind == "converter"] == [OpRow.of(c) for c in built_in.converters("tensorrt")]
    assert len(rows) == len(built_in.converters("tensorrt")) + len(built_in.decompositions())


def test_the_page_of_ops_is_up_to_date(built_in: Registry) -> None:
    """`make docs` writes it again."""
    engines = {name: built_in.engines[name].converters for name in ("tensorrt", "onnxruntime")}
    page = as_page({name: op_table(built_in, sets) for name, sets in engines.items()}, COMMAND)
    assert PAGE.read_text("utf-8") == page
