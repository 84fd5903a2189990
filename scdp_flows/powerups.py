"""Change built flows and Makers: start DFT from given densities, and take what VASP converges."""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.run import _DEFAULT_VALIDATORS
from jobflow import Flow, Job, Maker
from jobflow.core.maker import recursive_call

from scdp_flows.dft.abinit.maker import SeededAbinitMaker
from scdp_flows.dft.vasp.auditor import SeedAuditor
from scdp_flows.dft.vasp.generator import SeededInputGenerator
from scdp_flows.dft.vasp.sources import PredictedSource
from scdp_flows.jobs.harvester import RunHarvester
from scdp_flows.jobs.relax import RelaxMaker
from scdp_flows.predictors.base import as_predictors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from custodian.custodian import Validator

    from scdp_flows.dft.vasp.policy import Strategy
    from scdp_flows.dft.vasp.sources import SeedSource
    from scdp_flows.predictors.base import Predictor

__all__ = ["harvest_vasp", "seed", "seed_vasp"]

Built = TypeVar("Built", bound=Job | Flow | Maker)

_ABINIT = "atomate2.abinit.jobs.base"


def seed(
    built: Built,
    predictor: Predictor,
    *,
    occupancies: str | None = None,
    name_filter: str | None = None,
    store_path: str | None = None,
) -> Built:
    """Start all calculations of a job, flow or Maker from predicted densities, whatever the code.

    Reaches Makers inside of Makers, in flows, and those that jobs hand to the jobs they make. By
    the kind of a Maker:

    * VASP (``atomate2.vasp``): as :func:`seed_vasp` does.
    * ABINIT (``atomate2.abinit``): its job runs inside of
      :class:`scdp_flows.dft.abinit.maker.SeededAbinitMaker`.
    * A code behind ASE (:class:`scdp_flows.jobs.relax.RelaxMaker`, a Maker of ``atomate2.ase``):
      its predictor is set.

    Others stay as they are. Each calculation decides for itself whether a seed fits, and leaves a
    record in the report store (``vasp_seeds``, ``run_seeds``, ``relaxations``) that is found by the
    uuid of its job. Task documents do not differ.

    Parameters
    ----------
    built
        What to change; a copy is changed and returned.
    predictor
        Predicts the densities; calculations of another kind are left alone, or refused by ASE's
        calculators.
    occupancies
        File of PAW occupancies, which VASP needs.
    name_filter
        Change only Makers in whose name this stands.
    store_path
        Folder of the embedded stores of the records; None: those of the settings, or of the Maker.
    """
    source = PredictedSource(predictor, occupancies)

    def seeded(maker: Maker) -> Maker:
        changed: Maker
        if isinstance(maker, BaseVaspMaker):
            changed = seed_vasp(maker, source, store_path=store_path)
        elif isinstance(maker, RelaxMaker | SeededAbinitMaker):
            kept = maker.store_path if store_path is None else store_path
            changed = replace(maker, predictor=predictor, store_path=kept)
        else:
            changed = SeededAbinitMaker(maker, predictor, store_path)
        return changed

    kinds = (BaseVaspMaker, RelaxMaker, SeededAbinitMaker, *_abinit_makers())
    changed: Built = _changed(deepcopy(built), seeded, name_filter, kinds)
    return changed


def _abinit_makers() -> tuple[type[Maker], ...]:
    """Return the base of ABINIT's Makers where it is loaded: without it, none can be there."""
    module = sys.modules.get(_ABINIT)
    return () if module is None else (module.BaseAbinitMaker,)


def seed_vasp(
    built: Built,
    source: SeedSource,
    *,
    name_filter: str | None = None,
    strategy: Strategy = "cold",
    unseeded_sample: float = 0.0,
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
    strategy
        ``"cold"`` seeds calculations that would start from nothing; ``"every"`` also those that
        continue an earlier one, whose density or wavefunctions came with ``prev_dir``.
    unseeded_sample
        Share of the structures that are left unseeded, so that steps, energies and moments can be
        compared (:class:`scdp_flows.dft.vasp.builder.VaspSeedBuilder`).
    store_path
        Folder of the embedded stores of the audits; None: those of the settings.
    """

    def seeded(maker: Maker) -> Maker:
        made = _validated(maker, SeedAuditor(store_path))
        made.input_set_generator = SeededInputGenerator(
            made.input_set_generator, source, strategy=strategy, unseeded_sample=unseeded_sample
        )
        changed: Maker = made
        return changed

    changed: Built = _changed(deepcopy(built), seeded, name_filter)
    return changed


def harvest_vasp(
    built: Built,
    predictors: Predictor | Sequence[Predictor] = (),
    *,
    name_filter: str | None = None,
    tags: Sequence[str] = (),
    store_path: str | None = None,
    time_limit_s: float = 600.0,
) -> Built:
    """Take the converged density of every VASP run into the store, and judge predictors by it.

    Reaches the same Makers as :func:`seed_vasp`. It happens when custodian has found a run good and
    before its files are compressed, in a process of its own; whatever fails in it is recorded in
    ``scdp_harvest.json``, and the run goes on. Task documents do not differ.

    Parameters
    ----------
    built
        What to change; a copy is changed and returned.
    predictors
        Who is judged by each density.
    name_filter
        Change only Makers in whose name this stands.
    tags
        Labels of the densities.
    store_path
        Folder of the embedded stores; None: those of the settings where the job runs.
    time_limit_s
        After this time the process is ended, s.
    """
    harvester = RunHarvester(
        as_predictors(predictors) if predictors else [], store_path, list(tags), time_limit_s
    )

    def harvested(maker: Maker) -> Maker:
        changed: Maker = _validated(maker, harvester)
        return changed

    changed: Built = _changed(deepcopy(built), harvested, name_filter)
    return changed


def _validated(maker: Any, validator: Validator) -> Any:
    """Return a VASP Maker whose runs are looked at by one more validator, after its own."""
    made = deepcopy(maker)
    validators = list(made.run_vasp_kwargs.get("validators") or _DEFAULT_VALIDATORS)
    kept = [each for each in validators if type(each) is not type(validator)]
    made.run_vasp_kwargs = {**made.run_vasp_kwargs, "validators": [*kept, validator]}
    return made


def _changed(
    built: Any,
    change: Callable[[Maker], Maker],
    name_filter: str | None,
    kinds: tuple[type[Maker], ...] = (BaseVaspMaker,),
) -> Any:
    """Apply a change to all Makers of some kinds inside an object."""
    if isinstance(built, Flow):
        for job in built.jobs:
            _changed(job, change, name_filter, kinds)
        return built
    if isinstance(built, Job):
        _change_job(built, change, name_filter, kinds)
        return built
    if isinstance(built, Maker):
        filters: dict[str, Any] = {"name_filter": name_filter, "class_filter": kinds}
        return recursive_call(built, func=change, **filters)
    if isinstance(built, list | tuple):
        return type(built)(_changed(each, change, name_filter, kinds) for each in built)
    if isinstance(built, dict):
        return {key: _changed(each, change, name_filter, kinds) for key, each in built.items()}
    return built


def _change_job(
    job: Job,
    change: Callable[[Maker], Maker],
    name_filter: str | None,
    kinds: tuple[type[Maker], ...],
) -> None:
    """Change the Maker of a job, or those among its arguments."""
    if job.maker is not None:
        maker = _changed(job.maker, change, name_filter, kinds)
        job.function = getattr(maker, job.function.__name__)
    job.function_args = _changed(tuple(job.function_args), change, name_filter, kinds)
    job.function_kwargs = _changed(dict(job.function_kwargs), change, name_filter, kinds)
