"""What the engine litert takes of the ONNX converters' cases, it computes as TensorFlow does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cases.case import OpCase
from tests.cases.raw import raw
from tests.cases.test_onnx import CASES
from tests.cases.through import check_case, sample
from tfgraft.converters.litert.ops import CONVERTERS
from tfgraft.plugins.litert.builder import LiteRtBuilder
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported


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


def _einsum(equation: str, dynamic: bool) -> OpCase:
    sizes = dict(zip("abcdefg", (2, 3, 4, 5, 6, 2, 3), strict=True))
    random = np.random.default_rng(0)
    operands = [
        random.standard_normal([sizes[label] for label in labels], np.float32)
        for labels in equation.partition("->")[0].split(",")
    ]
    return raw("Einsum", operands, equation=equation, case={"dynamic": dynamic, "atol": 1e-4})


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("equation", ["aecd,abcd->acbe", "acbe,aecd->abcd", "gdac,gbcd->gab", "ab->ba"])
def test_products_of_matrices_are_taken(equation: str, dynamic: bool, registry: Registry) -> None:
    assert check_case(_einsum(equation, dynamic), LiteRtBuilder(), registry) is None


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("equation", ["cbg,aeb->agce", "ab,ab->ab", "dce,dec->d", "abc,ad->abd", "aa->a", "ab,b->a"])
def test_other_einsums_are_refused(equation: str, dynamic: bool, registry: Registry) -> None:
    """The first comes out wrong, the others the converter refuses for some sizes."""
    refusal = check_case(_einsum(equation, dynamic), LiteRtBuilder(), registry)
    assert isinstance(refusal, Unsupported)
    assert refusal.code == "attribute"
