"""What the tests of predictors share."""

from __future__ import annotations

import pytest

from tfgraft.registry.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The default registry."""
    return Registry.default()
