"""Importing the workflows is cheap: no torch, no DFT code, no effects."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# torch and e3nn cost seconds; hosts that only submit and decode Makers have no use for them.
_HEAVY = ("torch", "e3nn", "lightning", "numba", "pyscf", "scdp_models")

_LOADED_AFTER = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
if sys.argv[2] == "all":
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _loaded_after_importing(module: str, extent: str, repository: Path) -> set[str]:
    environment = os.environ | {"PYTHONPATH": f"{repository}{os.pathsep}{repository / 'models'}"}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED_AFTER, module, extent],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_importing_the_flows_loads_nothing_heavy(repository: Path) -> None:
    if not (repository / "scdp_flows" / "flows").exists():
        pytest.skip("scdp_flows.flows does not exist yet")
    assert not _loaded_after_importing("scdp_flows.flows", "all", repository) & set(_HEAVY)


def test_importing_every_module_loads_nothing_heavy(repository: Path) -> None:
    assert not _loaded_after_importing("scdp_flows", "all", repository) & set(_HEAVY)


def test_the_model_package_itself_loads_no_torch(repository: Path) -> None:
    loaded = _loaded_after_importing("scdp_models", "itself", repository)
    assert "torch" not in loaded


def test_no_relative_imports(syntax_trees: dict[Path, ast.Module]) -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path, tree in syntax_trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative
