from __future__ import annotations

import pytest

from scdp_flows.demo.structures import (
    ETHANOL_TEST_FRAMES,
    ETHANOL_TRAIN_FRAMES,
    QM7_TEST_IDS,
    load_ethanol,
    load_qm7_small,
    select_test_ids,
)
from scdp_flows.errors import DatasetError
from scdp_flows.io.structures import check_closed_shell, check_structure, structure_hash


def test_every_molecule_can_be_computed_and_none_comes_twice() -> None:
    molecules = [*load_ethanol(), *load_qm7_small()]
    for molecule in molecules:
        check_structure(molecule)
        check_closed_shell(molecule)
    assert len({structure_hash(molecule) for molecule in molecules}) == len(molecules) == 416


def test_ethanol_frames_are_every_fifth_of_the_original() -> None:
    frames = load_ethanol()
    assert {frame.formula for frame in frames} == {"H6 C2 O1"}
    assert [frame.properties["rmd17_frame"] for frame in frames] == list(range(0, 1000, 5))
    # The first atom of the original file, digit by digit.
    assert frames[0].cart_coords[0].tolist() == [0.40162460, 0.38569419, 0.07944170]


def test_the_first_frames_can_be_loaded_alone() -> None:
    assert load_ethanol(7) == load_ethanol()[:7]
    assert load_ethanol(0) == []


@pytest.mark.parametrize("n", [-1, 201])
def test_more_frames_than_there_are_is_an_error(n: int) -> None:
    with pytest.raises(DatasetError, match="the package holds 200"):
        load_ethanol(n)


def test_training_and_test_frames_share_nothing() -> None:
    assert sorted(ETHANOL_TRAIN_FRAMES + ETHANOL_TEST_FRAMES) == list(range(200))
    assert ETHANOL_TEST_FRAMES[0] == 180


def test_qm7_molecules_are_small_and_sorted() -> None:
    molecules = load_qm7_small()
    ids = [molecule.properties["qm7_id"] for molecule in molecules]
    assert ids == sorted(set(ids))
    assert len(ids) == 216
    for molecule in molecules:
        heavy = [site for site in molecule if site.specie.Z > 1]
        assert 1 <= len(heavy) <= 5
        assert {site.specie.symbol for site in heavy} <= {"C", "N", "O", "S"}


def test_the_test_molecules_follow_the_documented_rule() -> None:
    ids = [molecule.properties["qm7_id"] for molecule in load_qm7_small()]
    assert select_test_ids(ids) == QM7_TEST_IDS
    assert select_test_ids(reversed(ids)) == QM7_TEST_IDS
    assert len(set(QM7_TEST_IDS)) == 30
