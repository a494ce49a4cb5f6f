"""The table of engines that `TrtGraphConverterV2.summary` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from tfgraft.grafted import Grafted
from tfgraft.graph.view import TensorInfo
from tfgraft.report.report import ClusterReport
from tfgraft.runtime.node import read_metadata

_LEAST = 160
_COLUMNS = (
    ("Engine Name", 0.20),
    ("Device", 0.09),
    ("# Nodes", 0.05),
    ("# Inputs", 0.09),
    ("# Outputs", 0.09),
    ("Input DTypes", 0.12),
    ("Output DTypes", 0.12),
    ("Input Shapes", 0.12),
    ("Output Shapes", 0.12),
)
"""The columns, with the share of the line that each has."""
Print = Callable[..., None]


def print_summary(grafted: Grafted, line_length: int, detailed: bool, print_fn: Print) -> None:
    """Print a row for each engine, the ops in it if `detailed`, and how much was converted.

    Raises:
        ValueError: the lines are too short for the columns.
    """
    if line_length < _LEAST:
        raise ValueError(f"line_length is at least {_LEAST}, not {line_length!r}.")
    _row([name for name, _ in _COLUMNS], line_length, print_fn)
    print_fn("=" * line_length)
    report = grafted.report
    nodes = {node.name: node for node in grafted.graph_def.node}
    nodes.update((n.name, n) for f in grafted.graph_def.library.function for n in f.node_def)
    ops = {(n.function, n.name): n.op for n in report.nodes}
    for i, cluster in enumerate(report.clusters):
        if i:
            print_fn(f"\n{'-' * 40}\n")
        node = nodes[cluster.engine_node]
        _row(_fields(cluster, node.device, node.attr["metadata"].s), line_length, print_fn)
        if detailed:
            print_fn("")
            counts = Counter(ops[cluster.function, name] for name in cluster.nodes)
            for op, count in sorted(counts.items()):
                print_fn(f"\t- {op}: {count}x")
    fates = Counter(node.fate for node in report.nodes)
    total = fates["engine"] + fates["native"] + fates["left out"]
    print_fn(f"\n{'=' * line_length}")
    print_fn(f"[*] Total number of engines ({report.engine}): {len(report.clusters)}")
    print_fn(f"[*] % of OPs Converted: {100 * report.coverage:.2f}% [{fates['engine']}/{total}]\n")


def _fields(cluster: ClusterReport, device: str, metadata: bytes) -> list[str]:
    built = read_metadata(metadata)
    return [
        cluster.engine_node,
        device.rpartition("/")[2],
        str(cluster.size),
        str(len(built.inputs)),
        str(len(built.outputs)),
        _list(info.dtype for info in built.inputs),
        _list(info.dtype for info in built.outputs),
        _list(map(_shape, built.inputs)),
        _list(map(_shape, built.outputs)),
    ]


def _list(parts: Iterable[str]) -> str:
    return f"[{', '.join(parts)}]"


def _shape(info: TensorInfo) -> str:
    return "(...)" if info.shape is None else f"({', '.join('?' if d < 0 else str(d) for d in info.shape)})"


def _row(fields: Sequence[str], line_length: int, print_fn: Print) -> None:
    """Print fields in their columns; what does not fit is cut."""
    line, end = "", 0
    for field, (_, share) in zip(fields, _COLUMNS, strict=True):
        end += int(line_length * share)
        line = f"{line} {field}" if line else field
        line = line.ljust(end) if len(line) <= end else f"{line[: end - 4]} ..."
    print_fn(line)
