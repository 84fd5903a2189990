"""What a relaxation has done is there when its job is run again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.io.structures import total_charge
from scdp_flows.jobs.relaxation_record import RelaxationRecord
from scdp_flows.schemas.relaxation import RelaxationStep
from scdp_flows.stores.factory import open_stores

FIELDS = {
    "relaxation_id": "r",
    "job_uuid": "first",
    "structure_hash": "s",
    "formula": "H2",
    "settings_hash": "t",
    "kind_key": "k",
    "policy": "auto",
}
STEP = RelaxationStep(
    start="default", seed_used=False, iterations=3, fock_builds=5, energy_ev=-1.0, cpu_s=0, wall_s=0
)
ENDS = np.array([[0.0, 0.0, 0.1], [0.0, 0.0, 0.9]])
PAIR = Molecule("HH", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], charge=2)
CRYSTAL = Structure(Lattice.cubic(4), "HH", PAIR.cart_coords, charge=2, coords_are_cartesian=True)


def _record(store_path: str, uuid: str | None = "first") -> RelaxationRecord:
    return RelaxationRecord(FIELDS | {"job_uuid": uuid}, store_path)


@pytest.mark.parametrize("structure", [PAIR, CRYSTAL], ids=["molecule", "crystal"])
@pytest.mark.parametrize("fails", [False, True], ids=["killed", "failed"])
def test_what_broke_off_goes_on(store_path: str, structure: Any, fails: bool) -> None:
    record = _record(store_path)
    assert record.resumed(structure) == (structure, 0)
    record.keep([STEP] * 2, ENDS)
    if fails:
        record.fail([STEP] * 2, "worn out")
    again = _record(store_path, "other")
    start, done = again.resumed(structure)
    assert done == 1
    assert start.cart_coords == pytest.approx(ENDS)
    assert total_charge(start) == 2
    again.finish([STEP], ENDS, converged=True)
    with open_stores(store_path) as stores:
        (doc,) = stores.reports.relaxations.query()
    assert (len(doc.steps), doc.complete, doc.converged, doc.failure) == (3, True, True, None)


@pytest.mark.parametrize(
    ("uuid", "done"), [("first", 2), ("other", 0), (None, 0)], ids=["same", "other", "no-job"]
)
def test_what_has_ended_is_the_beginning_of_the_same_job_alone(
    store_path: str, uuid: str | None, done: int
) -> None:
    _record(store_path).finish([STEP] * 3, ENDS, converged=True)
    assert _record(store_path, uuid).resumed(PAIR)[1] == done


def test_what_never_converged_has_no_record(store_path: str) -> None:
    _record(store_path).fail([], "worn out")
    with open_stores(store_path) as stores:
        assert not list(stores.reports.relaxations.query())
