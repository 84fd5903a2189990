"""Predict the superposition of spherical atoms: the baseline that every model must beat."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monty.json import MSONable

from scdp_flows.errors import ModelError
from scdp_flows.io.structures import as_arrays, total_charge
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.base import Predicted, check_predictable
from scdp_flows.predictors.checkpoints import load_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobflow import OutputReference

    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["AtomicPredictor"]


@dataclass(frozen=True)
class AtomicPredictor(MSONable):
    """Superpose neutral spherical atoms.

    The atoms are those of a model or of a dataset, so that they are of the same kind as the labels.

    Examples
    --------
    >>> AtomicPredictor(model="small-molecules-pbe-gth").name
    'atomic'
    """

    model: str | OutputReference | None = None
    """Model whose atoms are used; see :func:`scdp_flows.predictors.checkpoints.find_checkpoint`."""
    store_path: str | None = None
    """Folder of the embedded stores in which the model is sought; None: those of the settings."""
    reference: dict[str, Any] | None = field(default=None, hash=False)
    """The atoms themselves, ``AtomicReference.to_dict()``; they win over the model."""
    density_kind: dict[str, Any] | None = field(default=None, hash=False)
    """What the atoms of ``reference`` are, ``DensityKind.as_dict()``; None if unknown."""
    ions: bool = False
    """Whether ions and open shells are taken too, the atoms scaled to their electron count."""
    name: str = "atomic"
    """Name in documents and tables."""

    def kind(self) -> DensityKind | None:
        """Return which density the atoms have; None if unknown."""
        if self.reference is not None:
            return DensityKind.from_dict(self.density_kind) if self.density_kind else None
        return DensityKind.from_dict(load_model(self._model(), self.store_path).kind)

    def model_id(self) -> str | None:
        """Return None: no trained model takes part."""
        return None

    def atoms(self) -> AtomicReference:
        """Return the atoms.

        Raises
        ------
        ModelError
            If neither a model nor atoms are given, or they cannot be read.
        """
        if self.reference is None:
            return load_model(self._model(), self.store_path).reference
        from scdp_models.density.atomic import AtomicReference
        from scdp_models.errors import ScdpModelsError

        try:
            return AtomicReference.from_dict(self.reference)
        except ScdpModelsError as error:
            raise ModelError(f"predictor {self.name!r}, field reference: {error}") from error

    def predict(self, structure: AtomicStructure) -> OrbitalDensity:
        """Return the superposition for one structure.

        Raises
        ------
        StructureError
            If the structure is malformed, or charged or an open shell without `ions`.
        ModelError
            If the atom of an element is missing.
        """
        return next(self.predict_many([structure])).density

    def predict_many(self, structures: Iterable[AtomicStructure]) -> Iterator[Predicted]:
        """Yield the superposition for each structure, in order."""
        from scdp_models.errors import ScdpModelsError

        atoms = self.atoms()
        for structure in structures:
            check_predictable(structure, charged=self.ions, open_shells=self.ions)
            start = time.perf_counter()
            try:
                density = atoms.superposition(*as_arrays(structure))
                if charge := total_charge(structure):
                    neutral = density.n_electrons()
                    density = density.scaled((neutral - charge) / neutral)
            except ScdpModelsError as error:
                raise ModelError(f"{structure.formula}: {error}") from error
            yield Predicted(density, 0.0, time.perf_counter() - start)

    def _model(self) -> str | OutputReference:
        if self.model is None:
            raise ModelError(
                f"predictor {self.name!r} has neither a model nor atoms; give model= or reference="
            )
        return self.model
