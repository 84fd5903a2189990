"""Take densities of the Materials Project into the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobflow import job

from scdp_flows.errors import DatasetError, DensityError, ScdpFlowsError
from scdp_flows.io.materials_project import MaterialsProject, MpApiClient, MpTask
from scdp_flows.io.vasp_run import read_task
from scdp_flows.jobs.ingest import OfferMaker
from scdp_flows.jobs.ingest_items import Offer
from scdp_flows.schemas.outputs import LabelOutput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["IngestMaterialsProjectMaker"]


@dataclass(kw_only=True)
class IngestMaterialsProjectMaker(OfferMaker):
    """Make the job that fetches densities of the Materials Project.

    Materials are named, not silently replaced by their newest calculation: the task identifier
    stands in the source of every density, and one without density is reported. The data are under
    CC BY 4.0, which the label ``licence:CC-BY-4.0`` records.
    """

    name: str = "ingest from the Materials Project"

    @job(output_schema=LabelOutput)
    def make(self, material_ids: Sequence[str], tags: Sequence[str] = ()) -> LabelOutput:
        """Fetch the densities of materials.

        Parameters
        ----------
        material_ids
            Such as ``["mp-149"]``.
        tags
            Free labels that the documents get.

        Raises
        ------
        DatasetError
            If no material is named.
        ScdpFlowsError
            If not a single density could be taken; otherwise the output lists those.
        """
        return self.fetch(MpApiClient(), material_ids, tags)

    def fetch(
        self, client: MaterialsProject, material_ids: Sequence[str], tags: Sequence[str] = ()
    ) -> LabelOutput:
        """Fetch densities by a given client.

        Parameters
        ----------
        client
            What answers.
        material_ids
            Such as ``["mp-149"]``.
        tags
            Free labels that the documents get.
        """
        if not material_ids:
            raise DatasetError("there are no materials to fetch; give identifiers such as mp-149")
        labels = [*tags, "licence:CC-BY-4.0"]
        return self.take(_offers(client, list(material_ids)), labels, len(material_ids))


def _offers(client: MaterialsProject, material_ids: list[str]) -> Iterator[Offer]:
    """Yield the density of every static calculation, and an error for materials without."""
    for material_id in material_ids:
        try:
            tasks = client.static_tasks([material_id])
        except ScdpFlowsError as error:
            yield Offer(material_id, material_id, error=error)
            continue
        if not tasks:
            reason = f"{material_id}: has no static calculation; leave it out"
            yield Offer(material_id, material_id, error=DensityError(reason))
        for task in tasks:
            yield _offer(client, task)


def _offer(client: MaterialsProject, task: MpTask) -> Offer:
    """Fetch one density."""
    name = f"{task.material_id}/{task.task_id}"
    run = read_task(task.document)
    try:
        document = client.charge_density(task.task_id)
    except ScdpFlowsError as error:
        return Offer(name, name, error=error)
    if document is None:
        reason = f"{name}: the Materials Project has no density of this calculation; leave it out"
        return Offer(name, name, error=DensityError(reason))
    return Offer(name, f"materials-project:{name}", document=document, run=run)
