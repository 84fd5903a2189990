"""Every module has its test file, and every test file its module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Modules that hold data only: there is no behaviour to test. Paths from the root of the package.
_DATA_ONLY: set[str] = set()
_EXEMPT_NAMES = {"__init__.py", "__main__.py"}


def _expected_test(module: Path, package: Path, tests: Path) -> Path:
    relative = module.relative_to(package)
    return tests / relative.parent / f"test_{relative.name}"


def _modules(package: Path) -> list[Path]:
    return [
        path
        for path in sorted(package.rglob("*.py"))
        if path.name not in _EXEMPT_NAMES
        and f"{package.name}/{path.relative_to(package).as_posix()}" not in _DATA_ONLY
    ]


def test_every_module_has_a_test_file(sources: dict[Path, Path]) -> None:
    missing = [
        expected.name + " for " + module.relative_to(package.parent).as_posix()
        for package, tests in sources.items()
        for module in _modules(package)
        if not (expected := _expected_test(module, package, tests)).exists()
    ]
    assert not missing, "modules without their test file:\n" + "\n".join(missing)


def test_every_test_file_has_a_module(sources: dict[Path, Path]) -> None:
    orphans = [
        test.as_posix()
        for package, tests in sources.items()
        for test in sorted(tests.rglob("test_*.py"))
        if test not in {_expected_test(m, package, tests) for m in _modules(package)}
    ]
    assert not orphans, "test files whose module is gone:\n" + "\n".join(orphans)


def test_exempt_modules_exist(sources: dict[Path, Path]) -> None:
    known = {
        f"{package.name}/{path.relative_to(package).as_posix()}"
        for package in sources
        for path in package.rglob("*.py")
    }
    assert known >= _DATA_ONLY


def test_no_vague_names(sources: dict[Path, Path]) -> None:
    vague = {"utils", "util", "common", "core", "helpers", "helper", "tools", "misc"}
    found = [
        path
        for package in sources
        for path in package.rglob("*")
        if path.stem.strip("_") in vague and "__pycache__" not in path.parts
    ]
    assert not found, f"a name must say what the thing is: {found}"


def test_source_roots_are_no_packages(repository: Path) -> None:
    # An __init__.py would make `import models` or `import tests` work, and shadow other people's.
    roots = [repository / name for name in ("models", "tests", "tutorials", "benchmarks", "docs")]
    assert not [root for root in roots if (root / "__init__.py").exists()]
    assert not list((repository / "tests").rglob("__init__.py"))
