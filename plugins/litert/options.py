"""Options of the engine `litert`: what they are called and what they may be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tfgraft.plugins.option_checks import check_known, is_whole


@dataclass(frozen=True)
class LiteRtOptions:
    """How LiteRT runs an engine; stored with it.

    Args:
        intra_op_threads: threads of an engine, at most; 0: one for each processor that the process may use. In
            TensorFlow a small model takes one if that is quicker.
        maximum_interpreters: how many interpreters an engine keeps when no call uses them, for calls in TensorFlow and
            as many for calls without it; each holds the weights once more, packed, and is ready for one set of input
            shapes. The least recently used one goes first.
        timeout: seconds after which a conversion is given up; None for never.
    """

    intra_op_threads: int = 0
    maximum_interpreters: int = 8
    timeout: float | None = 600.0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> LiteRtOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        check_known("litert", cls, options)
        made = cls(**options)
        for name, least in (("intra_op_threads", 0), ("maximum_interpreters", 1)):
            value = getattr(made, name)
            if not is_whole(value, least):
                raise ValueError(f"option {name} is a whole number, {least} or more, not {value!r}")
        timeout = made.timeout
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0
        ):
            raise ValueError(f"option timeout is a number of seconds above 0, or None, not {timeout!r}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain data."""
        return asdict(self)

    @property
    def threads(self) -> int:
        """The number of threads on this machine, at most."""
        if self.intra_op_threads:
            return self.intra_op_threads
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
