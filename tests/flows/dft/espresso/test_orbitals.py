"""Orbitals are kept while they fit."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso.orbitals import KeptOrbitals
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.structure import as_crystal

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


@pytest.fixture
def crystal(distorted: Structure, toy: EspressoSettings) -> Crystal:
    """Give the distorted crystal as the program sees it."""
    return as_crystal(distorted, toy)


def test_orbitals_fit_a_like_geometry_alone(crystal: Crystal, toy_crystal: Crystal) -> None:
    kept = KeptOrbitals()
    assert kept.fitting(crystal) is None
    (kept.folder / "wfc1.dat").touch()
    kept.belong_to(crystal)
    assert kept.fitting(crystal._replace(positions=crystal.positions + 0.01)) == kept.folder
    assert kept.fitting(toy_crystal) is None  # other rotations, other k-points
    assert kept.fitting(crystal._replace(charge=1)) is None
    (kept.folder / "wfc1.dat").unlink()  # a calculation took them, and failed
    assert kept.fitting(crystal) is None


def test_the_folder_goes_with_its_owner() -> None:
    kept = KeptOrbitals()
    folder = kept.folder
    assert folder.is_dir()
    del kept
    gc.collect()
    assert not folder.exists()


@pytest.mark.requires("espresso")
def test_the_program_begins_with_given_orbitals(
    distorted: Structure, cheap: EspressoSettings
) -> None:
    settings = replace(cheap, conv_thr_ry=1e-7)
    crystal, kept = as_crystal(distorted, settings), KeptOrbitals()
    first = run_scf(crystal, settings, keep_orbitals=kept.folder)
    assert first.final is not None
    seeds = [first.final, first.final._replace(orbitals=kept.folder)]
    runs = [run_scf(crystal, settings, seed, diago_thr_init=1e-7) for seed in seeds]
    assert runs[1].energy_ev == pytest.approx(first.energy_ev, abs=1e-5)
    assert runs[1].hamiltonian_calls < 0.5 * runs[0].hamiltonian_calls
