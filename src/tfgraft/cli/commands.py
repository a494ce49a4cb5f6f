"""The commands: each takes the parsed arguments and the terminal, and returns the exit code."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from tfgraft.cli.cache import cache
from tfgraft.cli.codes import DIFFERS, OK
from tfgraft.cli.ops import ops
from tfgraft.cli.terminal import Terminal
from tfgraft.errors import TfGraftError

_TOLERANCES = {"FP32": 1e-4, "FP16": 1e-2, "BF16": 1e-1, "INT8": 3e-1}
"""The relative error that floats may have in `bench`, by precision."""


def plan(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print the plan's report."""
    report = _plan(args, terminal)
    text = str(report)
    if args.nodes:
        lines = [
            f"  {n.name} ({n.op}): {n.fate}{f' {n.cluster}' if n.cluster else ''}{f' [{n.code}]' if n.code else ''}"
            for n in report.nodes
        ]
        text = "\n".join([text, "nodes:", *lines])
    terminal.result(text, report.to_dict())
    return OK


def optimize(args: argparse.Namespace, terminal: Terminal) -> int:
    """Convert the model and write the result."""
    from tfgraft.save import check_target, is_graph_path

    check_target(args.output)
    start = time.perf_counter()
    _load(args)
    _check_output(args)
    check_target(args.output, args.model)
    grafted = _optimize(args, terminal)
    grafted.save(args.output)
    seconds = time.perf_counter() - start
    kind = "frozen graph" if is_graph_path(args.output) else "SavedModel"
    text = f"{grafted.report}\nwrote {args.output} ({kind}, {_size(Path(args.output)) / 1e6:.1f} MB, {seconds:.1f} s)"
    data = {
        "output": str(args.output),
        "kind": kind,
        "seconds": seconds,
        "inputs": list(grafted.inputs),
        "outputs": list(grafted.outputs),
        "report": grafted.report.to_dict(),
    }
    terminal.result(text, data)
    return OK


def calibrate(args: argparse.Namespace, terminal: Terminal) -> int:
    """Run the model on data and write the table of ranges."""
    from tfgraft.api import calibrate as run

    _load(args)
    _check_output(args)
    table = run(
        args.model,
        args.data,
        precision=args.precision,
        progress=terminal.progress,
    )
    table.save(args.output)
    text = f"wrote {args.output}: the ranges of {len(table.names)} tensors over {table.samples} feeds"
    terminal.result(text, {"output": str(args.output), "tensors": len(table.names), "feeds": table.samples})
    return OK


