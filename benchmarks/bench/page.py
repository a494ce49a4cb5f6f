"""The part of docs/benchmarks.md that is made of the results; the rest of the page stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import chart
from benchmarks.bench.contenders import CONTENDERS, PEERS, TENSORFLOW, TOLERANCE
from benchmarks.bench.rows import BATCHES, INT8, MODELS, Row
from benchmarks.bench.summary import (
    Measured,
    against_best,
    best_peer,
    direct,
    failure,
    mean,
    mean_of_best,
    mean_of_quickest,
    ratio,
    timed,
)
from benchmarks.zoo.process import without_root

BEGIN, END = "<!-- made by `make bench`: -->", "<!-- until here -->"
PICTURE = "bench.png"
NEARLY = 0.98
"""What is this share of another's speed is as fast."""
_OURS = ("auto", "onnxruntime")
_SHOWN = (*_OURS, *PEERS)
_WHY = 160
"""Characters of a failure's reason."""
Rows = Mapping[str, Measured]
"""By the model's name, of one batch."""

_HEAD = """## Against TensorFlow and whole-graph conversion

`make bench`: the 22 trained models of [the zoo](zoo.md) with their real feeds (for a batch of 8: eight times the same),
and five Keras nets with random weights: four on pictures of 224 x 224, and a transformer encoder of 6 layers, 128
positions and width 512. Every graph's inputs have the shapes of the feed, for all contenders alike, and everybody has
as many threads.

- *TF ms*: the original graph under TensorFlow's default settings, by the fastest way of calling it that was found. All
  other figures are **how many times as fast** they are: TensorFlow's time over theirs.
- *tfgraft*: the grafted graph, called exactly as the original: `engine="auto"` with `Search(feeds=[feed])`, and
  `engine="onnxruntime"`. *predictor*: the same without TensorFlow, as peers are called, where engines compute the
  whole model (`Grafted.predictor()`). What is set against the best peer is the faster of the two.
- Peers: the whole graph by XLA (`jit_compile=True`), and, called without TensorFlow, by tf2onnx in ONNX Runtime (the
  better of its default setting and one inter-op thread without spinning), by OpenVINO in float32 and by LiteRT with
  its own ops and XNNPACK. The best peer is the fastest one that is right.
- All that work are timed in one process in interleaved rounds, with rests between them and in an order that changes;
  TensorFlow and those within a quarter of the quickest in many more rounds than the others. Milliseconds are medians
  of the rounds, and how many times as fast one is as another is the median over the rounds of both.
- *fails*: it does not convert or run, or its results are more than {tolerance:g} from TensorFlow's with oneDNN off
  (relative L2 error; integers and strings must be equal). That counts as 1 in means.
"""


def write(rows: Mapping[str, Measured], path: Path) -> None:
    """Put the part into the page, in the place of the one that is there, and the chart beside it."""
    text = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    picture = path.parent / "images" / PICTURE
    by_batch = {batch: of_batch(rows, batch) for batch in BATCHES}
    chart.draw({batch: found for batch, found in by_batch.items() if found}, picture)
    path.write_text(placed(text, part(rows)), encoding="utf-8")


def placed(page: str, new: str) -> str:
    """Return a page with the part between its marks replaced; before its first heading of level 2 if it has none."""
    block = f"{BEGIN}\n\n{new.strip()}\n\n{END}"
    if BEGIN in page and END in page:
        return page.partition(BEGIN)[0] + block + page.partition(END)[2]
    head, heading, rest = page.partition("\n## ")
    return f"{head.rstrip()}\n\n{block}\n{heading}{rest}"


def of_batch(rows: Mapping[str, Measured], batch: int) -> dict[str, Measured]:
    """Return the rows of a batch that have times, in the order of the models."""
    found = {model: rows.get(Row(model, batch).key, {}) for model in MODELS}
    return {model: row for model, row in found.items() if timed(row)}


