"""Offers become documents and records; what was taken is not read again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.jobs import ingest_batch
from scdp_flows.jobs.ingest_batch import IngestBatch
from scdp_flows.jobs.ingest_items import IngestRules, Offer
from scdp_flows.jobs.ingest_records import ingest_records
from scdp_flows.progress import Progress
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scdp_flows.schemas.outputs import LabelOutput

_RULES = IngestRules({"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "268eV"})


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Give empty stores."""
    with open_stores(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def iron(repository: Path, tmp_path: Path) -> Offer:
    """Offer a copy of a density of two iron atoms."""
    source = repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz"
    path = tmp_path / "CHGCAR.gz"
    shutil.copy(source, path)
    return Offer("set.tar:1/CHGCAR.gz", "set.tar|1", path, is_copy=True)


def _take(stores: Stores, *offers: Offer, rules: IngestRules = _RULES) -> LabelOutput:
    with Progress("ingest", len(offers)) as progress:
        batch = IngestBatch(stores, rules, ["mine"], progress)
        batch.take(offers, n_processes=1)
        return batch.output(0.0)


def test_an_accepted_density_is_recorded_and_its_copy_removed(stores: Stores, iron: Offer) -> None:
    output = _take(stores, iron)
    (record,) = ingest_records(stores).query()
    assert (record.status, record.density_id) == ("accepted", output.density_ids[0])
    assert stores.densities.get(output.density_ids[0]).source == "set.tar:1/CHGCAR.gz"
    assert iron.path is not None
    assert not iron.path.exists()


def test_what_was_taken_is_not_read_again(
    stores: Stores, iron: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _take(stores, iron)
    monkeypatch.setattr(ingest_batch, "prepare", lambda *_, **__: pytest.fail("read again"))
    again = _take(stores, iron)
    assert (again.density_ids, again.n_reused) == (first.density_ids, 1)


def test_a_removed_density_is_read_again(stores: Stores, iron: Offer, repository: Path) -> None:
    (density_id,) = _take(stores, iron).density_ids
    stores.densities.remove(density_id)
    source = repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz"
    assert _take(stores, replace(iron, path=source, is_copy=False)).n_new == 1


def test_the_same_content_elsewhere_is_a_duplicate(
    stores: Stores, iron: Offer, repository: Path
) -> None:
    source = repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz"
    output = _take(stores, iron, Offer("other", "other", source))
    assert (len(output.density_ids), output.n_new) == (1, 1)
    statuses = [record.status for record in ingest_records(stores).query()]
    assert statuses == ["accepted", "duplicate"]


def test_doubts_are_quarantined_and_can_be_accepted(stores: Stores, iron: Offer) -> None:
    assert iron.path is not None
    strict = replace(_RULES, electrons={"Fe": 9.0})
    output = _take(stores, replace(iron, is_copy=False), rules=strict)
    assert output.density_ids == []
    (record,) = ingest_records(stores).query({"status": "quarantined"})
    assert "16.0000 electrons and not 18" in record.reasons[0]
    assert stores.densities.count() == 0
    assert _take(stores, iron, rules=replace(strict, doubtful=True)).n_new == 1


def test_refusals_keep_their_reason_and_are_tried_again(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_text("cut")
    offer = Offer("CHGCAR", "CHGCAR", tmp_path / "CHGCAR")
    for _ in range(2):
        (failed,) = _take(stores, offer).failed
        assert failed.error == "DensityFormatError"
    (record,) = ingest_records(stores).query()
    assert (record.status, record.error) == ("refused", "DensityFormatError")
