"""Comparison of starts."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.base import NoDensity, SpinDensities
from scdp_flows.dft.pyscf.compare import (
    Comparison,
    StartErrors,
    seeded_comparison,
    seeded_starts,
)
from scdp_flows.dft.pyscf.label import label_structure
from scdp_flows.errors import SettingsError
from scdp_models.basis.library import lean_basis

pytestmark = pytest.mark.requires("pyscf")


@pytest.fixture(scope="module")
def starts(converged_water: Any) -> dict[str, Any]:
    """Compare the usual starts once, and one that is refused."""
    fit = converged_water.fit
    densities = {
        "atomic": fit.reference,
        "fit": fit.density,
        "refused": fit.density.scaled(2.0),
        "missing": NoDensity("the model does not know Li"),
    }
    records = seeded_comparison(
        converged_water.structure,
        converged_water.settings,
        densities,
        Comparison(grid_level=1, forces=True),
    )
    assert [r.start for r in records] == ["default", "atomic", "fit", "refused", "missing", "exact"]
    return {record.start: record for record in records}


def test_better_densities_need_fewer_iterations(starts: dict[str, Any]) -> None:
    assert starts["exact"].iterations <= 2
    assert starts["exact"].iterations < starts["fit"].iterations < starts["default"].iterations
    errors = [starts[name].coulomb_error_ha for name in ("exact", "fit", "atomic")]
    assert errors == sorted(errors)
    assert starts["fit"].nmae_dm0_percent < 0.1 < starts["atomic"].nmae_dm0_percent


def test_what_could_not_be_predicted_starts_as_ever(starts: dict[str, Any]) -> None:
    missing, default = starts["missing"], starts["default"]
    assert not missing.seed_used
    assert missing.fallback_reason == "the model does not know Li"
    assert missing.iterations == default.iterations


def test_all_reach_the_same_energy(starts: dict[str, Any]) -> None:
    for record in starts.values():
        assert record.converged
        assert abs(record.energy_difference_ha) < 1e-7


def test_cost_is_told(starts: dict[str, Any]) -> None:
    fit, default = starts["fit"], starts["default"]
    assert default.fock_builds == default.iterations + 2
    assert fit.fock_builds == fit.iterations + 3  # one more for the seed
    assert 0 < fit.seed_cpu_s < fit.cpu_s
    assert len(fit.gradient_norms) == len(fit.energies_ha) == fit.iterations
    assert not default.seed_used
    assert fit.seed_used
    assert 0 < default.fock_cpu_s < default.cpu_s


def test_forces_are_compared(starts: dict[str, Any]) -> None:
    assert starts["default"].force_difference_ev_ang is None
    assert 0 < starts["fit"].force_difference_ev_ang < 1e-3


def test_a_seed_runs_without_anything_beside_it(converged_water: Any) -> None:
    densities = {"fit": converged_water.fit.density, "refused": converged_water.fit.reference}
    densities["refused"] = densities["refused"].scaled(2.0)
    records = seeded_starts(converged_water.structure, converged_water.settings, densities)
    assert [(r.start, r.seed_used) for r in records] == [("fit", True), ("refused", False)]
    assert records[0].energy_difference_ha is None
    assert records[0].energy_ha == pytest.approx(records[1].energy_ha, abs=1e-7)


def test_a_refused_start_says_why_and_counts_as_default(starts: dict[str, Any]) -> None:
    refused = starts["refused"]
    assert not refused.seed_used
    assert "16.0000 electrons" in refused.fallback_reason
    assert refused.iterations == starts["default"].iterations
    assert refused.energy_difference_ha == 0


def test_records_fit_the_schema(starts: dict[str, Any]) -> None:
    from scdp_flows.schemas.seeding import StartRecord

    for record in starts.values():
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(record).items()}
        assert StartRecord(**fields).iterations == record.iterations


def test_reserved_names_are_refused(converged_water: Any) -> None:
    density = {"exact": converged_water.fit.density}
    with pytest.raises(SettingsError, match="exact"):
        seeded_comparison(converged_water.structure, converged_water.settings, density)


def test_errors_of_density_and_of_matrix_agree(converged_water: Any) -> None:
    errors, dm = StartErrors(converged_water.run), converged_water.run.dm
    assert errors.nmae_of_matrix(dm) == pytest.approx(0, abs=1e-9)
    assert errors.nmae_of_matrix(1.02 * dm) == pytest.approx(2.0)
    energy = errors.coulomb_of_matrix(2 * dm)
    assert errors.coulomb_of_matrix(1.02 * dm) == pytest.approx(0.02**2 * energy)
    density = converged_water.fit.density
    assert errors.coulomb(density.scaled(1.02)) == pytest.approx(0.02**2 * energy, rel=0.02)
    assert errors.nmae(density.scaled(1.02)) == pytest.approx(2.0, rel=0.05)


def test_unrestricted_runs_start_from_both_densities_only(converged_water: Any) -> None:
    settings = replace(converged_water.settings, spin="unrestricted")
    fit = converged_water.fit
    densities = {"total": fit.density, "both": SpinDensities(fit.density, fit.density.scaled(0.0))}
    records = seeded_comparison(converged_water.structure, settings, densities)
    _, total, both, exact = records
    assert total.fallback_reason is not None
    assert "open shells" in total.fallback_reason
    assert both.fallback_reason is exact.fallback_reason is None
    assert exact.iterations <= both.iterations < total.iterations
    assert [record.moment for record in records] == [None] * 4
    energies = [record.energy_ha for record in records]
    np.testing.assert_allclose(energies, energies[0])


@pytest.mark.parametrize(
    ("functional", "spin"),
    [("PBE", "restricted"), ("B3LYP", "restricted"), ("PBE", "unrestricted")],
)
def test_fits_of_all_electrons_save_iterations(
    converged_water: Any, all_electrons: Any, functional: str, spin: Any
) -> None:
    settings = replace(all_electrons, functional=functional, spin=spin)
    structure = converged_water.structure
    if spin == "unrestricted":
        structure = Molecule(["N", "H", "H"], structure.cart_coords, spin_multiplicity=2)
    fit = label_structure(structure, settings, lean_basis([1, 7, 8])).fit
    assert fit is not None
    given = fit.density if fit.spin is None else SpinDensities(fit.density, fit.spin)
    default, fitted, exact = seeded_comparison(structure, settings, {"fit": given})
    assert fitted.fallback_reason is exact.fallback_reason is None
    assert exact.iterations <= fitted.iterations < default.iterations
    assert fitted.energy_ha == pytest.approx(default.energy_ha, abs=1e-7)
    assert fitted.moment == pytest.approx(default.moment)
