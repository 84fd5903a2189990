"""A two-atom cell of silicon with an analytical pseudopotential."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from scdp_flows.dft.abinit.inputs import AbinitSettings
from scdp_flows.dft.abinit.scf import run_scf
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_models.basis.shells import shell_charge
from scdp_models.density.atomic import AtomicDensity, AtomicReference

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.scf import AbinitRun
    from scdp_flows.dft.plane_waves.structure import Crystal

GTH = """gth-pbe Si q4
14 4 0  zatom,zion,pspdat
10 11 1 0 2001 0  pspcod,pspxc,lmax,lloc,mmax,r2well
0.44 1 -6.26928833
2
0.43563383 2 8.9517415 -2.70627082
  3.4937806
0.49794218 1 2.43127673
  0.0
"""


class Converged(NamedTuple):
    """A finished calculation."""

    crystal: Crystal
    settings: AbinitSettings
    run: AbinitRun


@pytest.fixture(scope="session")
def gaussian_atom() -> AtomicReference:
    """Give an atom of one Gaussian."""
    atom = AtomicDensity(4.0, (0.25,), (4.0 / float(shell_charge(0, 0.25)),))
    return AtomicReference("one Gaussian", {14: atom})


@pytest.fixture(scope="session")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> AbinitSettings:
    """Give settings with which two atoms take a third of a second."""
    folder: Path = tmp_path_factory.mktemp("pseudo")
    (folder / "Si.gth").write_text(GTH)
    return AbinitSettings(
        {"Si": "Si.gth"}, pseudo_dir=str(folder), ecut_ha=5.0, kshift=(1, 1, 1), forces=True
    )


@pytest.fixture
def crystal(distorted: Structure, cheap: AbinitSettings) -> Crystal:
    """Give the distorted crystal as the program sees it."""
    return as_crystal(distorted, cheap)


@pytest.fixture(scope="session")
def converged(distorted: Structure, cheap: AbinitSettings) -> Converged:
    """Give a finished calculation."""
    crystal = as_crystal(distorted, cheap)
    return Converged(crystal, cheap, run_scf(crystal, cheap))
