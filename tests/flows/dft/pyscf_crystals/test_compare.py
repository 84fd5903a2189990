"""All starts of one crystal end at one energy; better densities save more."""

from __future__ import annotations

from typing import Any

import pytest

from scdp_flows.dft.base import NoDensity
from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode
from scdp_flows.dft.pyscf_crystals.compare import seeded_comparison
from scdp_flows.dft.pyscf_crystals.label import crystal_atoms, label_structure
from scdp_flows.dft.pyscf_crystals.seed import CrystalCalculation
from scdp_flows.errors import SettingsError
from scdp_models.basis.library import crystal_basis

pytestmark = pytest.mark.requires("pyscf")


def test_compares_starts(silicon_run: Any) -> None:
    structure, settings = silicon_run.structure, silicon_run.settings
    fit = label_structure(structure, settings, crystal_basis([14])).fit
    assert fit is not None
    given = {"atomic": fit.reference, "fit": fit.density, "half": fit.density.scaled(0.5)}
    found = seeded_comparison(structure, settings, given)
    starts: dict[str, Any] = {start.start: start for start in found}
    assert list(starts) == ["default", "atomic", "fit", "half", "exact"]
    default, fitted, exact = starts["default"], starts["fit"], starts["exact"]
    assert exact.iterations < fitted.iterations < default.iterations
    assert max(abs(start.energy_difference_ha) for start in starts.values()) < 1e-7
    assert exact.nmae_percent == pytest.approx(0.0, abs=1e-9)
    assert 0 < fitted.nmae_dm0_percent < fitted.nmae_percent < starts["atomic"].nmae_percent
    assert "electrons" in starts["half"].fallback_reason
    assert not starts["half"].seed_used
    assert starts["half"].iterations == default.iterations


def test_daily_work_computes_nothing_beside_the_starts(
    silicon_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[bool] = []

    def counted(self: CrystalCalculation, seed: Any = None) -> Any:
        seeds.append(seed is not None)
        return run(self, seed)

    run = CrystalCalculation.run
    monkeypatch.setattr(CrystalCalculation, "run", counted)
    structure, settings = silicon_run.structure, silicon_run.settings
    atoms = crystal_atoms(settings, [14]).superposition(
        [14, 14], structure.cart_coords, structure.lattice.matrix, (True, True, True)
    )
    code = PyscfCrystalCode(settings)
    given: dict[str, Any] = {"atomic": atoms, "none": NoDensity("unknown element")}
    atomic, none = code.seeded_only(structure, given)
    assert seeds == [True, False]  # what is refused takes the code's own guess
    assert (atomic.fallback_reason, none.fallback_reason) == (None, "unknown element")
    assert atomic.energy_difference_ha is None
    assert atomic.energy_ha == pytest.approx(silicon_run.run.energy_ha, abs=1e-7)


def test_names_with_a_meaning_are_refused(silicon_run: Any) -> None:
    atoms = crystal_atoms(silicon_run.settings, [14]).superposition([14], [[0.0, 0.0, 0.0]])
    with pytest.raises(SettingsError, match="exact"):
        seeded_comparison(silicon_run.structure, silicon_run.settings, {"exact": atoms})
