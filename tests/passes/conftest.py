"""What the tests of the passes share."""

from __future__ import annotations

import pytest

from tfgraft.registry.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The default registry; conversions that were tried once are not tried again."""
    return Registry.default()
