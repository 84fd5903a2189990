"""Compile the kernels that turn digits into doubles and back, once it pays.

To import numba and fetch the functions from its cache takes about a second, and to compile them for
the first time several; a process that reads a few small files is better off without.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scdp_flows.io import parse_kernels, write_kernels
from scdp_flows.io.decimals import product

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Demand", "Kernels", "compiled", "interpreted"]

_WORTH_CALLING = 20_000
_WORTH_IMPORTING = 2_000_000


class Kernels(NamedTuple):
    """The functions that do the work."""

    parse: Callable[..., tuple[int, int, bool]]
    """See :func:`scdp_flows.io.parse_kernels.parse_numbers`."""
    parse_cells: Callable[..., int]
    """See :func:`scdp_flows.io.parse_kernels.parse_cells`."""
    write: Callable[..., tuple[int, int, int]]
    """See :func:`scdp_flows.io.write_kernels.write_cells`."""


def interpreted() -> Kernels:
    """Return the kernels as Python functions, for comparison."""
    return Kernels(
        parse_kernels.parse_numbers, parse_kernels.parse_cells, write_kernels.write_cells
    )


class Demand:
    """Decide when the kernels pay, by the numbers that a process goes through."""

    without_kernels = 0
    """How many were read and written without."""

    @classmethod
    def kernels_for(cls, count: int) -> Kernels | None:
        """Return the compiled kernels if they save time for so many more numbers, else None.

        Where numba is loaded, they do from some thousands on. Where it is not, they do once the
        process has gone through some millions: what a header announces may never come.
        """
        is_paid = "numba" in sys.modules or cls.without_kernels >= _WORTH_IMPORTING
        return compiled() if is_paid and count >= _WORTH_CALLING else None


@cache
def compiled() -> Kernels | None:
    """Return the compiled kernels; None where numba cannot be imported."""
    try:
        import numba
        from numba.extending import register_jitable
    except ImportError:
        return None
    functions: tuple[Callable[..., Any], ...] = (
        product,
        *parse_kernels.JITABLE,
        *write_kernels.JITABLE,
    )
    for function in functions:
        register_jitable(function)
    for function in parse_kernels.INLINED:
        register_jitable(inline="always")(function)
    try:
        return _jit(numba.njit(cache=True, nogil=True, error_model="numpy"))
    except RuntimeError:  # there is no folder for the cache that can be written
        return _jit(numba.njit(nogil=True, error_model="numpy"))


def _jit(compile_: Callable[..., Any]) -> Kernels:
    """Apply a decorator to all kernels."""
    parse, parse_cells, write = interpreted()
    return Kernels(compile_(parse), compile_(parse_cells), compile_(write))
