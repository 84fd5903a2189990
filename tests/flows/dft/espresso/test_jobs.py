"""Quantum ESPRESSO behind the interface of all codes."""

from __future__ import annotations

import json

import pytest
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.base import DftCode, SpinDensities, StartDensity
from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.plugins import resolve
from scdp_models.basis.library import crystal_basis, lean_basis


def test_survives_json(toy: EspressoSettings) -> None:
    code = EspressoCode(toy, seed_diago_thr_init=None)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert isinstance(decoded, DftCode)
    assert decoded.settings_hash() == code.settings_hash() == toy.settings_hash()
    assert decoded.kind() == toy.kind()
    assert resolve("dft", "espresso") is EspressoCode


@pytest.mark.requires("espresso")
def test_both_spins_start_from_the_fit_of_a_label() -> None:
    settings = EspressoSettings(
        {"H": "H.pz-vbc.UPF"},
        ecutwfc_ry=16.0,
        kshift=(1, 1, 1),
        smearing="mv",
        degauss_ry=0.005,
        spin="unrestricted",
        starting_magnetization={"H": 1.0},
    )
    code, atom = EspressoCode(settings), Structure(Lattice.cubic(4.0), ["H"], [[0.0, 0.0, 0.0]])
    fit = code.label(atom, lean_basis([1])).fit
    assert fit is not None
    assert fit.spin is not None
    assert fit.spin.n_electrons() == pytest.approx(1.0, abs=0.05)
    given: dict[str, StartDensity] = {"total": fit.density}
    given["fit"] = SpinDensities(fit.density, fit.spin)
    default, total, both, _ = code.seeded_comparison(atom, given)
    assert both.seed_used, both.fallback_reason
    assert both.iterations < default.iterations
    assert both.moment == pytest.approx(default.moment, abs=0.01)
    assert "two spins" in (total.fallback_reason or "")


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
