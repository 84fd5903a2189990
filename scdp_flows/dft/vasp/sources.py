"""Get the densities that VASP is to start from: predicted now, or predicted and stored before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from monty.json import MSONable

from scdp_flows.density import Augmentation, ChargeDensity
from scdp_flows.dft.vasp.occupancies import read_occupancies
from scdp_flows.errors import CalculationError, KindMismatchError
from scdp_flows.io.structures import structure_hash
from scdp_flows.io.vasp_run import VaspRun
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.base import Predictor  # noqa: TC001 - a field that is decoded
from scdp_flows.predictors.rendering import render_like
from scdp_flows.predictors.stored import stored_density
from scdp_flows.schemas.training import file_sha256
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from scdp_flows.dft.vasp.grid import Shape
    from scdp_flows.dft.vasp.inputs import VaspFolder
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["PredictedSource", "Seed", "SeedSource", "StoredSource", "empty_grid", "kind_of"]


class Seed(NamedTuple):
    """A density on the grid of the calculation, and where its parts come from."""

    density: ChargeDensity
    """Density, PAW occupancies and, where the source has it, the magnetisation."""
    occupancies: str
    """Where the occupancies come from."""
    occupancies_sha256: str | None = None
    """Hash of the file that they come from."""


@runtime_checkable
class SeedSource(Protocol):
    """What gives a start to a calculation.

    A source is a frozen dataclass that is ``MSONable``, so that it travels inside Makers.
    """

    @property
    def name(self) -> str:
        """Name in documents."""
        ...

    def seed(self, inputs: VaspFolder, shape: Shape) -> Seed:
        """Return the start.

        Raises
        ------
        ScdpFlowsError
            If there is none for this calculation; the message is recorded.
        """
        ...


def kind_of(inputs: VaspFolder) -> DensityKind:
    """Return which density a calculation will have.

    Raises
    ------
    KindMismatchError
        If the inputs do not say, because there is no POTCAR or its families differ.
    """
    cutoff = inputs.tags.get("ENCUT") or max((p.encut_ev for p in inputs.potcar), default=None)
    run = VaspRun(
        potcars=tuple(entry.title for entry in inputs.potcar),
        functional=inputs.functional,
        encut_ev=None if cutoff is None else float(cutoff),
        ispin=inputs.ispin,
    )
    fields = run.kind()
    missing = [name for name in ("pseudopotential", "functional", "basis") if name not in fields]
    if missing:
        raise KindMismatchError(
            f"{inputs.path}: the inputs do not tell {', '.join(missing)} of the density; a "
            "prediction needs a POTCAR of one family, beside INCAR"
        )
    return DensityKind.from_dict(fields)


def empty_grid(inputs: VaspFolder, shape: Shape) -> ChargeDensity:
    """Return a density of zero on the grid of a calculation."""
    return ChargeDensity(
        np.zeros(shape),
        np.array(inputs.structure.lattice.matrix),
        np.zeros(3),
        inputs.numbers,
        np.array(inputs.structure.cart_coords),
        pbc=(True, True, True),
    )


def _rendered(
    density: OrbitalDensity, inputs: VaspFolder, shape: Shape, library: str | None
) -> Seed:
    """Put a prediction on the grid and add occupancies."""
    if library is None:
        raise CalculationError(
            "a predicted density has no PAW occupancies; name a library or model of them, made by "
            "`scdp vasp-harvest` from runs with these pseudopotentials"
        )
    found = read_occupancies(library).records(inputs)
    grid = render_like(density, empty_grid(inputs, shape))
    augmentation = (Augmentation.from_records(found.records),)
    return Seed(replace(grid, augmentation=augmentation), found.origin, file_sha256(library))


@dataclass(frozen=True)
class PredictedSource(MSONable):
    """Predict the density where the calculation is about to run."""

    predictor: Predictor
    """Who predicts; its kind must be that of the calculation."""
    library: str | None = None
    """File of PAW occupancies: a library, or a model of them (``.safetensors``), see
    :func:`scdp_flows.dft.vasp.occupancies.read_occupancies`."""

    @property
    def name(self) -> str:
        """Name in documents."""
        return f"predicted by {self.predictor.name}"

    def seed(self, inputs: VaspFolder, shape: Shape) -> Seed:
        """Predict.

        Raises
        ------
        ScdpFlowsError
            If the kinds differ, the predictor fails or occupancies are missing.
        """
        kind = self.predictor.kind()
        if kind is not None:
            kind.check_compatible(kind_of(inputs))
        density = self.predictor.predict(inputs.structure)
        return _rendered(density, inputs, shape, self.library)


@dataclass(frozen=True)
class StoredSource(MSONable):
    """Take a prediction from the store, of exactly this structure."""

    store_path: str | None = None
    """Folder of the embedded stores; None: those of the settings."""
    predictor: str | None = None
    """Name of the predictor; None: the newest of any."""
    library: str | None = None
    """File of PAW occupancies: a library, or a model of them (``.safetensors``)."""

    @property
    def name(self) -> str:
        """Name in documents."""
        return "stored prediction"

    def seed(self, inputs: VaspFolder, shape: Shape) -> Seed:
        """Find the prediction.

        Raises
        ------
        ScdpFlowsError
            If there is none, its model is of another kind, or occupancies are missing.
        """
        wanted = {"structure_hash": structure_hash(inputs.structure)}
        if self.predictor is not None:
            wanted["predictor"] = self.predictor
        with open_stores(self.store_path) as stores:
            newest = {"provenance.created_at": -1}
            doc = next(stores.reports.predictions.query(wanted, sort=newest, limit=1), None)
            if doc is None:
                raise CalculationError(
                    f"no stored prediction of {inputs.structure.formula} at these positions; "
                    "predict it first, or use a source that predicts"
                )
            if doc.model_id is not None:
                kind = DensityKind.from_dict(stores.models.get(doc.model_id).kind)
                kind.check_compatible(kind_of(inputs))
            density = stored_density(doc, stores.blobs)
        return _rendered(density, inputs, shape, self.library)
