"""The command line's grammar, and the types of its arguments."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

_EXIT_CODES = (
    "exit codes: 0 done, 1 the model or the conversion is at fault, 2 wrong usage, "
    "3 the grafted model's numbers differ (bench), 130 interrupted"
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `tfgraft`; the parsed namespace names its command in `command`."""
    parser = argparse.ArgumentParser(
        prog="tfgraft",
        description="Graft inference engines into TensorFlow graphs: what an engine runs better becomes one node.",
        epilog=_EXIT_CODES,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = _common()
    model = _model()

    plan = _command(commands, "plan", "say what would become of each node; nothing is built", common, model)
    plan.add_argument("--nodes", action="store_true", help="list every node, not only the clusters and refusals")

    optimize = _command(commands, "optimize", "write the model with engines in it", common, model)
    optimize.add_argument(
        "-o",
        "--output",
        action=_Once,
        required=True,
        metavar="OUT",
        help="where to write: a file that ends in .pb, or a SavedModel directory",
    )
    optimize.add_argument("--strict", action="store_true", help="engines fail instead of falling back to TensorFlow")

    _add_cache(optimize)
    _add_search(optimize)
    optimize.add_argument("--verify", action="store_true", help="run each engine beside its native segment and compare")

    calibrate = _command(commands, "calibrate", "take the ranges of activations, and write them as a table", common)
    _add_model(calibrate)
    calibrate.add_argument("data", type=Path, metavar="DATA.npz", help="arrays by input name")
    calibrate.add_argument(
        "-o", "--output", action=_Once, type=Path, required=True, metavar="TABLE.json", help="where to write"
    )
    calibrate.add_argument(
        "--precision", type=str.upper, choices=("INT8", "FP16"), default="INT8", help="what the table is for"
    )

    explain = _command(commands, "explain", "tell the whole story of one node", common, model)
    explain.add_argument("node", metavar="NODE", help="the node's name, or the name of a tensor of it")

    bench = _command(commands, "bench", "compare the grafted model with the original: time and error", common, model)
    bench.add_argument("--strict", action="store_true", help="engines fail instead of falling back to TensorFlow")
    _add_cache(bench)
    _add_search(bench)
    bench.add_argument("--runs", type=_positive, default=50, metavar="N", help="runs of each (default 50)")
    bench.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="stop after this time (default 20; 3 runs at least)"
    )
    bench.add_argument(
        "--threads", type=_positive, metavar="N", help="threads for TensorFlow and, if it takes the option, the engine"
    )
    bench.add_argument(
        "--tolerance",
        type=float,
        metavar="T",
        help="relative error that floats may have (default 1e-4, with --precision FP16 0.01, BF16 0.1, INT8 0.3)",
    )

    _command(commands, "engines", "list the engines, and whether they work here", common)
    ops = _command(commands, "ops", "list the ops that have a converter or a decomposition, and what it asks", common)
    ops.add_argument("ops", nargs="*", metavar="OP", help="only these ops, such as Conv2D; default all")
    ops.add_argument("--engine", action="append", default=[], metavar="E", help="only what this engine uses (repeat)")
    _add_option(ops)
    ops.add_argument("--markdown", type=Path, metavar="FILE", help="write a page with the tables of the engines")
    cache = _command(commands, "cache", "list what the cache has, or remove it", common)
    cache.add_argument("action", choices=("ls", "clear"), help="ls lists the entries, clear removes them")
    cache.add_argument("--cache", type=Path, metavar="DIR", help="default: the user's cache folder")
    return parser


def _command(commands: Any, name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", parents=list(parents), allow_abbrev=False
    )
    return command


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="write JSON to standard output")
    common.add_argument("--quiet", action="store_true", help="show no progress")
    common.add_argument("--debug", action="store_true", help="show tracebacks and TensorFlow's own messages")
    return common


