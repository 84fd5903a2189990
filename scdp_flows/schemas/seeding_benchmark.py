"""Define the document that sums up what each start saves over many structures."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.outputs import MAX_LISTED, Refusal
from scdp_flows.schemas.part import ScdpPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scdp_flows.schemas.seeding import SeedDoc, StartRecord

__all__ = ["SeedingBenchmarkDoc", "StartSummary", "fock_work"]

_MILLI = 1e3


class StartSummary(ScdpPart):
    """Sum up one start; savings are those of the sums, against the default start of the same."""

    start: str = Field(min_length=1, description="Label of the start.")
    predictor: str | None = Field(default=None, description="Predictor of the starting density.")
    model_id: str | None = Field(default=None, description="Model of the starting density.")
    n_structures: int = Field(ge=1, description="Structures with this and the default start.")
    n_seeds_used: int = Field(ge=0, description="Runs that really came from the given density.")
    n_unconverged: int = Field(ge=0, description="Runs that met no threshold in the end.")
    iterations_mean: float = Field(description="Mean number of SCF iterations.")
    iterations_saved_percent: float = Field(description="Saved SCF iterations in %.")
    fock_builds_mean: float = Field(
        description="Mean Fock builds, or applications of the Hamiltonian, the seed's included."
    )
    fock_builds_saved_percent: float = Field(description="Saved of these in %.")
    fock_work_mean: float | None = Field(
        default=None,
        description="Mean work in units of one Fock build of the calculation: the builds after the "
        "seed, plus the processor time of prediction and seed over that of a build.",
    )
    fock_work_saved_percent: float | None = Field(default=None, description="Saved of it in %.")
    cpu_s_mean: float = Field(description="Mean processor time in s, everything included.")
    cpu_saved_percent: float = Field(description="Saved processor time in %.")
    wall_s_mean: float = Field(description="Mean elapsed time in s, everything included.")
    wall_saved_percent: float = Field(description="Saved elapsed time in %.")
    seed_cpu_s_mean: float = Field(description="Mean processor time of prediction and seed in s.")
    more_iterations_percent: float = Field(
        description="Share of the structures that took more iterations, in %."
    )
    slower_percent: float = Field(
        description="Share of the structures that took more processor time, in %."
    )
    nmae_percent_mean: float | None = Field(
        default=None, description="Mean NMAE of the starting density in %."
    )
    nmae_dm0_percent_mean: float | None = Field(
        default=None, description="Mean NMAE in % after one diagonalisation."
    )
    coulomb_error_mha_mean: float | None = Field(
        default=None, description="Mean Coulomb self-energy of the error in mHa."
    )
    max_energy_difference_ha: float = Field(
        ge=0, description="Largest deviation of the converged energy in Ha."
    )
    max_moment_difference: float | None = Field(
        default=None, ge=0, description="Largest deviation of the moment in Bohr magnetons."
    )
    max_force_difference_ev_ang: float | None = Field(
        default=None, ge=0, description="Largest deviation of a force component in eV/Å."
    )


class SeedingBenchmarkDoc(ScdpDoc):
    """Sum up comparisons of starts over structures computed alike."""

    doc_type: ClassVar[str] = "seeding_benchmark"
    id_field: ClassVar[str] = "benchmark_id"

    benchmark_id: str = Field(description="Hash of name, settings and comparisons.")
    name: str = Field(min_length=1, description="What was compared, in words.")
    code: str = Field(min_length=1, description="Class of the DFT code.")
    settings_hash: str = Field(description="Hash of the settings of the calculations.")
    kind_key: str = Field(description="Hash of the density kind of the calculations.")
    seed_ids: list[str] = Field(min_length=1, description="Comparisons summed up.")
    failed: list[Refusal] = Field(
        default_factory=list, description="Structures without a comparison, and why."
    )
    starts: list[StartSummary] = Field(min_length=1, description="One summary per start.")

    @classmethod
    def from_seeds(
        cls,
        seeds: Sequence[SeedDoc],
        *,
        name: str,
        code: str,
        failed: Sequence[Refusal] = (),
    ) -> Self:
        """Sum up comparisons; those without a default start count nowhere.

        Parameters
        ----------
        seeds
            Comparisons with the same settings.
        name, code
            What was compared, and by which class of DFT code.
        failed
            Structures that have none.

        Raises
        ------
        ValueError
            If there are no comparisons, they are of different settings, or none has a default
            start.
        """
        settings = {(seed.settings_hash, seed.kind_key) for seed in seeds}
        if len(settings) != 1:
            raise ValueError(
                f"{len(seeds)} comparisons have {len(settings)} different settings; sum up those "
                "of one"
            )
        ((settings_hash, kind_key),) = settings
        summaries = [_summary(label, pairs) for label, pairs in _pairs(seeds).items()]
        if not summaries:
            raise ValueError("no comparison has a default start to compare with")
        ids = list(dict.fromkeys(seed.seed_id for seed in seeds))
        return cls(
            benchmark_id=content_hash([name, settings_hash, sorted(ids)])[:24],
            name=name,
            code=code,
            settings_hash=settings_hash,
            kind_key=kind_key,
            seed_ids=ids,
            failed=list(failed[:MAX_LISTED]),
            starts=summaries,
        )

    def start(self, label: str) -> StartSummary | None:
        """Return the summary of a start; None if it was not tried."""
        return next((summary for summary in self.starts if summary.start == label), None)


class _Pair(NamedTuple):
    """A run and the default one of the same structure."""

    run: StartRecord
    default: StartRecord


def fock_work(record: StartRecord, fock_cpu_s: float) -> float:
    """Return what a run cost, prediction and seed included, in units of one Fock build.

    Parameters
    ----------
    record
        The run.
    fock_cpu_s
        Processor time of one Fock build of the calculation, s.
    """
    # A seed that was diagonalised is counted among the builds; here it counts by its time.
    counted = record.nmae_dm0_percent is not None
    return record.fock_builds - counted + record.seed_cpu_s / fock_cpu_s


def _pairs(seeds: Sequence[SeedDoc]) -> dict[str, list[_Pair]]:
    """Return the runs of each start beside the default ones, each structure once."""
    found: dict[str, dict[str, _Pair]] = {}
    for seed in seeds:
        default = seed.start("default")
        if default is not None:
            for record in seed.starts:
                found.setdefault(record.start, {})[seed.seed_id] = _Pair(record, default)
    return {label: list(pairs.values()) for label, pairs in found.items()}


def _summary(label: str, pairs: list[_Pair]) -> StartSummary:
    first = pairs[0].run
    work = _work(pairs)
    return StartSummary(
        start=label,
        predictor=first.predictor,
        model_id=first.model_id,
        n_structures=len(pairs),
        n_seeds_used=sum(pair.run.seed_used for pair in pairs),
        n_unconverged=sum(not pair.run.converged for pair in pairs),
        iterations_mean=statistics.fmean(pair.run.iterations for pair in pairs),
        iterations_saved_percent=_saved(pairs, lambda r: r.iterations),
        fock_builds_mean=statistics.fmean(pair.run.fock_builds for pair in pairs),
        fock_builds_saved_percent=_saved(pairs, lambda r: r.fock_builds),
        fock_work_mean=None if work is None else work[0],
        fock_work_saved_percent=None if work is None else 100 * (1 - work[0] / work[1]),
        cpu_s_mean=statistics.fmean(pair.run.cpu_s for pair in pairs),
        cpu_saved_percent=_saved(pairs, lambda r: r.cpu_s),
        wall_s_mean=statistics.fmean(pair.run.wall_s for pair in pairs),
        wall_saved_percent=_saved(pairs, lambda r: r.wall_s),
        seed_cpu_s_mean=statistics.fmean(pair.run.seed_cpu_s for pair in pairs),
        more_iterations_percent=_share(p.run.iterations > p.default.iterations for p in pairs),
        slower_percent=_share(p.run.cpu_s > p.default.cpu_s for p in pairs),
        nmae_percent_mean=_mean(p.run.nmae_percent for p in pairs),
        nmae_dm0_percent_mean=_mean(p.run.nmae_dm0_percent for p in pairs),
        coulomb_error_mha_mean=_mean(
            None if p.run.coulomb_error_ha is None else _MILLI * p.run.coulomb_error_ha
            for p in pairs
        ),
        max_energy_difference_ha=max(abs(p.run.energy_ha - p.default.energy_ha) for p in pairs),
        max_moment_difference=_most(
            abs(abs(p.run.moment) - abs(p.default.moment))
            for p in pairs
            if p.run.moment is not None and p.default.moment is not None
        ),
        max_force_difference_ev_ang=_most(
            p.run.force_difference_ev_ang
            for p in pairs
            if p.run.force_difference_ev_ang is not None
        ),
    )


def _work(pairs: list[_Pair]) -> tuple[float, float] | None:
    """Return the mean Fock work of the runs and of the default ones; None where it is not known."""
    timed = [(p, p.default.fock_cpu_s) for p in pairs if p.default.fock_cpu_s]
    if not timed:
        return None
    return (
        statistics.fmean(fock_work(p.run, seconds) for p, seconds in timed),
        statistics.fmean(fock_work(p.default, seconds) for p, seconds in timed),
    )


def _saved(pairs: list[_Pair], read: Callable[[StartRecord], float]) -> float:
    """Return the saved share of a sum in %."""
    default = sum(read(pair.default) for pair in pairs)
    return 100 * (1 - sum(read(pair.run) for pair in pairs) / default) if default else 0.0


def _share(flags: Iterable[bool]) -> float:
    known = list(flags)
    return 100 * sum(known) / len(known)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _most(values: Iterable[float]) -> float | None:
    return max(values, default=None)
