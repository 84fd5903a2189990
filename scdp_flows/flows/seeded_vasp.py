"""Write atomate2's static and relaxation Makers with a seed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from atomate2.vasp.jobs.core import RelaxMaker, StaticMaker

from scdp_flows.powerups import seed_vasp

if TYPE_CHECKING:
    from pathlib import Path

    from jobflow import Job
    from pymatgen.core import Structure

    from scdp_flows.dft.vasp.policy import Strategy
    from scdp_flows.dft.vasp.sources import SeedSource

__all__ = ["SeededRelaxMaker", "SeededStaticMaker"]


@dataclass
class SeededStaticMaker(StaticMaker):
    """Make the static calculation of atomate2, started from a given density.

    All fields of atomate2's ``StaticMaker`` are there and mean the same.
    """

    name: str = "seeded static"
    """Name of the job."""
    source: SeedSource | None = None
    """Where the density comes from; None: the calculation runs unseeded."""
    strategy: Strategy = "cold"
    """``"cold"``, or ``"every"``: seed also where a density or wavefunctions came with
    ``prev_dir``."""
    unseeded_sample: float = 0.0
    """Share of the structures that are left unseeded, for comparison."""
    store_path: str | None = None
    """Folder of the embedded stores of the audit; None: those of the settings."""

    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Job:
        """Make the job.

        Parameters
        ----------
        structure
            A crystal.
        prev_dir
            Folder of an earlier calculation.
        """
        return _made(StaticMaker, self, structure, prev_dir)


@dataclass
class SeededRelaxMaker(RelaxMaker):
    """Make the relaxation of atomate2, its first step started from a given density.

    VASP extrapolates the density from step to step by itself. All fields of atomate2's
    ``RelaxMaker`` are there and mean the same.
    """

    name: str = "seeded relax"
    """Name of the job."""
    source: SeedSource | None = None
    """Where the density comes from; None: the calculation runs unseeded."""
    strategy: Strategy = "cold"
    """``"cold"``, or ``"every"``: seed also where a density or wavefunctions came with
    ``prev_dir``."""
    unseeded_sample: float = 0.0
    """Share of the structures that are left unseeded, for comparison."""
    store_path: str | None = None
    """Folder of the embedded stores of the audit; None: those of the settings."""

    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Job:
        """Make the job.

        Parameters
        ----------
        structure
            A crystal.
        prev_dir
            Folder of an earlier calculation.
        """
        return _made(RelaxMaker, self, structure, prev_dir)


def _made(
    base: type[StaticMaker | RelaxMaker],
    maker: SeededStaticMaker | SeededRelaxMaker,
    structure: Structure,
    prev_dir: str | Path | None,
) -> Job:
    """Make the job of atomate2's own Maker, seeded; so the job holds nothing but that Maker."""
    plain: Any = base(**{field.name: getattr(maker, field.name) for field in fields(base)})
    if maker.source is not None:
        plain = seed_vasp(
            plain,
            maker.source,
            strategy=maker.strategy,
            unseeded_sample=maker.unseeded_sample,
            store_path=maker.store_path,
        )
    job: Job = plain.make(structure, prev_dir=prev_dir)
    return job