def part(rows: Mapping[str, Measured]) -> str:
    """Return the part's text."""
    text = [_HEAD.format(tolerance=TOLERANCE), *_machines(rows), f"![How many times as fast](images/{PICTURE})", ""]
    batches = {batch: of_batch(rows, batch) for batch in BATCHES}
    for batch, found in batches.items():
        if found:
            text += [f"### Batch {batch}", "", _speeds(found), "", *_wins(found), ""]
    text += [*_int8(batches), *_costs(batches), *_unmeasured(rows), *_failures(rows)]
    return "\n".join(text)


def _machines(rows: Mapping[str, Measured]) -> list[str]:
    found: dict[str, list[str]] = {}
    for key, row in rows.items():
        if timed(row):
            machine = row["timing"]["machine"]
            versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
            where = (
                f"{machine['processor']}, {row['timing']['threads']} threads, Python {machine['python']}, {versions}"
            )
            found.setdefault(where, []).append(key)
    if len(found) == 1:
        return [f"Measured on {next(iter(found))}.", ""]
    return [line for where, keys in found.items() for line in (f"Measured on {where}: {', '.join(keys)}.", "")]


def _speeds(rows: Rows) -> str:
    head = [
        "model",
        "TF ms",
        *(title for name in _OURS for title in (CONTENDERS[name].title, "predictor")),
        *(CONTENDERS[name].title for name in PEERS),
        "best peer",
        "auto / best peer",
        "auto's engines",
    ]
    lines = [[model, *_speed_cells(row)] for model, row in rows.items()]
    ours = [(mean(rows.values(), name), mean_of_quickest(rows.values(), name)) for name in _OURS]
    peers = [mean(rows.values(), name) for name in PEERS]
    best, own = mean_of_best(rows.values()), ours[0][1]
    beside = None if own is None or best is None else own / best
    means = [value for pair in ours for value in pair] + peers
    lines.append(["**geometric mean** (of the faster, under *predictor*)", "", *map(_number, [*means, best, beside])])
    return _table(head, lines)


def _speed_cells(row: Measured) -> list[str]:
    name, best = best_peer(row)
    engines: Mapping[str, int] = row["made"].get("auto", {}).get("engines", {})
    return [
        format(row["timing"]["ms"][TENSORFLOW], ".3g"),
        *(cell for each in _OURS for cell in (_ratio_cell(row, each), _number(direct(row, each)))),
        *(_ratio_cell(row, each) for each in PEERS),
        "none" if name is None else f"{best:.2f} {CONTENDERS[name].title}",
        _number(against_best(row, "auto")),
        ", ".join(f"{engine} {count}" if count > 1 else engine for engine, count in engines.items()) or "none",
    ]


def _ratio_cell(row: Measured, name: str) -> str:
    return "fails" if failure(row, name) else _number(ratio(row, name))


def _wins(rows: Rows) -> list[str]:
    """Tell where everybody wins and loses."""
    lines = []
    for name in _SHOWN:
        own = {model: value for model, row in rows.items() if (value := ratio(row, name)) is not None}
        text = f"- {CONTENDERS[name].title}: beside TensorFlow {_counts(own)}"
        if name in _OURS:
            against = {model: value for model in own if (value := against_best(rows[model], name)) is not None}
            peers = {model: CONTENDERS[peer].title for model in own if (peer := best_peer(rows[model])[0]) is not None}
            text += f"; beside the best peer {_counts(against, peers)}"
        failed = sum(failure(row, name) is not None for row in rows.values())
        lines.append(f"{text}; fails on {failed}.")
    return lines