def _add_model(model: argparse.ArgumentParser) -> None:
    model.add_argument("model", metavar="MODEL", help="a SavedModel directory, a frozen .pb, a .keras or .h5 file")
    model.add_argument("--outputs", type=_names, metavar="a:0,b:0", help="tensors to keep; default: found")
    model.add_argument(
        "--input-shape",
        type=_shape,
        action="append",
        default=[],
        metavar="x=1,224,224,3",
        help="the shape of an input; -1 or ? for an unknown size (repeat for more inputs)",
    )
    model.add_argument(
        "--constant",
        type=_constant,
        action="append",
        default=[],
        metavar="x=VALUE",
        help="an input that always has this value, such as training=false: a number, true or false, or a JSON list "
        "(repeat for more inputs)",
    )
    model.add_argument("--signature", metavar="KEY", help="which signature of a SavedModel")


def _add_search(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--input", type=Path, metavar="FEEDS.npz", help="arrays by input name, to time with; default: made up"
    )
    command.add_argument(
        "--search-seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="how long several engines are timed, without building them (default 60)",
    )
    command.add_argument(
        "--tune",
        action="store_true",
        help="with several engines: try smaller clusters too, and the chosen engines with other numbers of threads",
    )


def _model() -> argparse.ArgumentParser:
    model = argparse.ArgumentParser(add_help=False)
    _add_model(model)
    model.add_argument(
        "--engine",
        default="onnxruntime",
        metavar="E[,E...]",
        help="default onnxruntime; see: tfgraft engines. Of several, or 'auto', the quickest is found for each part",
    )
    model.add_argument(
        "--min-segment", type=_positive, default=3, metavar="N", help="smaller clusters stay native (default 3)"
    )
    model.add_argument("--max-engines", type=_positive, metavar="N", help="keep this many clusters, the largest")
    model.add_argument(
        "--deny",
        action="append",
        default=[],
        metavar="PATTERN",
        help="an op, a node or a pattern of node names that stays native (repeat for more)",
    )
    model.add_argument(
        "--precision",
        type=str.upper,
        choices=("FP32", "FP16", "BF16", "INT8"),
        default="FP32",
        help="what clusters compute in (default FP32)",
    )
    model.add_argument(
        "--calibration",
        type=Path,
        metavar="DATA.npz|TABLE.json",
        help="arrays by input name to take ranges from, or a table that was saved; INT8 needs it",
    )
    model.add_argument(
        "--observer",
        choices=("max", "percentile", "mse", "entropy"),
        default="percentile",
        help="how a range is made of what was observed (default percentile)",
    )
    _add_option(model)
    return model


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache",
        nargs="?",
        const=True,
        default=None,
        metavar="DIR",
        help="keep engines and conversions in this folder and find them again; --cache alone, as the last argument, "
        "is the user's cache folder",
    )


def _add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="key=value",
        help="an option of the engine; the value is read as JSON if it is JSON (repeat for more)",
    )


class _Once(argparse.Action):
    """Stores a value that may be given once: of two, one would be lost without a word."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        """Store the value.

        Raises:
            ArgumentError: there is one already.
        """
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "is given twice; tensors to keep are chosen with --outputs")
        setattr(namespace, self.dest, values)


def _positive(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return value


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("no names are given; write a:0,b:0")
    return names


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, sizes = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form x=1,224,224,3")
    try:
        shape = tuple(-1 if s.strip() in ("?", "None") else int(s) for s in sizes.strip("[]()").split(",") if s.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{sizes!r} is not a shape; write x=1,-1,-1,3") from None
    if any(size < -1 for size in shape):
        raise argparse.ArgumentTypeError(f"{sizes!r} is not a shape: sizes are 0 or more, or -1")
    return name, shape


def _constant(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form x=VALUE")
    try:
        made = json.loads({"True": "true", "False": "false"}.get(value, value))
    except json.JSONDecodeError:
        made = None
    if made is None or isinstance(made, dict):
        raise argparse.ArgumentTypeError(
            f"{value!r} is no value: write a number, true or false, a JSON list, or a string in double quotes"
        )
    return name, made


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form key=value")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, {"True": True, "False": False, "None": None}.get(value, value)
