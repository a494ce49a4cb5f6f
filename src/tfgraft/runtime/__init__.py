"""The engine op. Importing this package registers `TfGraft>Engine` with TensorFlow, once for each process.

A process that only runs grafted graphs needs no more than `import tfgraft.runtime`, and the engine's own package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfgraft.plugins.protocol import Array, EngineBuilder, device_kinds
from tfgraft.runtime.counters import Counters, EngineCounters
from tfgraft.runtime.device_engine import DeviceEngine
from tfgraft.runtime.device_tensor import DevicePool
from tfgraft.runtime.engines import UnknownEngine
from tfgraft.runtime.functions import add_functions
from tfgraft.runtime.host_engine import HostEngine
from tfgraft.runtime.node import OP_NAME, engine_node_def, read_metadata
from tfgraft.runtime.register import register

NAMESPACE = "TfGraft"
"""What `tf.saved_model.SaveOptions(namespace_whitelist=[...])` must allow to save a graph with engine nodes."""

_PROCESS = register()


def register_engine(builder: EngineBuilder) -> None:
    """Make an engine builder known to engine nodes by its name; the last one under a name counts.

    Builders of installed plugins are found without it. Engines that are loaded already stay as they are.
    """
    _PROCESS.builders.register(builder)


def unregister_engine(name: str) -> None:
    """Forget the builder that `register_engine` made known by a name; engines that are loaded stay as they are."""
    _PROCESS.builders.remove(name)


def find_engine(name: str) -> EngineBuilder:
    """Return the builder that engine nodes find by a name.

    Raises:
        UnknownEngine: there is none; the message says which there are.
    """
    return _PROCESS.builders.find(name)


def host_engine(node: Any, weights: Callable[[], Sequence[Array]], library: Callable[[], bytes]) -> HostEngine | None:
    """Return an engine node's engine, to be called without TensorFlow.

    None if its builder is not known here, or the engine works in other devices' memory only. It is loaded, unless it
    may be called in a GPU's memory instead, where it would have its weights twice.

    Args:
        node: the NodeDef.
        weights: gives the values of its weight inputs.
        library: gives the function library of its graph, serialized.
    """
    kinds = _device_kinds(node)
    if "CPU" not in kinds:
        return None
    return HostEngine(_PROCESS, node, weights, library, load_now="GPU" not in kinds)


def device_engine(
    node: Any, weights: Callable[[], Sequence[Array]], library: Callable[[], bytes], pool: DevicePool
) -> DeviceEngine | None:
    """Return an engine node's engine on the GPU of a pool, to be called without TensorFlow; see `host_engine`.

    None if its builder is not known here, or the engine works on the CPU only.
    """
    return DeviceEngine(_PROCESS, node, weights, library, pool) if "GPU" in _device_kinds(node) else None


def _device_kinds(node: Any) -> tuple[str, ...]:
    """Return the kinds of devices that an engine node's engine works on, none if its builder is not known here."""
    engine, attr = node.attr["engine"].s.decode(), node.attr
    try:
        builder = find_engine(engine)
    except UnknownEngine:
        return ()
    return device_kinds(builder, read_metadata(attr["metadata"].s).built(engine, attr["payload"].s))


def counters() -> Counters:
    """Return a snapshot of how often each engine node ran, loaded and fell back to its native segment, by name."""
    return _PROCESS.counters.snapshot()


def reset_counters() -> None:
    """Set all counters to zero; the names of the nodes stay."""
    _PROCESS.counters.reset()


def load_saved_model(path: str, **options: Any) -> Any:
    """Return `tf.saved_model.load(path, **options)`, which needs the engine op that this module registers."""
    return tf.saved_model.load(path, **options)


__all__ = [
    "NAMESPACE",
    "OP_NAME",
    "Counters",
    "EngineCounters",
    "UnknownEngine",
    "add_functions",
    "counters",
    "device_engine",
    "engine_node_def",
    "find_engine",
    "host_engine",
    "load_saved_model",
    "register_engine",
    "reset_counters",
    "unregister_engine",
]
