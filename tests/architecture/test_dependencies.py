"""What the packages import is what the distribution declares."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWN = {"scdp_flows", "scdp_models"}


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _declared(repository: Path) -> set[str]:
    """List the distributions named in the dependencies and in every extra."""
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    return {_normalised(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_imported_package_is_declared(
    repository: Path, syntax_trees: dict[Path, ast.Module]
) -> None:
    declared, providers = _declared(repository), packages_distributions()
    foreign = {
        (path.relative_to(repository).as_posix(), name)
        for path, tree in syntax_trees.items()
        for name in _imported(tree)
        if name not in sys.stdlib_module_names and name not in _OWN
    }
    undeclared = [
        f"{path} imports {name}"
        for path, name in sorted(foreign)
        if not declared & {_normalised(p) for p in providers.get(name, [name])}
    ]
    assert not undeclared, "\n".join(undeclared)
