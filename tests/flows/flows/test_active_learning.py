"""A campaign labels what its ensemble is least sure of, round by round."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder

from scdp_flows.flows import batches
from scdp_flows.io.structures import structure_hash
from scdp_flows.jobs.campaign import NextRoundMaker
from scdp_flows.schemas.active_learning import ActiveLearningOutput
from scdp_flows.stores.factory import open_stores
from scdp_flows.submission.work import work_of

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.flows.active_learning import ActiveLearningMaker


@pytest.mark.slow
def test_rounds_follow_one_another_until_the_labels_are_used_up(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule], run_flow: Any
) -> None:
    maker = replace(campaign_maker, later_maker=campaign_maker.ensemble_maker.train_maker)
    output = run_flow(maker.make(hydrogens[1:], hydrogens[:1]))
    found = ActiveLearningOutput.model_validate(output)
    assert found.stopped == "budget"
    assert [one.n_labels for one in found.rounds] == [3, 5]
    chosen = [index for one in found.rounds for index in one.chosen]
    assert len(set(chosen)) == 5
    assert all(one.metrics["coulomb_error_ha"] > 0 for one in found.rounds)
    with open_stores(campaign_maker.store_path) as stores:
        assert stores.densities.count() == 6
        assert len(found.model_ids) == 2
        assert stores.reports.evaluations.get(found.evaluation_ids[0]).predictor == "ensemble"
        # Each was trained on from one of the round before, which had random weights.
        parents = [stores.models.get(model).parent_id for model in found.model_ids]
        assert [stores.models.get(str(parent)).parent_id for parent in parents] == [None, None]
        assert len(set(parents)) == 2


def test_a_large_pool_is_divided_among_jobs(
    campaign_maker: ActiveLearningMaker, hydrogens: list[Molecule]
) -> None:
    """An atom takes about 200 bytes, and MongoDB takes no document above 16 MB."""
    flow = campaign_maker.make(hydrogens * 1_200, hydrogens[:1])
    parts = [one for one in flow.jobs if one.name == "keep pool"]
    sizes = [len(json.dumps(one, cls=MontyEncoder)) for one in flow.jobs]
    assert len(parts) == 3
    assert max(sizes) < 5 * 10**6
    assert all(work_of(one) == "light" for one in parts)  # type: ignore[arg-type]


@pytest.mark.usefixtures("instant_training")
def test_a_pool_in_parts_keeps_its_order(
    campaign_maker: ActiveLearningMaker,
    hydrogens: list[Molecule],
    run_flow: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MOST_ATOMS", 6)
    maker = replace(campaign_maker, next_maker=NextRoundMaker(target=1e9))
    flow = maker.make(hydrogens[1:], hydrogens[:1])
    assert [one.name for one in flow.jobs].count("keep pool") == 3
    (done,) = ActiveLearningOutput.model_validate(run_flow(flow)).rounds
    with open_stores(campaign_maker.store_path) as stores:
        found = [stores.densities.get(label).structure_hash for label in done.density_ids]
        assert found == [structure_hash(hydrogens[1:][index]) for index in done.chosen]
        assert stores.curation.pools.count() == 3
