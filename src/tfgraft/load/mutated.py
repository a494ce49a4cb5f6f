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
    functions = {f.signature.name: f for f in graph_def.library.function}
    return {name for name in names if _written(graph_def.node, name, functions, set())}


def _written(nodes: Any, start: str, functions: dict[str, Any], seen: set[tuple[str, int]]) -> bool:
    readers = defaultdict(list)
    for node in nodes:
        for slot, text in enumerate(node.input):
            readers[text.partition(":")[0]].append((node, slot))
    todo, done = [start], {start}
    while todo:
        for node, slot in readers[todo.pop()]:
            if node.op in _READS:
                continue
            if node.op in _PASSES_ON:
                if node.name not in done:
                    done.add(node.name)
                    todo.append(node.name)
                continue
            called = _called(node, functions)
            if not called:
                return True
            # A branch takes its condition or index first; its functions do not.
            skip = 1 if node.op in ("If", "StatelessIf", "Case", "StatelessCase") else 0
            for name in called:
                key = (name, slot - skip)
                if key in seen:
                    continue
                seen.add(key)
                body = functions[name]
                if _written(body.node_def, body.signature.input_arg[slot - skip].name, functions, seen):
                    return True
    return False


def _called(node: Any, functions: dict[str, Any]) -> list[str]:
    names = [node.op] if node.op in functions else []
    for value in node.attr.values():
        names.extend(f.name for f in (value.func, *value.list.func) if f.name in functions)
    return names
