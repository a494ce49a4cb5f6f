"""The op table: which TF ops a converter or a decomposition takes and what each asks of a node, read off a registry."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfgraft.registry.entry import ANY, LAYERS, Converter, Decomposition, OpSpec
from tfgraft.registry.registry import Registry

_ANY_OTHER, _EVERY = "* (any other)", "* (every op)"
_FREE = OpSpec(frozenset())


@dataclass(frozen=True)
class OpRow:
    """One entry of a registry, as the op table shows it.

    Args:
        op: TF op type, or `tfgraft.registry.entry.ANY`.
        kind: "converter" or "decomposition".
        converters: the converter set; empty for a decomposition, which serves every engine.
        layer, priority, source, notes: as the entry has them.
        spec: what the entry declares; a decomposition declares nothing.
        checked: whether the entry has a check of its own besides.
        veto: whether it only refuses, for all other entries of the engine.
    """

    op: str
    kind: str
    converters: str
    layer: str
    priority: int
    source: str
    notes: str
    spec: OpSpec = field(default=_FREE)
    checked: bool = False
    veto: bool = False

    @classmethod
    def of(cls, entry: Converter | Decomposition) -> OpRow:
        """Make the row of an entry."""
        shared = (entry.layer, entry.priority, entry.source, entry.notes)
        if isinstance(entry, Converter):
            checked = entry.check is not Converter.check
            return cls(entry.op, "converter", entry.engine, *shared, entry.spec, checked, entry.veto)
        return cls(entry.op, "decomposition", "", *shared, checked=entry.check is not Decomposition.check)

    @property
    def title(self) -> str:
        """The op, as people read it."""
        return self.op if self.op != ANY else _EVERY if self.veto else _ANY_OTHER

    @property
    def by(self) -> str:
        """Who takes it: a converter set, or a decomposition; who brought it too if it is not built in."""
        name = self.converters or self.kind
        return name if self.layer == "built-in" else f"{name} ({self.layer}: {self.source})"

    @property
    def types(self) -> str:
        """The types of all inputs and outputs that `needs` says nothing of."""
        return _types(self.spec.dtypes)

    @property
    def needs(self) -> list[str]:
        """What single inputs, outputs and attributes must be, each in a few words."""
        spec = self.spec
        inputs = sorted({*spec.input_dtypes, *spec.ranks, *spec.known_ranks, *spec.constants})
        parts = _alike("input", {i: _input(spec, i) for i in inputs})
        parts += _alike("output", {i: _types(types) for i, types in sorted(spec.output_dtypes.items())})
        parts += [f"{name}: {' or '.join(map(_value, values))}" for name, values in sorted(spec.attrs.items())]
        return [*parts, "more conditions"] if self.checked else parts

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain data for JSON; types are null where the entry declares none."""
        spec = self.spec
        return {
            "op": self.op,
            "kind": self.kind,
            "converters": self.converters,
            "layer": self.layer,
            "priority": self.priority,
            "source": self.source,
            "dtypes": sorted(spec.dtypes) if self.kind == "converter" else None,
            "input_dtypes": {str(i): sorted(types) for i, types in sorted(spec.input_dtypes.items())},
            "output_dtypes": {str(i): sorted(types) for i, types in sorted(spec.output_dtypes.items())},
            "ranks": {str(i): sorted(ranks) for i, ranks in sorted(spec.ranks.items())},
            "known_ranks": sorted(spec.known_ranks),
            "constants": sorted(spec.constants),
            "attrs": {name: list(values) for name, values in sorted(spec.attrs.items())},
            "checked": self.checked,
            "veto": self.veto,
            "notes": self.notes,
        }


def op_table(registry: Registry, sets: Iterable[str] | None = None) -> list[OpRow]:
    """Return the rows of some converter sets (None: all), and of all decompositions.

    They are sorted by op; entries of one op are in the order in which they are asked, decompositions last.
    """
    order = {name: i for i, name in enumerate(sets)} if sets is not None else None
    rows = [OpRow.of(c) for c in registry.converters() if order is None or c.engine in order]
    rows += [OpRow.of(d) for d in registry.decompositions()]

    def key(row: OpRow) -> tuple[Any, ...]:
        place = (0, row.converters) if order is None else (order.get(row.converters, 0), "")
        return row.op, row.kind, LAYERS.index(row.layer), not row.veto, place, -row.priority, row.source

    return sorted(rows, key=key)


