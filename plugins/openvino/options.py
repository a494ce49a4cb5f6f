"""Options of the engine `openvino`: what they are called, what they may be, how they become OpenVINO's properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tfgraft.plugins.option_checks import check_known, is_whole

_HINTS = ("latency", "throughput")
_PRECISIONS = ("f32", "bf16", "f16", "any")


@dataclass(frozen=True)
class OpenVinoOptions:
    """How OpenVINO runs an engine; stored with it.

    Args:
        performance_hint: "latency": one call has all threads; "throughput": they are divided among calls that come at
            the same time.
        intra_op_threads: threads of an engine; 0: as many as OpenVINO finds right.
        inference_precision: what float32 is computed in: "f32", "bf16", "f16" (both only where the processor can), or
            "any": what OpenVINO finds fastest, which on a recent server processor is bf16, with 3 digits.
        cache_dir: a folder in which OpenVINO keeps compiled models, so that a second load compiles nothing; it is made
            if it is not there, and left out on a machine where it cannot be. None: no cache.
        config: further properties of OpenVINO's CPU plugin, by name; they come last.
    """

    performance_hint: str = "latency"
    intra_op_threads: int = 0
    inference_precision: str = "f32"
    cache_dir: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> OpenVinoOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        check_known("openvino", cls, options)
        values = dict(options)
        if isinstance(values.get("cache_dir"), Path):
            values["cache_dir"] = str(values["cache_dir"])
        made = cls(**values)
        for name, allowed in (("performance_hint", _HINTS), ("inference_precision", _PRECISIONS)):
            if getattr(made, name) not in allowed:
                raise ValueError(f"option {name} is one of {', '.join(allowed)}, not {getattr(made, name)!r}")
        threads = made.intra_op_threads
        if not is_whole(threads, 0):
            raise ValueError(f"option intra_op_threads must be a number of threads, 0 or more, not {threads!r}")
        if made.cache_dir is not None and not (isinstance(made.cache_dir, str) and made.cache_dir):
            raise ValueError(f"option cache_dir is the path of a folder, or None, not {made.cache_dir!r}")
        if not isinstance(made.config, Mapping):
            raise ValueError(f"option config is a mapping from OpenVINO's properties to values, not {made.config!r}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data."""
        return {**asdict(self), "config": dict(self.config)}

    def properties(self) -> dict[str, str]:
        """Return the properties that a model is compiled with; makes the cache's folder."""
        found = {"PERFORMANCE_HINT": self.performance_hint.upper()}
        if self.inference_precision == "any":
            found["INFERENCE_PRECISION_HINT"] = "dynamic"
        else:
            found["INFERENCE_PRECISION_HINT"] = self.inference_precision
        if self.intra_op_threads:
            found["INFERENCE_NUM_THREADS"] = str(self.intra_op_threads)
        if self.cache_dir is not None and _is_folder(self.cache_dir):
            found["CACHE_DIR"] = self.cache_dir
        return {**found, **{name: str(value) for name, value in self.config.items()}}


def _is_folder(path: str) -> bool:
    """Make a folder if there is none; tell whether there is one now."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True
