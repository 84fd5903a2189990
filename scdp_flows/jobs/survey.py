"""Look at folders and stores of existing runs: which densities are there, which would cost what."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DatasetError, DensityFormatError
from scdp_flows.io.archive import is_archive
from scdp_flows.io.base import sniff
from scdp_flows.io.chgcar_probe import probe_chgcar
from scdp_flows.io.density_names import density_promise, without_compression
from scdp_flows.io.vasp_run import TASK_FIELDS, VaspRun, find_output, read_outcar, read_task
from scdp_flows.jobs.ingest_job_store import has_density
from scdp_flows.schemas.survey import SurveyGroup, SurveyReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maggma.core import Store

__all__ = ["ARCHIVE", "survey_folder", "survey_store"]

ARCHIVE = "archive"
"""What archives are counted as; nobody looks inside."""
_ARCHIVE_NAME = re.compile(r"\.(?:tar|tgz|zip)(?:\.|$)", re.IGNORECASE)
_LISTED = 50
# Two relaxations in one folder leave files with these ends, where there is no third calculation.
_ENDS = ("", ".relax2", ".relax1")
# Where a store says what a run is and whether it has a density.
_FIELDS = [f"output.{field}" for field in ("dir_name", "vasp_objects", *TASK_FIELDS)]


@dataclass(frozen=True)
class _Found:
    """One run and its density."""

    run: VaspRun
    has_density: bool
    size: int = 0
    problem: str | None = None


def survey_folder(folder: str | Path) -> SurveyReport:
    """Look at all runs below a folder; nothing is changed and no density is read whole.

    Parameters
    ----------
    folder
        Where to look.

    Raises
    ------
    DatasetError
        If it is no folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise DatasetError(f"{root} is no folder; give one that holds runs")
    found: list[_Found] = []
    unreadable: list[str] = []
    others: Counter[str] = Counter()
    for place in _folders(root):
        ends = [end for end in _ENDS if find_output(place, f"OUTCAR{end}") is not None]
        for end in ends:
            try:
                found.append(_look(place, end))
            except DensityFormatError as error:
                unreadable.append(str(error))
        others.update(_other_formats(place, {f"CHGCAR{end}" for end in ends}))
    return _report(str(root), found, others, unreadable)


def survey_store(store: Store, query: dict[str, Any] | None = None) -> SurveyReport:
    """Look at all runs in a store of finished jobs.

    Parameters
    ----------
    store
        A connected maggma store of job documents.
    query
        MongoDB query of the documents.
    """
    criteria = {"$and": [{"output.dir_name": {"$exists": True}}, query or {}]}
    found = [
        _Found(read_task(doc["output"]), has_density(doc["output"]))
        for doc in store.query(criteria, properties=_FIELDS)
    ]
    return _report(str(store.name), found, Counter(), [])


def _folders(root: Path) -> Iterator[Path]:
    """Yield a folder and all below it, in order; links are not followed."""
    yield root
    for path in sorted(root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            yield path


def _look(place: Path, end: str) -> _Found:
    """Read the log of a run and find its density."""
    run = read_outcar(find_output(place, f"OUTCAR{end}") or place)
    chgcar = find_output(place, f"CHGCAR{end}")
    if chgcar is None:
        return _Found(run, has_density=False)
    problem = probe_chgcar(chgcar)
    return _Found(run, problem is None, chgcar.stat().st_size, problem)


def _other_formats(place: Path, of_runs: set[str]) -> Iterator[str]:
    """Yield the formats of densities that belong to no run of VASP."""
    for path in sorted(place.iterdir()):
        may_be_archive = _ARCHIVE_NAME.search(path.name) is not None
        is_candidate = may_be_archive or density_promise(path.name) != "no"
        is_of_run = without_compression(path.name) in of_runs
        if not is_candidate or is_of_run or not path.is_file():
            continue
        try:
            yield ARCHIVE if is_archive(path) else sniff(path)
        except (DensityFormatError, OSError):
            continue


def _report(
    place: str, found: list[_Found], others: Counter[str], unreadable: list[str]
) -> SurveyReport:
    """Group runs and count."""
    groups: dict[Any, list[_Found]] = defaultdict(list)
    for each in found:
        run = each.run
        key = (
            tuple(sorted(set(run.potcars))),
            run.functional,
            run.encut_ev,
            run.ispin,
            run.hubbard_u_ev if any(run.hubbard_u_ev) else (),
        )
        groups[key].append(each)
    trainable: Counter[str] = Counter()
    elements: dict[str, set[str]] = defaultdict(set)
    for each in found:
        if each.has_density:
            kind = each.run.kind()
            name = " ".join(kind.get(f, "?") for f in ("functional", "pseudopotential", "basis"))
            trainable[name] += 1
            elements[name].update(filter(None, map(_element, each.run.potcars)))
    return SurveyReport(
        place=place,
        groups=sorted(
            (_group(runs) for runs in groups.values()), key=lambda g: (-g.n_runs, g.potcars)
        ),
        other_densities=dict(sorted(others.items())),
        unreadable=unreadable[:_LISTED],
        conflicts=_conflicts(each.run for each in found),
        trainable=dict(trainable.most_common()),
        trainable_elements={name: sorted(elements[name]) for name, _ in trainable.most_common()},
    )


def _group(found: list[_Found]) -> SurveyGroup:
    """Summarise runs of the same settings."""
    run = found[0].run
    sizes = [each.run.n_atoms or 0 for each in found]
    return SurveyGroup(
        potcars=sorted(set(run.potcars)),
        functional=run.functional,
        encut_ev=run.encut_ev,
        ispin=run.ispin,
        hubbard_u_ev=list(run.hubbard_u_ev) if any(run.hubbard_u_ev) else [],
        n_runs=len(found),
        n_with_density=sum(each.has_density for each in found),
        n_atoms=sum(n for n, each in zip(sizes, found, strict=True) if each.has_density),
        largest=max(sizes),
        density_bytes=sum(each.size for each in found),
        missing_core_hours=_missing_cost(found),
        problems=sorted({each.problem for each in found if each.problem})[:_LISTED],
    )


def _missing_cost(found: list[_Found]) -> float | None:
    """Estimate what the missing densities cost; runs that tell no time count as the mean."""
    missing = [each.run.static_core_hours for each in found if not each.has_density]
    told = [cost for cost in missing if cost is not None]
    if not missing:
        return 0.0
    return sum(told) / len(told) * len(missing) if told else None


def _conflicts(runs: Iterable[VaspRun]) -> list[str]:
    """Find elements that occur with several potentials."""
    by_element: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for title in run.potcars:
            if element := _element(title):
                by_element[element].add(title)
    return [
        f"{element}: {', '.join(sorted(titles))}"
        for element, titles in sorted(by_element.items())
        if len(titles) > 1
    ]


def _element(title: str) -> str | None:
    """Return the element of a potential such as ``"PAW_PBE Fe_pv 02Aug2007"``."""
    words = title.split()
    return words[1].partition("_")[0] if len(words) > 1 else None
