"""How exactly and how fast to evaluate a density: what all kernels understand."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from scdp_models.density.compiled import thread_count
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METHODS", "Accuracy", "Options"]

METHODS = ("auto", "separable", "table", "fourier", "reference")
"""Names of the kernels, and the choice between them."""


class Options(TypedDict, total=False):
    """Keyword arguments of every function that evaluates a density.

    Attributes
    ----------
    method
        One of :data:`METHODS`.
    tolerance
        Largest error at any point, e/Å^3. 1e-6 when left out.
    cutoff
        Å: a point and a centre this far apart or further do not count as a pair, as in the
        published code (5.0 there). Without it all pairs count.
    threads
        As in :func:`scdp_models.density.compiled.thread_count`.
    """

    method: str
    tolerance: float
    cutoff: float | None
    threads: int | None


@dataclass(frozen=True)
class Accuracy:
    """Checked :class:`Options`."""

    method: str = "auto"
    tolerance: float = 1e-6
    cutoff: float | None = None
    threads: int = 1

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Accuracy:
        """Check what a caller asked for.

        Raises
        ------
        DensityError
            If there is no such method or option, or a number is not positive.
        """
        values = dict(options)
        threads = values.pop("threads", None)
        for name in values:
            _check_name("option", name, ("method", "tolerance", "cutoff", "threads"))
        method = str(values.pop("method", "auto"))
        _check_name("method", method, METHODS)
        cutoff = values.pop("cutoff", None)
        numbers = {"tolerance": (values.pop("tolerance", 1e-6), "e/Å^3")}
        if cutoff is not None:
            numbers["cutoff"] = (cutoff, "Å")
        checked = {name: _positive(name, *number) for name, number in numbers.items()}
        count = thread_count(threads if isinstance(threads, int) else None)
        return cls(method, checked["tolerance"], checked.get("cutoff"), count)


def _check_name(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        msg = f"unknown {kind} {name!r}, expected one of {', '.join(known)}{hint}"
        raise DensityError(msg)


def _positive(name: str, value: object, unit: str) -> float:
    number = float(value) if isinstance(value, (int, float, np.number)) else float("nan")
    if not (np.isfinite(number) and number > 0):
        msg = f"{name} is {value}, expected a positive number of {unit}"
        raise DensityError(msg)
    return number
