"""The protocol of engine builders: what a plugin implements to turn clusters into engines and to run them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tfgraft.registry.support import Support

if TYPE_CHECKING:  # what a builder makes can be handled without TensorFlow, which graphs need
    from tfgraft.choice.figures import Figures
    from tfgraft.graph.graph import Graph
    from tfgraft.graph.ref import TensorRef
    from tfgraft.graph.view import TensorInfo
    from tfgraft.registry.registry import Registry

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """A tensor in the memory of a CUDA device: C-contiguous, owned by who calls the engine.

    Args:
        address: the device pointer; it may be 0 for a tensor without elements.
        shape: its dimensions.
        dtype: the type of its elements.
    """

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What CuPy, Numba, PyTorch and others read to use the memory without a copy."""
        return {"version": 3, "shape": self.shape, "typestr": self.dtype.str, "data": (self.address, False)}


@dataclass(frozen=True)
class Cluster:
    """A convex set of nodes that becomes one engine.

    Args:
        id: unique in a plan, such as "engine_0". It may be another one for the same cluster in another plan, so what a
            builder makes must not depend on it.
        engine: the engine builder's name.
        function: the name of the library function whose body the nodes are in; empty for the main graph.
        nodes: names in topological order, with the small constants that are copied into the segment.
        inputs: tensors that the engine reads when it runs, in the order of the engine node's inputs.
        weights: large constants; each stays one Const node of the graph and feeds the engine node after `inputs`.
        outputs: tensors that are read outside the cluster, in the order of the engine node's outputs.
        size: number of nodes that compute something (no constants, no identities).
    """

    id: str
    engine: str
    function: str
    nodes: tuple[str, ...]
    inputs: tuple[TensorRef, ...]
    weights: tuple[TensorRef, ...]
    outputs: tuple[TensorRef, ...]
    size: int


@dataclass(frozen=True)
class BuildContext:
    """What a builder may use while it builds; it is also all that the cache takes an engine to depend on.

    Args:
        graph: the part of the graph that the cluster is (see `tfgraft.passes.part.make_part`): its nodes and constants,
            the functions that they call, placeholders for what it reads; with the fact `TENSORS` and no others.
        registry: who converts which op.
        options: the builder's own options.
        alone: whether little but this cluster runs when the graph does.
    """

    graph: Graph
    registry: Registry
    options: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False


class BuildError(Exception):
    """A cluster that cannot be built. `node` is the culprit where the builder knows it, else None.

    `others` are further culprits with the reason of each, where the builder found several at once. `lasting` is False
    where the same build may succeed another time (it took too long, memory ran out): such a failure is not cached.
    """

    def __init__(
        self,
        message: str,
        node: str | None = None,
        code: str = "build-failed",
        others: Mapping[str, str] | None = None,
        lasting: bool = True,
    ) -> None:
        super().__init__(message)
        self.node = node
        self.code = code
        self.others: Mapping[str, str] = others or {}
        self.lasting = lasting


class OptionError(ValueError):
    """An engine option that cannot be for this graph, found while building: a mistake of the user's, no refusal."""


@dataclass(frozen=True)
class BuiltEngine:
    """An engine as bytes, with what is needed to load it.

    Args:
        engine: the engine builder's name.
        payload: the serialized engine, without the weights that the engine node gets as inputs.
        inputs: types and shapes of the data inputs.
        outputs: types and shapes of the outputs.
        weights: types and shapes of the weight inputs (they follow the data inputs).
        metadata: JSON-able facts (options to load with, versions, how weights are laid out).
        statistics: JSON-able facts about the build itself (seconds, layers); they are not stored with the node, and
            two builds that differ in them alone are the same engine.
        call: None for an engine that an engine node runs. Else TensorFlow runs the cluster by itself: a call of its
            segment is put in its place, with these attributes, such as {"_XlaMustCompile": True}. The payload is
            not stored with it, but is still what `load` gets and what tells engines apart.
    """

    engine: str
    payload: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    weights: tuple[TensorInfo, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, bool | int | str] | None = None


@dataclass(frozen=True)
class Device:
    """Where an engine runs: TensorFlow's device type ("CPU", "GPU") and ordinal."""

    kind: str = "CPU"
    ordinal: int = 0


class Outputs(Protocol):
    """Where an executor puts its results; given by the runtime, for one call."""

    def allocate(self, i: int, shape: Sequence[int]) -> Array:
        """Return TensorFlow's own buffer for output `i` as a writable array, for the engine to fill in place."""
        ...


class Executor(Protocol):
    """A loaded engine. Thread-safe: TensorFlow calls `run` from several threads at once."""

    def run(self, inputs: Sequence[Array], outputs: Outputs) -> None:
        """Compute every output.

        Args:
            inputs: the data inputs, C-contiguous views of TensorFlow's buffers that must not be kept or written.
            outputs: call `allocate` once for each output, with its shape, and fill the array.

        Raises:
            Exception: anything; the runtime then runs the native segment, or fails with the message if strict.
        """
        ...