def explain(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print the story of one node."""
    from dataclasses import asdict

    report = _plan(args, terminal)
    try:
        story = report.explain(args.node)
    except KeyError as error:
        text = str(error.args[0])
        raise TfGraftError(f"{text[0].upper()}{text[1:]}.") from error
    terminal.result(str(story), asdict(story))
    return OK


def bench(args: argparse.Namespace, terminal: Terminal) -> int:
    """Convert the model in this process and compare it with the original."""
    from tfgraft.bench import compare, set_threads
    from tfgraft.feeds import read_feeds

    feeds = read_feeds(args.input) if args.input else None
    options = dict(args.option)
    if args.threads:
        set_threads(args.threads)
        options = _with_threads(args.engine, options, args.threads)
    grafted = _optimize(args, terminal, options)
    result = compare(
        grafted.loaded,
        grafted,
        feeds,
        runs=args.runs,
        seconds=args.seconds,
        threads=args.threads or 0,
        tolerance=_TOLERANCES[args.precision] if args.tolerance is None else args.tolerance,
        progress=terminal.progress,
    )
    report = grafted.report
    fallbacks = _fallbacks()
    lines = [f"{len(report.clusters)} engines ({report.engine}), coverage {report.coverage:.0%}", str(result)]
    lines.extend(f"warning: {n} calls fell back to TensorFlow: {cause}" for cause, n in fallbacks.items())
    data = {
        **result.to_dict(),
        "engine": report.engine,
        "clusters": len(report.clusters),
        "coverage": report.coverage,
        "fallbacks": fallbacks,
    }
    terminal.result("\n".join(lines), data)
    return OK if result.agrees else DIFFERS


def engines(args: argparse.Namespace, terminal: Terminal) -> int:
    """List the engine builders and whether they work on this machine."""
    from tfgraft.registry.registry import Registry
    from tfgraft.registry.support import Unsupported

    registry = Registry.default()
    rows = []
    for name, builder in sorted(registry.engines.items()):
        support = builder.available()
        refused = isinstance(support, Unsupported)
        rows.append(
            {
                "engine": name,
                "available": not refused,
                "reason": support.message if isinstance(support, Unsupported) else support.note,
                "hint": support.hint if isinstance(support, Unsupported) else "",
                "converters": list(builder.converters),
            }
        )
    problems = [{"plugin": p.plugin, "distribution": p.distribution, "error": p.error} for p in registry.problems]
    lines = [
        " ".join(
            f"{r['engine']:<14} {'works' if r['available'] else 'no'}  {r['reason']} {r['hint']}".split(" ")
        ).rstrip()
        for r in rows
    ]
    for p in problems:
        terminal.note(f"warning: plugin {p['plugin']} of {p['distribution']} could not be loaded: {p['error']}")
    terminal.result("\n".join(lines) or "no engines are registered", {"engines": rows, "problems": problems})
    return OK


COMMANDS = {
    "plan": plan,
    "optimize": optimize,
    "calibrate": calibrate,
    "explain": explain,
    "bench": bench,
    "engines": engines,
    "ops": ops,
    "cache": cache,
}
WITHOUT_TENSORFLOW = frozenset({"cache"})
"""Commands that do not import TensorFlow, which takes seconds."""


def _arguments(args: argparse.Namespace, terminal: Terminal) -> dict[str, Any]:
    return {
        "outputs": args.outputs,
        "input_shapes": dict(args.input_shape) or None,
        "constants": _constants(args),
        "signature": args.signature,
        "engine": _engine(args),
        "minimum_segment_size": args.min_segment,
        "maximum_engines": args.max_engines,
        "denylist": tuple(args.deny),
        "precision": args.precision,
        "calibration": args.calibration,
        "observer": args.observer,
        "progress": terminal.progress,
    }


def _load(args: argparse.Namespace) -> None:
    """Put the loaded model in the place of its path, and of what says how to load it."""
    from tfgraft.load import load

    args.model = load(
        args.model,
        outputs=args.outputs,
        input_shapes=dict(args.input_shape) or None,
        constants=_constants(args),
        signature=args.signature,
    )
    args.outputs, args.input_shape, args.constant, args.signature = None, [], [], None


def _constants(args: argparse.Namespace) -> dict[str, Any] | None:
    constants: dict[str, Any] = {}
    for name, value in args.constant:
        if name in constants:
            raise TfGraftError(f"Input {name!r} is given two constants.", "Give --constant once for each input.")
        constants[name] = value
    return constants or None


def _check_output(args: argparse.Namespace) -> None:
    """Refuse to write to a file that is called as tensors of the loaded model are: --outputs was meant.

    Raises:
        TfGraftError: it is so called.
    """
    names = [name.strip() for name in str(args.output).split(",")]
    nodes = {node.name for node in args.model.graph_def.node}
    if all(re.fullmatch(r".+:\d+", name) and name.rpartition(":")[0] in nodes for name in names):
        raise TfGraftError(
            f"{str(args.output)!r} is a tensor of the model, and -o (--output) names the file to write.",
            f"Choose tensors with --outputs {args.output}, and a file with -o.",
        )


def _plan(args: argparse.Namespace, terminal: Terminal) -> Any:
    from tfgraft.api import plan as run

    return run(args.model, **_arguments(args, terminal), **dict(args.option))


def _optimize(args: argparse.Namespace, terminal: Terminal, options: dict[str, Any] | None = None) -> Any:
    from tfgraft.api import optimize as run
    from tfgraft.choice.search import Search
    from tfgraft.feeds import read_feeds

    chosen = dict(args.option) if options is None else options
    more = {name: getattr(args, name) for name in ("verify", "cache") if name in args}
    more["search"] = Search([read_feeds(args.input)] if args.input else None, args.search_seconds, tune=args.tune)
    return run(args.model, strict=args.strict, **_arguments(args, terminal), **more, **chosen)


def _engine(args: argparse.Namespace) -> str | list[str]:
    names: list[str] = args.engine.split(",")
    return names[0] if len(names) == 1 else names


def _with_threads(engine: str, options: dict[str, Any], threads: int) -> dict[str, Any]:
    from tfgraft.engines import AUTO
    from tfgraft.registry.registry import Registry

    if engine == AUTO or "," in engine:  # each engine gets what it takes
        return {"intra_op_threads": threads, **options}
    builder = Registry.default().engines.get(engine)
    more = {"intra_op_threads": threads, **options}
    try:
        if builder is not None:
            builder.check_options(more)
    except ValueError:
        return options
    return more


def _fallbacks() -> dict[str, int]:
    from tfgraft import runtime

    causes: dict[str, int] = {}
    for engine in runtime.counters().engines.values():
        for cause, count in engine.causes.items():
            causes[cause] = causes.get(cause, 0) + count
    return causes


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
