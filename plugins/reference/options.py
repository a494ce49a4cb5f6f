"""Options of the engine `reference`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from tfgraft.plugins.tensorrt.flavour import FLAVOURS


@dataclass(frozen=True)
class ReferenceOptions:
    """How engines are made.

    Args:
        check_build: whether TensorRT also has to build each network, where it can without a GPU (TensorRT-RTX).
        flavour: the module that makes the network, "tensorrt" or "tensorrt_rtx"; default TensorRT-RTX if it is
            installed.
    """

    check_build: bool = True
    flavour: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ReferenceOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        known = [f.name for f in fields(cls)]
        for name in options:
            if name not in known:
                raise ValueError(f"engine reference has no option {name!r}; it has {', '.join(known)}")
        made = cls(**options)
        if not isinstance(made.check_build, bool):
            raise ValueError(f"option check_build is True or False, not {made.check_build!r}")
        if made.flavour not in (None, *FLAVOURS):
            raise ValueError(f"option flavour is one of {', '.join(FLAVOURS)}, not {made.flavour!r}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data."""
        return asdict(self)
