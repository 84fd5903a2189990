from __future__ import annotations

import pytest

from scdp_flows.dft.pyscf.continuation_base import check_policy
from scdp_flows.errors import SettingsError


def test_an_unknown_policy_is_refused_with_those_that_exist() -> None:
    check_policy("auto")
    with pytest.raises(SettingsError, match=r"'best'.*previous_dm.*corrected"):
        check_policy("best")
