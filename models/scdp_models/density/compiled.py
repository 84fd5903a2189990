"""Compile the hot loops with numba, where it is installed."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compile_loops", "is_compiled", "thread_count"]

_OFF = "SCDP_MODELS_NUMBA"


def is_compiled() -> bool:
    """Say whether the compiled kernels can be used.

    They cannot where numba is missing, or where the environment variable ``SCDP_MODELS_NUMBA`` is
    ``0``; everything then runs in numpy and torch, slower and with the same results.
    """
    return os.environ.get(_OFF, "1") != "0" and importlib.util.find_spec("numba") is not None


def thread_count(threads: int | None = None) -> int:
    """Return how many threads a kernel shall use.

    Parameters
    ----------
    threads
        A number; None for what torch was told where it is loaded, else ``OMP_NUM_THREADS``, else
        one for each processor this process may use.
    """
    if threads is not None:
        return max(1, threads)
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0))


def compile_loops(function: Callable[..., Any]) -> Any:
    """Compile a function without the interpreter lock, and keep the machine code on disk.

    Where neither the package nor the user has a folder that can be written, the code is
    compiled anew in each process instead.
    """
    import numba

    # Contraction to fused multiply-adds and reordered sums; NaN and infinity keep their meaning.
    options: dict[str, Any] = {
        "nogil": True,
        "forceinline": True,  # else every call copies the descriptors of all its arrays
        "error_model": "numpy",
        "fastmath": {"contract", "reassoc", "nsz", "arcp"},
    }
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:
        return numba.njit(function, **options)
