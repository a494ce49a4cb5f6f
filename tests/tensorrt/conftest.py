"""What the tests of the builder share."""

from __future__ import annotations

import pytest

from tfgraft.registry.registry import Registry


@pytest.fixture(scope="package")
def everything() -> Registry:
    """The default registry; conversions that were tried once are not tried again."""
    return Registry.default()
