"""Choose what ``pw.x`` starts from along a path, from predictions and from superposed atoms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.plane_waves.atoms import given_reference, superposed_waves
from scdp_flows.dft.plane_waves.continuation import WaveContinuation, WaveStart
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors, wave_list
from scdp_flows.errors import CalculationError, SettingsError
from scdp_flows.io.espresso_waves import EspressoWaves

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.continuation import WavePolicy
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["PathStarts"]


class PathStarts:
    """Choose starts along a path of one crystal and learn from each converged density.

    What predictions miss and what superposed atoms miss have nothing to do with each other: each
    has a history of its own. With ``"auto"`` a geometry that cannot be predicted starts as if there
    were no predictor.

    Parameters
    ----------
    settings
        How to compute.
    policy
        What to start from.
    history
        Most earlier geometries that are combined.
    reference
        Spherical atoms, ``AtomicReference.to_dict()``; None takes those of the pseudopotentials.
    """

    def __init__(
        self,
        settings: EspressoSettings,
        policy: WavePolicy,
        history: int,
        reference: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings, self._policy, self._history = settings, policy, history
        self._reference = reference
        model_free = policy in {"previous_density", "extrapolated_density"}
        self._plain = WaveContinuation(policy if model_free else "extrapolated_density", history)
        self._corrected = WaveContinuation(policy, history)
        self._used: WaveContinuation | None = None
        self._unseen: list[tuple[Crystal, EspressoWaves]] = []

    def start(
        self, crystal: Crystal, density: StartDensity | None, reason: str | None
    ) -> tuple[WaveStart, str | None]:
        """Say how to start at a geometry, and why not from a prediction where it should.

        Parameters
        ----------
        crystal
            The geometry.
        density
            What is predicted; None if nothing is.
        reason
            Why nothing is predicted; None if nothing should be.

        Raises
        ------
        SettingsError
            If atoms must be superposed and neither the pseudopotentials nor the settings have any.
        """
        self._used = None
        if density is not None:
            try:
                model = seed_waves(crystal, self._settings, density)
            except CalculationError as error:
                reason = str(error)
            else:
                self._used = self._corrected
                return self._used.start(model, crystal.positions), None
        if self._policy in {"default", "prediction", "corrected"}:
            return WaveStart("default", None), reason
        try:
            return self._from_atoms(crystal), reason
        except SettingsError as error:
            if reason is None:
                raise
            return WaveStart("default", None), f"{reason}; {error}"

    def learn(self, crystal: Crystal, converged: EspressoWaves) -> None:
        """Take note of the converged density of a geometry."""
        if self._used is not None:
            self._used.learn(converged)
        if self._used is not self._plain:
            self._unseen.append((crystal, converged))
            del self._unseen[: -self._history]

    def forget(self) -> None:
        """Drop all that was learnt."""
        self._plain.forget()
        self._corrected.forget()
        self._unseen.clear()

    def _from_atoms(self, crystal: Crystal) -> WaveStart:
        """Return the start that needs no predictions, from all geometries of the path."""
        model = self._atoms(crystal)
        for earlier, waves in self._unseen:
            self._plain.start(self._atoms(earlier), earlier.positions)
            self._plain.learn(waves)
        self._unseen.clear()
        self._used = self._plain
        return self._plain.start(model, crystal.positions)

    def _atoms(self, crystal: Crystal) -> EspressoWaves:
        """Return superposed atoms, unpolarised."""
        settings = self._settings
        if self._reference is not None:
            reference = given_reference(self._reference, crystal.numbers.tolist())
            atoms = reference.superposition(
                crystal.numbers, crystal.positions, crystal.cell, (True,) * 3
            )
            atoms = atoms.scaled(crystal.n_electrons / atoms.n_electrons())
            polarised = settings.n_spins > 1
            both = SpinDensities(atoms, atoms.scaled(0.0)) if polarised else atoms
            return seed_waves(crystal, settings, both, symmetrise=False)
        indices = wave_list(crystal, settings)
        total = superposed_waves(crystal, settings, indices)
        return EspressoWaves(
            settings.gamma_only,
            reciprocal_vectors(crystal.cell_bohr),
            indices,
            [total, *[np.zeros_like(total)] * (settings.n_spins - 1)],
        )
