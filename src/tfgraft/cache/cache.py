"""EngineCache: values by key in a folder, bounded in bytes, shared by any number of processes."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgraft.cache.entry import PARTIAL, SUFFIX, DamagedEntry, Entry, describe_entry, read_entry, write_entry
from tfgraft.cache.folder import user_folder
from tfgraft.cache.values import Unstorable, from_bytes, to_bytes

MAX_BYTES = 4 << 30
_ABANDONED = 3600.0
"""Seconds after which a file that was never renamed is of a process that died."""
_KEY = re.compile(r"[0-9a-f-]{8,200}")
_LOG = logging.getLogger("tfgraft")


class EngineCache:
    """A cache on disk of engines and conversions. Using one never fails: what goes wrong with the disk is a miss.

    Several processes and threads may use a folder at once: entries are written beside and renamed, checked by a
    checksum when read, and one that is removed meanwhile is a miss. Where it cannot be read or written (no rights, a
    full disk), one warning is logged by the logger `tfgraft`, and work goes on without it.

    Args:
        folder: where entries are; it is made when it is first written to. None for the user's cache folder (see
            `tfgraft.cache.folder.user_folder`).
        max_bytes: what all entries may take together; those that were used least recently go first.

    Attributes:
        hits, misses: how often a value was found, or not, through this object.
        problem: what went wrong with the disk; empty if nothing did.

    Raises:
        ValueError: `max_bytes` is not a number of bytes.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, max_bytes: int = MAX_BYTES) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1:
            raise ValueError(f"max_bytes is a number of bytes, 1 or more, not {max_bytes!r}")
        self.folder = user_folder() if folder is None else Path(folder).expanduser()
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self.problem = ""

    @classmethod
    def of(cls, cache: bool | str | os.PathLike[str] | EngineCache | None) -> EngineCache | None:
        """Make it out of what a user gives: True for the user's folder, a path, a cache; None or False for none.

        Raises:
            ValueError: it is something else.
        """
        if cache is None or cache is False:
            return None
        if cache is True:
            return cls()
        if isinstance(cache, EngineCache):
            return cache
        if isinstance(cache, (str, os.PathLike)) and os.fspath(cache):
            return cls(cache)
        raise ValueError(f"cache is True, a folder, an EngineCache or None, not {cache!r}")

    def get(self, key: str) -> Any:
        """Return the value of a key, or None. An entry that is damaged is removed."""
        path = self._path(key)
        value = None
        try:
            value = from_bytes(read_entry(path))
            self._touch(path)
        except FileNotFoundError:
            pass
        except (DamagedEntry, Unstorable):
            self._remove(path)
        except OSError as error:
            self._tell(error)
        if value is None:
            self.misses += 1
        else:
            self.hits += 1
        return value

    def put(self, key: str, value: Any, kind: str, about: str = "") -> None:
        """Keep a value: plain data and tfgraft's own records; anything else, or what is too large, is not kept.

        Args:
            key: hexadecimal digits and hyphens.
            value: what to keep; not None.
            kind, about: what `entries` tells of it.
        """
        if self.problem:
            return
        try:
            content = to_bytes(value)
        except Unstorable as error:
            _LOG.debug("not kept in the cache: %s", error)
            return
        if len(content) > self.max_bytes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_entry(self._path(key), kind, about, content)
            self._shrink()
        except OSError as error:
            self._tell(error)

    def entries(self) -> list[Entry]:
        """Return what is there, the least recently used first.

        Raises:
            OSError: the folder cannot be read.
        """
        found = []
        for path in self._files(SUFFIX):
            try:
                found.append(describe_entry(path))
            except FileNotFoundError:
                continue
        return sorted(found, key=lambda entry: (entry.used, entry.key))

    def clear(self) -> int:
        """Remove all entries, and nothing else that lies in the folder; return how many bytes they took.

        Raises:
            OSError: an entry cannot be removed.
        """
        freed = 0
        for path in [*self._files(SUFFIX), *self._files(PARTIAL)]:
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            freed += size
        return freed

    def __repr__(self) -> str:
        return f"EngineCache({str(self.folder)!r})"

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"a key is of hexadecimal digits and hyphens, which {key!r} is not")
        return self.folder / f"{key}{SUFFIX}"

    def _files(self, suffix: str) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return
        yield from (self.folder / name for name in names if name.endswith(suffix))

    def _shrink(self) -> None:
        """Remove the least recently used entries until the rest fits, and what processes that died left behind."""
        now = time.time()
        for path in self._files(PARTIAL):
            if now - _status(path)[0] > _ABANDONED:
                self._remove(path)
        files = sorted((*_status(path), path) for path in self._files(SUFFIX))
        total = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:  # the last one was written just now
            if total <= self.max_bytes:
                break
            self._remove(path)
            total -= size

    def _touch(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # a folder that may only be read serves all the same
            os.utime(path)  # access times are not kept everywhere

    def _remove(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

    def _tell(self, error: OSError) -> None:
        if not self.problem:
            self.problem = f"{error.strerror or error} ({error.filename or self.folder})"
            _LOG.warning("tfgraft: the cache in %s cannot be used: %s; going on without it", self.folder, self.problem)


def _status(path: Path) -> tuple[float, int]:
    """Return when a file was last used and its size; zeros if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return 0.0, 0
    return status.st_mtime, status.st_size
