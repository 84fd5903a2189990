"""Settings of Quantum ESPRESSO."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_cut_offs(toy: EspressoSettings) -> None:
    assert toy.cutoff_ry == 20.0
    assert replace(toy, ecutrho_ry=30.0).cutoff_ry == 30.0
    assert toy.kind().basis == "pw-5Ry"


@pytest.mark.parametrize("name", ["ecutwfc_ry", "conv_thr_ry", "mixing_beta", "max_cycle"])
def test_what_must_be_positive(toy: EspressoSettings, name: str) -> None:
    values: dict[str, Any] = {name: 0}
    with pytest.raises(SettingsError, match=name):
        replace(toy, **values)
