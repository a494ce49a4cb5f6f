"""From a network to a serialized plan, in this process."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfgraft.plugins.protocol import BuildError, OptionError
from tfgraft.plugins.tensorrt.flavour import find_flavour
from tfgraft.plugins.tensorrt.log import process_logger
from tfgraft.plugins.tensorrt.options import TensorRtOptions
from tfgraft.plugins.tensorrt.profiles import Profile, add_profiles
from tfgraft.plugins.tensorrt.timing_cache import timing_cache
from tfgraft.plugins.tensorrt.watch import Watch, monitor


@dataclass(frozen=True)
class MadeNetwork:
    """A network that is ready to be built.

    Args:
        network: the `INetworkDefinition`; its inputs are named input_0, input_1, ..., its outputs output_0, ...
        origins: the TensorFlow node behind each layer, by a name that TensorRT's messages use.
        keep: what must live until the build is over.
    """

    network: Any
    origins: Mapping[str, str]
    keep: Any


class Source(Protocol):
    """Where a network comes from. It can be pickled, so that another process can build it."""

    def make(self, trt: Any, builder: Any, logger: Any) -> MadeNetwork:
        """Make the network.

        Raises:
            BuildError: it cannot be made.
        """
        ...


@dataclass(frozen=True)
class Plan:
    """A serialized engine, with what is known of it and of its build."""

    payload: bytes
    metadata: Mapping[str, Any]
    statistics: Mapping[str, Any]


def make_plan(source: Source, profiles: Sequence[Profile], options: TensorRtOptions) -> Plan:
    """Build and serialize an engine.

    Raises:
        BuildError: TensorRT refuses the network; the culprit is named where TensorRT names it.
        OptionError: TensorRT does not take an option.
        NoTensorRt: there is no TensorRT.
        KeyboardInterrupt: the user interrupted the build.
    """
    start = time.perf_counter()
    watch = Watch(options.timeout)
    flavour, trt = find_flavour(options.flavour)
    logger = process_logger(trt)
    logger.take()
    builder = _builder(trt, logger)
    made = source.make(trt, builder, logger)
    config = _config(trt, builder, flavour, options)
    try:
        add_profiles(builder, made.network, config, profiles)
    except ValueError as error:
        raise OptionError(f"{error}; {logger.take()}") from error
    config.progress_monitor = watching = monitor(trt, watch)
    converted = time.perf_counter()
    logger.take()
    with watch.interruptible(), timing_cache(config, options.timing_cache):
        plan = builder.build_serialized_network(made.network, config)
    del watching
    if plan is None:
        if watch.expired():
            raise BuildError(f"TensorRT has not built it within {options.timeout} seconds", lasting=False)
        reason = logger.take() or "TensorRT does not say why"
        raise BuildError(f"TensorRT refuses it: {reason}", culprit(reason, made.origins), "engine-rejected")
    metadata = {
        "flavour": flavour,
        "version": str(trt.__version__),
        "compute_capabilities": list(options.compute_capabilities),
        "profiles": [profile.to_list() for profile in profiles],
    }
    statistics = {
        "network_seconds": round(converted - start, 3),
        "build_seconds": round(time.perf_counter() - converted, 3),
        "layers": made.network.num_layers,
    }
    return Plan(bytes(plan), metadata, statistics)


def culprit(message: str, origins: Mapping[str, str]) -> str | None:
    """Return the TensorFlow node behind the layer that a message of TensorRT names, the longest name first.

    The ONNX parser puts numbers after the names of nodes that become several layers.
    """
    for name in sorted(origins, key=len, reverse=True):
        if name in message and re.search(rf"(?<![\w/]){re.escape(name)}(_\d+)?(?![\w/])", message):
            return origins[name]
    return None


def _builder(trt: Any, logger: Any) -> Any:
    try:
        return trt.Builder(logger)
    except Exception as error:  # pybind raises a TypeError when TensorRT makes none
        reason = logger.take() or str(error)
        message = f"TensorRT has no builder on this machine: {reason}"
        raise BuildError(message, None, "no-engine", lasting=False) from error


def _config(trt: Any, builder: Any, flavour: str, options: TensorRtOptions) -> Any:
    config = builder.create_builder_config()
    if options.workspace_bytes is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.optimization_level is not None:
        config.builder_optimization_level = options.optimization_level
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        config.set_flag(trt.BuilderFlag.EXCLUDE_LEAN_RUNTIME)
    if options.compute_capabilities:
        _set_capabilities(trt, config, flavour, options.compute_capabilities)
    return config


def _set_capabilities(trt: Any, config: Any, flavour: str, wanted: Sequence[str]) -> None:
    if not hasattr(config, "set_compute_capability"):
        raise OptionError(f"option compute_capabilities is for tensorrt_rtx; {flavour} builds for the GPU that is here")
    known = {
        f"{name[2:-1]}.{name[-1]}": member
        for name, member in trt.ComputeCapability.__members__.items()
        if name.startswith("SM")
    }
    config.num_compute_capabilities = len(wanted)
    for i, capability in enumerate(wanted):
        if capability not in known or not config.set_compute_capability(known[capability], i):
            raise OptionError(
                f"option compute_capabilities has {capability!r}; {flavour} {trt.__version__} knows "
                f"{', '.join(known)}, each once"
            )
