"""Labels of crystals hold the converged density and its fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scdp_flows.dft.pyscf_crystals.label import label_structure
from scdp_flows.errors import CalculationError
from scdp_models.basis.library import crystal_basis

pytestmark = pytest.mark.requires("pyscf")


def test_a_label_with_its_fit(silicon_run: Any) -> None:
    basis = crystal_basis([14])
    label = label_structure(silicon_run.structure, silicon_run.settings, basis)
    assert label.density.integral() == pytest.approx(8.0, abs=1e-5)
    assert label.density.kind == silicon_run.settings.kind()
    assert label.fit is not None
    assert label.fit.density.n_electrons() == pytest.approx(8.0, abs=1e-3)
    assert label.fit.info.nmae_percent is not None
    assert label.fit.info.nmae_percent < 1.5


def test_refuses_what_did_not_converge(silicon_run: Any) -> None:
    with pytest.raises(CalculationError, match="not converged"):
        label_structure(silicon_run.structure, replace(silicon_run.settings, max_cycle=1))
