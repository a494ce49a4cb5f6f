"""TensorRT's entries against the case tables: each has a case that converts, and one for every code it refuses with."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np
import pytest
from tensorflow.python.framework import op_def_registry

from tests.cases.case import OpCase, graph_of
from tests.tensorrt.refusal_cases import FIXED_RANKS
from tests.tensorrt.test_cases import CASES
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.graph.dtypes import name_of
from tfgraft.graph.views import node_view
from tfgraft.registry.entry import Converter
from tfgraft.registry.support import CODES, Unsupported

ENTRIES = [entry for family in CONVERTERS for entry in family]
CONVERTED = {case.op for case in CASES if case.refusal is None}
REFUSED = {(case.op, str(case.refusal)) for case in CASES if case.refusal is not None}

NEVER = {
    "NonMaxSuppression": "its result has as many elements as the data gives",
    "NonMaxSuppressionV2": "its result has as many elements as the data gives",
    "NonMaxSuppressionV3": "its result has as many elements as the data gives",
    "Where": "its result has as many elements as the data gives",
}
"""Ops whose entry is there to say why they are never taken."""

NO_EDGE = {
    "DataFormatVecPermute": {"zero": "TensorFlow takes vectors of 2, 4 and 5, and pairs"},
    "LinSpace": {"zero": "its inputs are scalars"},
    "Range": {"zero": "its inputs are scalars", "one": "its inputs are scalars"},
    "TensorStridedSliceUpdate": {"unknown": "it needs every dimension"},
}
"""Edges that no case of an op can have, and why."""

_READABLE = "TensorFlow loads no graph whose functions cannot be read"
WITHOUT_A_CASE = {
    ("If", "control-flow"): _READABLE,
    ("StatelessIf", "control-flow"): _READABLE,
    ("While", "control-flow"): _READABLE,
    ("StatelessWhile", "control-flow"): _READABLE,
    ("PartitionedCall", "control-flow"): _READABLE,
    ("StatefulPartitionedCall", "control-flow"): _READABLE,
    **{(case.op, "rank"): "TensorFlow fixes the rank" for case in FIXED_RANKS},
    **{(case.op, "unknown-rank"): "TensorFlow tells the rank by the op itself" for case in FIXED_RANKS},
}
"""What entries would refuse, but no graph of TensorFlow's leads to; each reason has its own test."""


def _codes(check: Callable[..., Any], seen: set[Any]) -> Iterator[str]:
    """Find the codes that a check and the converters' functions that it calls have among their constants."""
    if check in seen:
        return
    seen.add(check)
    blocks: list[CodeType] = [check.__code__]
    for block in blocks:
        blocks += [c for c in block.co_consts if isinstance(c, CodeType)]
        yield from (c for c in block.co_consts if isinstance(c, str) and c in CODES)
    named = [check.__globals__.get(name) for block in blocks for name in block.co_names]
    for other in (*named, *(cell.cell_contents for cell in check.__closure__ or ())):
        if inspect.isfunction(other) and other.__module__.startswith("tfgraft.converters"):
            yield from _codes(other, seen)


def _taken_anyway(entry: Converter, attr: str, allowed: frozenset[str]) -> bool:
    """Tell whether TensorFlow's own OpDef allows an attribute no type but these."""
    (definition,) = (a for a in op_def_registry.get(entry.op).attr if a.name == attr)
    types = definition.allowed_values.list.type
    return bool(types) and {name_of(t) for t in types} <= allowed


def _can_refuse_types(entry: Converter) -> bool:
    op, spec = op_def_registry.get(entry.op), entry.spec
    for args, single in ((op.input_arg, spec.input_dtypes), (op.output_arg, spec.output_dtypes)):
        for i, arg in enumerate(args):
            allowed = single.get(i, spec.dtypes)
            if arg.type and name_of(arg.type) not in allowed:
                return True
            if arg.type_list_attr or (arg.type_attr and not _taken_anyway(entry, arg.type_attr, allowed)):
                return True
    return False


def _can_refuse_attributes(entry: Converter) -> bool:
    for a in op_def_registry.get(entry.op).attr:
        texts = {s.decode() for s in a.allowed_values.list.s}
        if a.name in entry.spec.attrs and not (texts and texts <= set(entry.spec.attrs[a.name])):
            return True
    return False


