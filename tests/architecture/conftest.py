"""What the architecture tests share: the shipped files and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# import package → the folder whose tree mirrors it in tests/
_SOURCES = {"scdp_flows": "flows", "models/scdp_models": "models"}


@pytest.fixture(scope="session")
def sources(repository: Path) -> dict[Path, Path]:
    """Map the root folder of each package to the root folder of its tests."""
    return {
        repository / package: repository / "tests" / mirror for package, mirror in _SOURCES.items()
    }


@pytest.fixture(scope="session")
def syntax_trees(sources: dict[Path, Path]) -> dict[Path, ast.Module]:
    """Give the syntax tree of every shipped Python file."""
    return {
        path: ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for package in sources
        for path in sorted(package.rglob("*.py"))
    }


@pytest.fixture(scope="session")
def tracked_files(repository: Path) -> list[Path]:
    """List the files that git tracks or would add; without git, skip."""
    if not (repository / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listing.stdout.split("\0") if name]
    return [repository / name for name in names if (repository / name).is_file()]
