"""The sample plugin, installed as users install one, next to a plugin that is broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent


def _install(source: Path, work: Path) -> Path:
    """Build the distribution from a copy and install it into a folder of its own."""
    shutil.copytree(source, work / "source", ignore=shutil.ignore_patterns("__pycache__", "*.py", "build"))
    shutil.copytree(source / "src", work / "source" / "src", dirs_exist_ok=True)
    target = work / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(work / "source")], check=True, capture_output=True, text=True)
    return target


def _broken(work: Path) -> Path:
    """Lay out an installed distribution whose plugin cannot be imported."""
    info = work / "broken_site" / "broken_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tfgraft.plugins]\nbroken = broken_plugin:plugin\nwrong = json:dumps\n")
    (work / "broken_site" / "broken_plugin.py").write_text("import a_module_that_is_not_there\n")
    return work / "broken_site"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process sees that has both plugins on its path."""
    work = tmp_path_factory.mktemp("plugins")
    path = os.pathsep.join([str(_install(_HERE, work)), str(_broken(work)), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(_HERE / "use.py")],
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        cwd=work,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_its_engine_and_pass_are_found(seen: dict[str, Any]) -> None:
    assert {"onnxruntime", "sample"} <= set(seen["engines"])
    assert "remove_checks" in seen["passes"]
    assert seen["sample"] == ["AddV2", "Identity", "Maximum", "Minimum", "Mul", "Neg", "Sub"]


def test_its_entries_are_in_the_plugin_layer(seen: dict[str, Any]) -> None:
    assert seen["relu6"] == [["plugin", "sample"]]
    assert seen["softsign"][0] == ["plugin", "sample"]
    assert {layer for layer, _ in seen["softsign"]} == {"plugin", "built-in"}


def test_a_broken_sibling_is_a_named_problem(seen: dict[str, Any]) -> None:
    problems = {plugin: (distribution, error) for plugin, distribution, error in seen["problems"]}
    assert set(problems) == {"broken", "wrong"}
    assert problems["broken"][0] == "broken-plugin"
    assert "a_module_that_is_not_there" in problems["broken"][1]
    assert problems["wrong"][1].startswith("TypeError")


def test_its_engine_runs_end_to_end(seen: dict[str, Any]) -> None:
    engine = seen["engine"]
    assert engine["clusters"] == 1
    assert "Relu6" not in engine["ops"]
    assert "TfGraft>Engine" in engine["ops"]
    assert engine["error"] < 1e-6
    assert engine["calls"] > 0
    assert engine["fallbacks"] == 0


def test_its_engine_refuses_unknown_options(seen: dict[str, Any]) -> None:
    assert seen["option"] == "engine sample has no option 'threads'"


def test_its_pass_works_in_a_pipeline(seen: dict[str, Any]) -> None:
    assert "CheckNumerics" not in seen["pass"]
    assert "TfGraft>Engine" in seen["pass"]
