"""The timing cache: what TensorRT measured in earlier builds, in a file that several processes may share."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def timing_cache(config: Any, path: str | None) -> Iterator[None]:
    """Give a builder's config the cache in a file for the time of a build, then write it back.

    What other processes wrote meanwhile is taken in. The file is written beside and renamed, so nobody reads half of
    one; one that is damaged, or from another GPU or version, is replaced.
    """
    if path is None:
        yield
        return
    file = Path(path).expanduser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TensorRT-RTX takes a cache and has no use for it
        cache = _read(config, file)
        if not config.set_timing_cache(cache, False):
            cache = config.create_timing_cache(b"")
            config.set_timing_cache(cache, False)
        yield
        cache = config.get_timing_cache()
        cache.combine(_read(config, file), False)
        _write(file, bytes(cache.serialize()))


def _read(config: Any, file: Path) -> Any:
    content = file.read_bytes() if file.is_file() else b""
    try:
        cache = config.create_timing_cache(content)
    except (RuntimeError, TypeError, ValueError):
        cache = None
    return config.create_timing_cache(b"") if cache is None else cache


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.replace(beside, file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
