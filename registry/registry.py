"""Registry: which converters, decompositions, engines and passes there are, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import ANY, LAYERS, Check, Convert, Converter, Decomposition, OpSpec
from tfgraft.registry.entry import converter as make_converter
from tfgraft.registry.entry import decomposition as make_decomposition
from tfgraft.registry.support import Support, Supported, Unsupported

if TYPE_CHECKING:
    from tfgraft.passes.base import Pass
    from tfgraft.plugins.protocol import EngineBuilder

E = TypeVar("E", Converter, Decomposition)
F = TypeVar("F", bound=Callable[..., Any])


class RegistryError(ValueError):
    """A registration that cannot be: a tie between two entries, a name twice, or a frozen registry."""


@dataclass(frozen=True)
class Resolution:
    """Who converts a node, and who was asked and refused before.

    Args:
        chosen: the entry that takes the node, or None.
        support: the chosen entry's answer, or the refusal that says best why nobody takes it.
        rejected: entries that refused, in the order in which they were asked.
    """

    chosen: Converter | None
    support: Support
    rejected: tuple[tuple[Converter, Unsupported], ...] = ()


@dataclass(frozen=True)
class PluginProblem:
    """A plugin that could not be loaded: its entry point, distribution and error."""

    plugin: str
    distribution: str
    error: str


@dataclass
class _Tables:
    converters: dict[tuple[str, str], list[Converter]] = field(default_factory=dict)
    decompositions: dict[str, list[Decomposition]] = field(default_factory=dict)
    engines: dict[str, EngineBuilder] = field(default_factory=dict)
    passes: dict[str, Callable[..., Pass]] = field(default_factory=dict)
    problems: list[PluginProblem] = field(default_factory=list)


class Registry:
    """Converters, decompositions, engine builders and passes. Copyable; frozen while a pipeline runs.

    Entries of a stronger layer (user, then plugin, then built-in) are asked first, then those of higher priority.
    Two entries with the same key, layer and priority are an error that names both sources.
    """

    def __init__(self) -> None:
        self._tables = _Tables()
        self._frozen = 0

    @classmethod
    def default(cls) -> Registry:
        """Return a new registry with the built-in entries and those of the installed plugins."""
        from tfgraft.registry.discovery import load_plugins

        registry = cls()
        load_plugins(registry)
        return registry

    def copy(self) -> Registry:
        """Return an independent copy, not frozen."""
        new = Registry()
        old = self._tables
        new._tables = _Tables(
            {k: list(v) for k, v in old.converters.items()},
            {k: list(v) for k, v in old.decompositions.items()},
            dict(old.engines),
            dict(old.passes),
            list(old.problems),
        )
        return new

    def __enter__(self) -> Registry:
        """Freeze for the time of a `with` block (nested blocks count)."""
        self._frozen += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self._frozen -= 1

    @property
    def engines(self) -> Mapping[str, EngineBuilder]:
        """Engine builders by name."""
        return MappingProxyType(self._tables.engines)

    @property
    def passes(self) -> Mapping[str, Callable[..., Pass]]:
        """Pass classes that plugins brought, by name; users compose them into pipelines."""
        return MappingProxyType(self._tables.passes)

    @property
    def problems(self) -> tuple[PluginProblem, ...]:
        """Plugins that could not be loaded."""
        return tuple(self._tables.problems)

    def add(self, *entries: Converter | Decomposition, layer: str = "user", source: str = "") -> None:
        """Register entries in a layer.

        Raises:
            RegistryError: an entry ties with another one, the layer is unknown, or the registry is frozen.
        """
        self._check_open()
        if layer not in LAYERS:
            raise RegistryError(f"there is no layer {layer!r}; the layers are {', '.join(LAYERS)}")
        for entry in entries:
            placed = entry.in_layer(layer, source or entry.source)
            if isinstance(placed, Converter):
                _insert(self._tables.converters.setdefault((placed.engine, placed.op), []), placed)
            else:
                _insert(self._tables.decompositions.setdefault(placed.op, []), placed)

    def add_engine(self, builder: EngineBuilder, source: str = "") -> None:
        """Register an engine builder under its name.

        Raises:
            RegistryError: another builder has the name, or the registry is frozen.
        """
        self._check_open()
        old = self._tables.engines.get(builder.name)
        if old is not None and old is not builder:
            raise RegistryError(
                f"engine {builder.name!r} of {source or type(builder).__module__} is there already, "
                f"from {type(old).__module__}"
            )
        self._tables.engines[builder.name] = builder

    def add_pass(self, name: str, factory: Callable[..., Pass], source: str = "") -> None:
        """Register a pass class (or factory) under a name.

        Raises:
            RegistryError: another pass has the name, or the registry is frozen.
        """
        self._check_open()
        old = self._tables.passes.get(name)
        if old is not None and old is not factory:
            raise RegistryError(
                f"pass {name!r} of {source or factory.__module__} is there already, from {old.__module__}"
            )
        self._tables.passes[name] = factory

    def add_problem(self, problem: PluginProblem) -> None:
        """Note a plugin that could not be loaded."""
        self._tables.problems.append(problem)

    def converter(
        self,
        op: str,
        *more: str,
        engine: str,
        spec: OpSpec | None = None,
        check: Check | None = None,
        priority: int = 0,
        notes: str = "",
    ) -> Callable[[Convert], Convert]:
        """Register the decorated function as a user's op converter; see `tfgraft.registry.entry.Converter`."""

        def register(convert: Convert) -> Convert:
            extra: dict[str, Any] = {} if check is None else {"check": check}
            entries = make_converter(op, *more, engine=engine, spec=spec, priority=priority, notes=notes, **extra)
            self.add(*entries(convert))
            return convert

        return register

    def decomposition(
        self, op: str, *more: str, check: Check | None = None, priority: int = 0, notes: str = ""
    ) -> Callable[[F], F]:
        """Register the decorated function as a user's decomposition; see `tfgraft.registry.entry.Decomposition`."""

        def register(function: F) -> F:
            extra: dict[str, Any] = {} if check is None else {"check": check}
            self.add(*make_decomposition(op, *more, priority=priority, notes=notes, **extra)(function))
            return function

        return register

    def converters(self, engine: str | None = None) -> list[Converter]:
        """Return all converters, or those of one converter set, by op name and strength."""
        tables = self._tables.converters
        keys = sorted(k for k in tables if engine is None or k[0] == engine)
        return [entry for key in keys for entry in tables[key]]

    def decompositions(self, op: str | None = None) -> list[Decomposition]:
        """Return all decompositions, or those of one op, strongest first."""
        tables = self._tables.decompositions
        return [entry for key in sorted(tables) if op is None or key == op for entry in tables[key]]

    def candidates(self, op: str, sets: Iterable[str]) -> list[Converter]:
        """Return who would be asked about an op, in order; `sets` are converter sets, strongest first."""
        order = {name: i for i, name in enumerate(sets)}
        found = [entry for name in order for key in (op, ANY) for entry in self._tables.converters.get((name, key), ())]
        found.sort(key=lambda e: (LAYERS.index(e.layer), not e.veto, e.op == ANY, order[e.engine], -e.priority))
        return found

    def resolve(self, view: NodeView, sets: Iterable[str]) -> Resolution:
        """Ask the candidates in order; the first that supports the node takes it."""
        sets = tuple(sets)
        if view.library is not None and view.node.attrs.functions:
            view = replace(view, resolve=lambda inner: self.resolve(inner, sets))
        rejected: list[tuple[Converter, Unsupported]] = []
        for entry in self.candidates(view.op, sets):
            support = entry.support(view)
            if isinstance(support, Supported):
                if entry.veto:
                    continue
                return Resolution(entry, support, tuple(rejected))
            if not isinstance(support, Unsupported):
                raise TypeError(
                    f"the check of {entry.op} from {entry.source} must return Supported or Unsupported, not {support!r}"
                )
            rejected.append((entry, support))
            if entry.veto:
                return Resolution(None, support, tuple(rejected))
        if rejected:
            # The strongest entry of the op itself knows best; a catch-all is quoted only where it stands alone.
            best = next((r for e, r in rejected if e.op != ANY), rejected[0][1])
            return Resolution(None, best, tuple(rejected))
        refusal = Unsupported(
            "no-converter",
            f"No converter for {view.op} is registered.",
            view.op,
            "Register a converter or a decomposition for it.",
        )
        return Resolution(None, refusal)

    def _check_open(self) -> None:
        if self._frozen:
            raise RegistryError("the registry is frozen while a pipeline runs; register before, or on a copy()")


def _insert(entries: list[E], new: E) -> None:
    for old in entries:
        if (old.layer, old.priority) == (new.layer, new.priority):
            if old == new:
                return
            raise RegistryError(
                f"two entries for {new.op} in layer {new.layer!r} with priority {new.priority}: from {old.source} "
                f"and from {new.source}; give one of them another priority"
            )
    entries.append(new)
    entries.sort(key=lambda e: (LAYERS.index(e.layer), -e.priority))
