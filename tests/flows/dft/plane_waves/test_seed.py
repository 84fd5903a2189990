"""Waves of a Gaussian density, and calculations started from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.plane_waves.atoms import atomic_reference, superposed_waves
from scdp_flows.dft.plane_waves.seed import Calculation, Effort, run_seeded, seed_waves
from scdp_flows.dft.plane_waves.wave_list import places_of
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_models.density.orbital import OrbitalDensity


def atoms_of(crystal: Crystal, settings: EspressoSettings) -> OrbitalDensity:
    """Superpose atoms."""
    reference = atomic_reference(settings, [14])
    return reference.superposition(
        crystal.numbers, crystal.positions, crystal.cell, (True, True, True)
    )


@pytest.mark.parametrize("shift", [0, 1], ids=["half the waves", "all waves"])
def test_waves_are_those_of_the_density(
    toy_crystal: Crystal, toy: EspressoSettings, shift: int
) -> None:
    settings = replace(toy, kshift=(shift,) * 3)
    (values,) = (waves := seed_waves(toy_crystal, settings, atoms_of(toy_crystal, toy)))[3]
    expected = superposed_waves(toy_crystal, settings, waves.indices)
    np.testing.assert_allclose(values, expected, atol=1e-5)
    assert values[0] * toy_crystal.volume_bohr == pytest.approx(8.0, abs=1e-12)
    opposite = places_of(waves.indices, -waves.indices)
    seen = opposite >= 0
    np.testing.assert_allclose(values[seen], values[opposite[seen]].conj(), atol=1e-12)


def test_two_spins_need_a_spin_density(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    settings, atoms = replace(toy, spin="unrestricted", smearing="mv"), atoms_of(toy_crystal, toy)
    with pytest.raises(CalculationError, match="two spins are not seeded"):
        seed_waves(toy_crystal, settings, atoms)
    seed = seed_waves(toy_crystal, settings, SpinDensities(atoms, atoms.scaled(0.25)))
    total, magnetization = seed.components
    np.testing.assert_allclose(magnetization, 0.25 * total, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": 1.2}, r"holds 9\.6000 electrons, the crystal 8"),
        ({"cell": np.eye(3) * 9}, "predict for the very structure"),
        ({"pbc": (False,) * 3}, "not periodic"),
    ],
    ids=["electrons", "cell", "molecule"],
)
def test_densities_of_something_else_are_refused(
    toy_crystal: Crystal, toy: EspressoSettings, change: dict[str, Any], message: str
) -> None:
    density = atoms_of(toy_crystal, toy).scaled(change.pop("scale", 1.0))
    with pytest.raises(CalculationError, match=message):
        seed_waves(toy_crystal, toy, replace(density, **change))


@dataclass
class Run:
    """A made-up calculation."""

    energy_ha: float = -1.0
    converged: bool = True
    message: str | None = None
    moment: float | None = None
    iterations: int = 7
    hamiltonian_calls: int = 9
    energies_ha: tuple[float, ...] = ()
    forces: None = None
    cpu_s: float = 1.0
    wall_s: float = 1.0


@dataclass
class Made(Calculation[Run, str]):
    """Gives one run from every seed, another without."""

    seeded: Run
    complaint: str | None = None

    def run(self, seed: str | None = None) -> Run:
        """Look it up."""
        return Run() if seed is None else self.seeded

    def objection(self, attempt: Run, seed: str) -> str | None:  # noqa: ARG002
        """Complain or not."""
        return self.complaint


def test_what_a_program_did_for_a_seed_is_kept() -> None:
    class Costly(Made):
        def effort_of(self, seed: str) -> Effort:
            return Effort(2, len(seed), 0.5)

    seeded = run_seeded(Costly(Run()), lambda: "seed")
    assert seeded.seed_effort == (2, 4, 0.5)
    assert run_seeded(Made(Run()), lambda: "seed").seed_effort == (0, 0, 0.0)


def test_a_good_seed_counts() -> None:
    attempt = Run(energy_ha=-1.0 + 1e-9)
    seeded = run_seeded(Made(attempt), lambda: "seed", default=Run())
    assert (seeded.result, seeded.attempt, seeded.fallback_reason) == (attempt, attempt, None)


@pytest.mark.parametrize(
    ("attempt", "complaint", "reason"),
    [
        (Run(energy_ha=-0.999), None, "Ha above the unseeded one"),
        (Run(moment=2.0), None, r"the moment 2\.0, the unseeded 0\.0"),
        (Run(converged=False), None, "did not converge in 7 cycles"),
        (Run(message="bad"), None, "stopped: bad"),
        (Run(), "not read", "not read"),
    ],
    ids=["energy", "moment", "convergence", "stop", "audit"],
)
def test_a_bad_seed_falls_back(attempt: Run, complaint: str | None, reason: str) -> None:
    default = Run()
    seeded = run_seeded(Made(attempt, complaint), lambda: "seed", default=default)
    assert seeded.result is default
    assert seeded.attempt is attempt
    with pytest.raises(CalculationError, match=reason):
        raise CalculationError(seeded.fallback_reason or "")


def test_a_seed_that_cannot_be_made_is_no_failure() -> None:
    def make() -> str:
        message = "no density"
        raise CalculationError(message)

    seeded = run_seeded(Made(Run()), make)
    assert seeded.result == Run()
    assert (seeded.attempt, seeded.fallback_reason) == (None, "no density")
