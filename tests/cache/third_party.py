"""An engine of somebody else's, which notes what it builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.passes.test_build_engines import OPS, NumpyBuilder
from tfgraft.graph.views import const_info
from tfgraft.plugins.protocol import (
    Array,
    BuildContext,
    BuildError,
    BuiltEngine,
    Cluster,
    Device,
    Executor,
    OptionError,
)
from tfgraft.registry.discovery import add_plugin
from tfgraft.registry.entry import ANY, Converter
from tfgraft.registry.plugin import Plugin
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import SUPPORTED, Support, Unsupported


class LoggedBuilder:
    """Builds lists of NumPy calls; says nothing about caching.

    Args:
        bad: names of nodes that break a build, without being named.
        lasting: whether they always do.
    """

    name = "logged"
    converters = ("logged",)

    def __init__(self, bad: frozenset[str] = frozenset(), lasting: bool = True) -> None:
        self.bad = bad
        self.lasting = lasting
        self._builds: list[tuple[str, ...]] = []

    @property
    def builds(self) -> list[tuple[str, ...]]:
        """The nodes of each cluster that was built, or tried."""
        return self._builds

    def available(self) -> Support:
        return SUPPORTED

    def check_options(self, options: Mapping[str, Any]) -> None:
        return None

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        self.builds.append(cluster.nodes)
        if context.options.get("impossible"):
            raise OptionError("option impossible cannot be")
        if context.options.get("careless"):
            raise KeyError("something else")
        if self.bad & set(cluster.nodes):
            raise BuildError("it is too much", lasting=self.lasting)
        built = NumpyBuilder(name=self.name).build(cluster, context)
        weights = tuple(const_info(context.graph.node(ref.node)) for ref in cluster.weights)
        return BuiltEngine(self.name, built.payload, built.inputs, built.outputs, weights, {"shape": (1, (2, 3))})

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor:
        return NumpyBuilder().load(engine, weights, device)


def convert(ctx: Any, view: Any) -> None:
    """Nothing: the builder does it."""


def check(view: Any) -> Support:
    """Take what NumPy has."""
    return SUPPORTED if view.op in OPS else Unsupported("no-converter", "NumPy has no such op.", view.op)


def registry_of(builder: LoggedBuilder, layer: str = "plugin") -> Registry:
    """Return a registry with this engine alone."""
    registry = Registry()
    plugin = Plugin("logged", converters=((Converter(ANY, "logged", convert, check=check),),), engines=(builder,))
    add_plugin(registry, plugin, layer)
    return registry
