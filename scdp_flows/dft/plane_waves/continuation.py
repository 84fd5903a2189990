"""Decide what each calculation along a path of geometries of one cell starts from.

A model, superposed atoms or a prediction, is known at every geometry, and afterwards the converged
density. What the model missed changes slowly along a path: it is added to the model's density of
the next geometry, wave by wave. Several earlier geometries are combined with the weights by which
their model densities reproduce the new one best in the Coulomb metric.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from scdp_flows.dft.path import weights_to_one
from scdp_flows.dft.plane_waves.wave_list import coulomb_weights
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["WaveContinuation", "WavePolicy", "WaveStart", "check_wave_policy"]

WavePolicy = Literal[
    "default", "previous_density", "extrapolated_density", "prediction", "corrected", "auto"
]
"""What each calculation of a path starts from; see ``docs/guide/relaxation.md``."""

_LARGEST_MOVE = 0.5
"""Distance in Å that an atom may move before what was learnt is forgotten."""


def check_wave_policy(policy: str) -> None:
    """Refuse a policy that does not exist.

    Raises
    ------
    SettingsError
        With those that do.
    """
    known = get_args(WavePolicy)
    if policy not in known:
        raise SettingsError(f"start policy {policy!r} is not known; expected {', '.join(known)}")


class WaveStart(NamedTuple):
    """How one calculation starts."""

    name: str
    """What was chosen, such as ``"prediction"``."""
    waves: EspressoWaves | None
    """The density; None: the program's own guess."""


@dataclass(frozen=True, eq=False)
class _Past:
    """One converged geometry; densities ``(n_spins, n_waves)``."""

    model: NDArray[np.complex128]
    missed: NDArray[np.complex128]
    positions: NDArray[np.float64]


class _Now(NamedTuple):
    """The geometry that is being computed, and what it could have started from."""

    model: EspressoWaves
    positions: NDArray[np.float64]
    candidates: dict[str, NDArray[np.complex128]]


class WaveContinuation:
    """Choose starts along a path and learn from each converged density.

    With ``"auto"`` the errors of all candidates are known once a geometry has converged; the next
    one starts from what is expected to be best, the error of a correction growing with the distance
    to move. The history is dropped when the cell or the atoms change, or an atom moves far.

    Parameters
    ----------
    policy
        What to start from. All but ``"default"``, ``"previous_density"`` and
        ``"extrapolated_density"`` take the model for a good start of its own.
    history
        Most earlier geometries that are combined.
    """

    def __init__(self, policy: WavePolicy, history: int) -> None:
        self._policy = policy
        self._history = 1 if policy == "previous_density" else history
        self._past: list[_Past] = []
        self._now: _Now | None = None
        self._waves: EspressoWaves | None = None
        self._errors: dict[str, float] = {}
        self._last_move = 0.0

    def forget(self) -> None:
        """Drop the history."""
        self._past, self._errors, self._waves = [], {}, None

    def start(self, model: EspressoWaves, positions: NDArray[np.float64]) -> WaveStart:
        """Say how to start at a geometry.

        Parameters
        ----------
        model
            Density of the model.
        positions
            Of the atoms, ``(n_atoms, 3)``, Å.
        """
        move = self._moved(model, positions)
        if move is None or move > _LARGEST_MOVE:
            self.forget()
        candidates = self._candidates(model)
        self._now = _Now(model, np.array(positions), candidates)
        name = self._choose(positions, list(candidates))
        if name is None:
            return WaveStart("default", None)
        shown = self._policy if self._is_model_free else name
        return WaveStart(shown, model._replace(components=list(candidates[name])))

    def learn(self, converged: EspressoWaves) -> None:
        """Compare the converged density with what could have been started from."""
        if self._now is None:
            return
        model, positions, candidates = self._now
        self._now, self._waves = None, model
        final, weights = np.stack(converged.components), coulomb_weights(converged)
        self._errors = {
            name: float(weights @ np.abs(one[0] - final[0]) ** 2)
            for name, one in candidates.items()
        }
        if self._past:
            self._last_move = _distance(self._past[-1].positions, positions)
        predicted = candidates["prediction"]
        self._past.append(_Past(predicted, final - predicted, positions))
        del self._past[: -self._history]

    @property
    def _is_model_free(self) -> bool:
        return self._policy in {"previous_density", "extrapolated_density"}

    def _moved(self, model: EspressoWaves, positions: NDArray[np.float64]) -> float | None:
        last = self._waves
        if last is None or not self._past or self._past[-1].positions.shape != positions.shape:
            return None
        same_cell = np.array_equal(last.reciprocal, model.reciprocal)
        if not same_cell or not np.array_equal(last.indices, model.indices):
            return None
        shifts = positions - self._past[-1].positions
        return float(np.linalg.norm(shifts, axis=1).max())

    def _candidates(self, model: EspressoWaves) -> dict[str, NDArray[np.complex128]]:
        new = np.stack(model.components)
        found = {"prediction": new}
        if self._past:
            found["corrected"] = new + self._past[-1].missed
        if len(self._past) > 1:
            weights = _weights(model, [past.model[0] for past in self._past])
            parts = [w * past.missed for w, past in zip(weights, self._past, strict=True)]
            found["extrapolated"] = new + np.sum(parts, axis=0)
        return found

    def _choose(self, positions: NDArray[np.float64], names: list[str]) -> str | None:
        best = names[-1]
        if self._policy == "default" or (self._is_model_free and best == "prediction"):
            return None
        if self._policy == "prediction":
            return "prediction"
        if self._policy != "auto" or not self._errors:
            return best
        growth = 1.0
        if self._last_move > 0:
            growth = _distance(self._past[-1].positions, positions) / self._last_move
        expected = {
            # Energies, so that the ratio of distances counts twice.
            name: error if name == "prediction" else growth**2 * error
            for name, error in self._errors.items()
        }
        # What was never tried is taken where its neighbour would be.
        expected.setdefault(best, expected.get("corrected", 0.0))
        return min(expected, key=lambda name: (expected[name], name != best))


def _weights(model: EspressoWaves, earlier: list[NDArray[np.complex128]]) -> NDArray[np.float64]:
    """Return the weights by which earlier model densities reproduce the new one."""
    roots = np.sqrt(coulomb_weights(model))
    newest = earlier[-1]
    directions = np.stack([(one - newest) * roots for one in earlier[:-1]])
    target = (model.components[0] - newest) * roots
    conjugate = directions.conj()
    return weights_to_one((conjugate @ directions.T).real, (conjugate @ target).real)


def _distance(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the root mean square distance of the atoms, Å."""
    return float(np.sqrt(((after - before) ** 2).sum(axis=1).mean()))
