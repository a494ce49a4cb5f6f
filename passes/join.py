"""Join: merge neighbouring groups where their union is convex and the contracted graph stays acyclic.

The groups and the other nodes are the units of a contracted graph, kept in a topological order. Two groups with an edge
between them may be joined if no other path leads from the first to the second. Such a path can only run through units
that lie between the two in the order, so the search is local; after a join the units between are put in order again,
those that lead to the second group first (the reordering of Pearce and Kelly, "A dynamic topological sort algorithm
for directed acyclic graphs", 2006).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

_BUDGET = 20
"""All searches together follow at most this many edges for each unit, so that the whole stays linear."""
_LEAST = 10_000
"""But so many edges in any case."""


class Contraction:
    """A graph of units, each of them a set of nodes seen as one node; acyclic at all times.

    Args:
        count: the number of units, which are 0 to count - 1.
        edges: (from, to) between units; may repeat; must close no cycle.

    Attributes:
        steps: how many edges were followed so far.
    """

    def __init__(self, count: int, edges: Iterable[tuple[int, int]]) -> None:
        self._after: list[list[int]] = [[] for _ in range(count)]
        self._before: list[list[int]] = [[] for _ in range(count)]
        self._parent = list(range(count))
        for source, target in edges:
            if source != target:
                self._after[source].append(target)
                self._before[target].append(source)
        self._order = self._sorted()
        self.steps = 0

    def find(self, unit: int) -> int:
        """Return the unit that a unit has been joined into, or itself."""
        parent = self._parent
        while parent[unit] != unit:
            parent[unit] = parent[parent[unit]]
            unit = parent[unit]
        return unit

    def join(self, source: int, target: int, limit: int) -> bool:
        """Join two units with an edge from `source` to `target`, unless that would close a cycle.

        Past `limit` steps the answer is no. The units are given as `find` returns them.
        """
        first, last = self._order[source], self._order[target]
        later = self._reach(self._after, source, target, first, last, limit)
        if later is None:
            return False
        sooner = self._reach(self._before, target, source, first, last, limit)
        if sooner is None:
            return False
        order = self._order.__getitem__
        moved = [*sorted(sooner, key=order), source, *sorted(later, key=order)]
        slots = sorted([first, last, *map(order, sooner), *map(order, later)])
        for unit, slot in zip(moved, slots, strict=False):
            self._order[unit] = slot
        self._parent[target] = source
        for table in (self._after, self._before):
            # The shorter list goes into the longer one: however often units are joined, an edge moves rarely.
            short, long = sorted((table[source], table[target]), key=len)
            long.extend(short)
            table[source], table[target] = long, []
        return True

    def _reach(
        self, table: Sequence[list[int]], start: int, end: int, first: int, last: int, limit: int
    ) -> set[int] | None:
        """Return what `start` reaches between the two places of the order, direct edges to `end` left out.

        None if `end` is reached all the same, or past the limit.
        """
        reached: set[int] = set()
        pending = [start]
        while pending:
            unit = pending.pop()
            self.steps += len(table[unit]) + 1
            if self.steps > limit:
                return None
            for raw in table[unit]:
                there = self.find(raw)
                if there == end:
                    if unit != start:
                        return None
                elif there != start and there not in reached and first < self._order[there] < last:
                    reached.add(there)
                    pending.append(there)
        return reached

    def _sorted(self) -> list[int]:
        waiting = [len(before) for before in self._before]
        ready = deque(unit for unit, count in enumerate(waiting) if not count)
        order = [0] * len(waiting)
        place = 0
        while ready:
            unit = ready.popleft()
            order[unit] = place
            place += 1
            for after in self._after[unit]:
                waiting[after] -= 1
                if not waiting[after]:
                    ready.append(after)
        assert place == len(order), "the units' graph has a cycle"
        return order


def join(contraction: Contraction, pairs: Iterable[tuple[int, int]], count: int) -> None:
    """Join pairs of units (each with an edge from the first to the second) as far as possible.

    Pairs that cannot be joined are tried again after others were: a join may take the other path into itself.
    """
    limit = max(_BUDGET * count, _LEAST)
    waiting = sorted(set(pairs))
    joined = True
    while joined and waiting and contraction.steps < limit:
        joined = False
        left = []
        for source, target in waiting:
            a, b = contraction.find(source), contraction.find(target)
            if a == b:
                continue
            if contraction.join(a, b, limit):
                joined = True
            else:
                left.append((a, b))
        waiting = sorted(set(left))