def _counts(values: Mapping[str, float], notes: Mapping[str, str] | None = None) -> str:
    """Say on how many models somebody is faster, as fast and slower, and name those on which it is slower."""
    slower = sorted((value, model) for model, value in values.items() if value < NEARLY)
    faster = sum(value > 1 / NEARLY for value in values.values())
    named = (
        f"{model} {value:.2f}" + (f" ({notes[model]})" if notes and model in notes else "") for value, model in slower
    )
    same = len(values) - faster - len(slower)
    listed = f" ({', '.join(named)})" if slower else ""
    return f"faster on {faster}, as fast within {1 - NEARLY:.0%} on {same}, slower on {len(slower)}{listed}"


def _int8(batches: Mapping[int, Rows]) -> list[str]:
    lines = []
    for batch, rows in batches.items():
        for model, row in rows.items():
            if model not in INT8 or "int8" not in row["made"]:
                continue
            small, full = ratio(row, "int8"), ratio(row, "onnxruntime")
            beside = "" if small is None or full is None else f"{small / full:.2f}"
            shown = "fails" if failure(row, "int8") else _number(small)
            error = row["made"]["int8"].get("error", "")
            lines.append([model, batch, _number(full), shown, beside, error if error == "" else f"{float(error):.0e}"])
    if not lines:
        return []
    head = ["model", "batch", "FP32", "INT8", "INT8 / FP32", "error"]
    return [
        "### INT8",
        "",
        '`engine="onnxruntime"` in both precisions, times as fast as TensorFlow in FP32, from the same rounds;',
        "the relative L2 error is that of the worst output, before any [budget](precision.md). What it does to",
        "decisions is in [precision_results.md](precision_results.md).",
        "",
        _table(head, lines),
        "",
    ]


def _costs(batches: Mapping[int, Rows]) -> list[str]:
    batch, rows = next(((batch, rows) for batch, rows in batches.items() if rows), (0, {}))
    if not rows:
        return []
    return [
        "### What conversion costs",
        "",
        f"Seconds, and MB of resident memory added at the peak, batch {batch}. tfgraft's include building and,",
        "for auto, timing the engines; XLA's the first call, which compiles. Auto has LiteRT's converter in a process",
        "of its own, whose memory is not counted.",
        "",
        _table(["model", *(CONTENDERS[name].title for name in _SHOWN)], [_cost_cells(*item) for item in rows.items()]),
        "",
    ]


def _cost_cells(model: str, row: Measured) -> list[str]:
    cells = [model]
    for name in _SHOWN:
        result = row["made"].get(name, {})
        seconds, added = result.get("seconds"), result.get("added_mb")
        cells.append("" if seconds is None else f"{seconds:.1f} s" + ("" if added is None else f", {added:.0f}"))
    return cells


def _unmeasured(rows: Mapping[str, Measured]) -> list[str]:
    fixed = {key: row["prepare"]["fixed"] for key, row in rows.items() if "fixed" in row.get("prepare", {})}
    text = []
    if fixed:
        names = ", ".join(key.partition(" ")[0] for key in fixed)
        text += [f"Graphs that do not take a batch: {names}.", ""]
    for key, row in rows.items():
        for stage in ("prepare", "timing"):
            if row.get(stage, {}).get("status", "ok") != "ok":
                text += [f"Not measured: {key}, {stage}: {row[stage]['status']}: {_short(row[stage]['why'])}", ""]
    return text


def _failures(rows: Mapping[str, Measured]) -> list[str]:
    found = []
    for key, row in rows.items():
        for name in row.get("made", {}):
            if timed(row) and (why := failure(row, name)):
                found.append(f"- {key}, {CONTENDERS[name].title}: {_short(why)}")
            elif row["made"][name].get("fallbacks"):
                found.append(f"- {key}, {CONTENDERS[name].title}: {row['made'][name]['fallbacks']} calls fell back")
    return ["Failures:", "", *found] if found else []


def _short(text: str) -> str:
    plain = without_root(text).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
    return plain if len(plain) <= _WHY else f"{plain[:_WHY]} ..."


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    padded = [[*line, *[""] * (len(head) - len(line))] for line in lines]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [head, ["---"] * len(head), *padded])
