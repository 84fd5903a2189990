"""Define the document that says how a VASP calculation was started and what became of it."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.part import ScdpPart

__all__ = ["VaspAudit", "VaspSeedDoc", "VaspSeedSummaryDoc"]


class VaspAudit(ScdpPart):
    """Say what the outputs of a run tell about its start."""

    seed_used: bool = Field(description="Whether VASP really started from the given density.")
    why_not_used: str | None = Field(default=None, description="Why not, where it did not.")
    charge_read: bool = Field(description="Whether VASP reports a density read from CHGCAR.")
    occupancies: Literal["read", "missing", "corrupt", "unknown"] = Field(
        description="What VASP reports of the PAW occupancies in CHGCAR."
    )
    magnetization: Literal["none", "read", "atoms", "unknown"] = Field(
        description="Where the magnetisation came from: CHGCAR or overlapping atoms."
    )
    icharg: int | None = Field(default=None, description="ICHARG in OUTCAR.")
    grid: tuple[int, int, int] | None = Field(
        default=None, description="NGXF, NGYF and NGZF in OUTCAR."
    )
    scf_steps: list[int] = Field(
        default_factory=list, description="Electronic steps of each ionic step."
    )
    energy_ev: float | None = Field(default=None, description="Last energy (sigma to zero), in eV.")
    moment_mub: float | None = Field(default=None, description="Last total moment, in µB.")
    vasp_version: str | None = Field(default=None, description="Version in OUTCAR.")


class VaspSeedDoc(ScdpDoc):
    """Describe the start of one VASP calculation: seeded, or left alone and why."""

    doc_type: ClassVar[str] = "vasp_seed"
    id_field: ClassVar[str] = "run_id"

    run_id: str = Field(description="Job uuid and index, or a hash of the folder's inputs.")
    job_uuid: str | None = Field(default=None, description="Job that ran the calculation.")
    job_index: int | None = Field(default=None, ge=1, description="Index of that job.")
    job_name: str | None = Field(default=None, description="Name of that job.")
    formula: str = Field(description="Formula in Hill order.")
    n_atoms: int = Field(ge=1, description="Number of atoms.")
    structure_hash: str = Field(description="Hash of atoms, positions and cell.")
    status: Literal["seeded", "left"] = Field(
        description="Whether CHGCAR and ICHARG = 1 were written."
    )
    reason: str | None = Field(default=None, description="Why the calculation was left alone.")
    is_sample: bool = Field(
        default=False, description="Whether it was left unseeded only for comparison."
    )
    source: str = Field(description="Where the density comes from.")
    functional: str | None = Field(default=None, description="Exchange-correlation functional.")
    potcars: list[str] = Field(
        default_factory=list, description="Pseudopotentials, in the order of the species."
    )
    ispin: int = Field(default=1, ge=1, le=2, description="1 without, 2 with spin.")
    grid: tuple[int, int, int] | None = Field(
        default=None, description="Grid of the written density."
    )
    n_electrons: float | None = Field(default=None, description="Integral of the density.")
    excess_electrons: float | None = Field(
        default=None, description="Electrons by which the source was off before it was scaled."
    )
    magnetization: Literal["none", "source", "atoms"] = Field(
        default="none", description="Where the written magnetisation comes from."
    )
    occupancies: str | None = Field(
        default=None, description="Where the PAW occupancies come from."
    )
    occupancies_sha256: str | None = Field(
        default=None, description="Hash of the library or model of occupancies."
    )
    chgcar_sha256: str | None = Field(default=None, description="Hash of the written CHGCAR.")
    seconds: float = Field(default=0.0, ge=0, description="Elapsed time of the seed, in s.")
    events: list[str] = Field(
        default_factory=list,
        description="What happened to the seed between starts, such as corrections of custodian.",
    )
    audit: VaspAudit | None = Field(
        default=None, description="What the outputs tell; None before the run."
    )

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.status == "left" and not self.reason:
            raise ValueError(f"run {self.run_id} was not seeded; state why in reason")
        return self


class VaspSeedSummaryDoc(ScdpDoc):
    """Sum up the starts of one kind of job on one formula."""

    doc_type: ClassVar[str] = "vasp_seed_summary"
    id_field: ClassVar[str] = "summary_id"

    summary_id: str = Field(description="Hash of formula, name of the job and functional.")
    formula: str = Field(description="Formula in Hill order.")
    job_name: str | None = Field(default=None, description="Name of the jobs.")
    functional: str | None = Field(default=None, description="Exchange-correlation functional.")
    n_used: int = Field(ge=0, description="Runs that used their seed.")
    n_unused: int = Field(ge=0, description="Runs that were seeded and did not use it.")
    n_left: int = Field(ge=0, description="Runs that were left alone.")
    first_steps_used: float | None = Field(
        default=None, description="Mean electronic steps of the first ionic step, seed used."
    )
    first_steps_others: float | None = Field(
        default=None, description="The same of all other runs."
    )
    moment_used_mub: float | None = Field(
        default=None, description="Mean total moment per atom where the seed was used, in µB."
    )
    moment_others_mub: float | None = Field(default=None, description="The same of all other runs.")
    n_pairs: int = Field(
        default=0, ge=0, description="Structures that ran both with and without a seed."
    )
    energy_difference_ev: float | None = Field(
        default=None, description="Largest difference of these in energy, per atom in eV."
    )
    moment_difference_mub: float | None = Field(
        default=None, description="Largest difference of these in the moment, per atom in µB."
    )
    n_other_states: int = Field(
        default=0,
        ge=0,
        description="Pairs that differ by more than 1 meV or 0.05 µB per atom: other states.",
    )
    reasons: dict[str, int] = Field(
        default_factory=dict, description="Reason why no seed was used to number of runs."
    )
