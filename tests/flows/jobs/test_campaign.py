"""A campaign begins with a draw and ends for a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError, SettingsError
from scdp_flows.jobs import train
from scdp_flows.jobs.campaign import NextRoundMaker, draw_first
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.schemas.active_learning import ActiveLearningOutput
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.garbage import collect_garbage

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymatgen.core import Molecule

    from scdp_flows.flows.active_learning import ActiveLearningMaker


def _run(maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any) -> ActiveLearningOutput:
    return ActiveLearningOutput.model_validate(run_flow(maker.make(pool[1:], pool[:1])))


@pytest.mark.usefixtures("instant_training")
@pytest.mark.parametrize(
    ("target", "max_labels", "reason"), [(1e9, 50, "target"), (0.0, 50, "pool")]
)
def test_it_ends_for_a_reason(
    target: float,
    max_labels: int,
    reason: str,
    campaign_maker: ActiveLearningMaker,
    hydrogens: list[Molecule],
    run_flow: Any,
) -> None:
    ends = NextRoundMaker(target=target, max_labels=max_labels)
    greedy = replace(campaign_maker, next_maker=ends, select_maker=SelectMaker(n_structures=5))
    assert _run(greedy, hydrogens, run_flow).stopped == reason


@pytest.mark.usefixtures("instant_training")
def test_garbage_collection_leaves_the_pool(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule], run_flow: Any
) -> None:
    ends = NextRoundMaker(target=1e9)
    _run(replace(campaign_maker, next_maker=ends), hydrogens, run_flow)
    with open_stores(campaign_maker.store_path) as stores:
        assert collect_garbage(stores, grace_s=-1).n_removed == 0
        (doc,) = stores.curation.pools.query()
        assert stores.curation.load_pool([doc.structures]) == hydrogens[1:]


@pytest.mark.usefixtures("instant_training")
def test_labels_that_lost_their_tags_are_trained_on(
    campaign_maker: ActiveLearningMaker,
    hydrogens: list[Molecule],
    run_flow: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another job may write the same label with tags of its own at any time."""
    copy: Callable[..., bool] = vars(train)["run_training"]

    def copy_and_untag(*arguments: Any) -> bool:
        with open_stores(campaign_maker.store_path) as stores:
            for doc in list(stores.densities.query()):
                stores.densities.put(doc.updated(tags=["another's"]))
        return copy(*arguments)

    monkeypatch.setattr(train, "run_training", copy_and_untag)
    found = _run(campaign_maker, hydrogens, run_flow)
    assert [len(one.density_ids) for one in found.rounds] == [3, 2]
    with open_stores(campaign_maker.store_path) as stores:
        made = stores.models.get(found.model_ids[0]).dataset_id
        members = stores.datasets.get(str(made)).members
    used = {member.density_id for member in members if member.split != "test"}
    assert used == {label for one in found.rounds for label in one.density_ids}


@pytest.mark.usefixtures("instant_training")
def test_an_unknown_metric_is_named(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule], run_flow: Any
) -> None:
    odd = replace(campaign_maker, next_maker=NextRoundMaker(metric="beauty"))
    with pytest.raises(SettingsError, match=r"metric is 'beauty'; the evaluation has coulomb"):
        _run(odd, hydrogens, run_flow)


def test_a_campaign_without_evaluation_is_refused(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule]
) -> None:
    blind = replace(campaign_maker.ensemble_maker, evaluate_maker=None)
    with pytest.raises(SettingsError, match="no evaluate_maker"):
        replace(campaign_maker, ensemble_maker=blind).make(hydrogens[1:], hydrogens[:1])


@pytest.mark.parametrize("seed", range(4))
def test_the_first_round_shows_every_element(
    seed: int, molecules: list[Molecule], hydrogens: list[Molecule]
) -> None:
    pool = [*hydrogens, *molecules]
    chosen = draw_first(pool, 4, seed=seed)
    assert len(set(chosen)) == 4
    shown = {symbol for index in chosen for symbol in pool[index].symbol_set}
    assert shown == {symbol for one in pool for symbol in one.symbol_set}
    assert chosen == draw_first(pool, 4, seed=seed)


def test_too_few_structures_for_the_elements_are_refused(molecules: list[Molecule]) -> None:
    with pytest.raises(DatasetError, match="first round takes 1 structures"):
        draw_first(molecules, 1, seed=0)


def test_a_pool_smaller_than_the_first_round_is_refused(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule], run_flow: Any
) -> None:
    with pytest.raises(DatasetError, match="the pool has 2 structures, the first round takes 3"):
        _run(campaign_maker, hydrogens[:3], run_flow)
