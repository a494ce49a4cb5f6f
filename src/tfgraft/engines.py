"""The engines that a user names, and the options that each gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfgraft.errors import listing, nearest
from tfgraft.plugins.protocol import EngineBuilder, device_kinds, is_automatic
from tfgraft.registry.registry import Registry
from tfgraft.registry.support import Unsupported

AUTO = "auto"
_EXTRAS = {"onnxruntime": "cpu", "tensorrt": "tensorrt", "openvino": "openvino", "litert": "litert"}


@dataclass(frozen=True)
class EngineSpec:
    """An engine builder and the options it gets."""

    builder: EngineBuilder
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.builder.name


def engine_specs(registry: Registry, engine: str | Sequence[str], options: Mapping[str, Any]) -> tuple[EngineSpec, ...]:
    """Return the engines that a user names, with their options.

    Args:
        engine: "auto" for all engines that can run here, or names, in order of preference between equals.
        options: those under an engine's name are that engine's; any other goes to each engine that takes it.

    Raises:
        ValueError: there is no such engine or none that can run here, or an option is wrong or nobody takes it.
    """
    if isinstance(engine, str) and engine != AUTO:
        builder = builder_of(registry, engine)
        builder.check_options(options)
        _check_available(builder)
        return (EngineSpec(builder, options),)
    names = _automatic(registry) if engine == AUTO else list(engine)
    if not names:
        raise ValueError("No engine can run here. Install one with: pip install 'tfgraft[cpu]'.")
    if len(set(names)) < len(names):
        raise ValueError(f"An engine is named twice: {listing(names)}.")
    for name in names:
        _check_available(builder_of(registry, name))
    own = {key: value for key, value in options.items() if key in registry.engines}
    shared = {key: value for key, value in options.items() if key not in registry.engines}
    for key, value in own.items():
        if not isinstance(value, Mapping):
            raise ValueError(f"The options of engine {key} are a dict of its options, not {value!r}.")
    specs = tuple(_spec(registry.engines[name], shared, own.get(name, {})) for name in names)
    for key in shared:
        if not any(key in spec.options for spec in specs):
            raise ValueError(
                f"None of the engines {listing(names)} takes option {key!r}. {nearest(key, names)}".rstrip()
            )
    return specs


def builder_of(registry: Registry, engine: str) -> EngineBuilder:
    """Return an engine builder by name; raise ValueError, with what there is and what to install, if there is none."""
    if engine in registry.engines:
        return registry.engines[engine]
    known = ", ".join(sorted(registry.engines)) or "none"
    broken = "; ".join(f"plugin {p.plugin} could not be loaded: {p.error}" for p in registry.problems)
    install = f" Install it with: pip install 'tfgraft[{_EXTRAS[engine]}]'." if engine in _EXTRAS else ""
    raise ValueError(
        f"There is no engine {engine!r}; registered are: {known}.{install}{' ' + broken if broken else ''}"
    )


def _check_available(builder: EngineBuilder) -> None:
    available = builder.available()
    if isinstance(available, Unsupported):
        raise ValueError(str(available))


def _automatic(registry: Registry) -> list[str]:
    """Return the engines that can run on this machine's CPU; ONNX Runtime, which covers most, is the first."""
    names = [
        name
        for name, builder in registry.engines.items()
        if is_automatic(builder) and "CPU" in device_kinds(builder) and not isinstance(builder.available(), Unsupported)
    ]
    return sorted(names, key=lambda name: (name != "onnxruntime", name))


def _spec(builder: EngineBuilder, shared: Mapping[str, Any], own: Mapping[str, Any]) -> EngineSpec:
    builder.check_options(own)
    options = dict(own)
    for key, value in shared.items():
        if key not in options and _takes(builder, key, value):
            options[key] = value
    return EngineSpec(builder, options)


def _takes(builder: EngineBuilder, key: str, value: Any) -> bool:
    try:
        builder.check_options({key: value})
    except ValueError:
        return False
    return True
