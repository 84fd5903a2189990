"""Decide which calculations may be seeded, and say why others may not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

__all__ = ["Strategy", "earlier_state", "why_not"]

Strategy = Literal["cold", "every"]
"""Which calculations of a flow are seeded: those that would start cold, or also those that
continue an earlier one. Within a calculation only the first self-consistency can be seeded; VASP
extrapolates the density to the following ionic steps by itself."""

_NOT_SELF_CONSISTENT = {
    "none", "nothing", "eigenval", "chi", "gw", "gw0", "evgw", "evgw0", "qpgw", "qpgw0",
    "scgw", "scgw0", "g0w0", "g0w0r", "gw0r", "gwr", "evgw0r", "bse", "tdhf", "timeev",
    "acfdt", "acfdtr", "rpa", "rpar", "crpa", "2e4w", "cc4s", "subrot",
}  # fmt: skip
_STATE_FILES = ("WAVECAR", "CHGCAR")


def _true(tags: Mapping[str, Any], name: str) -> bool:
    value = tags.get(name, False)
    return value if isinstance(value, bool) else str(value).strip(". ").lower().startswith("t")


def _int(tags: Mapping[str, Any], name: str, default: int) -> int:
    return int(tags.get(name, default))


_RULES: tuple[tuple[Callable[[Mapping[str, Any]], bool], str], ...] = (
    (
        lambda tags: _int(tags, "ICHARG", 2) >= 10,
        "ICHARG >= 10 keeps the density fixed: a seed would change the result",
    ),
    (
        lambda tags: _int(tags, "ICHARG", 2) == 4,
        "ICHARG = 4 starts from a potential file",
    ),
    (
        lambda tags: _true(tags, "LNONCOLLINEAR") or _true(tags, "LSORBIT"),
        "the calculation is non-collinear: seeds hold one axis of magnetisation",
    ),
    (
        lambda tags: _int(tags, "IMAGES", 0) > 0,
        "a nudged elastic band reads its densities image by image",
    ),
    (
        lambda tags: str(tags.get("ALGO", "Normal")).strip().lower() in _NOT_SELF_CONSISTENT,
        "ALGO names a method that iterates no density to self-consistency",
    ),
    (
        lambda tags: _int(tags, "NELM", 60) == 1,
        "NELM = 1 stops before self-consistency: a seed would change the result",
    ),
    (
        lambda tags: _int(tags, "ISTART", 0) > 0 and _int(tags, "ICHARG", 0) == 0,
        "ISTART asks for the density of given wavefunctions",
    ),
)


def earlier_state(folder: str | os.PathLike[str]) -> list[str]:
    """Name the files in a folder that carry an earlier electronic state, also compressed."""
    return [
        name
        for name in _STATE_FILES
        for path in (Path(folder) / name, Path(folder) / f"{name}.gz")
        if path.is_file() and path.stat().st_size > 0
    ]


def why_not(
    tags: Mapping[str, Any], folder: str | os.PathLike[str], *, strategy: Strategy = "cold"
) -> str | None:
    """Tell why a calculation must not be seeded; None if it may be.

    Parameters
    ----------
    tags
        INCAR with the names of its tags in capital letters.
    folder
        Where it will run.
    strategy
        ``"every"`` seeds even where a density or wavefunctions of an earlier calculation lie in the
        folder. Responses and finite differences are left to those in any case.
    """
    for applies, reason in _RULES:
        if applies(tags):
            return reason
    state = earlier_state(folder)
    response = _int(tags, "IBRION", -1) in {5, 6, 7, 8} or any(
        _true(tags, name) for name in ("LEPSILON", "LCALCEPS")
    )
    if state and response:
        return f"a response starts from the converged {' and '.join(state)} in the folder"
    if state and strategy == "cold":
        return f"{' and '.join(state)} of an earlier calculation in the folder"
    return None
