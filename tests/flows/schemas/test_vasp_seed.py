from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.schemas.vasp_seed import VaspSeedDoc

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_the_outputs_tell_survives_json(example: Callable[[str], dict[str, Any]]) -> None:
    audit = {
        "seed_used": True,
        "charge_read": True,
        "occupancies": "read",
        "magnetization": "none",
        "scf_steps": [9, 5],
    }
    doc = VaspSeedDoc.model_validate(example("vasp_seed") | {"audit": audit})
    again = VaspSeedDoc.model_validate_json(doc.model_dump_json())
    assert again == doc
    assert again.audit is not None
    assert again.audit.scf_steps == [9, 5]
