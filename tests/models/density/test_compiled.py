"""Compiled loops can be switched off, and do not need a folder to keep their code in."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numba

from scdp_models.density.compiled import compile_loops, is_compiled, thread_count

if TYPE_CHECKING:
    import pytest


def test_numba_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_compiled()
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    assert not is_compiled()
    monkeypatch.delenv("SCDP_MODELS_NUMBA")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not is_compiled()


def test_code_is_compiled_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler: Any = numba.njit

    def refuse(function: object, **options: object) -> object:
        if options.get("cache"):
            msg = "cannot cache function: no locator available"
            raise RuntimeError(msg)
        return compiler(function, **options)

    monkeypatch.setattr(numba, "njit", refuse)
    assert compile_loops(_double)(21) == 42


def _double(n: int) -> int:
    return 2 * n


def test_threads_follow_torch_then_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert thread_count(3) == 3
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_num_threads=lambda: 7))
    assert thread_count() == 7
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert thread_count() == 5
