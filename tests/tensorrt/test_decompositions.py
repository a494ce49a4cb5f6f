"""Every built-in decomposition through TensorRT's converters, as `test_cases` does it with single ops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from tests.cases.case import OpCase, graph_of
from tests.decompositions.cases import CASES
from tests.tensorrt.run import build, interpret, network_of
from tfgraft.converters.decompositions.families import DECOMPOSITIONS
from tfgraft.converters.tensorrt.families import CONVERTERS
from tfgraft.passes.base import PassContext
from tfgraft.passes.decompose import Decompose
from tfgraft.plugins.protocol import EngineBuilder
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.registry.registry import Registry


@dataclass(frozen=True)
class Planner:
    """What the pass asks of an engine builder: its name and its converter sets."""

    name: str = "tensorrt"
    converters: tuple[str, ...] = ("tensorrt",)


@pytest.fixture(scope="module")
def trt() -> Any:
    return find_flavour()[1]


@pytest.fixture(scope="module")
def builder(trt: Any) -> Any:
    return trt.Builder(process_logger(trt))


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry()
    for converters in CONVERTERS:
        registry.add(*converters, layer="built-in")
    for decompositions in DECOMPOSITIONS:
        registry.add(*decompositions, layer="built-in")
    registry.add_engine(cast(EngineBuilder, Planner()))
    return registry


@pytest.mark.parametrize("case", [c for c in CASES if c.refusal is None], ids=lambda c: f"{c.op}-{c.id}")
def test_builds_and_agrees_with_tensorflow(case: OpCase, registry: Registry, trt: Any, builder: Any) -> None:
    graph, want = graph_of(case)
    Decompose().run(graph, PassContext(registry, engine="tensorrt"))
    made = network_of(graph, registry, trt, builder)
    assert build(trt, builder, made.network, list(case.inputs)) == ""
    for g, w in zip(interpret(trt, made, list(case.inputs)), want, strict=True):
        assert g.dtype == w.dtype
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=case.rtol, atol=case.atol)
