"""An examination is passed when everything works."""

from __future__ import annotations

import pytest

from scdp_flows.schemas.doctor import Check, Examination


@pytest.mark.parametrize("second", [True, False])
def test_one_failure_is_enough(second: bool) -> None:
    checks = [
        Check(name="stores", ok=True, detail="fine"),
        Check(name="torch", ok=second, detail=""),
    ]
    assert Examination(host="here", work="dft", checks=checks).healthy is second
