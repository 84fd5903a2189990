from __future__ import annotations

from typing import Any

import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.continuation import Continuation
from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings
from scdp_flows.errors import SettingsError

pytestmark = pytest.mark.requires("pyscf")


def _shifted(geometry: Geometry, distance: float) -> Geometry:
    moved = geometry.structure.copy()
    moved.translate_sites([0], [distance, 0, 0])
    return Geometry(moved, geometry.mol)


def test_small_moves_keep_the_history_and_large_ones_drop_it(converged_water: Any) -> None:
    path = Continuation(converged_water.settings, PathSettings("previous_dm"))
    geometry = Geometry(converged_water.structure, converged_water.mol)
    path.start(geometry)
    assert path.move is None
    path.learn(geometry, converged_water.run)
    assert path.start(_shifted(geometry, 0.1)).name == "previous_dm"
    assert path.move == pytest.approx(0.1)
    assert path.start(_shifted(geometry, 0.6)).name == "default"


def test_another_molecule_starts_afresh(converged_water: Any) -> None:
    path = Continuation(converged_water.settings, PathSettings("previous_dm"))
    path.learn(Geometry(converged_water.structure, converged_water.mol), converged_water.run)
    other = Molecule(["S", "H", "H"], converged_water.structure.cart_coords)
    assert path.start(Geometry(other, None)).name == "default"


def test_fits_need_a_basis(converged_water: Any) -> None:
    with pytest.raises(SettingsError, match="no basis"):
        Continuation(converged_water.settings, PathSettings("previous_deformation"))
