"""Settings of ABINIT."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.abinit.inputs import AbinitSettings
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_the_kind_is_that_of_other_codes_with_the_same_set(cheap: AbinitSettings) -> None:
    kind = cheap.kind()
    assert (kind.pseudopotential, kind.functional, kind.basis) == ("gth-pbe", "PBE", "pw-10Ry")
    assert cheap.cutoff_ry == 40.0


@pytest.mark.parametrize("values", [{"ecut_ha": 0}, {"diemac": -1}, {"mixing": "both"}], ids=str)
def test_impossible_values_are_refused(cheap: AbinitSettings, values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(values))):
        replace(cheap, **values)


def test_only_norm_conserving_files(toy: EspressoSettings) -> None:
    assert Path(toy.pseudo_dir, "Si.paw.UPF").exists()
    with pytest.raises(SettingsError, match=r"Si\.paw\.UPF.*norm-conserving"):
        AbinitSettings({"Si": "Si.paw.UPF"}, pseudo_dir=toy.pseudo_dir)
