"""Starts of calculations that other workflows run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.run_seed import RunSeedDoc
from scdp_flows.schemas.vasp_seed import VaspSeedDoc

if TYPE_CHECKING:
    from scdp_flows.schemas.run_start import RunStartDoc

_RUN = {
    "run_id": "a",
    "formula": "Si2",
    "n_atoms": 2,
    "structure_hash": "b",
    "source": "scdp",
    "code": "abinit",
}


@pytest.mark.parametrize("document", [RunSeedDoc, VaspSeedDoc])
def test_what_was_left_alone_is_explained(document: type[RunStartDoc]) -> None:
    given = {name: _RUN[name] for name in _RUN if name in document.model_fields}
    with pytest.raises(ValidationError, match="state why in reason"):
        document.model_validate(given | {"status": "left"})
    left = document.model_validate(given | {"status": "left", "reason": "no model"})
    assert left.identifier == "a"
