"""Starts along a path, with densities that are a straight line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.continuation import WaveContinuation, check_wave_policy
from scdp_flows.errors import SettingsError
from scdp_flows.io.espresso_waves import EspressoWaves

INDICES = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
MODEL = np.array([1.0, 0.2, 0.1j, 0.3])
SLOPE = np.array([0.0, 1.0, 0.5j, -1.0])
MISSED, DRIFT = np.array([0.0, 0.01, 0.02, 0.03]), np.array([0.0, 0.1, 0.2, 0.1])


def waves(values: Any, cell: float = 1.0) -> EspressoWaves:
    """Return waves of a cubic cell."""
    return EspressoWaves(False, cell * np.eye(3), INDICES, [np.asarray(values, complex)])


def walked(policy: Any, steps: int = 2) -> WaveContinuation:
    """Return a path on which the model misses a little more each time."""
    path = WaveContinuation(policy, 6)
    for x in np.arange(steps) / 10:
        path.start(waves(MODEL + x * SLOPE), at(x))
        path.learn(waves(MODEL + MISSED + x * (SLOPE + DRIFT)))
    return path


def at(x: float) -> Any:
    """Return the place of the only atom."""
    return np.array([[x, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("policy", "name", "error"),
    [
        ("prediction", "prediction", MISSED + 0.2 * DRIFT),
        ("previous_density", "previous_density", 0.1 * DRIFT),
        ("corrected", "extrapolated", 0 * DRIFT),
        ("extrapolated_density", "extrapolated_density", 0 * DRIFT),
        ("auto", "extrapolated", 0 * DRIFT),
    ],
)
def test_what_was_missed_is_carried_on(policy: Any, name: str, error: Any) -> None:
    start = walked(policy).start(waves(MODEL + 0.2 * SLOPE), at(0.2))
    exact = MODEL + MISSED + 0.2 * (SLOPE + DRIFT)
    assert start.name == name
    assert start.waves is not None
    assert np.allclose(exact - start.waves.components[0], error, rtol=0, atol=2e-5)


@pytest.mark.parametrize("policy", ["default", "previous_density", "extrapolated_density"])
def test_without_a_model_of_use_the_first_start_is_the_own_guess(policy: Any) -> None:
    start = WaveContinuation(policy, 6).start(waves(MODEL), at(0))
    assert start == ("default", None)


@pytest.mark.parametrize(
    ("x", "cell"), [(0.8, 1.0), (0.2, 0.9)], ids=["a-long-move", "another-cell"]
)
def test_a_path_that_breaks_off_is_forgotten(x: float, cell: float) -> None:
    path = walked("corrected")
    assert path.start(waves(MODEL, cell), at(x)).name == "prediction"


def test_a_long_step_is_started_from_the_prediction_alone() -> None:
    path = walked("auto", steps=1)
    path.start(waves(MODEL + 0.001 * SLOPE), at(0.001))
    path.learn(waves(MODEL + MISSED + 0.001 * SLOPE + 0.3 * MISSED))
    assert path.start(waves(MODEL + 0.4 * SLOPE), at(0.4)).name == "prediction"


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="previous_density"):
        check_wave_policy("previous_dm")
