"""Decide which calculations of atomate2.abinit may be seeded, and say why others may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["why_not"]


def _number(variables: Mapping[str, Any], name: str, default: float) -> float:
    value = variables.get(name)
    return default if value is None else float(np.ravel(value)[0])


def _reads(variables: Mapping[str, Any]) -> bool:
    """Tell whether files of an earlier calculation are read."""
    return any(
        name.startswith(("ird", "get")) and np.any(np.asarray(value) != 0)
        for name, value in variables.items()
    )


_RULES: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    (
        _reads,
        "the calculation starts from files of an earlier one",
    ),
    (
        lambda v: _number(v, "iscf", 7) <= 0,
        "iscf <= 0 keeps the density fixed: a seed would change the result",
    ),
    (
        lambda v: _number(v, "optdriver", 0) != 0 or any(name.startswith("rf") for name in v),
        "a response or many-body calculation needs the converged density",
    ),
    (
        lambda v: _number(v, "ndtset", 1) > 1 or _number(v, "imgmov", 0) > 0,
        "several data sets or images read their densities one by one",
    ),
    (
        lambda v: _number(v, "nspinor", 1) == 2 or _number(v, "nspden", 1) == 4,
        "the calculation is non-collinear: seeds hold one axis of magnetisation",
    ),
    (
        lambda v: _number(v, "usekden", 0) != 0,
        "a meta-GGA needs the kinetic energy density, which is not predicted",
    ),
    (
        lambda v: _number(v, "charge", 0) != 0 or _number(v, "cellcharge", 0) != 0,
        "the cell is charged, which the structure does not tell the predictor",
    ),
    (
        lambda v: _number(v, "boxcutmin", 2) != 2,
        "boxcutmin changes the grid of the density",
    ),
    (
        lambda v: _number(v, "nstep", 30) == 1,
        "nstep = 1 stops before self-consistency: a seed would change the result",
    ),
)


def why_not(variables: Mapping[str, Any]) -> str | None:
    """Tell why a calculation must not be seeded; None if it may be.

    Parameters
    ----------
    variables
        Of the input, by name.
    """
    return next((reason for applies, reason in _RULES if applies(variables)), None)
