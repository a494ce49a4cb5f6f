"""OpSpec: every declared limit takes what it should and refuses the rest with its code."""

from __future__ import annotations

import pytest

from tests.registry.views import view
from tfgraft.graph.dtypes import FLOATS
from tfgraft.graph.view import NodeView
from tfgraft.registry.entry import Converter, OpSpec
from tfgraft.registry.support import Supported, Unsupported

_F, _I = ("float32", (2, 3)), ("int32", (2,))


@pytest.mark.parametrize(
    ("spec", "node"),
    [
        (OpSpec(), view("Op", [_F, _I])),
        (OpSpec(dtypes=FLOATS, input_dtypes={1: frozenset({"int32"})}), view("Op", [_F, _I])),
        (OpSpec(dtypes=FLOATS, output_dtypes={0: frozenset({"int32"})}), view("Op", [_F], [_I])),
        (OpSpec(ranks={0: (2, 3)}), view("Op", [_F])),
        (OpSpec(ranks={1: (2,)}), view("Op", [_F])),  # an optional input that is not there
        (OpSpec(known_ranks=(0,)), view("Op", [("float32", (-1, -1))])),
        (OpSpec(constants=(1,)), view("Op", [_F, _I], constants={1: [1, 2]})),
        (OpSpec(constants=(1,)), view("Op", [_F])),
        (OpSpec(attrs={"padding": ("SAME",)}), view("Op", [_F], padding=b"SAME")),
        (OpSpec(attrs={"padding": ("SAME",)}), view("Op", [_F])),
        (OpSpec(attrs={"strides": ((1, 1),)}), view("Op", [_F], strides=(1, 1))),
    ],
)
def test_takes(spec: OpSpec, node: NodeView) -> None:
    assert isinstance(spec.check(node), Supported)


@pytest.mark.parametrize(
    ("spec", "node", "code", "culprit"),
    [
        (OpSpec(), view("Op", [("string", (2,))]), "dtype", "input 0"),
        (OpSpec(), view("Op", [_F], [("resource", ())]), "dtype", "output 0"),
        (OpSpec(dtypes=FLOATS), view("Op", [_F, _I]), "dtype", "input 1"),
        (OpSpec(input_dtypes={0: frozenset({"int32"})}), view("Op", [_F]), "dtype", "input 0"),
        (OpSpec(output_dtypes={0: frozenset({"int32"})}), view("Op", [_F]), "dtype", "output 0"),
        (OpSpec(ranks={0: (4,)}), view("Op", [_F]), "rank", "input 0"),
        (OpSpec(ranks={0: (4,)}), view("Op", [("float32", None)]), "unknown-rank", "input 0"),
        (OpSpec(known_ranks=(1,)), view("Op", [_F, ("float32", None)]), "unknown-rank", "input 1"),
        (OpSpec(constants=(1,)), view("Op", [_F, _I]), "not-constant", "input 1"),
        (OpSpec(attrs={"padding": ("SAME",)}), view("Op", [_F], padding=b"VALID"), "attribute", "attr padding"),
        (OpSpec(attrs={"k": (1, 2)}), view("Op", [_F], k=3), "attribute", "attr k"),
    ],
)
def test_refuses(spec: OpSpec, node: NodeView, code: str, culprit: str) -> None:
    support = spec.check(node)
    assert isinstance(support, Unsupported)
    assert (support.code, support.culprit) == (code, culprit)
    assert support.message.endswith(".")


def test_the_entrys_own_check_comes_after_the_spec() -> None:
    asked = []

    def check(node: NodeView) -> Unsupported:
        asked.append(node.op)
        return Unsupported("attribute", "No.")

    entry = Converter("Op", "onnx", lambda ctx, node: None, OpSpec(dtypes=FLOATS), check)
    first = entry.support(view("Op", [_I]))
    assert isinstance(first, Unsupported)
    assert first.code == "dtype"
    assert asked == []
    second = entry.support(view("Op", [_F]))
    assert isinstance(second, Unsupported)
    assert second.code == "attribute"
    assert asked == ["Op"]
