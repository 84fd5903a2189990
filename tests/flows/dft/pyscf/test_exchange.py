"""Exact exchange in the first Fock matrix of hybrids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.exchange import fock_with_exchange, keeps_integrals
from scdp_flows.dft.pyscf.fock import focks_of_density, focks_of_density_matrix
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field
from scdp_flows.dft.pyscf.scf import run_scf
from scdp_flows.dft.pyscf.seed import checked_start, run_seeded, seed_density_matrix

pytestmark = pytest.mark.requires("pyscf")


@pytest.mark.parametrize("spin", ["restricted", "unrestricted"])
def test_with_its_own_exchange_a_converged_matrix_is_found_again(
    converged_water: Any, spin: Any
) -> None:
    settings = replace(converged_water.settings, functional="PBE0", spin=spin)
    mol = build_molecule(converged_water.structure, settings)
    run = run_scf(mol, settings, conv_tol_ha=1e-10)
    dm = np.asarray(run.mf.make_rdm1())
    focks = focks_of_density_matrix(run.mf, dm, grid_level=settings.grid_level)
    found = fock_with_exchange(run.mf, focks, dm)
    assert found is not None
    np.testing.assert_allclose(found, run.mf.get_fock(), atol=2e-3)
    exact, semilocal = (
        abs(np.asarray(checked_start(mol, run.mf, fock)) - dm).max()
        for fock in (found, focks.semilocal)
    )
    assert exact < 0.1 * semilocal


def test_exchange_brings_the_start_closer(converged_water: Any, monkeypatch: Any) -> None:
    settings = replace(converged_water.settings, functional="PBE0")
    mol, density = converged_water.mol, converged_water.fit.density
    run = run_scf(mol, settings, conv_tol_ha=1e-9)
    errors = []
    for cheap in (True, False):
        monkeypatch.setattr(
            "scdp_flows.dft.pyscf.exchange.keeps_integrals", lambda _, found=cheap: found
        )
        dm = np.asarray(seed_density_matrix(mol, mean_field(mol, settings), density))
        errors.append(abs(dm - run.dm).max())
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("functional", ["PBE", "LDA,VWN", "TPSS", "M06-2X", "HSE06"])
def test_nothing_is_added_to_others(converged_water: Any, functional: str) -> None:
    settings = replace(converged_water.settings, functional=functional)
    mf = mean_field(converged_water.mol, settings)
    assert keeps_integrals(mf)
    focks = focks_of_density(mf, converged_water.fit.density)
    assert focks.without_exchange is None
    assert fock_with_exchange(mf, focks, converged_water.run.dm) is None


def test_large_molecules_are_left_alone(converged_water: Any) -> None:
    mf = mean_field(converged_water.mol, replace(converged_water.settings, functional="PBE0"))
    mf.max_memory = 1e-3
    focks = focks_of_density(mf, converged_water.fit.density)
    assert focks.without_exchange is not None
    assert fock_with_exchange(mf, focks, converged_water.run.dm) is None


@pytest.mark.parametrize(("functional", "kept"), [("PBE0", True), ("PBE", False)])
def test_integrals_that_every_start_needs_are_no_cost_of_a_seed(
    converged_water: Any, functional: str, kept: bool
) -> None:
    settings = replace(converged_water.settings, functional=functional)
    found = []

    def make(mf: Any) -> Any:
        found.append(mf._eri is not None)
        return mf.get_init_guess()

    run = run_seeded(converged_water.mol, settings, make)
    assert found == [kept]
    assert run.result.energy_ha == pytest.approx(
        run_scf(converged_water.mol, settings).energy_ha, abs=1e-7
    )
