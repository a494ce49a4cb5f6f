"""The rules that the source tree keeps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKED = ("passes", "converters", "registry", "plugins")
SOURCE_FOLDERS = (*LINKED, "src/tfgraft", "tests", "benchmarks", "examples")
MOST_LINES = 400


def source_files() -> list[Path]:
    """Every Python file once: the linked folders by their top-level paths only."""
    found = {path.resolve() for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*.py")}
    return sorted(path for path in found if not {"build", "__pycache__"} & set(path.relative_to(ROOT).parts))


@pytest.mark.parametrize("name", LINKED)
def test_package_links_to_the_top_level_folder(name: str) -> None:
    link = ROOT / "src/tfgraft" / name
    assert link.is_symlink(), f"{link} is a copy; clone with symlinks (git config core.symlinks true)"
    assert not link.readlink().is_absolute()
    assert link.resolve() == ROOT / name
    assert (link / "__init__.py").is_file()


def test_source_files_are_found() -> None:
    names = {str(path.relative_to(ROOT)) for path in source_files()}
    assert {"registry/support.py", "src/tfgraft/graph/graph.py", "tests/packaging/test_source.py"} <= names
    assert not any(name.startswith(tuple(f"src/tfgraft/{linked}/" for linked in LINKED)) for name in names)


def test_no_file_is_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in source_files()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_imports_are_absolute() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_code_goes_by_the_one_import_name() -> None:
    """`from passes.prune import Prune` would load a second copy of the module, with classes of its own."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} imports {module}"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in imported_modules(node)
        if module.split(".")[0] in LINKED
    ]
    assert wrong == []


def imported_modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]
