"""The shipped, trained model keeps what an untrained one promises, and is as good as its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.demo.structures import (
    ETHANOL_TEST_FRAMES,
    QM7_TEST_IDS,
    load_ethanol,
    load_qm7_small,
)
from scdp_flows.io.structures import as_arrays
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.errors import GraphError
from scdp_models.predict import load_pretrained, pretrained_path
from scdp_models.testing import (
    assert_charge,
    assert_equivariant,
    assert_permutation_equivariant,
    assert_size_consistent,
    assert_translation_invariant,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_FILE = 5 * 2**20
TOLERANCES = [("float32", 1e-5), ("float64", 1e-10)]


def unseen_ethanol() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    numbers, positions, _, _ = as_arrays(load_ethanol()[ETHANOL_TEST_FRAMES[0]])
    return numbers, positions


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_rotations_reflections_translations_permutations(dtype: str, tolerance: float) -> None:
    predict = load_pretrained(dtype=dtype).predict
    numbers, positions = unseen_ethanol()
    assert_equivariant(predict, numbers, positions, tolerance=tolerance)
    assert_translation_invariant(predict, numbers, positions, tolerance=tolerance)
    assert_permutation_equivariant(predict, numbers, positions, tolerance=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_far_apart_molecules_give_the_sum(dtype: str, tolerance: float) -> None:
    predict = load_pretrained(dtype=dtype).predict
    ethanol = unseen_ethanol()
    methane = as_arrays(load_qm7_small()[0])[:2]
    assert_size_consistent(predict, ethanol, methane, distance=30.0, tolerance=tolerance)


def test_holds_every_electron() -> None:
    assert_charge(load_pretrained().predict, *unseen_ethanol(), n_electrons=20.0)


def test_file_is_small_and_has_a_card() -> None:
    path = pretrained_path()
    assert path.stat().st_size <= LARGEST_FILE
    card = path.with_suffix(".md").read_text()
    for part in ("Data", "Never used for training", "NMAE", "benchmarks/pretrained_model.py"):
        assert part in card


def test_refuses_an_element_it_never_saw() -> None:
    with pytest.raises(GraphError, match=r"does not know atomic numbers \[9\]"):
        load_pretrained().predict([9, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.92]])


@pytest.mark.requires("pyscf")
@pytest.mark.slow
def test_error_on_an_unseen_molecule_is_below_the_card_limit() -> None:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.label import label_structure

    held_out = [m for m in load_qm7_small() if m.properties["qm7_id"] in QM7_TEST_IDS]
    molecule = min((m for m in held_out if len(m) > 6), key=len)
    label = label_structure(molecule, PyscfSettings()).density
    numbers, positions, _, _ = as_arrays(molecule)
    predicted = load_pretrained().predict(numbers, positions)
    values = evaluate_on_grid(predicted, label.origin, label.cell, label.values.shape)
    nmae = 100 * np.abs(values - label.values).sum() / label.values.sum()
    assert nmae < 0.8
