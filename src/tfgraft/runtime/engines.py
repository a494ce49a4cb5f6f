"""Loaded engines: one for each fingerprint and device in the process, shared by all kernels that need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfgraft.plugins.protocol import Array, Device, DeviceExecutor, EngineBuilder, Executor, device_kinds
from tfgraft.registry.support import Unsupported
from tfgraft.runtime.node import Signature
from tfgraft.runtime.segment import Segment


class UnknownEngine(LookupError):
    """No builder of that name is registered or installed."""


class Builders:
    """Engine builders by name: those registered by hand, then those of the installed plugins."""

    def __init__(self) -> None:
        self._registered: dict[str, EngineBuilder] = {}
        self._installed: dict[str, EngineBuilder] | None = None
        self._lock = threading.Lock()
        self.generation = 0
        """Grows with every registration, so that an engine that was not found is looked for again."""

    def register(self, builder: EngineBuilder) -> None:
        """Make a builder known by its name; the last one registered under a name counts."""
        with self._lock:
            self._registered[builder.name] = builder
            self.generation += 1

    def remove(self, name: str) -> None:
        """Forget a builder that was registered under a name, if there is one."""
        with self._lock:
            self._registered.pop(name, None)

    def find(self, name: str) -> EngineBuilder:
        """Return the builder of that name.

        Raises:
            UnknownEngine: there is none; the message says which there are and what to do.
        """
        with self._lock:
            if name in self._registered:
                return self._registered[name]
            if self._installed is None:
                from tfgraft.registry.registry import Registry

                self._installed = dict(Registry.default().engines)
            if name in self._installed:
                return self._installed[name]
            known = ", ".join(sorted({*self._registered, *self._installed})) or "none"
        raise UnknownEngine(
            f"no engine {name!r} is known here (known: {known}); install the package that brings it, or call "
            "tfgraft.runtime.register_engine(builder) before the graph runs"
        )


class SharedEngine:
    """One engine, loaded at the first call of any node with its fingerprint, and dropped with the last kernel.

    Args:
        engine: the engine builder's name.
        signature: what the nodes' metadata says.
        payload: the serialized engine; given up once it is loaded.
        device: where it runs.
        builders: where to find the builder.
    """

    def __init__(self, engine: str, signature: Signature, payload: bytes, device: Device, builders: Builders) -> None:
        self.engine = engine
        self.users = 0
        self.executor: Executor | DeviceExecutor | None = None
        self.failure: Exception | None = None
        self._signature = signature
        self._payload = payload
        self._device = device
        self._builders = builders
        self._generation = -1
        self._segment: Segment | None = None
        self._lock = threading.Lock()

    def get(
        self, weights: Callable[[], Sequence[Array]], loaded: Callable[[], None]
    ) -> Executor | DeviceExecutor | None:
        """Return the executor, loading it if nobody did; None if it cannot be loaded (see `failure`).

        Concurrent first calls wait for one load. `weights` is called for the load only, `loaded` after it.
        """
        if self.failure is not None and not self._worth_another_try():
            return None
        with self._lock:
            if self.executor is None and (self.failure is None or self._worth_another_try()):
                self._load(weights, loaded)
            return self.executor

    def reject(self, error: Exception) -> None:
        """Never ask the engine again: it broke the contract in a way that loses calls."""
        with self._lock:
            self.failure, self.executor = _without_frames(error), None
            self._generation = -1

    def segment(self, make: Callable[[], Segment]) -> Segment:
        """Return the native segment, made once."""
        with self._lock:
            if self._segment is None:
                self._segment = make()
            return self._segment

    def close(self) -> None:
        """Let go of the executor and the segment's session."""
        with self._lock:
            self.executor = None
            if self._segment is not None:
                self._segment.close()
                self._segment = None

    def _worth_another_try(self) -> bool:
        return isinstance(self.failure, UnknownEngine) and self._generation != self._builders.generation

    def _load(self, weights: Callable[[], Sequence[Array]], loaded: Callable[[], None]) -> None:
        self._generation = self._builders.generation
        try:
            builder = self._builders.find(self.engine)
        except Exception as error:
            self.failure = _without_frames(error)
            return
        try:
            built = self._signature.built(self.engine, self._payload)
            self._check_device(device_kinds(builder, built))
            self.executor = builder.load(built, weights(), self._device)
            self.failure = None
            loaded()
        except Exception as error:
            self.failure = _without_frames(_with_hint(builder, error))
        self._payload = b""

    def _check_device(self, kinds: Sequence[str]) -> None:
        if self._device.kind in kinds:
            return
        reason = f"it runs on the {' or '.join(kinds)} and TensorFlow has placed the node on the {self._device.kind}"
        if not any(tf.config.list_physical_devices(kind) for kind in kinds):
            reason += f", because it sees no {' or '.join(kinds)} here"
        raise LoadError(reason)


def _with_hint(builder: EngineBuilder, error: Exception) -> Exception:
    """Return the error of a load with what the builder says about this machine, if it is not available."""
    try:
        support: Any = builder.available()
    except Exception:
        return error
    if isinstance(support, Unsupported):
        return LoadError(f"{describe(error)}; {support}")
    return error


def _without_frames(error: Exception) -> Exception:
    """Return the error without its tracebacks: they would keep the callers' frames alive, and kernels with them."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


class LoadError(RuntimeError):
    """An engine could not be loaded; the message has the cause and what would help."""


def describe(error: BaseException) -> str:
    """Return an exception as one line for people."""
    text = " ".join(str(error).split())
    if isinstance(error, (LoadError, UnknownEngine)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
