"""The registry: layers, priorities, ties, freezing, copies, and what resolve says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.registry.views import view
from tfgraft.graph.view import NodeView
from tfgraft.passes.decompose import Decompose
from tfgraft.passes.infer_shapes import InferShapes
from tfgraft.plugins.onnxruntime.builder import OnnxRuntimeBuilder
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.entry import ANY, Converter, OpSpec, converter, decomposition, veto
from tfgraft.registry.plugin import Plugin
from tfgraft.registry.registry import Registry, RegistryError
from tfgraft.registry.support import CODES, SUPPORTED, Support, Supported, Unsupported

RELU = view("Relu", [("float32", (2, 3))])


def _convert(ctx: Any, view: NodeView) -> None:
    raise AssertionError("never called")


def _refuse(view: NodeView) -> Support:
    return Unsupported("attribute", "It says no.")


def _entry(op: str = "Relu", engine: str = "onnx", source: str = "here", **more: Any) -> Converter:
    return Converter(op, engine, _convert, source=source, **more)


def _chosen(registry: Registry, *sets: str) -> str:
    chosen = registry.resolve(RELU, sets or ("onnx",)).chosen
    assert chosen is not None
    return chosen.source


def test_a_stronger_layer_is_asked_first() -> None:
    registry = Registry()
    registry.add(_entry(source="own", priority=9), layer="built-in")
    assert _chosen(registry) == "own"
    registry.add(_entry(source="dist"), layer="plugin")
    assert _chosen(registry) == "dist"
    registry.add(_entry(source="mine", priority=-5))
    assert _chosen(registry) == "mine"


def test_within_a_layer_the_higher_priority_is_asked_first() -> None:
    registry = Registry()
    registry.add(_entry(source="low"), _entry(source="high", priority=1))
    assert _chosen(registry) == "high"
    assert [e.source for e in registry.converters("onnx")] == ["high", "low"]


def test_a_tie_names_both_sources() -> None:
    registry = Registry()
    registry.add(_entry(source="first.module"))
    with pytest.raises(RegistryError, match=r"Relu.*first\.module.*second\.module"):
        registry.add(_entry(source="second.module"))
    registry.add(_entry(source="second.module"), layer="plugin")  # another layer is no tie


def test_a_tie_of_decompositions_names_both_sources() -> None:
    registry = Registry()
    registry.add(*decomposition("Erfc")(lambda x: x), source="first")
    with pytest.raises(RegistryError, match=r"Erfc.*first.*second"):
        registry.add(*decomposition("Erfc")(lambda x: -x), source="second")


def test_the_same_entry_twice_is_one() -> None:
    registry, entry = Registry(), _entry()
    registry.add(entry)
    registry.add(entry)
    assert len(registry.converters()) == 1


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(RegistryError, match="no layer 'mine'; the layers are user, plugin, built-in"):
        Registry().add(_entry(), layer="mine")


def test_frozen_while_running_and_open_afterwards() -> None:
    registry = Registry()
    with registry, registry:
        pass
    with registry:
        for act in (
            lambda: registry.add(_entry()),
            lambda: registry.add_engine(OnnxRuntimeBuilder()),
            lambda: registry.add_pass("p", Decompose),
            lambda: registry.converter("Relu", engine="onnx")(_convert),
            lambda: registry.decomposition("Erfc")(lambda x: x),
        ):
            with pytest.raises(RegistryError, match="frozen"):
                act()
        registry.copy().add(_entry())
    assert registry.converters() == []
    registry.add(_entry())
    assert _chosen(registry) == "here"


def test_a_copy_is_independent() -> None:
    registry = Registry()
    registry.add(_entry(source="old"))
    copy = registry.copy()
    copy.add(_entry(source="new", priority=1), *decomposition("Erfc")(lambda x: x))
    copy.add_pass("p", Decompose)
    copy.add_engine(OnnxRuntimeBuilder())
    assert (_chosen(registry), _chosen(copy)) == ("old", "new")
    assert registry.decompositions() == []
    assert not registry.passes
    assert not registry.engines


def test_resolve_keeps_every_refusal_in_order() -> None:
    registry = Registry()
    registry.add(_entry(source="no", check=_refuse))
    registry.add(_entry(source="ints", spec=OpSpec(dtypes=frozenset({"int32"}))), layer="plugin")
    registry.add(_entry(source="yes"), layer="built-in")
    resolution = registry.resolve(RELU, ("onnx",))
    assert resolution.chosen is not None
    assert resolution.chosen.source == "yes"
    assert resolution.support == SUPPORTED
    assert [(e.source, r.code) for e, r in resolution.rejected] == [("no", "attribute"), ("ints", "dtype")]


def test_the_strongest_refusal_is_quoted_when_nobody_takes_the_node() -> None:
    registry = Registry()
    registry.add(_entry(ANY, source="all", check=lambda v: Unsupported("unmapped", "No.")))
    registry.add(_entry(source="own", check=_refuse), layer="built-in")
    resolution = registry.resolve(RELU, ("onnx",))
    assert resolution.chosen is None
    assert isinstance(resolution.support, Unsupported)
    assert resolution.support.code == "attribute"
    assert len(resolution.rejected) == 2


def test_a_catch_all_is_asked_after_the_op_itself() -> None:
    registry = Registry()
    registry.add(_entry(ANY, source="all", priority=9), _entry(source="own"))
    assert _chosen(registry) == "own"


def test_converter_sets_are_asked_in_their_order() -> None:
    registry = Registry()
    registry.add(_entry(source="shared"), _entry(engine="mine", source="special"))
    assert _chosen(registry, "mine", "onnx") == "special"
    assert _chosen(registry, "onnx", "mine") == "shared"
    assert _chosen(registry, "onnx") == "shared"


def test_no_converter_says_what_to_do() -> None:
    support = Registry().resolve(RELU, ("onnx",)).support
    assert isinstance(support, Unsupported)
    assert support.code == "no-converter"
    assert "Register" in support.hint


def test_two_engines_or_passes_of_one_name_are_refused() -> None:
    registry = Registry()
    registry.add_engine(OnnxRuntimeBuilder())
    with pytest.raises(RegistryError, match=r"engine 'onnxruntime' of other .*onnxruntime"):
        registry.add_engine(OnnxRuntimeBuilder(), "other")
    registry.add_pass("p", Decompose)
    with pytest.raises(RegistryError, match=r"pass 'p' of other .*tfgraft\.passes\.decompose"):
        registry.add_pass("p", InferShapes, "other")


def test_a_plugin_that_clashes_leaves_nothing_behind() -> None:
    registry = Registry()
    registry.add(_entry(source="first"), layer="plugin")
    clashing = Plugin("second", converters=((_entry("Elu"), _entry("Relu")),))
    with pytest.raises(RegistryError, match=r"first.*second"):
        add_plugin(registry, clashing)
    assert [e.op for e in registry.converters()] == ["Relu"]


def test_decorators_register_nothing_by_themselves() -> None:
    entries = converter("Relu", "Elu", engine="onnx")(_convert)
    assert [e.op for e in entries] == ["Relu", "Elu"]
    assert {e.source for e in entries} == {__name__}


def test_the_users_forms_return_the_function() -> None:
    registry = Registry()
    assert registry.converter("Relu", engine="onnx", priority=2)(_convert) is _convert
    assert registry.converters()[0].layer == "user"
    assert registry.converters()[0].priority == 2

    def body(x: Any) -> Any:
        return x

    assert registry.decomposition("Erfc", check=_refuse)(body) is body
    assert registry.decompositions("Erfc")[0].check is _refuse
    assert registry.decompositions("Elu") == []


@pytest.mark.parametrize("support", [SUPPORTED, Supported("note"), Unsupported("dtype", "No.")])
def test_support_has_no_truth_value(support: Support) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(support)


def test_a_refusal_reads_and_serializes() -> None:
    refusal = Unsupported("dtype", "It is a string.", "input 0", "Cast it.")
    assert str(refusal) == "[dtype] It is a string. (input 0) Cast it."
    assert refusal.to_dict() == {
        "code": "dtype",
        "message": "It is a string.",
        "culprit": "input 0",
        "hint": "Cast it.",
    }
    assert refusal.code in CODES


def test_a_veto_is_final_for_its_layer_and_weaker_ones() -> None:
    registry = Registry()
    registry.add(_entry(source="borrowed"), layer="built-in")
    registry.add(*veto(ANY, engine="mine")(_refuse), layer="built-in")
    assert _chosen(registry, "onnx") == "borrowed"
    resolution = registry.resolve(RELU, ("mine", "onnx"))
    assert resolution.chosen is None
    assert isinstance(resolution.support, Unsupported)
    assert resolution.support.message == "It says no."
    registry.add(_entry(source="user's"))
    assert _chosen(registry, "mine", "onnx") == "user's"


def test_a_veto_that_lets_pass_takes_nothing() -> None:
    registry = Registry()
    registry.add(*veto(ANY, "Relu", engine="mine")(lambda view: SUPPORTED))
    assert registry.resolve(RELU, ("mine",)).chosen is None
    registry.add(_entry(source="borrowed"), layer="built-in")
    assert _chosen(registry, "mine", "onnx") == "borrowed"
