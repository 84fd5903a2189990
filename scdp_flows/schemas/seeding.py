"""Define the document that compares starts of one self-consistent calculation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SeedDoc", "StartRecord"]


class StartRecord(ScdpPart):
    """Record one calculation from one starting density."""

    start: str = Field(
        min_length=1, description="'default', 'atomic', 'predicted', 'exact' or another label."
    )
    predictor: str | None = Field(default=None, description="Predictor of the starting density.")
    model_id: str | None = Field(default=None, description="Model of the starting density.")
    seed_used: bool = Field(description="Whether the code really started from the given density.")
    fallback_reason: str | None = Field(
        default=None, description="Why the code's own guess was used instead."
    )
    converged: bool = Field(description="Whether the calculation met its thresholds.")
    iterations: int = Field(ge=0, description="Number of SCF iterations.")
    fock_builds: int = Field(ge=0, description="Fock matrices built, that of the seed included.")
    energy_ha: float = Field(description="Converged total energy in Ha.")
    energy_ev: float = Field(description="Converged total energy in eV.")
    energy_difference_ha: float | None = Field(
        default=None, description="Converged energy less that from the default start, in Ha."
    )
    nmae_percent: float | None = Field(
        default=None, ge=0, description="NMAE of the starting density in %."
    )
    nmae_dm0_percent: float | None = Field(
        default=None, ge=0, description="NMAE in % after one diagonalisation."
    )
    coulomb_error_ha: float | None = Field(
        default=None, description="Coulomb self-energy of the error of the start in Ha."
    )
    cpu_s: float = Field(ge=0, description="Processor time of the calculation in s, seed included.")
    wall_s: float = Field(ge=0, description="Elapsed time of the calculation in s, seed included.")
    seed_cpu_s: float = Field(
        default=0.0, ge=0, description="Processor time of prediction and seed in s."
    )
    fock_cpu_s: float | None = Field(
        default=None, ge=0, description="Processor time of one Fock build in s."
    )
    moment: float | None = Field(
        default=None, description="Magnetic moment of the converged state in Bohr magnetons."
    )
    force_difference_ev_ang: float | None = Field(
        default=None,
        ge=0,
        description="Largest difference of a force component to the default start in eV/Å.",
    )
    correction: str | None = Field(
        default=None, description="What was changed so that the calculation converged, and why."
    )
    gradient_norms: list[float] = Field(
        default_factory=list, description="Orbital gradient norm per iteration in Ha."
    )
    energies_ha: list[float] = Field(
        default_factory=list, description="Total energy per iteration in Ha."
    )

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if not self.seed_used and self.start != "default" and not self.fallback_reason:
            raise ValueError(
                f"the seed of start {self.start!r} was not used; state why in fallback_reason"
            )
        return self


class SeedDoc(ScdpDoc):
    """Compare the starts of one calculation on one structure."""

    doc_type: ClassVar[str] = "seed"
    id_field: ClassVar[str] = "seed_id"

    seed_id: str = Field(description="Hash of structure, settings and the starts compared.")
    structure_hash: str = Field(description="Hash of atoms, positions, cell, charge and spin.")
    formula: str = Field(description="Formula in Hill order.")
    density_id: str | None = Field(default=None, description="Label of the same structure.")
    settings_hash: str = Field(description="Hash of the settings of the calculation.")
    kind_key: str = Field(description="Hash of the density kind of the calculation.")
    starts: list[StartRecord] = Field(min_length=1, description="One record per start.")

    @model_validator(mode="after")
    def _distinct_starts(self) -> Self:
        labels = [record.start for record in self.starts]
        if len(set(labels)) != len(labels):
            raise ValueError(f"the starts {labels} are not distinct; label each one differently")
        return self

    @classmethod
    def make_id(
        cls,
        structure_hash: str,
        settings_hash: str,
        starts: Iterable[tuple[str, str | None, str | None]],
    ) -> str:
        """Return the identifier of a comparison.

        Parameters
        ----------
        structure_hash, settings_hash
            Structure and settings of the calculation.
        starts
            Label, predictor and model of each start, in any order.
        """
        # Labels are distinct, so that what may be None is never compared.
        labels = sorted([list(start) for start in starts], key=lambda start: str(start[0]))
        return content_hash([structure_hash, settings_hash, labels])[:24]

    @classmethod
    def from_starts(
        cls,
        starts: list[StartRecord],
        *,
        structure_hash: str,
        settings_hash: str,
        formula: str,
        kind_key: str,
        density_id: str | None = None,
    ) -> Self:
        """Build the document; the identifier and the differences to the default are computed."""
        labels = [(record.start, record.predictor, record.model_id) for record in starts]
        return cls(
            seed_id=cls.make_id(structure_hash, settings_hash, labels),
            structure_hash=structure_hash,
            formula=formula,
            density_id=density_id,
            settings_hash=settings_hash,
            kind_key=kind_key,
            starts=_with_differences(starts),
        )

    def start(self, label: str) -> StartRecord | None:
        """Return the record of one start, or None if it was not tried."""
        return next((record for record in self.starts if record.start == label), None)


def _with_differences(starts: list[StartRecord]) -> list[StartRecord]:
    default = next((record for record in starts if record.start == "default"), None)
    if default is None:
        return starts
    return [
        record.updated(energy_difference_ha=record.energy_ha - default.energy_ha)
        for record in starts
    ]
