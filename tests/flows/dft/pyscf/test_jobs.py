"""PySCF behind the interface of all codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pymatgen.core import Molecule


def test_survives_json() -> None:
    code = PyscfCode(PyscfSettings(basis="gth-dzvp"), seed_grid_level=0)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert isinstance(decoded, DftCode)
    assert decoded.settings_hash() == code.settings_hash() == code.settings.settings_hash()
    assert decoded.kind() == code.settings.kind()


def test_options_of_seeding_are_none_of_the_labels() -> None:
    assert PyscfCode(seed_grid_level=0).settings_hash() == PyscfCode().settings_hash()


@pytest.mark.requires("pyscf")
def test_labels_and_compares_a_batch(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    from scdp_models.basis.library import lean_basis

    code = PyscfCode(cheap)
    (label,) = code.label_many([hydrogen], lean_basis([1]), n_processes=1)
    assert label.value is not None
    assert label.value.fit is not None
    density = label.value.fit.density
    (outcome,) = code.compare_starts_many([hydrogen], [{"fit": density}], n_processes=1)
    assert outcome.value is not None
    assert [start.start for start in outcome.value] == ["default", "fit", "exact"]


@pytest.mark.requires("pyscf")
def test_failures_come_as_outcomes(cheap: PyscfSettings) -> None:
    from pymatgen.core import Molecule

    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    (outcome,) = PyscfCode(cheap).label_many([radical], n_processes=1)
    assert outcome.value is None
    assert outcome.error is not None
    assert "electrons" in str(outcome.error)


@pytest.mark.requires("pyscf")
def test_reference_is_that_of_the_labels(converged_water: Any) -> None:
    reference = PyscfCode(converged_water.settings).atomic_reference([1, 8])
    assert reference.to_dict() == converged_water.reference.to_dict()


def test_one_mapping_for_each_structure(hydrogen: Molecule, cheap: PyscfSettings) -> None:
    with pytest.raises(SettingsError, match="1 structures but 0 mappings"):
        list(PyscfCode(cheap).compare_starts_many([hydrogen], []))
