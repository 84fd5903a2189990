"""One converged crystal for all tests of PySCF with k-points."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.pyscf_crystals.scf import CrystalRun, CrystalSystem


class Silicon(NamedTuple):
    """Two atoms of silicon, converged."""

    structure: Structure
    settings: PyscfCrystalSettings
    system: CrystalSystem
    run: CrystalRun


@pytest.fixture(scope="session")
def cheap() -> PyscfCrystalSettings:
    """Give settings with which two atoms take a second."""
    return PyscfCrystalSettings(basis="gth-dzvp", kpoints=(2, 2, 2), ke_cutoff_ha=25.0)


@pytest.fixture(scope="session")
def silicon_run(distorted: Structure, cheap: PyscfCrystalSettings) -> Silicon:
    """Give the distorted crystal, converged at eight k-points."""
    pytest.importorskip("pyscf")
    from scdp_flows.dft.pyscf_crystals.cell import build_cell
    from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem

    system = CrystalSystem(build_cell(distorted, cheap), cheap)
    return Silicon(distorted, cheap, system, system.run(conv_tol_ha=1e-9))
