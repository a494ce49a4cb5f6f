"""One entry of the cache as a file: a line that says what it is, a line of facts with a checksum, then the content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

SUFFIX = ".tfgraft"
PARTIAL = ".partial"
_FIRST = b"tfgraft cache entry 1\n"
_LONGEST = 1 << 16


class DamagedEntry(ValueError):
    """A file that is no entry, or not the whole of one."""


@dataclass(frozen=True)
class Entry:
    """What is known of an entry without reading its content.

    Args:
        key: what it is found by.
        kind: "engine", "failure", "conversion", or another word of whoever put it there.
        about: a few words for people.
        size: bytes on disk.
        used: when it was last written or read, in seconds since 1970.
    """

    key: str
    kind: str
    about: str
    size: int
    used: float


def write_entry(path: Path, kind: str, about: str, content: bytes) -> int:
    """Write an entry and return its size; it is written beside and renamed, so that nobody reads half of it.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    facts = {"kind": kind, "about": about, "size": len(content), "checksum": _checksum(content)}
    head = _FIRST + json.dumps(facts).encode() + b"\n"
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:16]}.", suffix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(head)
            file.write(content)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return len(head) + len(content)


def read_entry(path: Path) -> bytes:
    """Return an entry's content.

    Raises:
        FileNotFoundError: there is none.
        DamagedEntry: it is cut short, or its content is not what was written.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        facts = _facts(file)
        content = file.read()
    if len(content) != facts["size"] or _checksum(content) != facts["checksum"]:
        raise DamagedEntry(f"{path} is damaged")
    return content


def describe_entry(path: Path) -> Entry:
    """Return what is known of an entry; one that cannot be read is of the kind "damaged".

    Raises:
        FileNotFoundError: there is none (any more).
    """
    status = path.stat()
    try:
        with open(path, "rb") as file:
            facts = _facts(file)
            whole = file.tell() + facts["size"] == status.st_size
    except FileNotFoundError:
        raise
    except (OSError, DamagedEntry):
        facts, whole = {}, False
    kind = str(facts.get("kind", "")) if whole else "damaged"
    return Entry(path.stem, kind, str(facts.get("about", "")), status.st_size, status.st_mtime)


def _facts(file: BinaryIO) -> dict[str, Any]:
    if file.read(len(_FIRST)) != _FIRST:
        raise DamagedEntry("this is no entry of the cache")
    try:
        facts: dict[str, Any] = json.loads(file.readline(_LONGEST))
        if not isinstance(facts["size"], int) or not isinstance(facts["checksum"], str):
            raise DamagedEntry("the facts are damaged")
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedEntry("the facts are damaged") from error
    return facts


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
