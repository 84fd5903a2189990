"""Coefficients become grids that hold the electrons."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.errors import DensityError
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.rendering import render, render_like

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def predictor(tiny_checkpoint: Path) -> AtomicPredictor:
    """Predict by the atoms of the tiny model."""
    return AtomicPredictor(model=str(tiny_checkpoint))


def test_the_box_of_a_molecule_holds_its_electrons(
    predictor: AtomicPredictor, water: Molecule
) -> None:
    kind = DensityKind("valence", "gth-pbe", "PBE", "gth-tzvp")
    grid = render(predictor.predict(water), water, kind=kind)
    assert grid.integral() == pytest.approx(8, abs=1e-3)
    assert grid.spacing.max() <= 0.16
    assert grid.kind == kind


def test_the_cell_of_a_crystal_holds_its_electrons(predictor: AtomicPredictor) -> None:
    crystal = Structure(
        Lattice.orthorhombic(4.0, 4.5, 5.0), ["C", "O"], np.array([[0, 0, 0], [0.5] * 3])
    )
    grid = render(predictor.predict(crystal), crystal, spacing=0.2)
    assert grid.integral() == pytest.approx(10, abs=1e-3)
    np.testing.assert_allclose(grid.cell, crystal.lattice.matrix)
    assert grid.pbc == (True, True, True)


def test_a_density_on_the_grid_of_another(predictor: AtomicPredictor, water: Molecule) -> None:
    density = predictor.predict(water)
    grid = render(density, water, spacing=0.4, padding=2.0)
    halved = render_like(density.scaled(0.5), grid).values
    np.testing.assert_allclose(halved, 0.5 * grid.values, atol=1e-6)


def test_moments_of_the_other_density_are_not_taken(
    predictor: AtomicPredictor, water: Molecule
) -> None:
    density = predictor.predict(water)
    grid = render(density, water, spacing=0.4, padding=2.0)
    moments = replace(grid, magnetization_vector=np.stack([grid.values] * 3))
    assert render_like(density, moments).magnetization_vector is None
    assert render_like(density, replace(grid, magnetization=grid.values)).magnetization is None


def test_an_impossible_spacing_is_refused(predictor: AtomicPredictor) -> None:
    crystal = Structure(Lattice.cubic(4.0), ["C"], [[0, 0, 0]])
    with pytest.raises(DensityError, match="spacing is 0"):
        render(predictor.predict(crystal), crystal, spacing=0.0)