def as_text(rows: Sequence[OpRow], width: int = 120, sources: bool = False) -> str:
    """Return the table for a terminal, `width` columns wide; `sources` tells where each entry is from."""
    if not rows:
        return "no op has a converter"
    first = max(len(row.title) for row in rows) + 2
    second = max(len(row.by) for row in rows) + 2
    lines = [f"{'OP':<{first}}{'BY':<{second}}TYPES; NEEDS. NOTES"]
    for row in rows:
        parts = ("; ".join(p for p in (row.types, *row.needs) if p), row.notes, f"From {row.source}" * sources)
        story = ". ".join(p.removesuffix(".") for p in parts if p)
        told = textwrap.wrap(story, max(width - first - second, 20), break_long_words=False) or [""]
        heads = [f"{row.title:<{first}}{row.by:<{second}}", *[" " * (first + second)] * (len(told) - 1)]
        lines += [f"{head}{text}".rstrip() for head, text in zip(heads, told, strict=True)]
    return "\n".join(lines)


def as_page(tables: Mapping[str, Sequence[OpRow]], command: str) -> str:
    """Return a Markdown page with the table of each engine.

    Args:
        tables: rows by engine.
        command: what makes the page again.
    """
    return "\n".join([_HEAD.format(command=command), *(_section(*item) for item in tables.items())])


_HEAD = """# Ops

What each engine takes. `{command}`
makes this page out of the registry; `tfgraft ops` prints the same.

An op that has no row stays in TensorFlow. Constants need no row, nor do copies (`Identity`, `Snapshot`,
`StopGradient`, `PreventGradient`); variables become constants when a model is loaded.

- **by**: the converter set with the op's converter, or a decomposition into other TF ops, which is used where no
  converter takes the node, and if the engine takes what it is made of.
- **types**: of every input and output that the next column does not name.
- **needs**: what single inputs, outputs and attributes must be. A *known rank* is known when the graph is converted;
  dimensions may be unknown unless the notes or a refusal say otherwise. *More conditions*: the entry also looks at
  the node as a whole.

What does not fit is refused with one of the [codes](refusals.md), and stays in TensorFlow.
"""


def _section(engine: str, rows: Sequence[OpRow]) -> str:
    ops = len({row.op for row in rows})
    head = [
        f"## {engine}",
        "",
        f"{ops} ops.",
        "",
        "| op | by | types | needs | notes |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *map(_line, rows), ""])


def _line(row: OpRow) -> str:
    op = row.title.strip("* ()") if row.op == ANY else f"`{row.op}`"
    cells = (op, _link(row), row.types, _escaped("; ".join(row.needs)), _escaped(row.notes))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _link(row: OpRow) -> str:
    """Return who takes the op, with a link from docs/ to the file of a built-in entry."""
    folder, *path = row.source.split(".")
    built_in = row.layer == "built-in" and folder == "tfgraft"
    return f"[{row.by}](../{'/'.join(path)}.py)" if built_in else _escaped(row.by)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _types(types: Collection[str]) -> str:
    """Return types in short: "float16/32, int32/64"; "any" if even those count that TensorFlow cannot tell."""
    if "invalid" in types:
        return "any"
    sizes: dict[str, list[int]] = {}
    for name in types:
        kind, size = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
        sizes.setdefault(kind, []).append(int(size or 0))
    return ", ".join(kind + "/".join(str(s) for s in sorted(sizes[kind]) if s) for kind in sorted(sizes))


def _alike(kind: str, words: Mapping[int, str]) -> list[str]:
    """Return "inputs 0, 1: known rank": what is said of several at once."""
    same: dict[str, list[int]] = {}
    for i, text in words.items():
        same.setdefault(text, []).append(i)
    return [f"{kind}{'s' * (len(at) > 1)} {', '.join(map(str, at))}: {text}" for text, at in same.items()]


def _input(spec: OpSpec, i: int) -> str:
    words = [_types(spec.input_dtypes[i])] if i in spec.input_dtypes else []
    if i in spec.ranks:
        words.append(f"rank {' or '.join(map(str, spec.ranks[i]))}")
    elif i in spec.known_ranks:
        words.append("known rank")
    return ", ".join([*words, "constant"] if i in spec.constants else words)


def _value(value: Any) -> str:
    return str(value) if isinstance(value, str) and value else repr(value)
