"""Options of the engine `tensorrt`: what they are called and what they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tfgraft.plugins.option_checks import check_known
from tfgraft.plugins.tensorrt.flavour import FLAVOURS

Dims = tuple[int, ...]
Range = tuple[Any, Any, Any]
"""Minimum, optimum, maximum."""
ROUTES = ("native", "onnx")
_CAPABILITY = re.compile(r"^\d+\.\d$")


@dataclass(frozen=True)
class TensorRtOptions:
    """How engines are built for TensorRT; stored with them.

    Args:
        flavour: "tensorrt", "tensorrt_rtx", or None for the one that is installed, full TensorRT first.
        route: "native" for our own op converters, "onnx" for ONNX and TensorRT's parser of it.
        profiles: optimization profiles: for each, the (minimum, optimum, maximum) shape of inputs. An input is a
            tensor of the graph by name, or an engine's input by number. Dimensions that are known to be equal take the
            range of one another, so that the graph's inputs say enough for engines in the middle.
        observed: shapes of inputs as they were seen, one mapping a run; they make one profile more: the least, the most
            frequent and the greatest size of each dimension.
        values: (minimum, optimum, maximum) values of inputs that give shapes, as sequences of numbers.
        batch: range of a first dimension that is unknown and of which no profile says anything.
        unknown: range of any other such dimension, and of values that give shapes.
        workspace_bytes: limit of the working memory of a layer; None for TensorRT's own.
        optimization_level: effort of the builder, 0 to 5; None for TensorRT's own.
        compute_capabilities: GPUs to build for, such as ("8.6", "8.9"); TensorRT-RTX alone. Empty: its own choice.
        tf32: whether float32 convolutions and products may round to TF32 on the tensor cores.
        version_compatible: whether later versions of TensorRT can load the engine.
        timing_cache: path of a file that keeps what TensorRT measured for later builds; TensorRT-RTX measures nothing.
        isolate: build in a process of its own, which may die without harm; None for those builds that could kill it.
        timeout: seconds after which a build is given up; None for never.
    """

    flavour: str | None = None
    route: str = "native"
    profiles: tuple[Mapping[str | int, Range], ...] = ()
    observed: tuple[Mapping[str | int, Dims], ...] = ()
    values: Mapping[str | int, Range] = field(default_factory=dict)
    batch: tuple[int, int, int] = (1, 8, 64)
    unknown: tuple[int, int, int] = (1, 128, 1024)
    workspace_bytes: int | None = None
    optimization_level: int | None = None
    compute_capabilities: tuple[str, ...] = ()
    tf32: bool = True
    version_compatible: bool = False
    timing_cache: str | None = None
    isolate: bool | None = None
    timeout: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TensorRtOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        check_known("tensorrt", cls, options)
        values = dict(options)
        if isinstance(values.get("compute_capabilities"), str):
            values["compute_capabilities"] = (values["compute_capabilities"],)
        for name in ("profiles", "observed"):
            if isinstance(values.get(name), Mapping):
                values[name] = (values[name],)
        try:
            for name, read in _READERS.items():
                if name in values:
                    values[name] = read(values[name])
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"option {name} is not {_SHOULD_BE[name]}: {options[name]!r}") from error
        made = cls(**values)
        made._check()
        return made

    def _check(self) -> None:
        _one_of("flavour", self.flavour, (None, *FLAVOURS))
        _one_of("route", self.route, ROUTES)
        _one_of("isolate", self.isolate, (None, True, False))
        for name in ("tf32", "version_compatible"):
            _one_of(name, getattr(self, name), (True, False))
        _number("workspace_bytes", self.workspace_bytes, 0)
        _number("optimization_level", self.optimization_level, 0, 5)
        if self.timeout is not None and not (isinstance(self.timeout, (int, float)) and self.timeout > 0):
            raise ValueError(f"option timeout is a number of seconds above 0, or None, not {self.timeout!r}")
        if self.timing_cache is not None and not isinstance(self.timing_cache, str):
            raise ValueError(f"option timing_cache is the path of a file, or None, not {self.timing_cache!r}")
        for capability in self.compute_capabilities:
            if not _CAPABILITY.match(capability):
                raise ValueError(f'option compute_capabilities has texts such as "8.6", not {capability!r}')
        for name in ("batch", "unknown"):
            least, best, most = getattr(self, name)
            if not 0 <= least <= best <= most:
                raise ValueError(
                    f"option {name} is (minimum, optimum, maximum) in this order, not {getattr(self, name)}"
                )
        for profile in self.profiles:
            for key, (least, best, most) in profile.items():
                if not len(least) == len(best) == len(most):
                    raise ValueError(f"option profiles gives {key!r} shapes of different ranks")
                if not all(0 <= a <= b <= c for a, b, c in zip(least, best, most, strict=True)):
                    raise ValueError(f"option profiles gives {key!r} a minimum, optimum or maximum out of order")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data that JSON can hold."""
        return asdict(self)


def _one_of(name: str, value: Any, allowed: Sequence[Any]) -> None:
    if not any(value is a or (isinstance(a, str) and value == a) for a in allowed):
        raise ValueError(f"option {name} is one of {', '.join(map(repr, allowed))}, not {value!r}")


def _number(name: str, value: Any, least: int, most: int | None = None) -> None:
    if value is None:
        return
    fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= (most or value)
    if not fits:
        limits = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"option {name} is a whole number, {limits}, or None, not {value!r}")


def _dims(value: Any) -> Dims:
    if isinstance(value, (str, bytes)):
        raise TypeError(value)
    return tuple(_whole(d) for d in value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise TypeError(value)
    return int(value)


def _range(value: Any) -> Range:
    least, best, most = value
    return _dims(least), _dims(best), _dims(most)


def _ranges(value: Any) -> dict[str | int, Range]:
    return {_key(key): _range(item) for key, item in value.items()}


def _shapes(value: Any) -> dict[str | int, Dims]:
    return {_key(key): _dims(item) for key, item in value.items()}


def _key(key: Any) -> str | int:
    return key if isinstance(key, str) else _whole(key)


def _texts(value: Any) -> tuple[str, ...]:
    if not all(isinstance(item, str) for item in value):
        raise TypeError(value)
    return tuple(value)


def _three(value: Any) -> tuple[int, int, int]:
    least, best, most = value
    return _whole(least), _whole(best), _whole(most)


_READERS: dict[str, Any] = {
    "profiles": lambda value: tuple(map(_ranges, value)),
    "observed": lambda value: tuple(map(_shapes, value)),
    "values": _ranges,
    "batch": _three,
    "unknown": _three,
    "compute_capabilities": _texts,
}
_SHOULD_BE = {
    "profiles": "a list of mappings from an input to its (minimum, optimum, maximum) shape",
    "observed": "a list of mappings from an input to its shape",
    "values": "a mapping from an input to its (minimum, optimum, maximum) values",
    "batch": "(minimum, optimum, maximum)",
    "unknown": "(minimum, optimum, maximum)",
    "compute_capabilities": 'a list of texts such as "8.6"',
}
