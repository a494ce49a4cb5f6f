"""The command `cache`: lists what the cache has, or removes it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime, timezone

from tfgraft.cli.codes import OK
from tfgraft.cli.terminal import Terminal


def cache(args: argparse.Namespace, terminal: Terminal) -> int:
    """List the entries, the most recently used first, or remove all of them."""
    from tfgraft.cache.cache import EngineCache

    store = EngineCache(args.cache)
    where = {"folder": str(store.folder)}
    if args.action == "clear":
        freed = store.clear()
        terminal.result(f"removed {_megabytes(freed)} from {store.folder}", {**where, "freed_bytes": freed})
        return OK
    entries = store.entries()[::-1]
    total = sum(entry.size for entry in entries)
    lines = [f"{store.folder}: {len(entries)} entries, {_megabytes(total)} of {_megabytes(store.max_bytes)}"]
    lines += [
        f"  {_day(entry.used)}  {_megabytes(entry.size):>10}  {entry.kind:<10}  {entry.key[:12]}  {entry.about}"
        for entry in entries
    ]
    data = {**where, "bytes": total, "max_bytes": store.max_bytes, "entries": [asdict(entry) for entry in entries]}
    terminal.result("\n".join(lines), data)
    return OK


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")
