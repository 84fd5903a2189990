from __future__ import annotations

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc


def test_what_was_left_says_why_and_what_was_taken_says_where() -> None:
    fields = {"harvest_id": "a", "source": "b"}
    with pytest.raises(ValidationError, match="state why"):
        VaspHarvestDoc.model_validate(fields | {"status": "left"})
    with pytest.raises(ValidationError, match="disagree"):
        VaspHarvestDoc.model_validate(fields | {"status": "taken"})
    left = VaspHarvestDoc.model_validate(fields | {"status": "left", "reason": "no CHGCAR"})
    assert left.nmae_percent == {}
