"""Hold the unit conversions of scdp_flows (CODATA 2018).

Everywhere in this package positions and cells are in Å, densities in e/Å^3 and energies in eV.
Values in atomic units are converted where they enter, with the constants below. They equal those
of ``scdp_models.units`` (a test asserts it); they are repeated so that reading a file does not need
the models.
"""

from __future__ import annotations

__all__ = ["BOHR_TO_ANGSTROM", "HARTREE_TO_EV"]

BOHR_TO_ANGSTROM = 0.529177210903
HARTREE_TO_EV = 27.211386245988
