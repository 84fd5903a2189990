"""Say what kind of work each Maker does."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.resources import WORKS, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobflow import Job

__all__ = ["WORKS", "Work", "makers_of", "work_of"]

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
# Jobs of other packages: what we are put beside are DFT calculations.
_FOREIGN: Work = "dft"


def makers_of(work: Work) -> Iterator[type[Any]]:
    """Yield our Makers of jobs that do a kind of work."""
    for place, done in _MAKERS.items():
        if done == work:
            module, _, name = place.partition(":")
            yield getattr(import_module(module), name)


def work_of(job: Job) -> Work:
    """Return what kind of work a job does.

    Jobs that none of our Makers makes are taken for DFT: they come from the flows of other
    packages that ours are put into.
    """
    maker = job.maker
    if isinstance(maker, DoctorMaker):  # it goes wherever it is sent
        return maker.work
    for kind in () if maker is None else type(maker).__mro__:
        known = _MAKERS.get(f"{kind.__module__}:{kind.__qualname__}")
        if known is not None:
            return known
    return _FOREIGN
