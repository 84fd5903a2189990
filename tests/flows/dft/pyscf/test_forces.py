"""Forces are the derivative of the energy, with projectors and without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.forces import forces_of
from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.scf import run_scf
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun

pytestmark = pytest.mark.requires("pyscf")

LENGTHS = {("H", "H"): 0.8, ("Li", "H"): 1.7, ("F", "H"): 0.95}


def _run(settings: PyscfSettings, symbols: tuple[str, str], length: float) -> ScfRun:
    structure = Molecule(symbols, [[0.0, 0.0, 0.0], [0.0, 0.0, length]])
    return run_scf(build_molecule(structure, settings), settings, conv_tol_ha=1e-10)


@pytest.mark.parametrize("symbols", LENGTHS, ids="".join)
def test_forces_of_pseudopotentials_without_projectors(
    cheap: PyscfSettings, symbols: tuple[str, str]
) -> None:
    settings, length = replace(cheap, grid_level=3), LENGTHS[symbols]
    force = forces_of(_run(settings, symbols, length).mf)[1, 2]
    below, above = (_run(settings, symbols, length + shift).energy_ha for shift in (-0.01, 0.01))
    assert force == pytest.approx((below - above) * HARTREE_TO_EV / 0.02, abs=1e-2)
