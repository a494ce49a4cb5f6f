"""The cache as a store: bounded, checked, shared by processes, and never in the way."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tfgraft.cache.cache import EngineCache
from tfgraft.cache.entry import PARTIAL, SUFFIX
from tfgraft.cache.folder import user_folder
from tfgraft.graph.view import TensorInfo
from tfgraft.plugins.protocol import BuiltEngine

KEY = "0123456789abcdef"
ENGINE = BuiltEngine(
    "e", b"\x00" * 1000, (TensorInfo("float32", (-2, 3)),), (), metadata={"a": (1, (2, None)), "b": [1.5]}
)


def key(i: int) -> str:
    return f"{i:016x}"


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache")


def test_what_is_put_is_got(cache: EngineCache) -> None:
    assert cache.get(KEY) is None
    cache.put(KEY, ("engine", ENGINE, "f"), "engine", "one")
    got = cache.get(KEY)
    assert got == ("engine", ENGINE, "f")
    assert repr(got[1].metadata) == repr(ENGINE.metadata), "tuples stay tuples"
    assert (cache.hits, cache.misses) == (1, 1)
    (entry,) = cache.entries()
    assert (entry.key, entry.kind, entry.about) == (KEY, "engine", "one")
    assert entry.size == sum(p.stat().st_size for p in cache.folder.iterdir())


def damage_cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def damage_bit(content: bytes) -> bytes:
    middle = len(content) - 500
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def damage_head(content: bytes) -> bytes:
    return b"X" + content[1:]


def damage_facts(content: bytes) -> bytes:
    first, _, rest = content.split(b"\n", 2)
    return first + b"\n[]\n" + rest


@pytest.mark.parametrize(
    "damage", [damage_cut, damage_bit, damage_head, damage_facts, lambda _: b"", lambda c: c + b"x"]
)
def test_a_damaged_entry_is_a_miss_and_goes(cache: EngineCache, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    cache.put(KEY, ENGINE, "engine")
    (path,) = cache.folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert len(cache.entries()) == 1, "listing survives it"
    assert cache.get(KEY) is None
    assert not path.exists()
    cache.put(KEY, ENGINE, "engine")
    assert cache.get(KEY) == ENGINE
    assert caplog.records == []


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("exit 3",)


def test_nothing_that_runs_code_is_read_or_written(cache: EngineCache) -> None:
    cache.put(KEY, ENGINE, "engine")
    (path,) = cache.folder.iterdir()
    from tfgraft.cache.entry import write_entry

    write_entry(path, "engine", "", pickle.dumps(Evil()))
    assert cache.get(KEY) is None
    assert not path.exists()
    cache.put(KEY, Evil(), "engine")
    assert list(cache.folder.iterdir()) == []
    cache.put(KEY, lambda: None, "engine")
    assert list(cache.folder.iterdir()) == []


def test_it_is_bounded_and_the_least_recently_used_go(tmp_path: Path) -> None:
    EngineCache(tmp_path).put(key(0), ENGINE, "engine")
    (one,) = EngineCache(tmp_path).entries()
    cache = EngineCache(tmp_path, max_bytes=3 * one.size)
    for i in range(3):
        cache.put(key(i), ENGINE, "engine")
        os.utime(tmp_path / f"{key(i)}{SUFFIX}", (i, i))
    assert cache.get(key(0)) == ENGINE, "which makes it the most recently used"
    cache.put(key(3), ENGINE, "engine")
    assert {e.key for e in cache.entries()} == {key(0), key(2), key(3)}
    cache.put(key(4), b"x" * 4 * one.size, "large")
    assert cache.get(key(4)) is None, "too large for this cache"
    assert len(cache.entries()) == 3


def test_clear_removes_entries_and_nothing_else(cache: EngineCache) -> None:
    assert cache.clear() == 0
    cache.put(KEY, ENGINE, "engine")
    mine = cache.folder / "notes.txt"
    mine.write_text("mine")
    (cache.folder / f".x{PARTIAL}").write_text("half")
    assert cache.clear() > 1000
    assert list(cache.folder.iterdir()) == [mine]


def test_what_died_processes_left_goes(cache: EngineCache) -> None:
    cache.put(key(0), 1, "number")
    old, new = cache.folder / f".old{PARTIAL}", cache.folder / f".new{PARTIAL}"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.put(key(1), 2, "number")
    assert not old.exists()
    assert new.exists(), "somebody is writing it"


def test_a_folder_that_cannot_be_gives_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    cache = EngineCache(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING, "tfgraft"):
        for i in range(3):
            assert cache.get(key(i)) is None
            cache.put(key(i), ENGINE, "engine")
    assert len(caplog.records) == 1
    assert "going on without it" in caplog.text
    assert cache.problem


FULL = """
import logging, resource, signal, sys
logging.basicConfig()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from tfgraft.cache.cache import EngineCache
cache = EngineCache(sys.argv[1])
cache.put("00000000", 1, "small")
cache.put("00000001", b"x" * 100_000, "large")
cache.put("00000002", b"x" * 100_000, "large")
assert cache.get("00000000") == 1
assert cache.get("00000001") is None
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are Unix's")
def test_a_full_disk_gives_one_warning(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", FULL, str(tmp_path)])
    assert done.stderr.count("WARNING") == 1, done.stderr
    assert [p.suffix for p in tmp_path.iterdir()] == [SUFFIX], "nothing half is left"


MANY = """
import random, sys
from tfgraft.cache.cache import EngineCache
random.seed(int(sys.argv[2]))
cache = EngineCache(sys.argv[1], max_bytes=60_000)
for i in range(300):
    key = f"{random.randrange(20):016x}"
    value = cache.get(key)
    assert value is None or value == (key, key.encode() * 300), value
    if value is None:
        cache.put(key, (key, key.encode() * 300), "number")
assert not cache.problem, cache.problem
"""


def test_several_processes_do_each_other_no_harm(tmp_path: Path) -> None:
    jobs = [subprocess.Popen([sys.executable, "-c", MANY, str(tmp_path), str(i)]) for i in range(3)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    assert sum(e.size for e in EngineCache(tmp_path).entries()) <= 60_000
    assert {p.suffix for p in tmp_path.iterdir()} == {SUFFIX}


def test_several_threads_share_one(cache: EngineCache) -> None:
    def work(i: int) -> bool:
        cache.put(key(i % 5), ENGINE, "engine")
        return cache.get(key(i % 5)) == ENGINE

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(100)))


def test_of_takes_what_users_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = EngineCache(tmp_path)
    assert EngineCache.of(None) is None
    assert EngineCache.of(False) is None
    assert EngineCache.of(cache) is cache
    for given in (tmp_path, str(tmp_path)):
        made = EngineCache.of(given)
        assert made is not None
        assert made.folder == tmp_path
    made = EngineCache.of(True)
    assert made is not None
    assert made.folder == user_folder()
    for wrong in ("", 3, object()):
        with pytest.raises(ValueError, match="cache is True, a folder, an EngineCache or None"):
            EngineCache.of(wrong)  # type: ignore[arg-type]
    for size in (0, -1, True, 1.5, "4G"):
        with pytest.raises(ValueError, match="max_bytes is a number of bytes"):
            EngineCache(tmp_path, size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hexadecimal"):
        cache.get("../../etc/passwd")


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have other rules")
def test_the_folder_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "tfgraft"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert user_folder() == Path.home() / ".cache" / "tfgraft"


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done
