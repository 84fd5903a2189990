"""Define what a survey of existing runs says."""

from __future__ import annotations

from pydantic import Field

from scdp_flows.schemas.part import ScdpPart

__all__ = ["SurveyGroup", "SurveyReport"]


class SurveyGroup(ScdpPart):
    """Count runs whose densities may be mixed: same potentials and settings."""

    potcars: list[str] = Field(description="Titles of the pseudopotentials, sorted.")
    functional: str | None = Field(description="Exchange-correlation functional.")
    encut_ev: float | None = Field(description="Plane-wave cut-off in eV.")
    ispin: int | None = Field(description="1 without, 2 with spin.")
    hubbard_u_ev: list[float] = Field(description="On-site repulsion of each species in eV.")
    n_runs: int = Field(ge=1, description="Number of runs.")
    n_with_density: int = Field(ge=0, description="Runs that hold a usable CHGCAR.")
    n_atoms: int = Field(ge=0, description="Atoms in the structures that hold a density.")
    largest: int = Field(ge=0, description="Most atoms in one structure.")
    density_bytes: int = Field(ge=0, description="Size of the densities on disk in bytes.")
    missing_core_hours: float | None = Field(
        description="Estimate of one static calculation with LCHARG=True for each run that has no "
        "density, in core hours; from the first ionic steps of those that tell their time."
    )
    problems: list[str] = Field(description="What is wrong with some CHGCARs, each kind once.")


class SurveyReport(ScdpPart):
    """Say what there is before anything is moved."""

    place: str = Field(description="Folder or store that was looked at.")
    groups: list[SurveyGroup] = Field(description="Runs by settings, the largest groups first.")
    other_densities: dict[str, int] = Field(
        description="Number of other files of densities, by format."
    )
    unreadable: list[str] = Field(description="Runs whose settings could not be read, and why.")
    conflicts: list[str] = Field(
        description="Elements that occur with several potentials: not to be mixed in one dataset."
    )
    trainable: dict[str, int] = Field(
        description="Usable densities by what may be mixed: functional, potentials, cut-off."
    )
    trainable_elements: dict[str, list[str]] = Field(
        default_factory=dict, description="The elements of each of these."
    )

    @property
    def n_runs(self) -> int:
        """Number of runs."""
        return sum(group.n_runs for group in self.groups)

    @property
    def n_with_density(self) -> int:
        """Number of runs that hold a usable density."""
        return sum(group.n_with_density for group in self.groups)

    @property
    def missing_core_hours(self) -> float | None:
        """What all missing densities cost; None if no run of a group tells its time."""
        costs = [group.missing_core_hours for group in self.groups]
        told = [cost for cost in costs if cost is not None]
        return sum(told) if len(told) == len(costs) else None
