"""Define the document of a predicted density."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import Vector3

__all__ = ["PredictionDoc"]


class PredictionDoc(ScdpDoc):
    """Describe a prediction; its blob holds the arrays of an OrbitalDensity."""

    doc_type: ClassVar[str] = "prediction"
    id_field: ClassVar[str] = "prediction_id"

    prediction_id: str = Field(description="Hash of structure, predictor and model; see make_id.")
    structure_hash: str = Field(description="Hash of atoms, positions, cell, charge and spin.")
    predictor: str = Field(description="Name of the predictor, such as 'scdp' or 'atomic'.")
    model_id: str | None = Field(default=None, description="Model used, None if it needs none.")
    blob: BlobReference = Field(description="Centres, shells and coefficients of the prediction.")
    spin_blob: BlobReference | None = Field(
        default=None, description="The same of the spin density, where it is predicted."
    )
    n_electrons: float = Field(description="Electrons of the stored prediction in e.")
    excess_electrons_removed_e: float = Field(
        default=0.0,
        description="Electrons by which the raw prediction exceeded the right count, in e.",
    )
    uncertainty_ha_per_atom: float | None = Field(
        default=None,
        ge=0,
        description="Mean Coulomb distance of the models of an ensemble per atom, in Ha.",
    )
    seconds: float = Field(ge=0, description="Elapsed time of the prediction in s.")
    numbers: list[int] = Field(min_length=1, description="Atomic numbers, shape (n_atoms,).")
    positions: list[Vector3] = Field(description="Positions in Å, shape (n_atoms, 3).")
    cell: tuple[Vector3, Vector3, Vector3] | None = Field(
        default=None, description="Cell vectors in Å, shape (3, 3), or None for a molecule."
    )
    pbc: tuple[bool, bool, bool] = Field(
        default=(False, False, False), description="Periodicity along each cell vector, shape (3,)."
    )

    @classmethod
    def make_id(cls, structure: str, predictor: str, model_id: str | None) -> str:
        """Return the identifier of the prediction of one model for one structure."""
        return content_hash([structure, predictor, model_id])[:24]

    @classmethod
    def from_structure(
        cls,
        structure: str,
        *,
        predictor: str,
        model_id: str | None,
        **fields: object,
    ) -> Self:
        """Build the document; the identifier is computed.

        Parameters
        ----------
        structure
            The structure hash.
        predictor
            Name of the predictor.
        model_id
            Model used, or None.
        fields
            The remaining fields of the document.
        """
        return cls.model_validate(
            {
                **fields,
                "prediction_id": cls.make_id(structure, predictor, model_id),
                "structure_hash": structure,
                "predictor": predictor,
                "model_id": model_id,
            }
        )
