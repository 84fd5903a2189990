"""Every predictor counts electrons, moves with the molecule and refuses what it cannot know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from monty.json import MontyDecoder
from pymatgen.core import Molecule

from scdp_flows.errors import ModelError, StructureError
from scdp_flows.plugins import available, resolve
from scdp_flows.predictors.base import Predictor, validate_predictor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=available("predictors"))
def predictor(request: pytest.FixtureRequest, tiny_checkpoint: Path) -> Predictor:
    """Make each known predictor from the smallest model."""
    made = resolve("predictors", request.param)(model=str(tiny_checkpoint))  # type: ignore[operator]
    assert isinstance(made, Predictor)
    return made


def test_it_counts_electrons_and_moves_with_the_molecule(
    predictor: Predictor, water: Molecule
) -> None:
    validate_predictor(predictor, water, n_electrons=8.0, tolerance=1e-5)


def test_many_are_as_one_by_one(predictor: Predictor, water: Molecule) -> None:
    positions = np.array(
        [[0, 0, 0], [1.4, 0, 0], [-0.4, 1, 0], [-0.4, -0.5, 0.9], [-0.4, -0.5, -0.9], [1.7, 0.9, 0]]
    )
    methanol = Molecule(["C", "O", "H", "H", "H", "H"], positions)
    together = list(predictor.predict_many([water, methanol]))
    for predicted, structure in zip(together, [water, methanol], strict=True):
        alone = predictor.predict(structure)
        np.testing.assert_allclose(predicted.density.coefficients, alone.coefficients, atol=1e-5)
        assert predicted.seconds >= 0


def test_it_survives_json(predictor: Predictor, water: Molecule) -> None:
    copy = MontyDecoder().process_decoded(predictor.as_dict())  # type: ignore[attr-defined]
    assert copy == predictor
    np.testing.assert_array_equal(
        copy.predict(water).coefficients, predictor.predict(water).coefficients
    )


def test_it_knows_its_kind(predictor: Predictor) -> None:
    kind = predictor.kind()
    assert kind is not None
    assert kind.pseudopotential == "gth-pbe"


def test_an_unknown_element_is_named(predictor: Predictor) -> None:
    silane = Molecule(
        ["Si", "H", "H", "H", "H"],
        [[0.0, 0.0, 0.0], [0.9, 0.9, 0.9], [-0.9, -0.9, 0.9], [-0.9, 0.9, -0.9], [0.9, -0.9, -0.9]],
    )
    with pytest.raises(ModelError, match=r"Si|14"):
        predictor.predict(silane)


@pytest.mark.parametrize(
    ("symbols", "positions", "charge", "message"),
    [
        (["O", "H"], [[0, 0, 0], [0, 0, 0.97]], 0, "odd|even number"),
        (["O", "H"], [[0, 0, 0], [0, 0, 0.97]], -1, "charge -1.*neutral closed-shell"),
        (["H", "H"], [[0, 0, 0], [0, 0, 0.1]], 0, "overlap"),
    ],
)
def test_what_it_cannot_know_is_refused(
    predictor: Predictor,
    symbols: list[str],
    positions: list[list[float]],
    charge: int,
    message: str,
) -> None:
    structure = Molecule(symbols, positions, charge=charge)
    with pytest.raises(StructureError, match=message):
        predictor.predict(structure)
