"""Analytical pseudopotentials as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso.inputs import EspressoSettings
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.gth import gth_text, write_gth
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure


@pytest.mark.requires("pyscf")
def test_rows_of_the_triangle_and_of_spin_orbit_coupling() -> None:
    lines = gth_text("Si").splitlines()
    assert lines[:2] == ["gth-pbe Si q4", "14 4 0  zatom,zion,pspdat"]
    assert lines[3:] == [
        "0.44 1 -6.26928833",
        "2",
        "0.43563383 2 8.9517415 -2.70627082",
        "  3.4937806",
        "0.49794218 1 2.43127673",
        "  0.0",
    ]


@pytest.mark.requires("pyscf")
def test_hydrogen_gets_a_projector_of_no_strength() -> None:
    assert gth_text("H").splitlines()[-2:] == ["1", "0.2 1 0.0"]
    assert gth_text("O").splitlines()[4] == "1"  # the empty one of p is left out


@pytest.mark.requires("pyscf")
@pytest.mark.parametrize(("symbol", "name"), [("Si", "gth-b3lyp"), ("Xx", "gth-pbe")])
def test_unknown_sets_and_elements_are_refused(symbol: str, name: str) -> None:
    with pytest.raises(SettingsError):
        gth_text(symbol, name)


@pytest.mark.requires("pyscf", "espresso")
def test_pw_and_pyscf_agree_on_the_energy(silicon: Structure, tmp_path: Path) -> None:
    from pyscf.pbc import dft, gto

    files = write_gth(tmp_path, ["Si"])
    settings = EspressoSettings(
        files, pseudo_dir=str(tmp_path), ecutwfc_ry=20.0, kshift=(1, 1, 1), conv_thr_ry=1e-6
    )
    assert settings.kind().pseudopotential == "gth-pbe"
    assert settings.kind().functional == "PBE"
    waves = run_scf(as_crystal(silicon, settings), settings)
    assert waves.output.converged
    cell = gto.M(
        a=silicon.lattice.matrix,
        atom=[("Si", site.coords) for site in silicon],
        basis="gth-dzvp",
        pseudo="gth-pbe",
        mesh=[23] * 3,
        verbose=0,
    )
    corner = cell.get_abs_kpts([0.5, 0.5, 0.5])
    gaussians = dft.KRKS(cell, kpts=corner, xc="PBE").kernel()
    # Gaussians of this size lie some mHa above plane waves.
    assert 0 < gaussians - waves.energy_ha < 0.02
