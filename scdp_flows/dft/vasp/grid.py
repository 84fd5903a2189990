"""Predict the FFT grid on which VASP will hold the density."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pymatgen.io.vasp.sets import VaspInputSet

from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

__all__ = ["Shape", "fft_grid"]

Shape = tuple[int, int, int]
_AXES = "XYZ"
_KNOWN_PRECISIONS = {"a", "n", "s"}


def fft_grid(incar: Mapping[str, Any], structure: Structure, encut_ev: float | None) -> Shape:
    """Return NGXF, NGYF and NGZF as VASP 5 and 6 choose them.

    Tags of INCAR come first; what they leave open follows pymatgen's
    ``VaspInputSet.calculate_ng``, the rule of the input sets themselves.

    Parameters
    ----------
    incar
        Tags in capital letters.
    structure
        The cell.
    encut_ev
        Cut-off where INCAR names none: the largest ENMAX of the POTCAR, eV; None if unknown.

    Raises
    ------
    CalculationError
        If the cut-off is unknown or PREC is one for which no rule is known.
    """
    given = [incar.get(f"NG{axis}F") for axis in _AXES]
    coarse = [incar.get(f"NG{axis}") for axis in _AXES]
    precision = str(incar.get("PREC", "Normal")).strip().lower()
    if precision[:1] not in _KNOWN_PRECISIONS or precision.startswith("singlen"):
        raise CalculationError(
            f"INCAR, PREC: {incar.get('PREC')!r}; the FFT grid is predicted for Accurate, Normal "
            "and Single only: set NGXF, NGYF and NGZF or another PREC"
        )
    finer = 2 if precision[0] in "an" else 1
    cutoff = float(incar.get("ENCUT") or encut_ev or 0.0)
    known = [int(f or finer * int(g or 0)) for f, g in zip(given, coarse, strict=True)]
    if not all(known):
        if not cutoff > 0:
            raise CalculationError(
                "INCAR, ENCUT: not set, and no POTCAR tells the default; set ENCUT"
            )
        source: Any = SimpleNamespace(
            incar=dict(incar), poscar=SimpleNamespace(structure=structure)
        )
        _, fine = VaspInputSet.calculate_ng(source, custom_encut=cutoff, custom_prec=precision)
        known = [k or f for k, f in zip(known, fine, strict=True)]
    n1, n2, n3 = known
    return n1, n2, n3
