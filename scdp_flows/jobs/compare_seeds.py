"""Sum up what each start saved over all structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobflow import job

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.dft.base import DftCode
    from scdp_flows.schemas.outputs import Refusal, SeedOutput

__all__ = ["CompareSeedsMaker"]


@dataclass(kw_only=True)
class CompareSeedsMaker(StepMaker):
    """Make the job that sums up comparisons of starts and stores the sums."""

    name: str = "compare seeds"
    title: str = "seeding"
    """What was compared, in words."""

    @job(output_schema=SeedingBenchmarkDoc)
    def make(self, outputs: Sequence[SeedOutput], code: DftCode) -> SeedingBenchmarkDoc:
        """Sum up.

        Parameters
        ----------
        outputs
            Outputs of the jobs that compared.
        code
            What computed them.

        Raises
        ------
        DatasetError
            If no structure was compared with the default start; it says what failed.
        """
        seed_ids = dict.fromkeys(key for output in outputs for key in output.seed_ids)
        failed = [refusal for output in outputs for refusal in output.failed]
        with self.open_stores() as stores:
            seeds = [stores.reports.seeds.get(key) for key in seed_ids]
            if not any(seed.start("default") for seed in seeds):
                raise DatasetError(_nothing(len(seeds), failed))
            doc = SeedingBenchmarkDoc.from_seeds(
                seeds, name=self.title, code=type(code).__name__, failed=failed
            )
            return stores.reports.benchmarks.put(doc)


def _nothing(n_seeds: int, failed: Sequence[Refusal]) -> str:
    """Say why there are no sums."""
    if not n_seeds and failed:
        first = failed[0]
        return (
            f"none of {len(failed)} structures could be computed; the first reason: {first.item}: "
            f"{first.reason}"
        )
    return f"none of {n_seeds} comparisons has a default start; raise audit_fraction"
