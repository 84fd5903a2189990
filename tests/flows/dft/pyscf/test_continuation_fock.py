from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings
from scdp_flows.dft.pyscf.continuation_fock import (
    FockStart,
    converged_fock,
    extrapolation_weights,
    orbital_error,
)
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from numpy.random import Generator

pytestmark = pytest.mark.requires("pyscf")


def test_the_fock_matrix_of_the_orbitals_is_the_converged_one(converged_water: Any) -> None:
    mf = converged_water.run.mf
    assert converged_fock(mf) == pytest.approx(mf.get_fock(), abs=1e-4)


def test_a_rotation_among_occupied_orbitals_is_no_error(converged_water: Any) -> None:
    mf = converged_water.run.mf
    occupied = mf.get_ovlp() @ mf.mo_coeff[:, mf.mo_occ > 0]
    empty = mf.get_ovlp() @ mf.mo_coeff[:, mf.mo_occ == 0]
    assert orbital_error(mf, occupied @ occupied.T) == pytest.approx(0, abs=1e-10)
    mixed = occupied[:, :1] @ empty[:, :1].T
    assert orbital_error(mf, mixed) == pytest.approx(1)


def test_overlaps_on_a_line_are_continued(rng: Generator) -> None:
    start, slope = rng.normal(size=(2, 4, 4))
    weights = extrapolation_weights(start + 2 * slope, [start, start + slope])
    assert weights == pytest.approx([-1, 2], abs=1e-3)
    assert weights.sum() == pytest.approx(1)


def test_a_repeated_geometry_breaks_no_weights() -> None:
    same = np.eye(3)
    assert extrapolation_weights(same, [same, same]).sum() == pytest.approx(1)


def _walk(converged_water: Any, policy: Any, density: Any) -> tuple[FockStart, list[str]]:
    """Start twice at one geometry, from the same density."""
    strategy = FockStart(PathSettings(policy))
    water, names = converged_water, []
    geometry = Geometry(water.structure, water.mol, density)
    for _ in range(2):
        start = strategy.start(geometry)
        names.append(start.name)
        assert start.make_dm0 is not None
        dm = start.make_dm0(water.run.mf)
        strategy.learn(geometry, water.run)
    assert np.vdot(dm, water.run.mf.get_ovlp()) == pytest.approx(8)
    return strategy, names


@pytest.mark.parametrize("policy", ["corrected", "auto"])
def test_a_correction_at_the_same_geometry_is_exact(converged_water: Any, policy: Any) -> None:
    water = converged_water
    poor = water.fit.reference
    strategy, names = _walk(water, policy, poor)
    assert names == ["prediction", "corrected"]
    start = strategy.start(Geometry(water.structure, water.mol, poor))
    assert start.make_dm0 is not None
    assert start.make_dm0(water.run.mf) == pytest.approx(water.run.dm, abs=1e-4)


def test_predictions_alone_are_never_corrected(converged_water: Any) -> None:
    _, names = _walk(converged_water, "prediction", converged_water.fit.density)
    assert names == ["prediction", "prediction"]


@pytest.mark.parametrize("factor", [0.5, -1.0, 0.0])
def test_a_prediction_of_other_electrons_is_refused(converged_water: Any, factor: float) -> None:
    water = converged_water
    wrong = water.fit.reference.scaled(factor)
    start = FockStart(PathSettings("auto")).start(Geometry(water.structure, water.mol, wrong))
    assert start.make_dm0 is not None
    with pytest.raises(CalculationError, match="electrons, the molecule 8"):
        start.make_dm0(water.run.mf)


def test_without_a_prediction_auto_goes_on_from_the_last_matrix(converged_water: Any) -> None:
    water, strategy = converged_water, FockStart(PathSettings("auto"))
    geometry = Geometry(water.structure, water.mol)
    assert strategy.start(geometry).name == "default"
    strategy.learn(geometry, water.run)
    assert strategy.start(geometry).name == "previous_dm"
    strategy.forget()
    assert strategy.start(geometry).name == "default"
