from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.vasp_seed import VaspSeedDoc

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_run_that_was_left_alone_says_why(example: Callable[[str], dict[str, Any]]) -> None:
    stored = example("vasp_seed") | {"status": "left", "reason": None}
    with pytest.raises(ValidationError, match="state why"):
        VaspSeedDoc.model_validate(stored)
    assert VaspSeedDoc.model_validate(stored | {"reason": "ICHARG = 11"}).reason == "ICHARG = 11"
