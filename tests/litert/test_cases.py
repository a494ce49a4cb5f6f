"""What the engine litert takes of the ONNX converters' cases, it computes as TensorFlow does."""

from __future__ import annotations

import pytest

from tests.cases.case import OpCase
from tests.cases.test_onnx import CASES
from tests.cases.through import check_case, sample
from tfgraft.converters.litert.ops import CONVERTERS
from tfgraft.plugins.litert.builder import LiteRtBuilder
from tfgraft.registry.registry import Registry


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The entries of litert alone."""
    made = Registry()
    for entries in CONVERTERS:
        made.add(*entries, layer="built-in")
    return made


PARTS = {"Erf", "Erfc"}
"""Of a Gelu (see test_engine.py): the converter, which takes clusters as a whole, refuses them alone."""


@pytest.mark.parametrize("case", sample([c for c in CASES if c.op not in PARTS], 2), ids=lambda c: f"{c.op}-{c.id}")
def test_what_is_taken_is_right(case: OpCase, registry: Registry) -> None:
    check_case(case, LiteRtBuilder(), registry)
