"""Flavours: TensorRT and TensorRT-RTX have one API under two module names."""

from __future__ import annotations

import importlib
from typing import Any

from tfgraft.registry.support import SUPPORTED, Support, Unsupported

FLAVOURS = ("tensorrt", "tensorrt_rtx")
"""Module names, the preferred one first."""
_LEAST = 10


class NoTensorRt(ImportError):
    """Neither flavour can be imported, or the one that was asked for cannot."""


def find_flavour(wanted: str | None = None) -> tuple[str, Any]:
    """Return the name and module of the flavour `wanted`, or of the first that is installed.

    Raises:
        NoTensorRt: there is none; the message says why, and what to install.
    """
    reasons = []
    for name in FLAVOURS if wanted is None else (wanted,):
        try:
            trt = importlib.import_module(name)
        except Exception as error:  # TensorRT's packages raise several kinds when their libraries are missing
            reasons.append(f"{name}: {error}")
            continue
        if name == "tensorrt" and int(str(trt.__version__).split(".")[0]) < _LEAST:
            reasons.append(f"tensorrt {trt.__version__} is older than {_LEAST}")
            continue
        return name, trt
    raise NoTensorRt(f"TensorRT cannot be imported ({'; '.join(reasons)})")


def available(wanted: str | None = None) -> Support:
    """Say whether a flavour can be imported."""
    try:
        find_flavour(wanted)
    except NoTensorRt as error:
        return Unsupported(
            "no-engine",
            f"{error}.",
            "tensorrt",
            "Install it with: pip install 'tfgraft[tensorrt]', or 'tfgraft[tensorrt-rtx]', which builds on a CPU too.",
        )
    return SUPPORTED