@runtime_checkable
class HasCompute(Protocol):
    """What an executor may have besides, if it is quicker than filling given buffers: results in arrays of its own."""

    def compute(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute every output, in new arrays that nobody else holds; thread-safe.

        The inputs, and what may be raised, are those of `Executor.run`.
        """
        ...


class DeviceOutputs(Protocol):
    """Where a device executor puts its results; given by the runtime, for one call."""

    def allocate(self, i: int, shape: Sequence[int]) -> DeviceArray:
        """Return the caller's own buffer for output `i`, for the engine to fill in place."""
        ...

    def scratch(self, nbytes: int) -> DeviceArray:
        """Return working memory of the caller's, aligned to 256 bytes, that lasts until `run` returns."""
        ...


class DeviceExecutor(Protocol):
    """A loaded engine that works in a device's memory. Thread-safe; the device's context is current in `run`."""

    def run(self, inputs: Sequence[DeviceArray], outputs: DeviceOutputs) -> None:
        """Compute every output.

        The caller may not have finished writing the inputs, nor using what memory it gives out: synchronize the
        context after the last `allocate` and `scratch` and before any work on the device, and wait for that work
        before returning.

        Args:
            inputs: the data inputs, which must not be kept or written.
            outputs: call `allocate` once for each output, with its shape, and fill it.

        Raises:
            Exception: anything; the runtime then runs the native segment, or fails with the message if strict.
        """
        ...


@runtime_checkable
class EngineBuilder(Protocol):
    """An engine builder. It has no state of its own: options come with the build and are stored in the metadata."""

    @property
    def name(self) -> str:
        """The engine's name, as users write it."""
        ...

    @property
    def converters(self) -> tuple[str, ...]:
        """The converter sets whose registry entries it uses, strongest first (its own name, then e.g. "onnx")."""
        ...

    def available(self) -> Support:
        """Say whether engines can be built and run on this machine; a refusal's hint says what to install."""
        ...

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError naming the first option that the builder does not know or cannot take."""
        ...

    def build(self, cluster: Cluster, context: BuildContext) -> BuiltEngine:
        """Turn a cluster into an engine.

        Raises:
            BuildError: the cluster cannot be built, with the culprit where it is known.
        """
        ...

    def load(self, engine: BuiltEngine, weights: Sequence[Array], device: Device) -> Executor | DeviceExecutor:
        """Make a built engine ready to run: an `Executor` for the CPU, a `DeviceExecutor` for any other device.

        `weights` are in host memory whatever the device, and stay valid only during the call.
        """
        ...


@runtime_checkable
class HasRoutes(Protocol):
    """What an engine builder may have besides: several ways to build, with converter sets of their own."""

    def converter_sets(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the converter sets that a build with these options uses, strongest first."""
        ...


@runtime_checkable
class HasDevices(Protocol):
    """What an engine builder may have besides: engines for other devices than the CPU."""

    @property
    def devices(self) -> tuple[str, ...]:
        """The kinds of devices whose memory its engines work in, such as ("GPU",)."""
        ...


@runtime_checkable
class HasPlacement(Protocol):
    """What an engine builder may have besides: engines of which each has devices of its own, by its options, say."""

    def devices_of(self, engine: BuiltEngine) -> tuple[str, ...]:
        """Return the kinds of devices whose memory an engine works in."""
        ...


@runtime_checkable
class HasCacheKey(Protocol):
    """What an engine builder may have besides: a say in when an engine that was built before is as good as a new one.

    Always counted are the cluster, the options, the code of the builder and of the converters, the versions of their
    distributions and of what those require, and those of TensorFlow and NumPy.
    """

    def cache_key(self, options: Mapping[str, Any]) -> str | None:
        """Return what else engines built with these options depend on: versions of libraries, the device built for.

        None where it cannot be told: then engines are built each time.
        """
        ...


@runtime_checkable
class IsAutomatic(Protocol):
    """What an engine builder may have besides: whether it takes part where engines are chosen by measurement."""

    @property
    def automatic(self) -> bool:
        """Whether `engine="auto"` tries it; engines that are not for speed say no."""
        ...


@runtime_checkable
class HasFigures(Protocol):
    """What an engine builder may have besides: what work costs in its engines, so that plans can estimate times."""

    def figures(self, options: Mapping[str, Any]) -> Figures | None:
        """Return the figures of engines built with these options; None where there are none."""
        ...


def converter_sets(builder: EngineBuilder, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the converter sets that a builder uses with these options, strongest first."""
    return builder.converter_sets(options) if isinstance(builder, HasRoutes) else builder.converters


def is_automatic(builder: EngineBuilder) -> bool:
    """Tell whether `engine="auto"` tries a builder; yes unless it says otherwise."""
    return builder.automatic if isinstance(builder, IsAutomatic) else True


def device_kinds(builder: EngineBuilder, engine: BuiltEngine | None = None) -> tuple[str, ...]:
    """Return the kinds of devices that a builder's engines, or one of them, run on; the CPU if it does not say."""
    if engine is not None and isinstance(builder, HasPlacement):
        return builder.devices_of(engine)
    return builder.devices if isinstance(builder, HasDevices) else ("CPU",)


def fingerprint(engine: BuiltEngine, weights: Iterable[Array]) -> str:
    """Return a hash of an engine and its weights: equal fingerprints may share one loaded engine (BLAKE2b, 128 bit)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(engine.engine.encode())
    digest.update(engine.payload)
    digest.update(repr(sorted(engine.metadata.items())).encode())
    if engine.call is not None:
        digest.update(repr(sorted(engine.call.items())).encode())
    for weight in weights:
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).reshape(-1).view(np.uint8).data)  # bfloat16 has no buffer of its own
    return digest.hexdigest()
