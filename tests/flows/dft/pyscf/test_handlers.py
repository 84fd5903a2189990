"""Second tries of PySCF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.base import NoDensity
from scdp_flows.dft.pyscf.compare import Comparison, seeded_comparison, seeded_starts
from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.scf import run_scf

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


def test_second_order_steps_find_what_extrapolation_misses(cheap: PyscfSettings) -> None:
    stretched = Molecule(["N", "N"], [[0.0, 0.0, 0.0], [0.0, 0.0, 3.2]])
    run = run_scf(build_molecule(stretched, cheap), cheap)
    assert run.converged
    assert "second-order steps" in (run.correction or "")
    # What failed counts: its cycles, and the products with second derivatives as builds.
    assert run.iterations == len(run.energies_ha) == len(run.gradient_norms)
    assert run.gradient_norms[-1] < 1e-4
    assert run.fock_builds > run.iterations + 2


def test_too_few_cycles_end_at_the_same_energy(cheap: PyscfSettings, hydrogen: Molecule) -> None:
    mol = build_molecule(hydrogen, cheap)
    usual, short = run_scf(mol, cheap), run_scf(mol, replace(cheap, max_cycle=3))
    assert usual.correction is None
    assert short.correction is not None
    assert short.converged
    assert short.energy_ha == pytest.approx(usual.energy_ha, abs=1e-7)
    assert short.iterations > 3


def test_states_with_lower_empty_orbitals_do_not_count(cheap: PyscfSettings) -> None:
    corners = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.3], [0.0, 1.3, 0.0], [0.0, 1.3, 1.3]]
    settings = replace(cheap, max_cycle=12)
    run = run_scf(build_molecule(Molecule(["H"] * 4, corners), settings), settings)
    assert run.correction is not None
    assert not run.converged


def test_a_given_density_that_fails_is_left_alone(cheap: PyscfSettings, hydrogen: Molecule) -> None:
    settings = replace(cheap, max_cycle=3)
    mol = build_molecule(hydrogen, settings)
    poor = run_scf(mol, replace(settings, max_cycle=1)).mf.get_init_guess(mol, "1e")
    seeded = run_scf(mol, settings, poor)
    assert (seeded.converged, seeded.correction) == (False, None)
    (fallback,) = seeded_starts(hydrogen, settings, {"none": NoDensity("refused")})
    assert fallback.converged
    assert fallback.correction is not None
    default, exact = seeded_comparison(hydrogen, settings, {}, Comparison(conv_tol_ha=1e-9))
    assert default.correction is not None
    assert default.iterations > settings.max_cycle
    assert (exact.seed_used, exact.correction) == (True, None)
