from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.abinit.start import starting_density
from scdp_flows.dft.base import SpinDensities
from scdp_flows.errors import CalculationError
from scdp_flows.predictors.atomic import AtomicPredictor

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference


@pytest.fixture
def atoms(gaussian_atom: AtomicReference) -> AtomicPredictor:
    """Give a predictor of one Gaussian for each atom."""
    return AtomicPredictor(reference=gaussian_atom.to_dict())


def test_one_spin_needs_no_magnetisation(
    silicon: Structure, atoms: AtomicPredictor, cheap: AbinitSettings
) -> None:
    start = starting_density(silicon, atoms, cheap, [0.0, 0.0])
    assert start.magnetization == "none"
    assert not isinstance(start.density, SpinDensities)


def test_small_moments_get_the_shape_of_the_atoms(
    silicon: Structure, atoms: AtomicPredictor, cheap: AbinitSettings
) -> None:
    two_spins = replace(cheap, spin="unrestricted", smearing="gaussian")
    start = starting_density(silicon, atoms, two_spins, [0.6, -0.2])
    assert isinstance(start.density, SpinDensities)
    assert start.magnetization == "atoms"
    assert start.density.total.n_electrons() == pytest.approx(8.0)
    assert start.density.spin.n_electrons() == pytest.approx(0.4)


def test_large_moments_are_refused(
    silicon: Structure, atoms: AtomicPredictor, cheap: AbinitSettings
) -> None:
    two_spins = replace(cheap, spin="unrestricted", smearing="gaussian")
    with pytest.raises(CalculationError, match="2 µB"):
        starting_density(silicon, atoms, two_spins, [2.0, 0.0])
