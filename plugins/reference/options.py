"""Options of the engine `reference`: those of `tensorrt`, and whether TensorRT has to build the network too."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfgraft.plugins.tensorrt.options import TensorRtOptions

_CHECKED_FOR = ("8.9",)


@dataclass(frozen=True)
class ReferenceOptions:
    """How engines are made.

    Args:
        check_build: whether TensorRT also builds each network and may refuse it, as for the engine `tensorrt`.
        tensorrt: the options of the engine `tensorrt`, with TensorRT-RTX as the flavour where it is installed, for it
            builds without a GPU, and then for one kind of GPU alone.
    """

    check_build: bool
    tensorrt: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ReferenceOptions:
        """Make options out of a mapping, as users give it.

        Raises:
            ValueError: an option is unknown or has a value that it cannot have.
        """
        check = options.get("check_build", True)
        if not isinstance(check, bool):
            raise ValueError(f"option check_build is True or False, not {check!r}")
        rest = {name: value for name, value in options.items() if name != "check_build"}
        if rest.get("flavour") is None and importlib.util.find_spec("tensorrt_rtx") is not None:
            rest["flavour"] = "tensorrt_rtx"
        if rest.get("flavour") == "tensorrt_rtx":
            rest.setdefault("compute_capabilities", _CHECKED_FOR)
        try:
            TensorRtOptions.of(rest)
        except ValueError as error:
            raise ValueError(str(error).replace("engine tensorrt has", "engine reference has")) from error
        return cls(check, rest)
