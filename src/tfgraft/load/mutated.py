"""Which resources of a function are written or used in a way that freezing cannot turn into a constant."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

_READS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "NoOp"})
_PASSES_ON = frozenset({"Identity", "IdentityN", "Switch", "Enter", "Merge", "RefSwitch"})


def written_resources(graph_def: Any, names: set[str]) -> set[str]:
    """Return those of the resource placeholders `names` that something other than a plain read uses.

    Follows the handles into function calls, branches and loop bodies.
    """
    uses = _Uses(graph_def)
    return {name for name in names if uses.written("", name, set())}


class _Uses:
    """Who uses what in a graph and in its functions; the graph itself goes by the name ""."""

    def __init__(self, graph_def: Any) -> None:
        self._functions = {f.signature.name: f for f in graph_def.library.function}
        self._nodes = {"": graph_def.node, **{name: f.node_def for name, f in self._functions.items()}}
        self._readers: dict[str, dict[str, list[tuple[Any, int]]]] = {}

    def written(self, function: str, start: str, seen: set[tuple[str, int]]) -> bool:
        """Tell whether something writes to the handle `start`; `seen` holds the function arguments looked at."""
        readers = self._readers_in(function)
        todo, done = [start], {start}
        while todo:
            for node, slot in readers.get(todo.pop(), ()):
                if node.op in _READS:
                    continue
                if node.op in _PASSES_ON:
                    if node.name not in done:
                        done.add(node.name)
                        todo.append(node.name)
                    continue
                called = _called(node, self._functions)
                if not called:
                    return True
                # A branch takes its condition or index first; its functions do not.
                skip = 1 if node.op in ("If", "StatelessIf", "Case", "StatelessCase") else 0
                for name in called:
                    key = (name, slot - skip)
                    if key in seen:
                        continue
                    seen.add(key)
                    argument = self._functions[name].signature.input_arg[slot - skip].name
                    if self.written(name, argument, seen):
                        return True
        return False

    def _readers_in(self, function: str) -> dict[str, list[tuple[Any, int]]]:
        """Return (node, slot) of all who read each value, by the name of its node; read once."""
        if function not in self._readers:
            readers = defaultdict(list)
            for node in self._nodes[function]:
                for slot, text in enumerate(node.input):
                    readers[text.partition(":")[0]].append((node, slot))
            self._readers[function] = readers
        return self._readers[function]


def _called(node: Any, functions: dict[str, Any]) -> list[str]:
    names = [node.op] if node.op in functions else []
    for value in node.attr.values():
        names.extend(f.name for f in (value.func, *value.list.func) if f.name in functions)
    return names
