from __future__ import annotations

from scdp_flows.schemas.run_seed import RunSeedDoc
from scdp_flows.schemas.run_start import RunOutcome

FIELDS = {
    "run_id": "job-1",
    "code": "abinit",
    "formula": "Si2",
    "n_atoms": 2,
    "structure_hash": "0" * 8,
    "source": "predicted by atomic",
}


def test_it_survives_json() -> None:
    audit = RunOutcome(seed_used=True, grid=(4, 4, 4), scf_steps=[5, 3])
    doc = RunSeedDoc(status="seeded", audit=audit, **FIELDS)
    assert RunSeedDoc.model_validate_json(doc.model_dump_json()) == doc
