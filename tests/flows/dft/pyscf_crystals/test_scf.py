"""Calculations of crystals converge, and are counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.pyscf_crystals.cell import build_cell
from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem

pytestmark = pytest.mark.requires("pyscf")


def test_a_run_is_recorded(silicon_run: Any) -> None:
    run, system = silicon_run.run, silicon_run.system
    assert run.converged
    assert run.hamiltonian_calls == run.iterations + 2  # the guess and the closing check
    assert len(run.energies_ha) == len(run.gradient_norms) == run.iterations
    assert run.energies_ha[-1] == pytest.approx(run.energy_ha, abs=1e-8)
    assert run.cpu_s > system.cpu_s > 0


def test_second_order_steps_help_and_are_counted(cheap: Any) -> None:
    settings = replace(cheap, kpoints=(1, 1, 2), ke_cutoff_ha=14.0)
    nitrogen = Structure(Lattice.cubic(4.0), ["N", "N"], [[0.0, 0.0, 0.0], [0.3, 0.0, 0.0]])
    usual, short = (
        CrystalSystem(build_cell(nitrogen, s), s).run()
        for s in (settings, replace(settings, max_cycle=4))
    )
    assert (usual.correction, usual.converged) == (None, True)
    assert "second-order steps" in (short.correction or "")
    assert short.converged
    assert short.energy_ha == pytest.approx(usual.energy_ha, abs=1e-7)
    assert 4 < short.iterations == len(short.energies_ha)
    assert short.hamiltonian_calls > short.iterations + 2


def test_the_exact_density_is_its_own_solution(silicon_run: Any) -> None:
    system, run = silicon_run.system, silicon_run.run
    rho = system.grid.density(run.dm)
    again = system.grid.density(system.diagonalised(rho))
    np.testing.assert_allclose(again, rho, atol=1e-6)


def test_metals_converge_with_smearing(cheap: Any) -> None:
    settings = replace(cheap, smearing="fermi", kpoints=(2, 2, 2), ke_cutoff_ha=15.0)
    half = 4.05 / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    aluminium = Structure(lattice, ["Al"], [[0.0, 0.0, 0.0]])
    system = CrystalSystem(build_cell(aluminium, settings), settings)
    run = system.run()
    assert run.converged
    assert system.grid.density(run.dm).mean() * system.cell.vol == pytest.approx(3.0, abs=1e-4)
