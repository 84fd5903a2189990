"""PySCF with k-points behind the interface of all codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode, PyscfCrystalSettings
from scdp_flows.errors import SettingsError
from scdp_flows.plugins import resolve
from scdp_models.basis.library import crystal_basis

if TYPE_CHECKING:
    from pymatgen.core import Structure


def test_survives_json(cheap: PyscfCrystalSettings) -> None:
    code = PyscfCrystalCode(cheap)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert decoded.settings_hash() == code.settings_hash() == cheap.settings_hash()
    assert decoded.kind() == cheap.kind()
    assert resolve("dft", "pyscf_crystals") is PyscfCrystalCode


@pytest.mark.requires("pyscf")
def test_labels_and_compares_a_batch(distorted: Structure, cheap: PyscfCrystalSettings) -> None:
    code = PyscfCrystalCode(cheap)
    molecule = Molecule(["H"], [[0.0, 0.0, 0.0]])
    label, failed = code.label_many([distorted, molecule], crystal_basis([14]), n_processes=1)
    assert label.value is not None
    assert label.value.fit is not None
    assert failed.error is not None
    given = {"fit": label.value.fit.density}
    (outcome,) = code.compare_starts_many([distorted], [given], n_processes=1)
    assert outcome.value is not None
    default, fit, exact = outcome.value
    assert exact.iterations < fit.iterations < default.iterations


def test_wants_a_mapping_for_each_crystal(
    distorted: Structure, cheap: PyscfCrystalSettings
) -> None:
    with pytest.raises(SettingsError, match="one for each"):
        list(PyscfCrystalCode(cheap).compare_starts_many([distorted], []))
