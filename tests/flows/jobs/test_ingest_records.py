"""What was doubted is listed, and let in one by one, for a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DatasetError, UnknownNameError
from scdp_flows.jobs.ingest_batch import DOUBTFUL, IngestBatch
from scdp_flows.jobs.ingest_items import IngestRules, Offer
from scdp_flows.jobs.ingest_records import list_offers, release
from scdp_flows.progress import Progress
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scdp_flows.schemas.outputs import LabelOutput

_KIND = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "268eV"}
_RULES = IngestRules(_KIND, electrons={"Fe": 9.0})


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Give empty stores."""
    with open_stores(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def offers(repository: Path, tmp_path: Path) -> list[Offer]:
    """Offer two densities of iron, which hold fewer electrons than the rules want, and nothing."""
    (tmp_path / "empty").write_bytes(b"")
    names = ("Fe2_cubic_CHGCAR.gz", "Fe_bcc_CHGCAR_spin.gz")
    found = [Offer(name, name, repository / "tests" / "data" / "vasp" / name) for name in names]
    return [*found, Offer("empty", "empty", tmp_path / "empty")]


def _take(stores: Stores, offers: list[Offer], rules: IngestRules = _RULES) -> LabelOutput:
    with Progress("ingest", len(offers)) as progress:
        batch = IngestBatch(stores, rules, ["mine"], progress)
        batch.take(offers, n_processes=1)
        return batch.output(0.0)


def test_one_is_released_and_the_others_stay_outside(stores: Stores, offers: list[Offer]) -> None:
    first = _take(stores, offers)
    assert (len(first.density_ids), len(first.failed), first.n_quarantined) == (0, 3, 2)
    chosen, other = list_offers(stores, "quarantined")
    release(stores, [chosen.ingest_id], "eight electrons are right for this potential")
    (density_id,) = _take(stores, offers).density_ids
    assert DOUBTFUL in stores.densities.get(density_id).tags
    (accepted,) = list_offers(stores, "accepted")
    assert (accepted.ingest_id, accepted.density_id) == (chosen.ingest_id, density_id)
    assert accepted.released == "eight electrons are right for this potential"
    assert list_offers(stores, "quarantined") == [other]
    assert [doc.source for doc in list_offers(stores, "refused")] == ["empty"]


def test_what_was_taken_in_the_end_is_no_longer_listed_as_refused(
    stores: Stores, offers: list[Offer]
) -> None:
    _take(stores, offers[:1], IngestRules({}))
    assert len(list_offers(stores, "refused")) == 1
    _take(stores, offers[:1], IngestRules(_KIND))
    _take(stores, offers[:1], _RULES)
    assert [doc.status for doc in list_offers(stores)] == ["accepted"]


def test_all_doubts_may_be_accepted_at_once(stores: Stores, offers: list[Offer]) -> None:
    _take(stores, offers)
    assert _take(stores, offers, replace(_RULES, doubtful=True)).n_new == 2
    assert list_offers(stores, "quarantined") == []


def test_only_quarantined_ones_are_released_and_for_a_reason(
    stores: Stores, offers: list[Offer]
) -> None:
    _take(stores, offers)
    (refused,) = list_offers(stores, "refused")
    doubted = list_offers(stores, "quarantined")[0]
    with pytest.raises(DatasetError, match="is refused; only what is quarantined"):
        release(stores, [doubted.ingest_id, refused.ingest_id], "whatever")
    with pytest.raises(UnknownNameError):
        release(stores, ["none"], "whatever")
    with pytest.raises(DatasetError, match="no reason"):
        release(stores, [doubted.ingest_id], " ")
    assert all(doc.released is None for doc in list_offers(stores))
