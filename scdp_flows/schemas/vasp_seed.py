"""Define the document that says how a VASP calculation was started and what became of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.run_start import RunOutcome, RunStartDoc

__all__ = ["VaspAudit", "VaspSeedDoc", "VaspSeedSummaryDoc"]


class VaspAudit(RunOutcome):
    """Say what the outputs of a run tell about its start."""

    charge_read: bool = Field(description="Whether VASP reports a density read from CHGCAR.")
    occupancies: Literal["read", "missing", "corrupt", "unknown"] = Field(
        description="What VASP reports of the PAW occupancies in CHGCAR."
    )
    magnetization: Literal["none", "read", "atoms", "unknown"] = Field(
        description="Where the magnetisation came from: CHGCAR or overlapping atoms."
    )
    icharg: int | None = Field(default=None, description="ICHARG in OUTCAR.")
    vasp_version: str | None = Field(default=None, description="Version in OUTCAR.")


class VaspSeedDoc(RunStartDoc):
    """Describe the start of one VASP calculation: seeded, or left alone and why.

    It is seeded where CHGCAR and ``ICHARG = 1`` were written.
    """

    doc_type: ClassVar[str] = "vasp_seed"

    is_sample: bool = Field(
        default=False, description="Whether it was left unseeded only for comparison."
    )
    functional: str | None = Field(default=None, description="Exchange-correlation functional.")
    potcars: list[str] = Field(
        default_factory=list, description="Pseudopotentials, in the order of the species."
    )
    occupancies: str | None = Field(
        default=None, description="Where the PAW occupancies come from."
    )
    occupancies_sha256: str | None = Field(
        default=None, description="Hash of the library or model of occupancies."
    )
    chgcar_sha256: str | None = Field(default=None, description="Hash of the written CHGCAR.")
    events: list[str] = Field(
        default_factory=list,
        description="What happened to the seed between starts, such as corrections of custodian.",
    )
    audit: VaspAudit | None = Field(
        default=None, description="What the outputs tell; None before the run."
    )


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
