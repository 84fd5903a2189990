"""Functions and files stay small enough to be taken in at one look."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

_MAX_BODY, _MAX_BODY_95 = 60, 40
_MAX_FILE, _MAX_FILE_95 = 500, 350
_MAX_ARGUMENTS = 6
_MAX_INIT = 30

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(trees: dict[Path, ast.Module]) -> list[tuple[str, _Function]]:
    return [
        (f"{path}:{node.lineno} {node.name}", node)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, _Function)
    ]


def _body_length(function: _Function) -> int:
    """Count the lines of the body, the docstring left out."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        if len(body) == 1:
            return 0
        body = body[1:]
    return (function.end_lineno or 0) - body[0].lineno + 1


def _arguments(function: _Function) -> list[str]:
    spec = function.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    return [name for name in names if name not in {"self", "cls"}]


def test_no_function_is_too_long(syntax_trees: dict[Path, ast.Module]) -> None:
    lengths = {where: _body_length(f) for where, f in _functions(syntax_trees)}
    long = {where: n for where, n in lengths.items() if n > _MAX_BODY}
    assert not long, f"bodies over {_MAX_BODY} lines: {long}"


def test_most_functions_are_short(syntax_trees: dict[Path, ast.Module]) -> None:
    lengths = [_body_length(f) for _, f in _functions(syntax_trees)]
    assert np.percentile(lengths or [0], 95) <= _MAX_BODY_95


def test_no_function_takes_too_many_arguments(syntax_trees: dict[Path, ast.Module]) -> None:
    counts = {where: len(_arguments(f)) for where, f in _functions(syntax_trees)}
    many = {where: n for where, n in counts.items() if n > _MAX_ARGUMENTS}
    assert not many, f"more than {_MAX_ARGUMENTS} arguments: {many}"


def test_no_file_is_too_long(syntax_trees: dict[Path, ast.Module]) -> None:
    lengths = {path: path.read_bytes().count(b"\n") for path in syntax_trees}
    long = {str(path): n for path, n in lengths.items() if n > _MAX_FILE}
    assert not long, f"files over {_MAX_FILE} lines: {long}"
    assert np.percentile(list(lengths.values()), 95) <= _MAX_FILE_95


def test_package_files_are_light(syntax_trees: dict[Path, ast.Module]) -> None:
    long = {
        str(path): n
        for path in syntax_trees
        if path.name == "__init__.py" and (n := path.read_bytes().count(b"\n")) > _MAX_INIT
    }
    assert not long, f"__init__.py over {_MAX_INIT} lines: {long}"
