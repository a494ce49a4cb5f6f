"""What the tests of the engine `xla` share."""

from __future__ import annotations

import pytest

from tfgraft.registry.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The default registry."""
    return Registry.default()
