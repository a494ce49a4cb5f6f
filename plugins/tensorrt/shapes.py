"""Which profiles an engine gets: from what the user says of the graph's tensors, and what is known of its inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfgraft.graph.graph import Graph
from tfgraft.graph.ref import TensorRef
from tfgraft.graph.view import TensorInfo
from tfgraft.graph.views import tensor_info
from tfgraft.plugins.protocol import OptionError
from tfgraft.plugins.tensorrt.options import Dims, Range, TensorRtOptions
from tfgraft.plugins.tensorrt.profiles import Profile

DimRange = tuple[int, int, int]


def profiles_of(refs: Sequence[TensorRef], graph: Graph, options: TensorRtOptions) -> tuple[Profile, ...]:
    """Return the profiles of an engine with these inputs, at least one; their ranks must be known.

    Raises:
        OptionError: the options name a tensor that is not there, or give it a shape that it cannot have.
    """
    infos = tuple(tensor_info(graph, ref) for ref in refs)
    given = [*options.profiles, *([_observed(options.observed)] if options.observed else [])]
    values = {i: _values(item, info, options) for i, (ref, info) in enumerate(zip(refs, infos, strict=True))
              if (item := _find(options.values, i, ref)) is not None}  # fmt: skip
    return tuple(_profile(refs, infos, graph, one, values, options) for one in given or [{}])


def _profile(
    refs: Sequence[TensorRef],
    infos: Sequence[TensorInfo],
    graph: Graph,
    given: Mapping[str | int, Range],
    values: Mapping[int, Range],
    options: TensorRtOptions,
) -> Profile:
    known = _known_dims(given, refs, infos, graph)
    for info in infos:
        if info.shape and info.shape[0] < -1:
            known.setdefault(info.shape[0], options.batch)
    shapes = []
    for i, (ref, info) in enumerate(zip(refs, infos, strict=True)):
        item = _find(given, i, ref)
        shapes.append(item if item is not None else _shape_range(info, known, options))
    every = tuple(values.get(i, _default_values(info, options)) for i, info in enumerate(infos))
    return Profile(tuple(shapes), every)


def _known_dims(
    given: Mapping[str | int, Range], refs: Sequence[TensorRef], infos: Sequence[TensorInfo], graph: Graph
) -> dict[int, DimRange]:
    """Return the ranges of the dimensions that have a name of their own (see `view.Shape`)."""
    known: dict[int, DimRange] = {}
    for key, item in given.items():
        info = _info(key, refs, infos, graph)
        if info is None or info.shape is None:
            continue
        if len(item[0]) != len(info.shape):
            raise OptionError(f"option profiles gives {key!r} the rank {len(item[0])}, and it is {info}")
        for dim, limits in zip(info.shape, zip(*item, strict=True), strict=True):
            if dim >= 0 and limits != (dim, dim, dim):
                raise OptionError(f"option profiles gives {key!r} the sizes {limits} where {info} has {dim}")
            if dim < -1:
                known.setdefault(dim, limits)
    return known


def _info(key: str | int, refs: Sequence[TensorRef], infos: Sequence[TensorInfo], graph: Graph) -> TensorInfo | None:
    """Return what is known of a tensor that the user names; None for one that another graph or engine has."""
    if isinstance(key, int):
        return infos[key] if 0 <= key < len(refs) else None
    ref = TensorRef.parse(key)
    if ref.node in graph:
        return tensor_info(graph, ref)
    if graph.name:  # a function's body has names of its own
        return None
    raise OptionError(f"option profiles names {key!r}, and the graph has no such tensor")


def _find(given: Mapping[str | int, Any], i: int, ref: TensorRef) -> Any:
    names: tuple[str | int, ...] = (i, str(ref), f"{ref.node}:{ref.port}", *([ref.node] if ref.port == 0 else []))
    return next((given[name] for name in names if name in given), None)


def _shape_range(info: TensorInfo, known: Mapping[int, DimRange], options: TensorRtOptions) -> Range:
    ranges = [
        (d, d, d) if d >= 0 else known.get(d, options.unknown if axis else options.batch)
        for axis, d in enumerate(info.shape or ())
    ]
    least, best, most = (tuple(r[k] for r in ranges) for k in range(3))
    return least, best, most


def _default_values(info: TensorInfo, options: TensorRtOptions) -> Range:
    size = info.shape[0] if info.shape else 1
    least, best, most = ((limit,) * max(size, 1) for limit in options.unknown)
    return least, best, most


def _values(item: Range, info: TensorInfo, options: TensorRtOptions) -> Range:
    if any(len(v) != len(_default_values(info, options)[0]) for v in item):
        raise OptionError(f"option values gives {len(item[0])} values to an input that is {info}")
    return item


def _observed(seen: Iterable[Mapping[str | int, Dims]]) -> dict[str | int, Range]:
    """Return a profile of shapes that were seen: for each dimension the least, the most frequent, the greatest."""
    shapes: dict[str | int, list[Dims]] = {}
    for one in seen:
        for key, dims in one.items():
            shapes.setdefault(key, []).append(dims)
    profile: dict[str | int, Range] = {}
    for key, rows in shapes.items():
        if len({len(row) for row in rows}) > 1:
            raise OptionError(f"option observed gives {key!r} shapes of different ranks")
        columns = list(zip(*rows, strict=True))
        profile[key] = (
            tuple(min(c) for c in columns),
            tuple(max(Counter(c).items(), key=lambda pair: (pair[1], pair[0]))[0] for c in columns),
            tuple(max(c) for c in columns),
        )
    return profile
