"""Builds that go wrong in a bad way: the process that asked for them lives on. Builds can be stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.tensorrt.engines import built, chain, graph_of
from tests.tensorrt.killers import Killer
from tfgraft.plugins.protocol import BuildError, OptionError
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.isolate import make_plan_isolated
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.plugins.tensorrt.onnx_model import OnnxSource
from tfgraft.plugins.tensorrt.options import TensorRtOptions
from tfgraft.plugins.tensorrt.plan import make_plan
from tfgraft.plugins.tensorrt.profiles import Profile
from tfgraft.plugins.tensorrt.watch import Watch
from tfgraft.registry.registry import Registry

OPTIONS = TensorRtOptions(flavour="tensorrt_rtx", optimization_level=0)
PROFILES = (Profile((((2, 3),) * 3,), (((1,),) * 3,)),)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("abort", "the process that built it was killed by SIGABRT"),
        ("crash", "the process that built it was killed by SIGSEGV"),
        ("exit", "the process that built it ended with code 7"),
        ("say", "the process that built it ended with code 1: the library is broken"),
    ],
)
def test_the_process_survives(how: str, message: str) -> None:
    with pytest.raises(BuildError) as caught:
        make_plan_isolated(Killer(how), PROFILES, OPTIONS)
    assert message in str(caught.value)
    assert caught.value.code == "engine-rejected"


def test_a_build_that_hangs_is_given_up() -> None:
    with pytest.raises(BuildError, match=r"not built it within 3\.5 seconds"):
        make_plan_isolated(Killer("hang"), PROFILES, replace(OPTIONS, timeout=3.5))


def test_errors_come_back_whole() -> None:
    with pytest.raises(BuildError, match="no such layer") as caught:
        make_plan_isolated(Killer("refuse"), PROFILES, OPTIONS)
    assert (caught.value.node, caught.value.code) == ("node", "engine-rejected")
    assert caught.value.others == {"other": "neither"}
    with pytest.raises(OptionError, match="not here"):
        make_plan_isolated(Killer("option"), PROFILES, OPTIONS)


def test_the_engine_is_the_same_as_in_this_process() -> None:
    here, there = (make(Killer(""), PROFILES, OPTIONS) for make in (make_plan, make_plan_isolated))
    assert there.payload == here.payload
    assert there.metadata == here.metadata


@pytest.mark.parametrize("route", ["native", "onnx"])
def test_clusters_travel(route: str, everything: Registry) -> None:
    graph = graph_of(chain)
    here = built(graph, everything, route=route)
    there = built(graph, everything, route=route, isolate=True)
    assert (there.payload, there.metadata) == (here.payload, here.metadata)


def test_a_converter_that_cannot_travel_is_told(everything: Registry) -> None:
    registry = everything.copy()

    @registry.converter("Tanh", engine="tensorrt")
    def local(ctx: Any, view: Any) -> None:
        ctx.set(view, 0, ctx.get(view, 0))

    with pytest.raises(BuildError, match=r"cannot be pickled.*put converters in a module, or set isolate=False"):
        built(graph_of(chain), registry, isolate=True)


def test_unknown_onnx_ops_are_not_parsed_in_this_process(everything: Registry) -> None:
    import onnx

    def source(op: str, domain: str = "") -> OnnxSource:
        node = onnx.helper.make_node(op, ["input_0"], ["output_0"], name="n", domain=domain)
        value = [onnx.helper.make_tensor_value_info(f"{k}put_0", 1, [2, 3]) for k in ("in", "out")]
        graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
        opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("mine", 1)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return OnnxSource(model.SerializeToString(), (), {"n": "node"}, (("FLOAT", "node"),))

    _, trt = find_flavour("tensorrt_rtx")
    logger = process_logger(trt)
    ops = [("Tanh",), ("Mine", "mine"), ("Tanh", "mine")]
    assert [source(*op).may_abort(trt, trt.Builder(logger), logger) for op in ops] == [False, True, True]
    with pytest.raises(BuildError, match=r"parser refuses Mine: .*Plugin not found") as caught:
        make_plan_isolated(source("Mine", "mine"), PROFILES, OPTIONS)
    assert caught.value.node == "node"


def test_an_unknown_onnx_op_is_built_in_a_child(everything: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfgraft.plugins.tensorrt import builder

    started: list[str] = []

    def watched(*args: Any) -> Any:
        started.append("child")
        return make_plan_isolated(*args)

    monkeypatch.setattr(builder, "make_plan_isolated", watched)
    registry = everything.copy()

    @registry.converter("Tanh", engine="onnx")
    def custom(ctx: Any, view: Any) -> None:
        ctx.set(view, 0, ctx.node("Mine", [ctx.get(view, 0)]))

    with pytest.raises(BuildError, match="parser refuses Mine") as caught:
        built(graph_of(chain), registry, route="onnx")
    assert caught.value.node == "b"
    assert started == ["child"]


def test_time_runs_out_in_this_process() -> None:
    with pytest.raises(BuildError, match="not built it within 1e-06 seconds"):
        make_plan(Killer("long"), PROFILES, replace(OPTIONS, timeout=1e-6))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take SIGINT as Python does by default: a process started in the background is born ignoring it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_build_can_be_interrupted(interruptible: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while TensorRT builds: it stops at the next step, and KeyboardInterrupt comes as ever."""
    handler, goes_on = signal.getsignal(signal.SIGINT), Watch.goes_on
    steps: list[bool] = []

    def press(self: Watch) -> bool:
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
        steps.append(goes_on(self))
        return steps[-1]

    monkeypatch.setattr(Watch, "goes_on", press)
    with pytest.raises(KeyboardInterrupt):
        make_plan(Killer("long"), PROFILES, OPTIONS)
    assert steps[:2] == [True, True]
    assert not any(steps[2:])
    assert signal.getsignal(signal.SIGINT) is handler
    monkeypatch.undo()
    assert make_plan(Killer("long"), PROFILES, OPTIONS).payload
