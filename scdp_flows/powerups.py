"""Change built flows and Makers: start their VASP calculations from given densities."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.run import _DEFAULT_VALIDATORS
from jobflow import Flow, Job, Maker
from jobflow.core.maker import recursive_call

from scdp_flows.dft.vasp.auditor import SeedAuditor
from scdp_flows.dft.vasp.generator import SeededInputGenerator

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.dft.vasp.sources import SeedSource

__all__ = ["seed_vasp"]

Built = TypeVar("Built", bound=Job | Flow | Maker)


def seed_vasp(
    built: Built,
    source: SeedSource,
    *,
    name_filter: str | None = None,
    replace_earlier: bool = False,
    store_path: str | None = None,
) -> Built:
    """Seed all VASP calculations of a job, flow or Maker that may be seeded.

    Reaches Makers inside of Makers and those that jobs hand to the jobs they make while they run.
    Each calculation decides in its own folder, when its inputs are written, and leaves a record
    there; after the run it is audited and stored. Input files differ by ``ICHARG`` alone, task
    documents do not differ.

    Parameters
    ----------
    built
        What to change; a copy is changed and returned.
    source
        Where the densities come from.
    name_filter
        Change only Makers in whose name this stands.
    replace_earlier
        Seed also where a density or wavefunctions came with ``prev_dir``.
    store_path
        Folder of the embedded stores of the audits; None: those of the settings.
    """

    def seeded(maker: Maker) -> Maker:
        return _seeded(maker, source, replace_earlier=replace_earlier, store_path=store_path)

    changed: Built = _changed(deepcopy(built), seeded, name_filter)
    return changed


def _seeded(
    maker: Any, source: SeedSource, *, replace_earlier: bool, store_path: str | None
) -> Maker:
    """Return a VASP Maker with a seeded input set and an audit."""
    made = deepcopy(maker)
    made.input_set_generator = SeededInputGenerator(
        made.input_set_generator, source, replace_earlier=replace_earlier
    )
    validators = list(made.run_vasp_kwargs.get("validators") or _DEFAULT_VALIDATORS)
    kept = [each for each in validators if not isinstance(each, SeedAuditor)]
    made.run_vasp_kwargs = {
        **made.run_vasp_kwargs,
        "validators": [*kept, SeedAuditor(store_path)],
    }
    changed: Maker = made
    return changed


def _changed(built: Any, change: Callable[[Maker], Maker], name_filter: str | None) -> Any:
    """Apply a change to all VASP Makers inside an object."""
    if isinstance(built, Flow):
        for job in built.jobs:
            _changed(job, change, name_filter)
        return built
    if isinstance(built, Job):
        _change_job(built, change, name_filter)
        return built
    if isinstance(built, Maker):
        filters: dict[str, Any] = {"name_filter": name_filter, "class_filter": BaseVaspMaker}
        return recursive_call(built, func=change, **filters)
    if isinstance(built, list | tuple):
        return type(built)(_changed(each, change, name_filter) for each in built)
    if isinstance(built, dict):
        return {key: _changed(each, change, name_filter) for key, each in built.items()}
    return built


def _change_job(job: Job, change: Callable[[Maker], Maker], name_filter: str | None) -> None:
    """Change the Maker of a job, or those among its arguments."""
    if job.maker is not None:
        maker = _changed(job.maker, change, name_filter)
        job.function = getattr(maker, job.function.__name__)
    job.function_args = _changed(tuple(job.function_args), change, name_filter)
    job.function_kwargs = _changed(dict(job.function_kwargs), change, name_filter)
