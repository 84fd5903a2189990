from __future__ import annotations

from typing import Any

import pytest

from scdp_flows.dft.pyscf.continuation_base import Geometry
from scdp_flows.dft.pyscf.continuation_plain import OwnGuessStart, PreviousMatrixStart

pytestmark = pytest.mark.requires("pyscf")


def test_the_own_guess_learns_nothing(converged_water: Any) -> None:
    geometry, start = Geometry(converged_water.structure, converged_water.mol), OwnGuessStart()
    start.learn(geometry, converged_water.run)
    assert start.start(geometry).make_dm0 is None


def test_the_previous_matrix_is_used_until_it_is_forgotten(converged_water: Any) -> None:
    geometry, start = (
        Geometry(converged_water.structure, converged_water.mol),
        PreviousMatrixStart(),
    )
    assert start.start(geometry).make_dm0 is None
    start.learn(geometry, converged_water.run)
    make = start.start(geometry).make_dm0
    assert make is not None
    assert make(None) == pytest.approx(converged_water.run.dm)
    start.forget()
    assert start.start(geometry).make_dm0 is None
