from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.vasp.builder import VaspSeedBuilder
from scdp_flows.schemas.vasp_seed import VaspSeedDoc, VaspSeedSummaryDoc
from scdp_flows.stores.documents import DocumentStore
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_runs_of_one_kind_are_summed_up(
    tmp_path: Path, example: Callable[[str], dict[str, Any]]
) -> None:
    stored = example("vasp_seed")
    audit = stored["audit"]
    cold = {**audit, "seed_used": False, "why_not_used": "left", "scf_steps": [14, 6]}
    runs = [
        stored | {"run_id": "a", "audit": {**audit, "scf_steps": [8, 5]}},
        stored | {"run_id": "b", "audit": {**audit, "scf_steps": [6]}},
        stored | {"run_id": "c", "audit": cold, "status": "left", "reason": "ICHARG"},
        stored | {"run_id": "d", "audit": cold},
        stored | {"run_id": "e", "audit": None},
        stored | {"run_id": "f", "formula": "Al"},
    ]
    with open_stores(tmp_path) as stores:
        for run in runs:
            stores.reports.vasp_seeds.put(VaspSeedDoc.model_validate(run))
        for _ in range(2):
            builder = VaspSeedBuilder.of(stores)
            builder.update_targets([builder.process_item(each) for each in builder.get_items()])
        found = DocumentStore(stores.curation.leaderboards.store, VaspSeedSummaryDoc, shared=True)
        assert found.count() == 2
        doc = found.find({"formula": "Si2"})
    assert doc is not None
    assert (doc.n_used, doc.n_unused, doc.n_left) == (2, 1, 1)
    assert (doc.first_steps_used, doc.first_steps_others) == (7.0, 14.0)
    assert doc.reasons == {"ICHARG": 1, "left": 1}


def test_runs_with_and_without_a_seed_are_compared(
    tmp_path: Path, example: Callable[[str], dict[str, Any]]
) -> None:
    stored = example("vasp_seed") | {"n_atoms": 2}
    audit = {**stored["audit"], "seed_used": True, "energy_ev": -10.0, "moment_mub": 0.0}
    cold = {**audit, "seed_used": False, "why_not_used": "left", "energy_ev": -10.1}
    left = {"status": "left", "reason": "left unseeded for comparison", "is_sample": True}
    other = {**cold, "energy_ev": -10.0, "moment_mub": -1.0}
    runs = [
        stored | {"run_id": "a", "structure_hash": "one", "audit": audit},
        stored | {"run_id": "b", "structure_hash": "one", "audit": cold} | left,
        stored | {"run_id": "c", "structure_hash": "two", "audit": audit},
        stored | {"run_id": "d", "structure_hash": "two", "audit": other} | left,
        stored | {"run_id": "e", "structure_hash": "three", "audit": audit},
    ]
    with open_stores(tmp_path) as stores:
        builder = VaspSeedBuilder.of(stores)
        doc = builder.process_item([VaspSeedDoc.model_validate(run) for run in runs])
    assert (doc.n_pairs, doc.n_other_states) == (2, 2)
    assert doc.energy_difference_ev == pytest.approx(0.05)
    assert doc.moment_difference_mub == pytest.approx(0.5)
    assert doc.moment_used_mub == 0.0
    assert doc.moment_others_mub == pytest.approx(0.25)
