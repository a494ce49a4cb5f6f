"""All built-in decompositions, by family; a new family is a new line here."""

from __future__ import annotations

from tfgraft.converters.decompositions import arrangement, diagonals, elementary, guarded, matrices, scans
from tfgraft.registry.entry import Decomposition

DECOMPOSITIONS: tuple[tuple[Decomposition, ...], ...] = (
    *arrangement.DECOMPOSITIONS,
    *diagonals.DECOMPOSITIONS,
    *elementary.DECOMPOSITIONS,
    *guarded.DECOMPOSITIONS,
    *matrices.DECOMPOSITIONS,
    *scans.DECOMPOSITIONS,
)
