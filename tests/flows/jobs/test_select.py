"""Structures are chosen by the disagreement of an ensemble, or at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MSONable

from scdp_flows.errors import DatasetError, SettingsError, StructureError
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.predictors.base import Predicted
from scdp_flows.schemas.active_learning import Selection
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pymatgen.core import Molecule

    from scdp_flows.schemas.density import BlobReference


@dataclass(frozen=True)
class Unsure(MSONable):
    """Be the less sure the more atoms there are; refuse carbon."""

    name: str = "unsure"
    sure: bool = False

    def predict_many(self, structures: Iterable[Molecule]) -> Iterator[Predicted]:
        """Yield no density, but an uncertainty."""
        for structure in structures:
            if "C" in structure.symbol_set:
                raise StructureError("carbon")
            spread = None if self.sure else float(len(structure)) + structure.get_distance(0, 1)
            yield Predicted(None, 0.0, 0.0, spread)  # type: ignore[arg-type]


@pytest.fixture
def pool(molecules: list[Molecule], store_path: str) -> BlobReference:
    """Give a stored pool of six molecules, two of them with carbon."""
    with open_stores(store_path) as stores:
        return stores.curation.put_pool(molecules).structures


def _choose(store_path: str, pool: BlobReference, given: Any = None, **fields: Any) -> Selection:
    taken = fields.pop("taken", ())
    maker = SelectMaker(store_path=store_path, **fields)
    found = SelectMaker.make.original(maker, [pool], given, taken=taken)  # type: ignore[attr-defined]
    assert isinstance(found, Selection)
    return found


def test_the_least_certain_come_first(pool: BlobReference, store_path: str) -> None:
    found = _choose(store_path, pool, Unsure(), n_structures=2)
    assert found.indices == [3, 2]
    assert found.uncertainties_ha_per_atom[0] > found.uncertainties_ha_per_atom[1]
    assert found.mean_ha_per_atom == pytest.approx(3.3, abs=0.2)
    assert found.n_refused == 2


def test_what_is_taken_is_not_chosen_again(pool: BlobReference, store_path: str) -> None:
    assert _choose(store_path, pool, Unsure(), n_structures=2, taken=[3]).indices == [2, 1]
    assert _choose(store_path, pool, Unsure(), taken=range(6)).indices == []


def test_a_random_choice_needs_nobody_and_repeats_itself(
    pool: BlobReference, store_path: str
) -> None:
    first = _choose(store_path, pool, strategy="random", n_structures=3)
    assert first == _choose(store_path, pool, strategy="random", n_structures=3)
    assert len(set(first.indices)) == 3
    others = [_choose(store_path, pool, strategy="random", seed=seed).indices for seed in range(9)]
    assert len({tuple(one) for one in others}) > 1


def test_only_candidates_are_predicted(pool: BlobReference, store_path: str) -> None:
    found = _choose(store_path, pool, Unsure(), taken=[4, 5], n_candidates=2, n_structures=9)
    assert len(found.indices) == 2


def test_impossible_wishes_are_refused(pool: BlobReference, store_path: str) -> None:
    with pytest.raises(SettingsError, match="n_structures is 0"):
        SelectMaker(n_structures=0)
    with pytest.raises(SettingsError, match="needs a predictor"):
        _choose(store_path, pool)
    with pytest.raises(SettingsError, match="at least two models"):
        _choose(store_path, pool, Unsure(sure=True))
    with pytest.raises(DatasetError, match="none of the 2 structures left"):
        _choose(store_path, pool, Unsure(), taken=range(4))
