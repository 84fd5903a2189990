"""Quantum ESPRESSO behind the interface of all codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.espresso import EspressoCode
from scdp_flows.plugins import resolve
from scdp_models.basis.library import crystal_basis

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_survives_json(toy: EspressoSettings) -> None:
    code = EspressoCode(toy, seed_diago_thr_init=None)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert isinstance(decoded, DftCode)
    assert decoded.settings_hash() == code.settings_hash() == toy.settings_hash()
    assert decoded.kind() == toy.kind()
    assert resolve("dft", "espresso") is EspressoCode


@pytest.mark.requires("espresso")
def test_labels_and_compares_a_batch(distorted: Structure, cheap: EspressoSettings) -> None:
    code = EspressoCode(cheap)
    (label,) = code.label_many([distorted], crystal_basis([14]), n_processes=1)
    assert label.value is not None
    assert label.value.fit is not None
    given = {"fit": label.value.fit.density}
    (outcome,) = code.compare_starts_many([distorted], [given], n_processes=1)
    assert outcome.value is not None
    assert [start.start for start in outcome.value] == ["default", "fit", "exact"]
    default, fit, _ = outcome.value
    assert fit.seed_used
    assert fit.iterations < default.iterations
