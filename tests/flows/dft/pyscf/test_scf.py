"""One recorded calculation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.scf import check_converged, run_scf
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


def test_records_every_cycle(converged_water: Any) -> None:
    run = converged_water.run
    assert run.converged
    assert len(run.energies_ha) == len(run.gradient_norms) == run.iterations
    assert run.fock_builds == run.iterations + 2  # the first and the closing one
    assert run.energies_ha[-1] == pytest.approx(run.energy_ha, abs=1e-7)
    assert run.gradient_norms[-1] < 1e-3 < run.gradient_norms[0]


def test_the_converged_density_matrix_needs_one_cycle(converged_water: Any) -> None:
    run = converged_water.run
    again = run_scf(converged_water.mol, converged_water.settings, run.dm, conv_tol_ha=1e-9)
    assert again.iterations == 1
    assert again.energy_ha == pytest.approx(run.energy_ha, abs=1e-9)


def test_unrestricted_density_matrix_is_the_total(cheap: PyscfSettings, hydrogen: Molecule) -> None:
    settings = replace(cheap, spin="unrestricted")
    mol = build_molecule(hydrogen, settings)
    run = run_scf(mol, settings)
    assert (run.dm * mol.intor("int1e_ovlp")).sum() == pytest.approx(2)


def test_reports_what_did_not_converge(cheap: PyscfSettings, hydrogen: Molecule) -> None:
    settings = replace(cheap, max_cycle=1)
    run = run_scf(build_molecule(hydrogen, settings), settings)
    assert not run.converged
    with pytest.raises(CalculationError, match=r"H2: .* in 2 cycles; raise max_cycle"):
        check_converged(run, "H2", settings.conv_tol_ha)
