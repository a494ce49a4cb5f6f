"""The command `ops`: prints the op table of engines, or writes it as a page."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfgraft.cli.codes import OK
from tfgraft.cli.terminal import Terminal
from tfgraft.errors import TfGraftError

if TYPE_CHECKING:
    from tfgraft.registry.registry import Registry
    from tfgraft.report.ops import OpRow


def ops(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print which ops have a converter or a decomposition, and what each asks of a node."""
    from tfgraft.registry.registry import Registry
    from tfgraft.report.ops import as_page, as_text, op_table

    if args.markdown is not None and (args.ops or not args.engine):
        raise TfGraftError("A page has all ops of the engines that are named.", "Give --engine, and no ops.")
    registry = Registry.default()
    for p in registry.problems:
        terminal.note(f"warning: plugin {p.plugin} of {p.distribution} could not be loaded: {p.error}")
    sets = {engine: _sets(registry, engine, dict(args.option)) for engine in args.engine}
    rows = op_table(registry, dict.fromkeys(s for names in sets.values() for s in names) if sets else None)
    if args.ops:
        rows = _asked(args.ops, rows, " or ".join(sets) or "any engine")
    text = as_text(rows, sources=bool(args.ops))
    if args.markdown is not None:
        command = " ".join(["tfgraft ops", *(f"--engine {e}" for e in sets), f"--markdown {args.markdown.as_posix()}"])
        page = as_page({engine: op_table(registry, names) for engine, names in sets.items()}, command)
        args.markdown.write_text(page, "utf-8")
        text = f"wrote {args.markdown}"
    terminal.result(text, {"ops": [row.to_dict() for row in rows]})
    return OK


def _sets(registry: Registry, engine: str, options: dict[str, Any]) -> tuple[str, ...]:
    from tfgraft.plugins.protocol import converter_sets

    if engine not in registry.engines:
        known = ", ".join(sorted(registry.engines)) or "none"
        raise TfGraftError(f"There is no engine {engine!r}; registered are: {known}.")
    builder = registry.engines[engine]
    builder.check_options(options)
    return converter_sets(builder, options)


def _asked(ops: Sequence[str], rows: Sequence[OpRow], engines: str) -> list[OpRow]:
    """Return the rows of some ops, and of what takes any op for those that have none of their own.

    Raises:
        TfGraftError: an op has no row, or TensorFlow does not know it.
    """
    from tfgraft.registry.entry import ANY

    own = {row.op for row in rows}
    others = [row for row in rows if row.op == ANY]
    for op in ops:
        if op in own:
            continue
        if not _is_known(op):
            near = difflib.get_close_matches(op, own, 3)
            hint = f"Did you mean {' or '.join(near)}?" if near else "Ops are named as in a GraphDef, such as Conv2D."
            raise TfGraftError(f"TensorFlow knows no op {op!r}, and no entry is registered for it.", hint)
        if not others:
            raise TfGraftError(
                f"No converter of {engines} and no decomposition takes {op}: it stays in TensorFlow.",
                "docs/writing_a_converter.md tells how to write one.",
            )
    wanted = {*ops, *([ANY] if set(ops) - own else [])}
    return [row for row in rows if row.op in wanted]


def _is_known(op: str) -> bool:
    from tfgraft.graph.opdefs import OpDefs

    return OpDefs().get(op) is not None
