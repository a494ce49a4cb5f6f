"""Fixtures: a fresh affine builder, and counters at zero."""

from __future__ import annotations

import pytest

import tfgraft.runtime
from tests.runtime.affine import AffineBuilder


@pytest.fixture
def builder() -> AffineBuilder:
    """Register a new affine builder."""
    made = AffineBuilder()
    tfgraft.runtime.register_engine(made)
    tfgraft.runtime.reset_counters()
    return made
