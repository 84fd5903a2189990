"""A campaign labels what its ensemble is least sure of, round by round."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.schemas.active_learning import ActiveLearningOutput
from scdp_flows.stores.factory import open_stores

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
