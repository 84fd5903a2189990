"""Print and draw what starts saved, and turn it into rows of results; shared by all DFT codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from results_file import make_row

from scdp_flows.reports.savings import savings_figure
from scdp_flows.reports.seeding import SEEDING_COLUMNS, seeding_cells
from scdp_flows.reports.series import arrange
from scdp_flows.reports.style import to_png
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from results_file import Row

    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc, StartSummary

__all__ = ["draw", "print_table", "rows_of"]

_RESULTS = Path(__file__).parent / "results"


def draw(doc: SeedingBenchmarkDoc, store: Path, name: str) -> None:
    """Draw the savings of a benchmark beside the results.

    Parameters
    ----------
    doc
        The sums of a benchmark.
    store
        Folder with the runs.
    name
        Of the picture, without suffix.
    """
    with open_stores(store) as stores:
        seeds = [stores.reports.seeds.get(key) for key in doc.seed_ids]
    picture = to_png(savings_figure(doc, arrange((), (), seeds)), dpi=110)
    (_RESULTS / f"{name}.png").write_bytes(picture)


def print_table(doc: SeedingBenchmarkDoc) -> None:
    """Print one line per start, with what it saved in brackets."""
    print(f"\n{doc.name}: {len(doc.seed_ids)} structures, {len(doc.failed)} failed")
    headings = ["start", *(column.heading for column in SEEDING_COLUMNS)]
    for row in [headings, *seeding_cells(doc)]:
        print(" | ".join(row))


def rows_of(
    doc: SeedingBenchmarkDoc,
    *,
    prefix: str = "",
    builds: str = "Fock builds",
    targets: dict[str, str] | None = None,
) -> list[Row]:
    """Return one row per start and figure; the reference is that of the default start.

    Parameters
    ----------
    doc
        The sums of a benchmark.
    prefix
        Put before the name of each row.
    builds
        What the code counts as Fock builds.
    targets
        Figure → target of the start ``"predicted"``.
    """
    base = doc.start("default")
    default = {} if base is None else _figures(base, builds)
    return [
        make_row(
            f"{prefix}{summary.start}: {name}",
            value,
            unit,
            reference=default.get(name, (None, ""))[0],
            target=(targets or {}).get(name, "") if summary.start == "predicted" else "",
        )
        for summary in doc.starts
        for name, (value, unit) in _figures(summary, builds).items()
        if value is not None
    ]


def _figures(summary: StartSummary, builds: str) -> dict[str, tuple[float | None, str]]:
    """Return name → value and unit."""
    return {
        "iterations": (summary.iterations_mean, ""),
        builds: (summary.fock_builds_mean, ""),
        "Fock work": (summary.fock_work_mean, ""),
        "CPU": (summary.cpu_s_mean, "s"),
        "CPU of the start": (summary.seed_cpu_s_mean, "s"),
        "structures with more iterations": (summary.more_iterations_percent, "%"),
        "structures slower": (summary.slower_percent, "%"),
        "NMAE": (summary.nmae_percent_mean, "%"),
        "NMAE after one diagonalisation": (summary.nmae_dm0_percent_mean, "%"),
        "Coulomb error": (summary.coulomb_error_mha_mean, "mHa"),
        "energy difference": (summary.max_energy_difference_ha, "Ha"),
        "seeds used": (summary.n_seeds_used, ""),
    }
