"""Make the densities that a structure is started from, and tell what each cost."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.dft.attempts import FOREIGN_ERRORS
from scdp_flows.dft.base import NoDensity, SpinDensities
from scdp_flows.errors import (
    MissingDependencyError,
    ScdpFlowsError,
    StoreError,
    UnknownNameError,
)
from scdp_flows.io.structures import as_arrays, structure_hash
from scdp_flows.jobs.evaluate import BASELINE
from scdp_flows.jobs.samples import load_fit, load_spin
from scdp_flows.plugins import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scdp_flows.dft.base import DftCode, GivenDensity, StartDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.factory import Stores

__all__ = ["FIT", "Given", "StartingDensities"]

FIT = "fit"
"""Label of the start from a stored label in Gaussians."""


class Given(NamedTuple):
    """A density to start from, and what it cost."""

    density: GivenDensity
    """The density, or why there is none; open shells need that of the spin too."""
    cpu_s: float = 0.0
    """Processor time of its prediction, s."""
    wall_s: float = 0.0
    """Elapsed time of its prediction, s."""
    predictor: str | None = None
    """Who made it."""


class StartingDensities:
    """Make the densities of one structure after the other.

    Parameters
    ----------
    code
        What computes them; its atoms are superposed.
    stores
        Open stores with the labels.
    predictors
        Whose densities are wanted.
    with_fit
        Whether labels in Gaussians are wanted too.
    """

    def __init__(
        self,
        code: DftCode,
        stores: Stores,
        predictors: Sequence[Predictor],
        *,
        with_fit: bool = False,
    ) -> None:
        self._code, self._stores, self._predictors = code, stores, predictors
        self._with_fit = with_fit
        self._warm: set[str] = set()

    def make(self, structure: AtomicStructure, *, audited: bool = True) -> dict[str, Given]:
        """Return the densities by label; for what a predictor refuses the reason is given.

        Parameters
        ----------
        structure
            The structure.
        audited
            Whether what predictions are compared with is wanted too.

        Raises
        ------
        StoreError
            If a store is out of reach or a stored fit is damaged.
        MissingDependencyError
            If a predictor needs what is not installed.
        """
        found: dict[str, Given] = {}
        if audited:
            found[BASELINE] = _given(
                BASELINE, lambda: _predicted(self._atoms(structure), structure)
            )
            label = self.label(structure_hash(structure)) if self._with_fit else None
            if label is not None and label.fit is not None:
                found[FIT] = Given(self._fit(label))
        for predictor in self._predictors:
            found[predictor.name] = _given(
                predictor.name, partial(self._warmly_predicted, predictor, structure)
            )
        return found

    def _warmly_predicted(self, predictor: Predictor, structure: AtomicStructure) -> Given:
        if predictor.name not in self._warm:
            # A model is loaded and compiled once for many structures.
            predictor.predict(structure)
            self._warm.add(predictor.name)
        return _predicted(predictor, structure)

    def label(self, hashed: str) -> DensityDoc | None:
        """Return the label of the code's kind of a structure given by its hash; None if missing."""
        same = {"structure_hash": hashed, "kind_key": self._code.kind().key()}
        return next(self._stores.densities.query(same, limit=1), None)

    def _atoms(self, structure: AtomicStructure) -> Predictor:
        atoms = self._code.atomic_reference(as_arrays(structure)[0].tolist())
        superposition: Predictor = resolve("predictors", BASELINE)(  # type: ignore[operator]
            reference=atoms.to_dict(), ions=True, name=BASELINE
        )
        return superposition

    def _fit(self, label: DensityDoc) -> StartDensity:
        total = load_fit(label, self._stores)
        try:
            return SpinDensities(total, load_spin(label, self._stores))
        except UnknownNameError:
            return total


def _given(name: str, predict: Callable[[], Given]) -> Given:
    """Return a prediction, or why there is none: a structure is lost to a refusal only for that."""
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        return predict()
    except (MissingDependencyError, StoreError):
        raise
    except ScdpFlowsError as error:
        reason = str(error)
    except FOREIGN_ERRORS as error:
        reason = f"the prediction stopped with {error!r}"
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Given(NoDensity(reason), cpu, wall, name)


def _predicted(predictor: Predictor, structure: AtomicStructure) -> Given:
    cpu = time.process_time()
    found = next(iter(predictor.predict_many([structure])))
    cpu = time.process_time() - cpu
    density: StartDensity = found.density
    if found.spin_density is not None:
        density = SpinDensities(found.density, found.spin_density)
    return Given(density, cpu, found.seconds, predictor.name)
