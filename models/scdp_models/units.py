"""The only place of the model package where physical constants stand (CODATA 2018)."""

from __future__ import annotations

__all__ = ["BOHR_TO_ANGSTROM", "HARTREE_TO_EV"]

BOHR_TO_ANGSTROM = 0.529177210903
HARTREE_TO_EV = 27.211386245988
