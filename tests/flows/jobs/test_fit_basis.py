"""Basis names of Maker fields become basis sets."""

from __future__ import annotations

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.fit_basis import fit_basis


def test_a_name_becomes_a_basis() -> None:
    assert set(fit_basis("lean", [1, 8]).species) == {1, 8}


def test_an_uncovered_element_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match=r"'lean'.*26"):
        fit_basis("lean", [26])
