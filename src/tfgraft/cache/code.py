"""Which code is at work: what an engine depends on besides its cluster, because code makes it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

OWN = "tfgraft"


def machine() -> tuple[str, ...]:
    """Return what holds for everything made here: the kind of machine, Python's, TensorFlow's and NumPy's versions."""
    import numpy as np
    import tensorflow as tf

    python = ".".join(map(str, sys.version_info[:2]))
    return (sys.platform, platform.machine(), python, str(tf.__version__), str(np.__version__))


def code_of(module: str) -> str | None:
    """Return a text that changes with the code of a module's top-level package, or None if its source is not to be had.

    It has a hash of the package's source, since a version number stays the same while somebody works on the code, and
    the versions of its distribution and of what that requires.
    """
    top = module.partition(".")[0]
    source = _source_of(sys.modules.get(top))
    return None if source is None else f"{top} {_hash(source)} {_versions(top)}"


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _source_of(top: object) -> Path | None:
    file = getattr(top, "__file__", None)
    if file is None:  # a package without __init__.py
        folders = list(getattr(top, "__path__", ()))
        return Path(folders[0]) if folders else None
    path = Path(file)
    return path.parent if path.name == "__init__.py" else path


@functools.cache
def _hash(source: Path) -> str:
    """Return the hash of a file, or of all Python files of a folder; the code that a process runs does not change."""
    hasher = hashlib.blake2b(digest_size=16)
    for path in [source] if source.is_file() else _python_files(source):
        content = path.read_bytes()
        hasher.update(f"{path.relative_to(source)} {len(content)}:".encode())
        hasher.update(content)
    return hasher.hexdigest()


def _python_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(f for f in folders if f != "__pycache__" and not f.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".py"))


@functools.cache
def _versions(top: str) -> str:
    found: dict[str, str] = {}
    for name in (OWN,) if top == OWN else importlib.metadata.packages_distributions().get(top, ()):
        found[name] = version_of(name)
        for requirement in _requirements(name):
            needed = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            found[needed] = version_of(needed)
    return " ".join(f"{name}={version}" for name, version in sorted(found.items()))


def _requirements(distribution: str) -> list[str]:
    """Return what a distribution requires, with any extra but the one for its developers."""
    try:
        found = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [requirement for requirement in found if not re.search(r"""extra == ["']dev["']""", requirement)]
