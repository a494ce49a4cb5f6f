"""Registry entries: op converters and decompositions, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tfgraft.graph.dtypes import PLAIN
from tfgraft.graph.view import NodeView
from tfgraft.registry.support import SUPPORTED, Support, Unsupported

LAYERS = ("user", "plugin", "built-in")
"""Layers from strongest to weakest: an entry of a stronger layer is asked first."""

Check = Callable[[NodeView], Support]
Convert = Callable[[Any, NodeView], None]
ANY = "*"
"""The op name of an entry that is asked for every op, after the entries of that op."""


@dataclass(frozen=True)
class OpSpec:
    """What a converter takes, declared; the framework checks it before the entry's own `check`.

    Args:
        dtypes: allowed types of every data input and output not named in `input_dtypes`/`output_dtypes`.
        input_dtypes: allowed types of single inputs, by index.
        output_dtypes: allowed types of single outputs, by index.
        ranks: allowed ranks of single inputs, by index; such an input's rank must be known.
        known_ranks: inputs whose rank must be known, whatever it is.
        constants: inputs that must be constants.
        attrs: allowed values of attributes (str, int, bool, float or tuples of them).
    """

    dtypes: frozenset[str] = PLAIN
    input_dtypes: Mapping[int, frozenset[str]] = field(default_factory=dict)
    output_dtypes: Mapping[int, frozenset[str]] = field(default_factory=dict)
    ranks: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    known_ranks: tuple[int, ...] = ()
    constants: tuple[int, ...] = ()
    attrs: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def check(self, view: NodeView) -> Support:
        """Return Supported, or the first refusal; codes dtype, rank, unknown-rank, not-constant, attribute."""
        for i, item in enumerate(view.inputs):
            if (refusal := _dtype("input", i, item.info.dtype, self.input_dtypes.get(i, self.dtypes))) is not None:
                return refusal
        for i, info in enumerate(view.outputs):
            if (refusal := _dtype("output", i, info.dtype, self.output_dtypes.get(i, self.dtypes))) is not None:
                return refusal
        for i in (*self.known_ranks, *self.ranks):
            if i < len(view.inputs) and view.rank(i) is None:
                return Unsupported(
                    "unknown-rank",
                    f"{view.op} needs the rank of input {i}, and it is not known.",
                    f"input {i}",
                    "Give input_shapes.",
                )
        for i, ranks in self.ranks.items():
            if i < len(view.inputs) and view.rank(i) not in ranks:
                allowed = " or ".join(str(r) for r in ranks)
                return Unsupported(
                    "rank", f"{view.op} takes input {i} of rank {allowed}, not {view.rank(i)}.", f"input {i}"
                )
        for i in self.constants:
            if i < len(view.inputs) and not view.inputs[i].is_constant:
                return Unsupported("not-constant", f"{view.op} needs input {i} to be a constant.", f"input {i}")
        for name, values in self.attrs.items():
            if name in view.node.attrs and view.attr(name) not in values:
                allowed = " or ".join(repr(v) for v in values)
                return Unsupported(
                    "attribute",
                    f"{view.op} is taken with {name} {allowed}, not {view.attr(name)!r}.",
                    f"attr {name}",
                )
        return SUPPORTED


def _dtype(kind: str, i: int, dtype: str, allowed: frozenset[str]) -> Unsupported | None:
    if dtype in allowed:
        return None
    return Unsupported(
        "dtype",
        f"{kind.capitalize()} {i} has type {dtype}; taken are {', '.join(sorted(allowed))}.",
        f"{kind} {i}",
    )


def _always(view: NodeView) -> Support:
    return SUPPORTED


def _nothing(context: Any, view: NodeView) -> None:
    raise TypeError(f"a veto on {view.op} was asked to convert")


@dataclass(frozen=True)
class Converter:
    """One engine's op converter for one TF op type.

    Args:
        op: TF op type, or `ANY`.
        engine: the engine builder's name, or the name of a converter set that it uses ("onnx").
        convert: `convert(context, view)`; the context is the engine's own (see its folder).
        spec: what it can, declared.
        check: the rest of what it can; pure.
        priority: among entries of one layer the higher is asked first.
        layer: one of `LAYERS`.
        source: who brought it: a module or a distribution.
        notes: what the op table says about it.
        veto: the entry converts nothing; what it refuses nobody of its layer or a weaker one takes, whatever set they
            are of. So an engine says what it computes otherwise than the converters that it borrows expect.
    """

    op: str
    engine: str
    convert: Convert
    spec: OpSpec = field(default_factory=OpSpec)
    check: Check = _always
    priority: int = 0
    layer: str = "built-in"
    source: str = ""
    notes: str = ""
    veto: bool = False

    def support(self, view: NodeView) -> Support:
        """Ask the spec, then `check`; a veto has a check alone."""
        declared = SUPPORTED if self.veto else self.spec.check(view)
        return self.check(view) if not isinstance(declared, Unsupported) else declared

    def in_layer(self, layer: str, source: str) -> Converter:
        """Return the entry as belonging to `layer`, brought by `source`."""
        return replace(self, layer=layer, source=source)


@dataclass(frozen=True)
class Decomposition:
    """Replaces one TF op by simpler TF ops, for all engines.

    Args:
        op: TF op type.
        function: a plain function over tensors. It gets the node's data inputs in order; an attribute of the node
            is passed where the function has a keyword-only parameter of that name. It returns the node's outputs.
        check: whether it applies to a node.
        priority, layer, source, notes: as for `Converter`.
    """

    op: str
    function: Callable[..., Any]
    check: Check = _always
    priority: int = 0
    layer: str = "built-in"
    source: str = ""
    notes: str = ""

    def in_layer(self, layer: str, source: str) -> Decomposition:
        """Return the entry as belonging to `layer`, brought by `source`."""
        return replace(self, layer=layer, source=source)


def converter(
    op: str,
    *more: str,
    engine: str,
    spec: OpSpec | None = None,
    check: Check = _always,
    priority: int = 0,
    notes: str = "",
) -> Callable[[Convert], tuple[Converter, ...]]:
    """Make entries (one for each op named) out of the decorated convert function; registers nothing by itself."""

    def wrap(convert: Convert) -> tuple[Converter, ...]:
        return tuple(
            Converter(
                name,
                engine,
                convert,
                spec or OpSpec(),
                check,
                priority,
                source=convert.__module__,
                notes=notes,
            )
            for name in (op, *more)
        )

    return wrap


def veto(op: str, *more: str, engine: str, notes: str = "") -> Callable[[Check], tuple[Converter, ...]]:
    """Make entries that convert nothing and refuse for a whole engine out of the decorated check; see `Converter`.

    `ANY` is every op.
    """

    def wrap(check: Check) -> tuple[Converter, ...]:
        return tuple(
            Converter(
                name, engine, _nothing, OpSpec(frozenset()), check, source=check.__module__, notes=notes, veto=True
            )
            for name in (op, *more)
        )

    return wrap


def decomposition(
    op: str, *more: str, check: Check = _always, priority: int = 0, notes: str = ""
) -> Callable[[Callable[..., Any]], tuple[Decomposition, ...]]:
    """Make decomposition entries (one for each op named) out of the decorated function; registers nothing."""

    def wrap(function: Callable[..., Any]) -> tuple[Decomposition, ...]:
        return tuple(
            Decomposition(name, function, check, priority, source=function.__module__, notes=notes)
            for name in (op, *more)
        )

    return wrap
