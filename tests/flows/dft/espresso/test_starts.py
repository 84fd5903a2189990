"""Starts along a path of silicon, whose converged densities are made up here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.espresso.starts import PathStarts
from scdp_flows.dft.plane_waves.atoms import atomic_reference, superposed_waves
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.dft.plane_waves.wave_list import wave_list
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.continuation import WavePolicy
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves
    from scdp_models.density.orbital import OrbitalDensity


_PREVIOUS: WavePolicy = "previous_density"


def moved(crystal: Crystal, x: float) -> Crystal:
    """Return the crystal with an atom moved by x Å."""
    shifts = np.array([[0.0, 0.0, 0.0], [x, 0.0, 0.0]])
    return crystal._replace(positions=crystal.positions + shifts)


def predicted(settings: EspressoSettings, crystal: Crystal) -> OrbitalDensity:
    """Return a poor prediction."""
    atoms = atomic_reference(settings, [14])
    return atoms.superposition(crystal.numbers, crystal.positions, crystal.cell, (True,) * 3)


def converged(settings: EspressoSettings, crystal: Crystal, x: float) -> EspressoWaves:
    """Return atoms and something more, which changes along the path."""
    waves = seed_waves(crystal, settings, predicted(settings, crystal), symmetrise=False)
    more = 1e-3 * (1 + x) * np.exp(-np.linalg.norm(waves.indices, axis=1))
    more[0] = 0
    return waves._replace(components=[waves.components[0] + more])


def walk(
    starts: PathStarts, settings: EspressoSettings, crystal: Crystal, known: list[bool]
) -> list[str]:
    """Return the names of the starts along a path, predictions being known or not."""
    names = []
    for step, is_known in enumerate(known):
        now = moved(crystal, 0.01 * step)
        density = predicted(settings, now) if is_known else None
        start, reason = starts.start(now, density, None if is_known else "no model")
        assert (reason is None) is is_known
        starts.learn(now, converged(settings, now, 0.01 * step))
        names.append(start.name)
    return names


@pytest.mark.parametrize(
    ("known", "names"),
    [
        ([False] * 3, ["default", "extrapolated_density", "extrapolated_density"]),
        ([True, False, True], ["prediction", "extrapolated_density", "corrected"]),
    ],
    ids=["always", "once"],
)
def test_a_geometry_without_a_prediction_starts_as_without_a_predictor(
    toy: EspressoSettings, toy_crystal: Crystal, known: list[bool], names: list[str]
) -> None:
    assert walk(PathStarts(toy, "auto", 6), toy, toy_crystal, known) == names


def test_what_atoms_miss_does_not_correct_predictions(
    toy: EspressoSettings, toy_crystal: Crystal
) -> None:
    with_failure, without = PathStarts(toy, "corrected", 6), PathStarts(toy, "corrected", 6)
    walk(with_failure, toy, toy_crystal, [True, False])
    walk(without, toy, toy_crystal, [True])
    now = moved(toy_crystal, 0.02)
    found = [one.start(now, predicted(toy, now), None)[0] for one in (with_failure, without)]
    assert [one.name for one in found] == ["corrected"] * 2
    assert found[0].waves is not None
    assert found[1].waves is not None
    assert np.array_equal(found[0].waves.components[0], found[1].waves.components[0])


@pytest.fixture
def bare(toy: EspressoSettings, monkeypatch: pytest.MonkeyPatch) -> EspressoSettings:
    """Give settings whose pseudopotential holds no atomic density, as GTH files."""
    bare = replace(toy.pseudopotential("Si"), radii=None, steps=None, shells=None)
    monkeypatch.setattr(type(toy), "pseudopotential", lambda *_: bare)
    return toy


@pytest.mark.parametrize("policy", ["default", "prediction", "corrected", "auto"])
def test_atoms_are_superposed_only_where_they_are_needed(
    toy: EspressoSettings, toy_crystal: Crystal, policy: Any, request: pytest.FixtureRequest
) -> None:
    density = predicted(toy, toy_crystal)
    settings = request.getfixturevalue("bare")
    start, _ = PathStarts(settings, policy, 6).start(toy_crystal, density, None)
    assert start.name in {"default", "prediction"}


@pytest.mark.parametrize("charge", [0, 2])
def test_atoms_can_be_given(
    toy: EspressoSettings, toy_crystal: Crystal, charge: int, request: pytest.FixtureRequest
) -> None:
    reference, indices = atomic_reference(toy, [14]), wave_list(toy_crystal, toy)
    first = toy_crystal._replace(charge=charge, n_electrons=8.0 - charge)
    second = moved(first, 0.01)
    exact = [superposed_waves(one, toy, indices) for one in (first, second)]
    waves = converged(toy, toy_crystal, 0.0)
    settings, policy = request.getfixturevalue("bare"), _PREVIOUS
    with pytest.raises(SettingsError, match="field `reference`"):
        PathStarts(settings, policy, 6).start(first, None, None)
    starts = PathStarts(settings, policy, 6, reference.to_dict())
    starts.start(first, None, None)
    starts.learn(first, waves._replace(components=[exact[0]]))
    found = starts.start(second, None, None)[0].waves
    assert found is not None
    assert np.abs(found.components[0] - exact[1]).max() < 1e-4 * abs(exact[1][0])
