"""Discovery of plugins by entry points; a broken plugin becomes a named problem, never a crash and never silence."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from tfgraft.registry.plugin import Plugin
from tfgraft.registry.registry import PluginProblem, Registry

GROUP = "tfgraft.plugins"
_OWN = "tfgraft"


def load_plugins(registry: Registry) -> None:
    """Load every installed plugin into a registry: tfgraft's own first, then the others by name.

    An entry point names a `Plugin` or a function that makes one.
    """
    points = sorted(entry_points(group=GROUP), key=lambda p: (_distribution(p) != _OWN, p.name))
    for point in points:
        try:
            plugin = point.load()
            plugin = plugin() if callable(plugin) else plugin
            if not isinstance(plugin, Plugin):
                raise TypeError(f"the entry point must give a tfgraft Plugin, not {type(plugin).__name__}")
            add_plugin(registry, plugin, "built-in" if _distribution(point) == _OWN else "plugin")
        except Exception as error:  # a plugin may fail in any way; the user is told which one and how
            problem = PluginProblem(point.name, _distribution(point), f"{type(error).__name__}: {error}")
            registry.add_problem(problem)


def add_plugin(registry: Registry, plugin: Plugin, layer: str = "plugin") -> None:
    """Register all that a plugin brings; nothing of it stays if one part is refused.

    Raises:
        RegistryError: a part clashes with what is there.
    """
    trial = registry.copy()
    for target in (trial, registry):
        source = "" if layer == "built-in" else plugin.name
        for converters in plugin.converters:
            target.add(*converters, layer=layer, source=source)
        for decompositions in plugin.decompositions:
            target.add(*decompositions, layer=layer, source=source)
        for builder in plugin.engines:
            target.add_engine(builder, plugin.name)
        for name, factory in plugin.passes.items():
            target.add_pass(name, factory, plugin.name)


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "unknown"