def _declared(entry: Converter) -> set[str]:
    """Return the codes that an entry's spec can refuse a node of TensorFlow's with."""
    spec = entry.spec
    codes = {
        "dtype": _can_refuse_types(entry),
        "attribute": _can_refuse_attributes(entry),
        "not-constant": bool(spec.constants),
        "rank": bool(spec.ranks),
        "unknown-rank": bool(spec.ranks or spec.known_ranks),
    }
    if not spec.known_ranks:
        codes["unknown-rank"] &= (entry.op, "unknown-rank") not in WITHOUT_A_CASE
    codes["rank"] &= (entry.op, "rank") not in WITHOUT_A_CASE
    return {code for code, can in codes.items() if can}


def _shown(siblings: Iterable[Converter]) -> set[str]:
    ops = {e.op for e in siblings}
    return {code for op, code in REFUSED if op in ops}


def test_every_case_is_about_a_converter() -> None:
    assert {case.op for case in CASES} <= {entry.op for entry in ENTRIES}


def test_every_refusal_that_is_expected_is_a_code() -> None:
    assert {code for _, code in REFUSED} <= set(CODES)


def test_no_two_cases_have_one_name() -> None:
    counts = Counter((case.op, case.id) for case in CASES)
    assert {name: count for name, count in counts.items() if count > 1} == {}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.op)
def test_every_converter_converts_a_case(entry: Converter) -> None:
    assert (entry.op in CONVERTED) is not (entry.op in NEVER)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.op not in NEVER], ids=lambda e: e.op)
def test_every_converter_has_cases_at_the_edges(entry: Converter) -> None:
    """Dimensions that are unknown, zero and one, unless there is a reason."""
    cases = [case for case in CASES if case.op == entry.op and case.refusal is None]
    shapes = [np.shape(value) for case in cases for value in case.inputs]
    shown = {
        "unknown": any(case.dynamic or case.unknown_rank for case in cases),
        "zero": any(0 in shape for shape in shapes),
        "one": any(1 in shape for shape in shapes),
    }
    assert {edge for edge, is_shown in shown.items() if not is_shown} == set(NO_EDGE.get(entry.op, {}))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.op)
def test_every_refusal_of_a_specification_has_a_case(entry: Converter) -> None:
    assert _declared(entry) <= _shown(e for e in ENTRIES if e.spec == entry.spec)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.check is not Converter.check], ids=lambda e: e.op)
def test_every_refusal_of_a_check_has_a_case(entry: Converter) -> None:
    codes = {code for code in _codes(entry.check, set()) if (entry.op, code) not in WITHOUT_A_CASE}
    assert codes <= _shown(e for e in ENTRIES if e.check is entry.check)


@pytest.mark.parametrize("case", FIXED_RANKS, ids=lambda c: c.op)
def test_tensorflow_fixes_the_ranks(case: OpCase) -> None:
    """So that an entry is never asked about another rank, nor about one that is not known."""
    entry = next(e for e in ENTRIES if e.op == case.op)
    graph, _ = graph_of(case)
    view = next(node_view(graph, n.name) for n in graph if n.op == case.op)
    for i, ranks in entry.spec.ranks.items():
        assert view.rank(i) in ranks
        inputs = [_with_rank(v, max(ranks) + 1) if k == i else v for k, v in enumerate(case.inputs)]
        with pytest.raises(ValueError, match=r"must be|rank"):
            graph_of(replace(case, inputs=inputs, unknown_rank=False))


def _with_rank(value: Any, rank: int) -> Any:
    return np.asarray(value).reshape([1] * (rank - np.ndim(value)) + list(np.shape(value)))


@pytest.mark.parametrize("op", [op for op, code in WITHOUT_A_CASE if code == "control-flow"])
def test_a_function_that_cannot_be_read_is_refused(op: str) -> None:
    case = next(c for c in CASES if c.op == op and c.refusal is None)
    graph, _ = graph_of(case)
    view = next(node_view(graph, n.name) for n in graph if n.op == op)
    entry = next(e for e in ENTRIES if e.op == op)
    support = entry.support(replace(view, library=None))
    assert isinstance(support, Unsupported)
    assert support.code == "control-flow"
    assert repr(view.name) in support.message
