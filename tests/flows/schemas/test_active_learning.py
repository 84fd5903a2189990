"""A campaign knows what is taken."""

from __future__ import annotations

from scdp_flows.schemas.active_learning import Campaign, LearningRound
from scdp_flows.schemas.density import BlobReference


def test_what_was_and_will_be_labelled_is_taken() -> None:
    pool = BlobReference(key="a" * 64, size=1, compression="zstd", media="bytes")
    done = LearningRound(n_labels=2, metrics={"nmae_percent": 1.0}, chosen=[4, 1])
    campaign = Campaign(pool=[pool], test_ids=["t"], tag="x", rounds=[done], chosen=[7])
    assert campaign.taken == {1, 4, 7}
    assert Campaign.model_validate(campaign.model_dump()) == campaign
