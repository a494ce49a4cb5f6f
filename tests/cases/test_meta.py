"""The case tables against the registry: each converter has a case that converts, each refusal one that is refused."""

from __future__ import annotations

import pytest

from tests.cases.test_onnx import CASES
from tfgraft.converters.onnx.families import CONVERTERS
from tfgraft.registry.entry import Converter
from tfgraft.registry.support import CODES

ENTRIES = [entry for family in CONVERTERS for entry in family]
CONVERTED = {case.op for case in CASES if case.refusal is None}
REFUSED = {(case.op, case.refusal) for case in CASES if case.refusal is not None}


WITHOUT_A_CASE = {
    ("CropAndResize", "attribute"): "its method is one of the two that TensorFlow has",
}
"""Restrictions that no case can or need show, and why."""

CHECKS_NOTHING = Converter("NoOp", "onnx", lambda ctx, view: None).check
"""The default check, which takes everything."""


def test_every_case_is_about_a_converter() -> None:
    assert {case.op for case in CASES} <= {entry.op for entry in ENTRIES}


def test_every_refusal_that_is_expected_is_a_code() -> None:
    assert {code for _, code in REFUSED if "/" not in str(code)} <= set(CODES)


def test_no_two_cases_have_one_name() -> None:
    names = [(case.op, case.id) for case in CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e.op}-{e.priority}")
def test_every_converter_converts_a_case(entry: Converter) -> None:
    assert entry.op in CONVERTED


def _siblings(entry: Converter) -> set[str]:
    """Return the ops that are taken by the same specification and check."""
    return {e.op for e in ENTRIES if e.spec == entry.spec and e.check is entry.check}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.spec.constants], ids=lambda e: e.op)
def test_every_input_that_must_be_constant_is_fed_in_a_case(entry: Converter) -> None:
    assert any((op, "not-constant") in REFUSED for op in _siblings(entry))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.spec.attrs], ids=lambda e: e.op)
def test_every_restricted_attribute_has_a_case(entry: Converter) -> None:
    shown = any((op, "attribute") in REFUSED for op in _siblings(entry))
    assert shown is not ((entry.op, "attribute") in WITHOUT_A_CASE)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.check is not CHECKS_NOTHING], ids=lambda e: e.op)
def test_every_check_refuses_a_case(entry: Converter) -> None:
    shown = any(op in {e.op for e in ENTRIES if e.check is entry.check} for op, _ in REFUSED)
    assert shown is not ((entry.op, "check") in WITHOUT_A_CASE)
