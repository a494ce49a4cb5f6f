"""What the installed distribution says about itself."""

from __future__ import annotations

from importlib import metadata

import pytest

try:
    DISTRIBUTION = metadata.distribution("tfgraft")
except metadata.PackageNotFoundError:
    pytest.skip("tfgraft is not installed here", allow_module_level=True)

EXTRAS = {"cpu", "gpu", "tensorrt", "tensorrt-rtx", "openvino", "dev"}


def test_entry_points_lead_somewhere() -> None:
    points = [point for point in DISTRIBUTION.entry_points if point.group in ("console_scripts", "tfgraft.plugins")]
    assert {point.name for point in points} >= {"tfgraft", "onnxruntime"}
    for point in points:
        assert point.load() is not None


def test_extras_are_declared() -> None:
    assert set(DISTRIBUTION.metadata.get_all("Provides-Extra") or ()) >= EXTRAS


def test_tensorflow_is_never_a_plain_requirement() -> None:
    """Its CPU and GPU wheels exclude each other, so it may come with an extra only."""
    requirements = DISTRIBUTION.requires or []
    assert any(text.startswith("networkx") for text in requirements)
    assert [text for text in requirements if text.startswith("tensorflow") and "extra ==" not in text] == []
