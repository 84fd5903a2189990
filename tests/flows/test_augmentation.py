from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.augmentation import Augmentation
from scdp_flows.errors import DensityError


def test_records_are_found_by_index() -> None:
    augmentation = Augmentation.from_records([[0.5, 0.25], [], [1.0]], moments=[2.0, 0.0, 1.0])
    assert [augmentation.record(i).tolist() for i in range(3)] == [[0.5, 0.25], [], [1.0]]
    assert augmentation.atoms.tolist() == [0, 1, 2]
    assert len(augmentation) == 3
    assert not augmentation.imaginary.any()


def test_arrays_rebuild_the_occupancies(rng: np.random.Generator) -> None:
    augmentation = Augmentation.from_records([rng.normal(size=33), rng.normal(size=15)], [0.0, 1.0])
    arrays = augmentation.to_arrays("augmentation_0_")
    copy = Augmentation.from_arrays(arrays, "augmentation_0_").to_arrays()
    assert all(np.array_equal(copy[k], v) for k, v in augmentation.to_arrays().items())
    assert sum(array.nbytes for array in arrays.values()) < 60 * 8  # half of what the text takes


def test_missing_arrays_are_named() -> None:
    arrays = Augmentation.from_records([[1.0]]).to_arrays()
    del arrays["counts"]
    with pytest.raises(DensityError, match="'counts'"):
        Augmentation.from_arrays(arrays)


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Augmentation.from_records([[1.0]]).occupancies[0] = 2.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": [3]}, "2 occupancies; the counts announce 3"),
        ({"counts": [1, 1]}, "1 atoms, 2 counts"),
        ({"atoms": [-1]}, "negative"),
        ({"occupancies": [1.0, np.nan]}, "not finite"),
        ({"moments": [np.inf]}, "not finite"),
        ({"imaginary": [True, False]}, "2 marks"),
    ],
)
def test_impossible_occupancies_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DensityError, match=message):
        Augmentation(**{"atoms": [0], "counts": [2], "occupancies": [1.0, 2.0], **changes})
