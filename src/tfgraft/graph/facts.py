"""Typed facts that passes find about nodes: a side table, so that nothing hides in string attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """The key of one kind of fact, `T` being the type of its values. Two keys with the same name are the same kind."""

    name: str


class Facts:
    """Facts by kind and node name; facts of nodes that an edit removes go with them."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Any]] = {}

    def get(self, fact: Fact[T], node: str) -> T | None:
        """Return a node's fact, or None where it was not found out."""
        return cast("T | None", self._tables.get(fact.name, {}).get(node))

    def table(self, fact: Fact[T]) -> Mapping[str, T]:
        """Return all facts of a kind by node name (read-only by contract)."""
        return cast("Mapping[str, T]", self._tables.get(fact.name, {}))

    def set(self, fact: Fact[T], node: str, value: T) -> None:
        """Note a fact."""
        self._tables.setdefault(fact.name, {})[node] = value

    def update(self, fact: Fact[T], values: Mapping[str, T]) -> None:
        """Note facts of one kind for many nodes."""
        self._tables.setdefault(fact.name, {}).update(values)

    def clear(self, fact: Fact[T]) -> None:
        """Forget all facts of a kind."""
        self._tables.pop(fact.name, None)

    def forget(self, nodes: Iterable[str]) -> None:
        """Forget all that is known of some nodes."""
        for node in nodes:
            for table in self._tables.values():
                table.pop(node, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)
