"""Labels of ABINIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.abinit.label import label_structure
from scdp_models.basis.library import crystal_basis

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference


@pytest.mark.requires("abinit")
def test_a_label_with_its_fit(
    distorted: Structure, cheap: AbinitSettings, gaussian_atom: AtomicReference
) -> None:
    label = label_structure(distorted, cheap, (gaussian_atom, crystal_basis([14])))
    assert label.fit is not None
    assert (label.fit.info.nmae_percent or 100) < 2
    assert label.fit.info.n_electrons == pytest.approx(8.0)
    assert abs(label.integral_error) < 1e-9
    assert label.density.kind == cheap.kind()
    assert label.scf.n_orbitals > 50
    assert 0 < label.scf.conv_tol_ha < 1e-5
    assert label.cpu_s >= label.scf.cpu_s
