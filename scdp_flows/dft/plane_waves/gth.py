"""Write analytical pseudopotentials of PySCF's tables as files for ``pw.x`` and ABINIT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymatgen.core import Element

from scdp_flows.errors import MissingDependencyError, SettingsError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

__all__ = ["gth_text", "write_gth"]

# ABINIT's codes of the functional, by the end of the name of the set.
_FUNCTIONALS = {"pbe": 11, "pade": 1}


def gth_text(symbol: str, name: str = "gth-pbe") -> str:
    """Return a pseudopotential after Goedecker, Teter and Hutter as text (pspcod 10).

    Parameters
    ----------
    symbol
        Element.
    name
        Set, as PySCF names it; it becomes the first word of the text and the name of the kind.

    Raises
    ------
    SettingsError
        If there is no such set, or the element is not in it.
    MissingDependencyError
        If PySCF, which holds the tables, is not installed.
    """
    functional = _FUNCTIONALS.get(name.rpartition("-")[2])
    if functional is None:
        raise SettingsError(f"{name!r} is no set of known functional; expected gth-pbe or gth-pade")
    table = _table(symbol, name)
    n_electrons, radius, local, projectors = sum(table[0]), table[1], table[3], table[5:]
    while projectors and projectors[-1][1] == 0:
        projectors = projectors[:-1]
    # Neither program reads a file without projectors; one of no strength does nothing.
    projectors = projectors or [[radius, 1, [[0.0]]]]
    lines = [
        f"{name} {symbol} q{n_electrons}",
        f"{Element(symbol).Z} {n_electrons} 0  zatom,zion,pspdat",
        f"10 {functional} {len(projectors) - 1} 0 2001 0  pspcod,pspxc,lmax,lloc,mmax,r2well",
        " ".join(map(str, [radius, len(local), *local])),
        str(len(projectors)),
    ]
    for l, projector in enumerate(projectors):
        lines += _projector_lines(l, *projector)
    return "\n".join(lines) + "\n"


def _table(symbol: str, name: str) -> list[Any]:
    try:
        from pyscf.pbc.gto import pseudo
    except ImportError as error:
        raise MissingDependencyError(
            "PySCF holds the tables; install it: pip install 'scdp-flows[pyscf]'"
        ) from error
    try:
        table: list[Any] = pseudo.load(name, symbol)
    except (KeyError, RuntimeError) as error:
        raise SettingsError(f"PySCF has no pseudopotential {name!r} for {symbol}") from error
    return table


def _projector_lines(l: int, radius: float, count: int, strengths: list[list[float]]) -> list[str]:
    """Return the upper triangle row by row; l > 0 has a second one, of spin-orbit coupling."""
    rows = [strengths[i][i:count] for i in range(count)]
    first = f"{radius} {count} " + " ".join(map(str, rows[0] if rows else []))
    lines = [first.strip(), *("  " + " ".join(map(str, row)) for row in rows[1:])]
    if l > 0:
        lines += ["  " + " ".join(["0.0"] * len(row)) for row in rows]
    return lines


def write_gth(
    folder: str | os.PathLike[str], symbols: Iterable[str], name: str = "gth-pbe"
) -> dict[str, str]:
    """Write a file for each element.

    Parameters
    ----------
    folder
        Where; it is made.
    symbols
        Elements.
    name
        See :func:`gth_text`.

    Returns
    -------
    dict
        Element → file name, for :class:`scdp_flows.dft.plane_waves.settings.PlaneWaveSettings`.

    Raises
    ------
    SettingsError
        If there is no such set, or an element is not in it.
    MissingDependencyError
        If PySCF, which holds the tables, is not installed.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for symbol in symbols:
        files[symbol] = f"{symbol}.{name}.gth"
        (target / files[symbol]).write_text(gth_text(symbol, name), encoding="utf-8")
    return files
