"""Predict by several models of one kind, and say how far they disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import tee
from typing import TYPE_CHECKING

import numpy as np
from monty.json import MSONable

from scdp_flows.errors import ModelError
from scdp_flows.predictors.base import Predicted
from scdp_flows.predictors.rendering import render_like
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.predictors.spread import coulomb_spread, mean_density
from scdp_flows.schemas.identity import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jobflow import OutputReference
    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["EnsemblePredictor"]


@dataclass(frozen=True)
class EnsemblePredictor(MSONable):
    """Predict the mean density of several models, with their mean distance as uncertainty.

    The models differ in nothing but the seed of their training; see
    :class:`scdp_flows.flows.ensemble.EnsembleTrainMaker`.

    Examples
    --------
    >>> EnsemblePredictor(["model-0", "model-1"]).model
    ('model-0', 'model-1')
    """

    model: str | OutputReference | Sequence[str | OutputReference]
    """Its models, or the only one: paths, identifiers or names; see
    :func:`scdp_flows.predictors.checkpoints.find_checkpoint`."""
    store_path: str | None = None
    """Folder of the embedded stores in which models are sought; None: those of the settings."""
    dtype: str = "float32"
    """``"float32"`` or ``"float64"``."""
    batch_size: int = 8
    """Structures that pass through a network together."""
    with_uncertainty: bool = True
    """Whether predictions carry an uncertainty; it costs one Coulomb matrix per structure."""
    name: str = "ensemble"
    """Name in documents and tables."""

    def __post_init__(self) -> None:
        """Make a tuple of the models, which JSON turns into a list."""
        if isinstance(self.model, str):
            object.__setattr__(self, "model", (self.model,))
        elif isinstance(self.model, list):
            object.__setattr__(self, "model", tuple(self.model))

    def kind(self) -> DensityKind | None:
        """Return which density the models were trained on.

        Raises
        ------
        KindMismatchError
            If they were trained on different ones.
        """
        kinds = [member.kind() for member in self.members()]
        for other in kinds[1:]:
            if kinds[0] is not None and other is not None:
                kinds[0].check_compatible(other)
        return kinds[0]

    def model_id(self) -> str | None:
        """Return a hash of the identifiers of the models, in any order."""
        return content_hash(sorted(str(member.model_id()) for member in self.members()))

    def atoms(self) -> AtomicReference:
        """Return the neutral atoms that the first model's labels are relative to."""
        return self.members()[0].atoms()

    def members(self) -> list[ScdpPredictor]:
        """Return a predictor for each model.

        Raises
        ------
        ModelError
            If there is no model, or they are still the output of a job.
        """
        if not isinstance(self.model, tuple) or not self.model:
            raise ModelError(
                f"predictor {self.name!r} has the models {self.model!r}; give it one or several "
                "names, or let a job replace the reference"
            )
        return [
            ScdpPredictor(
                model=model,
                store_path=self.store_path,
                dtype=self.dtype,
                batch_size=self.batch_size,
            )
            for model in self.model
        ]

    def predict(self, structure: AtomicStructure) -> OrbitalDensity:
        """Return the mean of the predicted total densities of one structure.

        Raises
        ------
        StructureError
            If the structure is malformed, charged or has an open shell.
        ModelError
            If a model cannot be loaded or does not know an element.
        """
        return mean_density(self.densities(structure))

    def predict_many(self, structures: Iterable[AtomicStructure]) -> Iterator[Predicted]:
        """Yield the mean density of each structure and its uncertainty, in order.

        One batch of structures is held at a time, and each model is loaded once.
        """
        for predictions in self._in_step(structures):
            densities = [predicted.density for predicted in predictions]
            mean = mean_density(densities)
            spread = coulomb_spread(densities) if self.with_uncertainty else None
            n_atoms = max(1, int(np.count_nonzero(mean.numbers)))
            yield Predicted(
                mean,
                float(np.mean([predicted.excess_electrons for predicted in predictions])),
                sum(predicted.seconds for predicted in predictions),
                None if spread is None else spread / n_atoms,
            )

    def densities(self, structure: AtomicStructure) -> list[OrbitalDensity]:
        """Return the density that each model predicts for a structure.

        Raises
        ------
        StructureError, ModelError
            As ``predict``.
        """
        return [predicted.density for predicted in next(self._in_step([structure]))]

    def deviation_at(
        self, structure: AtomicStructure, points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the standard deviation of the predicted densities at points.

        Parameters
        ----------
        structure
            The structure.
        points
            Shape ``(n_points, 3)``, Å.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_points,)``, e/Å^3: of a sample, as the models are one.

        Raises
        ------
        ModelError
            If there are fewer than two models.
        """
        from scdp_models.density.evaluate import evaluate_at_points

        densities = self._several(structure)
        values = [evaluate_at_points(density, points) for density in densities]
        return np.asarray(np.std(values, axis=0, ddof=1))

    def deviation_like(self, structure: AtomicStructure, grid: ChargeDensity) -> ChargeDensity:
        """Return the standard deviation of the predicted densities on the grid of another density.

        Parameters
        ----------
        structure
            The structure.
        grid
            Says where; its values do not matter.

        Returns
        -------
        ChargeDensity
            In e/Å^3, as ``deviation_at``.

        Raises
        ------
        ModelError
            If there are fewer than two models.
        """
        values = [render_like(density, grid).values for density in self._several(structure)]
        return replace(grid, values=np.std(values, axis=0, ddof=1), magnetization=None)

    def _several(self, structure: AtomicStructure) -> list[OrbitalDensity]:
        densities = self.densities(structure)
        if len(densities) < 2:
            raise ModelError(
                f"predictor {self.name!r} has one model, which agrees with itself; give it several"
            )
        return densities

    def _in_step(self, structures: Iterable[AtomicStructure]) -> Iterator[tuple[Predicted, ...]]:
        """Yield what all models predict for each structure."""
        members = self.members()
        streams = tee(structures, len(members))
        each = [
            member.predict_many(stream) for member, stream in zip(members, streams, strict=True)
        ]
        return zip(*each, strict=True)
