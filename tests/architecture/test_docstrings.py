"""Everything public says what it does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# These repeat or complete a signature that is documented elsewhere.
_UNDOCUMENTED_DECORATORS = {"overload", "setter", "override"}


def _is_public(node: ast.stmt) -> bool:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names = {
        part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
        for part in node.decorator_list
    }
    return not node.name.startswith("_") and not names & _UNDOCUMENTED_DECORATORS


def _public(node: _Documented) -> Iterator[_Documented]:
    """Walk modules and classes; what stands inside a function is nobody's interface."""
    yield node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if _is_public(child):
                assert isinstance(child, _Documented)
                yield from _public(child)


def test_everything_public_has_a_docstring(syntax_trees: dict[Path, ast.Module]) -> None:
    missing = [
        f"{path}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', 'module')}"
        for path, tree in syntax_trees.items()
        for node in _public(tree)
        if not ast.get_docstring(node)
    ]
    assert not missing, "no docstring:\n" + "\n".join(missing)


def test_docstrings_begin_with_a_sentence(syntax_trees: dict[Path, ast.Module]) -> None:
    odd = [
        f"{path}:{getattr(node, 'lineno', 1)} {first!r}"
        for path, tree in syntax_trees.items()
        for node in _public(tree)
        if (text := ast.get_docstring(node)) and (first := text.splitlines()[0])[-1] not in ".:?!"
    ]
    assert not odd, "the first line is no sentence:\n" + "\n".join(odd)


def test_shipped_code_neither_prints_nor_asserts(syntax_trees: dict[Path, ast.Module]) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in syntax_trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print")
    ]
    assert not found
