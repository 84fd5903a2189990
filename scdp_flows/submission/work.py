"""Say what kind of work each Maker does."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.schemas.doctor import WORKS, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jobflow import Job

__all__ = ["WORKS", "Work", "functions_of", "makers_of", "work_of"]

_MAKERS: Mapping[str, Work] = MappingProxyType(
    {
        "scdp_flows.jobs.build_dataset:BuildDatasetMaker": "light",
        "scdp_flows.jobs.campaign:BeginCampaignMaker": "light",
        "scdp_flows.jobs.campaign:NextRoundMaker": "light",
        "scdp_flows.jobs.compare_seeds:CompareSeedsMaker": "dft",
        "scdp_flows.jobs.doctor:DoctorMaker": "light",
        "scdp_flows.jobs.evaluate:EvaluateMaker": "prediction",
        "scdp_flows.jobs.fit_grids:FitGridsMaker": "dft",  # many cores for a while
        "scdp_flows.jobs.ingest:IngestMaker": "light",
        "scdp_flows.jobs.ingest_job_store:IngestJobStoreMaker": "light",
        "scdp_flows.jobs.ingest_materials_project:IngestMaterialsProjectMaker": "light",
        "scdp_flows.jobs.label:LabelMaker": "dft",
        "scdp_flows.jobs.predict:PredictMaker": "prediction",
        "scdp_flows.jobs.report:ReportMaker": "light",
        "scdp_flows.jobs.report:SeedingReportMaker": "light",
        "scdp_flows.jobs.seed:SeedMaker": "dft",
        "scdp_flows.jobs.select:SelectMaker": "prediction",
        "scdp_flows.jobs.train:TrainMaker": "training",
    }
)
# Jobs without Maker put outputs together. jobflow's own goes behind each flow that replaces a job.
_FUNCTIONS: Mapping[str, Work] = MappingProxyType(
    {
        "jobflow.core.job:store_inputs": "light",
        "scdp_flows.jobs.label:merge_labels": "light",
        "scdp_flows.jobs.predict:merge_predictions": "light",
    }
)
# Jobs of other packages: what we are put beside are DFT calculations.
_FOREIGN: Work = "dft"


def makers_of(work: Work) -> Iterator[type[Any]]:
    """Yield our Makers of jobs that do a kind of work."""
    return _found(_MAKERS, work)


def functions_of(work: Work) -> Iterator[Callable[..., Any]]:
    """Yield what jobs call that do a kind of work."""
    for maker in makers_of(work):
        yield maker.make
    yield from _found(_FUNCTIONS, work)


def _found(places: Mapping[str, Work], work: Work) -> Iterator[Any]:
    for place, done in places.items():
        if done == work:
            module, _, name = place.partition(":")
            yield getattr(import_module(module), name)


def work_of(job: Job) -> Work:
    """Return what kind of work a job does.

    Jobs that are neither ours nor jobflow's are taken for DFT: they come from the flows of other
    packages that ours are put into.
    """
    maker = job.maker
    if maker is None:
        function = job.function
        return _FUNCTIONS.get(f"{function.__module__}:{function.__qualname__}", _FOREIGN)
    if isinstance(maker, DoctorMaker):  # it goes wherever it is sent
        return maker.work
    for kind in type(maker).__mro__:
        known = _MAKERS.get(f"{kind.__module__}:{kind.__qualname__}")
        if known is not None:
            return known
    return _FOREIGN
