"""Choose the structures of a pool that are worth a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jobflow import job

from scdp_flows.errors import DatasetError, ScdpFlowsError, SettingsError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.predict import predict_each
from scdp_flows.progress import track
from scdp_flows.schemas.active_learning import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.schemas.density import BlobReference

__all__ = ["SelectMaker", "Strategy"]

Strategy = Literal["uncertainty", "random"]
"""The least certain of an ensemble first, or any."""


@dataclass(kw_only=True)
class SelectMaker(StepMaker):
    """Make the job that chooses structures.

    Uncertainty is how far the models of an ensemble disagree: the mean Coulomb distance of their
    densities per atom, which is what a DFT code feels.
    """

    name: str = "select"
    strategy: Strategy = "uncertainty"
    """How to choose."""
    n_structures: int = 8
    """How many."""
    n_candidates: int | None = None
    """Predict only so many of the pool, drawn at random; None: all."""
    seed: int = 0
    """Key of random draws."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        for name in ("n_structures", "n_candidates"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{name} is {value}; expected at least 1")

    @job(output_schema=Selection)
    def make(
        self,
        pool: Sequence[BlobReference],
        predictor: Predictor | None = None,
        *,
        taken: Iterable[int] = (),
    ) -> Selection:
        """Choose structures that are not taken yet; none, if there are none.

        Parameters
        ----------
        pool
            Where the structures are, in parts; see
            :meth:`scdp_flows.stores.curation.CurationStore.put_pool`.
        predictor
            An ensemble; not needed for a random choice.
        taken
            Positions in the pool that are not to be chosen.

        Raises
        ------
        DatasetError
            If none of those left can be predicted.
        SettingsError
            If uncertainties are wanted of nobody, or of a single model.
        BlobError
            If the pool is not there or damaged.
        """
        with self.open_stores() as stores:
            structures = stores.curation.load_pool(pool)
        gone = set(taken)
        free = [index for index in range(len(structures)) if index not in gone]
        if not free:
            return Selection(indices=[])
        generator = np.random.default_rng([self.seed, len(gone)])
        drawn: list[int] = generator.permutation(free)[: self.n_candidates].tolist()
        if self.strategy == "random":
            return Selection(indices=drawn[: self.n_structures])
        if predictor is None:
            raise SettingsError("strategy 'uncertainty' needs a predictor; give an ensemble")
        return self._least_certain({index: structures[index] for index in sorted(drawn)}, predictor)

    def _least_certain(
        self, candidates: dict[int, AtomicStructure], predictor: Predictor
    ) -> Selection:
        known, n_refused = _uncertainties(candidates, predictor)
        order = sorted(known, key=lambda index: (-known[index], index))[: self.n_structures]
        return Selection(
            indices=order,
            uncertainties_ha_per_atom=[known[index] for index in order],
            mean_ha_per_atom=float(np.mean(list(known.values()))),
            n_refused=n_refused,
        )


def _uncertainties(
    candidates: dict[int, AtomicStructure], predictor: Predictor
) -> tuple[dict[int, float], int]:
    """Return the uncertainty of each candidate, and how many cannot be predicted."""
    places, errors = list(candidates), dict[int, ScdpFlowsError]()
    predictions = predict_each(predictor, list(candidates.values()), errors)
    found: dict[int, float] = {}
    for number, predicted in track(predictions, "predict pool", total=len(candidates)):
        if predicted.uncertainty_ha_per_atom is None:
            raise SettingsError(
                f"predictor {predictor.name!r} gives no uncertainty; give an ensemble of at least "
                "two models"
            )
        found[places[number]] = predicted.uncertainty_ha_per_atom
    if not found:
        raise DatasetError(f"none of the {len(errors)} structures left can be predicted")
    return found, len(errors)
